//! With `hsts` every response has the field once, whether it is ours or a target's (RFC 6797).

use testkit::{Http2Client, Message, Target, exchange};

use crate::{https, start};

#[test]
fn every_response_has_hsts() {
    let target = Target::http(|request| match request.target() {
        "/own" => testkit::response(200, "Strict-Transport-Security: max-age=1\r\n", "own"),
        _ => testkit::ok("one"),
    });
    let config = https(&target)
        .listener("hsts = { max_age = \"1d\", include_subdomains = true }")
        .rule("path = \"/redirect\"\nredirect = { to = \"https://x.example/\", code = 301 }")
        .rule("path = \"/ready\"\nrespond = { status = 204 }");
    let balancer = start(config);
    let value = |response: &Message| response.all("strict-transport-security").join(" and ");
    let mut http2 = Http2Client::secure(&balancer.tls_client("web"));
    for (path, status) in [("/", 200), ("/redirect", 301), ("/ready", 204), ("/../x", 400), ("/own", 200)] {
        let response = balancer.tls_client("web").connect().get(path);
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(value(&response), "max-age=86400; includeSubDomains", "{path}");
        assert_eq!(value(&http2.get(path)), "max-age=86400; includeSubDomains", "{path}");
    }
    // RFC 6797 §7.2: not over plain HTTP.
    let plain = exchange(balancer.web(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((plain.status(), value(&plain).as_str()), (400, ""));
}
