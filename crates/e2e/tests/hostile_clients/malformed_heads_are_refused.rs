//! A head that does not follow RFC 9112 is refused, the connection is closed, and no target receives it.

use testkit::{Balancer, Client, Config, Target};

/// Bytes to send, and the expected status.
const HEADS: &[(&str, u16)] = &[
    ("GET / HTTP/1.1\nHost: a\n\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\t: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX(y): a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a:port\r\n\r\n", 400),
    ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400),
    ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("GET /#fragment HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /\r\nHost: a\r\n\r\n", 400),
    ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /.. HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, more\r\nContent-Length: 1\r\n\r\nx", 417),
];

fn refused(client: &mut Client, status: u16, what: &str) {
    let response = client.response();
    assert_eq!(response.status(), status, "{what:?}");
    assert!(!response.reason().is_empty(), "{what:?}");
    if status != 405 && status != 417 && !what.contains('%') && !what.contains("..") {
        assert_eq!(response.field("connection"), Some("close"), "{what:?}");
        assert!(client.is_closed(), "{what:?}");
    }
}

#[test]
fn malformed_heads_are_refused() {
    let target = Target::named("never");
    // With HTTP/2 on, bytes that begin like its preface are read as HTTP/2.
    let config = Config::to(&target).listener("http2 = \"off\"");
    let balancer = Balancer::start(config.rule("path = \"= /x\"\nforward = \"app\""));
    let web = balancer.web();
    for (head, status) in HEADS {
        let mut client = Client::connect(web);
        client.send(head);
        refused(&mut client, *status, head);
        // In pieces of one byte, and after a valid request.
        let mut client = Client::connect(web);
        for byte in head.as_bytes() {
            if client.try_send([*byte]).is_err() {
                break;
            }
        }
        refused(&mut client, *status, head);
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::to(&target));
    for (head, status) in [
        (format!("GET /{}", "x".repeat(16 * 1024)), 414),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(60 * 1024)), 414),
        ("G".repeat(17 * 1024), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16 * 1024)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "x".repeat(17 * 1024)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100)), 431),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", format!("X: {}\r\n", "y".repeat(8_000)).repeat(9)),
            431,
        ),
    ] {
        let mut client = Client::connect(balancer.web());
        // It may be refused while it is still being sent.
        let _ = client.try_send(&head);
        refused(&mut client, status, &head[..40.min(head.len())]);
    }
    assert_eq!(target.connections(), 0);
}
