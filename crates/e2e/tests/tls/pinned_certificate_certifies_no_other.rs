//! A certificate in `ca` that may not issue certificates is accepted from the target that presents it, and certifies no
//! other: neither one that is not marked as a CA's, nor one whose key usage is not that of a CA.

use testkit::{Authority, Balancer, Config, Draft, Leaf, Target, TlsServer, get, ok};

/// The response, and the detail of the access log, if `ca` holds `pinned`.
fn outcome(pinned: &Leaf, presented: &Leaf, name: &str) -> (u16, String) {
    let target = Target::https(&TlsServer::new(presented), |_| ok("one"));
    let config = Config::to(&target)
        .group("protocol = \"https\"")
        .group(&format!("tls = {{ ca = \"ca.pem\", server_name = \"{name}\" }}"));
    let balancer = Balancer::prepare(config).file("ca.pem", &pinned.chain_pem()).start();
    let status = get(balancer.web(), "/").status();
    let line = balancer.log_line("request_target", "/");
    (status, line["detail"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn pinned_certificate_certifies_no_other() {
    let (root, own, other) = (Authority::new("Root"), "app.internal", "db.internal");
    for (what, draft) in [
        ("none of a CA", root.leaf(&[own]).self_signed_leaf()),
        ("of a CA that may not sign", root.leaf(&[own]).self_signed()),
    ] {
        let draft: Draft<'_> = draft;
        let pinned = draft.issue();
        assert_eq!(outcome(&pinned, &pinned, own).0, 200, "{what}");
        for name in [own, other] {
            let forged = pinned.issuer().leaf(&[name]).issue();
            let (status, detail) = outcome(&pinned, &forged, name);
            assert!(status == 502 && detail.contains("unknown CA"), "{what}: {status} {detail}");
        }
    }
}
