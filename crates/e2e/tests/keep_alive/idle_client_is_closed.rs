//! An idle client connection is closed `keepalive_timeout` after its last response, and not before (KA1).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target, elapsed};

#[test]
fn idle_client_is_closed() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target).listener("keepalive_timeout = \"1s\""));
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.get("/").field("connection"), None);
    let idle = elapsed(|| assert!(client.is_closed()));
    assert!(idle >= Duration::from_millis(900), "{idle:?}");
}

#[test]
fn without_a_timeout_every_response_closes() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target).listener("keepalive_timeout = \"0s\""));
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.get("/").field("connection"), Some("close"));
    assert!(client.is_closed());
}
