//! An HTTP/1.0 connection closes after one response unless the request asks for keep-alive; then the response
//! confirms it (KA3).

use testkit::{Balancer, Client, Config, Target};

#[test]
fn http10_closes_by_default() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status(), response.text().as_str()), (200, "one"));
    assert_eq!(response.field("connection"), Some("close"));
    assert!(client.is_closed());
}

#[test]
fn http10_persists_when_asked() {
    let target = Target::named("one");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(client.response().field("connection"), Some("keep-alive"));
    }
    assert_eq!(target.requests()[0].start, "GET / HTTP/1.1", "our own version");
}
