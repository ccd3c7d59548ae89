//! ALPN chooses between HTTP/2 and HTTP/1.1 (TLS4).

use testkit::{Alert, Http2Client, Target};

use crate::{expect_handshakes, https, start};

#[test]
fn alpn_chooses_the_protocol() {
    let target = Target::named("one");
    for (listener, offered, agreed) in [
        ("", &["h2", "http/1.1"][..], Some("h2")),
        ("", &["http/1.1", "h2"], Some("h2")),
        ("", &["http/1.1"], Some("http/1.1")),
        ("", &["spdy/3", "http/1.1"], Some("http/1.1")),
        ("", &[], None),
        ("http2 = \"off\"", &["h2", "http/1.1"], Some("http/1.1")),
    ] {
        let balancer = start(https(&target).listener(listener));
        let client = balancer.tls_client("web").alpn(offered);
        let mut http1 = client.connect();
        assert_eq!(http1.handshake().alpn.as_deref(), agreed, "{offered:?}");
        if agreed == Some("h2") {
            assert_eq!(Http2Client::secure(&client).get("/").text(), "one");
        } else {
            assert_eq!(http1.get("/").text(), "one");
        }
    }
}

#[test]
fn nothing_in_common_is_refused() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    let client = balancer.tls_client("web").alpn(&["spdy/3"]);
    assert_eq!(client.refusal(), Some(Alert::NoApplicationProtocol));
    expect_handshakes(&balancer, "no_application_protocol", 1.0);
}
