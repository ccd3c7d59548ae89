//! Malformed chunks are refused, and the target sees no end of the body.

use testkit::{Balancer, Client, Config, Target, wait_until};

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn malformed_bodies_are_refused() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::to(&target));
    for chunks in [
        "x\r\n",
        "-1\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "1\na\n0\n\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n",
        "10000000000000000\r\n",
        "1;a\nb\r\na\r\n0\r\n\r\n",
        "1;a=\"\0\"\r\na\r\n0\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n folded\r\n\r\n",
    ] {
        for pieces in [1000, 1] {
            let mut client = Client::connect(balancer.web());
            let sent = format!("{CHUNKED}{chunks}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
            for piece in sent.as_bytes().chunks(pieces) {
                let _ = client.try_send(piece);
            }
            let response = client.response();
            let told = (response.status(), response.field("connection"));
            assert_eq!(told, (400, Some("close")), "{chunks:?} in pieces of {pieces}");
            assert_eq!(response.reason(), "request_body_malformed", "{chunks:?}");
            assert!(client.is_closed());
        }
    }
    wait_until("all target connections are closed", || target.open() == 0);
    assert!(target.requests().iter().all(|request| !request.is_complete), "no body was complete");
    assert!(!target.requests().iter().any(|request| request.target() == "/smuggled"));
}

#[test]
fn endless_extensions_and_trailers_are_refused() {
    let target = Target::named("never");
    let balancer = Balancer::start(Config::to(&target));
    for endless in [format!("1;{}", "x".repeat(20_000)), format!("0\r\n{}", "X: y\r\n".repeat(20_000))] {
        let mut client = Client::connect(balancer.web());
        client.send(CHUNKED);
        let _ = client.try_send(&endless);
        assert_eq!(client.response().reason(), "request_body_malformed");
        assert!(client.is_closed());
    }
}
