//! `Accept-Encoding` decides: the highest weight wins, ties follow our order, and a malformed or missing field
//! means no compression (HTTP5).

use testkit::{Balancer, Client, Target, wait_until};

use crate::{ask, compressing, html, page, plain};

#[test]
fn client_chooses_the_coding() {
    let target = Target::http(|_| html(""));
    let balancer = Balancer::start(compressing(&target));
    let mut client = Client::connect(balancer.web());
    for (accepts, expected) in [
        ("Accept-Encoding: gzip, deflate, br, zstd\r\n", Some("zstd")),
        ("Accept-Encoding: gzip, deflate, br\r\n", Some("br")),
        ("Accept-Encoding: gzip\r\nAccept-Encoding: deflate\r\n", Some("gzip")),
        ("accept-encoding: br;q=0.5, gzip;q=0.7\r\n", Some("gzip")),
        ("Accept-Encoding: *;q=0.1, zstd;q=0\r\n", Some("br")),
        ("Accept-Encoding: identity, gzip;q=0.5\r\n", None),
        ("Accept-Encoding: gzip;q=0\r\n", None),
        ("Accept-Encoding: deflate\r\n", None),
        ("Accept-Encoding: gzip;q=high\r\n", None),
        ("Accept-Encoding: \r\n", None),
        ("", None),
    ] {
        let response = ask(&mut client, accepts);
        assert_eq!(response.field("content-encoding"), expected, "{accepts}");
        assert_eq!(response.all("vary"), ["Accept-Encoding"], "{accepts}");
        let body = if expected.is_some() { plain(&response) } else { Some(response.body) };
        assert_eq!(body.as_deref(), Some(page().as_bytes()), "{accepts}");
    }
    let seen = target.requests();
    assert_eq!(
        seen[0].field("accept-encoding"),
        Some("gzip, deflate, br, zstd"),
        "the target sees the field and may compress itself"
    );
    for coding in ["zstd", "br", "gzip"] {
        let labels = [("coding", coding)];
        let counted = || balancer.metric("evenkeel_listener_compressed_responses_total", &labels);
        wait_until("the response is counted", || counted() > 0.0);
    }
    let line = balancer.log_line("compressed", "br");
    assert_eq!(line["plain_body_bytes"], page().len());
    assert!(line["response_body_bytes"].as_u64().unwrap() < page().len() as u64 / 3, "{line}");
}

#[test]
fn the_operator_chooses_the_codings_and_their_order() {
    let target = Target::http(|_| html(""));
    let config = testkit::Config::to(&target).listener("compression = { algorithms = [\"gzip\", \"br\"] }");
    let balancer = Balancer::start(config);
    let mut client = Client::connect(balancer.web());
    for (accepts, expected) in [("br, gzip, zstd", Some("gzip")), ("br", Some("br")), ("zstd", None)] {
        let response = ask(&mut client, &format!("Accept-Encoding: {accepts}\r\n"));
        assert_eq!(response.field("content-encoding"), expected, "{accepts}");
    }
}
