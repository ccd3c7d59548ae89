//! The last response of `keepalive_requests` carries `Connection: close` (KA8).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn keepalive_requests_are_counted() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target).listener("keepalive_requests = 3"));
    let mut client = Client::connect(balancer.web());
    for expected in [None, None, Some("close")] {
        assert_eq!(client.get("/").field("connection"), expected);
    }
    assert!(client.is_closed());
}
