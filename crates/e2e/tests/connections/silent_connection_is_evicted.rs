//! A connection that has sent no request for a second is evicted like an idle one (KA10).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, elapsed};

#[test]
fn silent_connection_is_evicted() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target).listener("max_connections = 2"));
    let mut silent = [Client::connect(balancer.web()), Client::connect(balancer.web())];
    let mut late = Client::connect(balancer.web());
    let waited = elapsed(|| assert_eq!(late.get("/").text(), "served"));
    assert!(waited >= Duration::from_millis(800), "{waited:?}");
    assert!(silent[0].is_closed(), "the first to connect is evicted");
    assert_eq!(silent[1].get("/").text(), "served");
}

#[test]
fn a_connection_whose_proxy_header_is_overdue_is_evicted() {
    let target = Target::named("served");
    let listener = "max_connections = 1\nproxy_protocol = [\"127.0.0.2\"]\nheader_timeout = \"1m\"";
    let balancer = Balancer::start(Config::to(&target).listener(listener));
    let mut silent = Client::connect_from([127, 0, 0, 2], balancer.web());
    let mut late = Client::connect(balancer.web());
    assert_eq!(late.get("/").text(), "served");
    assert!(silent.is_closed());
}
