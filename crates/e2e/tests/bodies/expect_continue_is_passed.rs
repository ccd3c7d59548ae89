//! `Expect: 100-continue` reaches the target, and its `100 Continue` the client, before the body is sent.

use testkit::{Balancer, Client, Config, Target, ok, response};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";

#[test]
fn the_body_waits_for_100_continue() {
    let target = Target::script(|mut connection| {
        loop {
            let head = connection.head()?;
            assert_eq!(head.field("expect"), Some("100-continue"));
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")?;
            let body = connection.read_exactly(4)?;
            connection.send(ok(&String::from_utf8_lossy(&body)))?;
        }
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(HEAD);
    assert_eq!(client.head().unwrap().status(), 100);
    client.send("body");
    assert_eq!(client.response().text(), "body");
    client.send(HEAD);
    assert_eq!(client.head().unwrap().status(), 100, "the client's connection is kept");
}

#[test]
fn a_refusal_instead_ends_the_connection() {
    let target = Target::script(|mut connection| {
        connection.head()?;
        connection.send(response(403, "", "no"))?;
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(HEAD);
    let response = client.response();
    assert_eq!((response.status(), response.field("connection")), (403, Some("close")));
    assert!(client.is_closed(), "the client may or may not send the body");
}
