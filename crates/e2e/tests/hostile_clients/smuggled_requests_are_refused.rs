//! One request in is one request out: bytes that could be read as two requests are refused, and nothing after
//! them is served (HTTP3).

use testkit::{Balancer, Client, Config, Target};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn smuggled_requests_are_refused() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::to(&target));
    for (version, fields, status) in [
        ("1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("1.1", "Content-Length: 5\r\nContent-Length: 6", 400),
        ("1.1", "Content-Length: 5\r\nContent-Length: 5", 400),
        ("1.1", "Content-Length: 5, 5", 400),
        ("1.1", "Content-Length: +5", 400),
        ("1.1", "Content-Length: -1", 400),
        ("1.1", "Content-Length: 0x5", 400),
        ("1.1", "Content-Length: 5 5", 400),
        ("1.1", "Content-Length:", 400),
        ("1.1", "Content-Length: 18446744073709551616", 400),
        ("1.1", "Content-Length: 5\r\n\tContent-Length: 6", 400),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("1.1", "Transfer-Encoding: chunked, chunked", 400),
        ("1.1", "Transfer-Encoding: chunked, gzip", 400),
        ("1.1", "Transfer-Encoding:\x0bchunked", 400),
        ("1.1", "Transfer-Encoding: \"chunked\"", 400),
        ("1.1", "Transfer-Encoding : chunked", 400),
        ("1.1", "Transfer-Encoding:", 400),
        ("1.1", "Transfer-Encoding: gzip, chunked", 501),
        ("1.1", "Transfer-Encoding: identity", 501),
        ("1.0", "Transfer-Encoding: chunked", 400),
        ("1.0", "Content-Length: 5\r\nContent-Length: 6", 400),
    ] {
        let mut client = Client::connect(balancer.web());
        client.send(format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n{SMUGGLED}"));
        let response = client.response();
        let is_refused =
            response.status() == status || (fields.contains("chunked") && response.status() == 501);
        assert!(is_refused, "{version} {fields:?}: {}", response.status());
        assert_eq!(response.field("connection"), Some("close"), "{fields:?}");
        assert!(client.is_closed(), "{fields:?}");
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_get_with_a_body_is_one_request() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    let length = SMUGGLED.len();
    client.send(format!("GET /one HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"));
    assert_eq!(client.response().status(), 200);
    assert_eq!(client.get("/two").status(), 200);
    let seen: Vec<_> = target.requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(seen, ["/one", "/two"]);
}

#[test]
fn requests_pipelined_after_a_refused_one_are_not_served() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    client.send(format!("GET /one HTTP/1.1\r\nHost: a\r\n\r\nbroken\r\n\r\n{SMUGGLED}"));
    assert_eq!(client.response().status(), 200);
    assert_eq!(client.response().status(), 400);
    assert!(client.is_closed());
    assert_eq!(target.request().target(), "/one");
}
