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

#[test]
fn requests_pipelined_over_the_limit_are_not_served() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target).listener("keepalive_requests = 2"));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4));
    assert_eq!(client.response().field("connection"), None);
    assert_eq!(client.response().field("connection"), Some("close"));
    assert!(client.is_closed());
    assert_eq!(target.requests().len(), 2);
}
