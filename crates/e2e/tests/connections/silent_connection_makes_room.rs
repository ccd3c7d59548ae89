//! A connection that has not begun a request makes room too, once it has had a second for it (KA10).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, elapsed};

#[test]
fn silent_connection_makes_room() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target).listener("max_connections = 2"));
    let mut silent = [Client::connect(balancer.web()), Client::connect(balancer.web())];
    let mut late = Client::connect(balancer.web());
    let waited = elapsed(|| assert_eq!(late.get("/").text(), "served"));
    assert!(waited >= Duration::from_millis(800), "{waited:?}");
    assert!(silent[0].is_closed(), "the first that came");
    assert_eq!(silent[1].get("/").text(), "served");
}

#[test]
fn one_that_owes_a_proxy_header_does_too() {
    let target = Target::named("served");
    let listener = "max_connections = 1\nproxy_protocol = [\"127.0.0.2\"]\nheader_timeout = \"1m\"";
    let balancer = Balancer::start(Config::to(&target).listener(listener));
    let mut silent = Client::connect_from([127, 0, 0, 2], balancer.web());
    let mut late = Client::connect(balancer.web());
    assert_eq!(late.get("/").text(), "served");
    assert!(silent.is_closed());
}
