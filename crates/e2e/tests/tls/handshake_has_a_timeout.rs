//! A handshake must be complete within `handshake_timeout` of the connection (TLS4).

use std::time::Duration;

use testkit::{Client, Target, elapsed};

use crate::{expect_handshakes, https, start};

const AT_LEAST: Duration = Duration::from_millis(900);
const AT_MOST: Duration = Duration::from_secs(4);

#[test]
fn a_slow_hello_is_closed_on_time() {
    let target = Target::named("one");
    let balancer = start(https(&target).listener("handshake_timeout = \"1s\""));
    let hello = balancer.tls_client("web").client_hello();
    let mut client = Client::connect(balancer.web());
    let time = elapsed(|| {
        let sent = client.send_slowly(&hello, Duration::from_millis(100));
        assert!(sent < hello.len(), "the hello is cut off");
        assert!(client.is_closed());
    });
    assert!((AT_LEAST..AT_MOST).contains(&time), "{time:?}");
    expect_handshakes(&balancer, "timed_out", 1.0);
}

#[test]
fn silence_is_closed_on_time() {
    let target = Target::named("one");
    let balancer = start(https(&target).listener("handshake_timeout = \"1s\""));
    let hello = balancer.tls_client("web").client_hello();
    for bytes in [&b""[..], &hello] {
        let mut client = Client::connect(balancer.web());
        client.send(bytes);
        let time = elapsed(|| while client.read().is_ok_and(|bytes| !bytes.is_empty()) {});
        assert!((AT_LEAST..AT_MOST).contains(&time), "{time:?} after {} bytes", bytes.len());
    }
}

/// After the handshake, other timeouts apply.
#[test]
fn a_request_may_come_later() {
    let target = Target::named("one");
    let config = https(&target).listener("handshake_timeout = \"1s\"").listener("header_timeout = \"30s\"");
    let balancer = start(config);
    let mut client = balancer.tls_client("web").connect();
    // Waits longer than the handshake timeout.
    assert!(!client.closes_within(Duration::from_millis(1500)));
    assert_eq!(client.get("/").text(), "one");
}
