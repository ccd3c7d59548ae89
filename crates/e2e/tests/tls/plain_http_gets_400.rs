//! A plain HTTP request on a TLS port gets a 400 with the reason `plain_http` (TLS4).

use testkit::{Client, Target, exchange};

use crate::{expect_handshakes, https, start};

#[test]
fn plain_http_gets_400() {
    let target = Target::named("never");
    let balancer = start(https(&target));
    let response = exchange(balancer.web(), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((response.status(), response.reason().as_str()), (400, "plain_http"));
    assert!(response.text().contains("plain_http"), "{}", response.text());
    assert_eq!(balancer.log_line("reason", "plain_http")["status"], 400);
    expect_handshakes(&balancer, "plain_http", 1.0);
    assert_eq!(target.connections(), 0);
}

/// Neither further requests nor HTTP/2 by prior knowledge are served.
#[test]
fn plain_text_requests_are_not_served() {
    let target = Target::named("never");
    let balancer = start(https(&target));
    let mut client = Client::connect(balancer.web());
    for _ in 0..2 {
        if client.try_send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok()
            && let Ok(response) = client.try_response()
        {
            assert_eq!(response.status(), 400);
        }
    }
    let mut client = Client::connect(balancer.web());
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    client.send("\0\0\x07\x01\x05\0\0\0\x01\u{2}");
    client.half_close();
    assert!(client.is_closed());
    assert_eq!(target.connections(), 0);
}
