//! A POST, PUT or PATCH without a body says so to the target: clients of HTTP/2 end the stream instead, and some of HTTP/1.1
//! send no length either (RFC 9110 §8.6).

use testkit::{Balancer, Config, Http2Client, Http2Target, Target, exchange, ok};

use crate::h2c;

#[test]
fn a_method_with_a_body_says_its_length() {
    let target = Target::named("app");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Http2Client::connect(balancer.web());
    for (method, expected) in [
        ("POST", Some("0")),
        ("PUT", Some("0")),
        ("PATCH", Some("0")),
        ("GET", None),
        ("DELETE", None),
        ("OPTIONS", None),
    ] {
        assert_eq!(client.exchange(method, "/", &[], b"").status(), 200, "{method}");
        exchange(balancer.web(), format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        let requests = target.requests();
        for request in &requests[requests.len() - 2..] {
            assert_eq!(request.field("content-length"), expected, "{method}");
            assert_eq!(request.field("transfer-encoding"), None, "{method}");
        }
    }
    client.exchange("POST", "/", &[("content-length", "0")], b"");
    assert_eq!(target.requests().last().unwrap().all("content-length"), ["0"], "once");
}

/// The connection on which the first attempt goes is closed without a response.
#[test]
fn another_attempt_says_it_too() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.send(ok(""))?;
        connection.request().map(drop)
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Http2Client::connect(balancer.web());
    for _ in 0..2 {
        assert_eq!(client.exchange("PUT", "/", &[], b"").status(), 200);
    }
    let lengths: Vec<_> =
        target.requests().iter().map(|request| request.field("content-length").map(str::to_owned)).collect();
    assert_eq!(lengths, vec![Some("0".to_owned()); 3]);
}

#[test]
fn a_target_of_http2_is_told_too() {
    let target = Http2Target::named("app");
    let balancer = Balancer::start(h2c(&[&target]));
    let mut client = Http2Client::connect(balancer.web());
    assert_eq!(client.exchange("POST", "/", &[], b"").status(), 200);
    exchange(balancer.web(), "PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(target.requests().iter().all(|request| request.field("content-length") == Some("0")));
}
