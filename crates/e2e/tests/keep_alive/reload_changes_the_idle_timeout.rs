//! A reload changes `keepalive_timeout` for the next idle period and closes no connection (KA2).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, elapsed};

#[test]
fn reload_changes_the_idle_timeout() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target).listener("keepalive_timeout = \"60s\""));
    let mut client = Client::connect(balancer.web());
    client.get("/");
    balancer.reload(Config::to(&target).listener("keepalive_timeout = \"1s\"")).unwrap();
    assert!(!client.closes_within(Duration::from_millis(1_300)), "this idle period began before the reload");
    assert_eq!(client.get("/").text(), "one");
    let idle = elapsed(|| assert!(client.is_closed()));
    assert!(idle < Duration::from_secs(5), "{idle:?}");
}
