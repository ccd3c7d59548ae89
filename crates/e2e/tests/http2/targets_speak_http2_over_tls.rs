//! With `protocol = "h2"` requests are sent to targets as streams over TLS, which must agree on HTTP/2.

use testkit::{Authority, Balancer, Config, Http2Client, Http2Target, TlsServer, get, ok};

fn config(target: &Http2Target) -> Config {
    Config::to_addresses(&[target.address()])
        .group("protocol = \"h2\"")
        .group("tls = { ca = \"ca.pem\", server_name = \"app.lan.internal\" }")
}

#[test]
fn a_verified_target_is_used() {
    let root = Authority::new("Root");
    let leaf = root.leaf(&["app.lan.internal"]).issue();
    let target = Http2Target::https(&TlsServer::new(&leaf).alpn(&["h2"]), |request| ok(request.target()));
    let balancer = Balancer::prepare(config(&target)).file("ca.pem", &root.pem()).start();
    assert_eq!(get(balancer.web(), "/one").text(), "/one");
    assert_eq!(Http2Client::connect(balancer.web()).get("/two").text(), "/two");
    assert_eq!(target.requests()[0].field(":scheme"), Some("https"));
    assert_eq!(target.connections(), 1);
}

#[test]
fn other_targets_are_refused() {
    let (root, other) = (Authority::new("Root"), Authority::new("Other root"));
    let good = root.leaf(&["app.lan.internal"]).issue();
    let bad = other.leaf(&["app.lan.internal"]).issue();
    for (leaf, protocols, reason) in [
        (&bad, &["h2"][..], "target_tls_verify"),
        (&good, &["http/1.1"], "target_tls"),
        (&good, &[], "target_tls"),
    ] {
        let target = Http2Target::https(&TlsServer::new(leaf).alpn(protocols), |_| ok("one"));
        let balancer = Balancer::prepare(config(&target)).file("ca.pem", &root.pem()).start();
        let answer = get(balancer.web(), "/");
        assert_eq!((answer.status(), answer.reason().as_str()), (502, reason), "{protocols:?}");
        assert!(target.requests().is_empty(), "{protocols:?}");
    }
}
