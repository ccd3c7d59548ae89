//! A self-signed certificate that `ca` names is accepted from the peer that presents it, also if it is marked as one of a
//! CA; its name and time are still checked. So is a client's.

use testkit::{Authority, Balancer, Config, Draft, Target, TlsServer, get, ok};

#[test]
fn target_may_present_the_certificate_in_ca() {
    let root = Authority::new("Root");
    for (what, draft, name, detail) in [
        ("named", root.leaf(&["app.internal"]), "app.internal", None),
        ("another name", root.leaf(&["app.internal"]), "db.internal", Some("another name")),
        ("expired", root.leaf(&["app.internal"]).expired(), "app.internal", Some("expired")),
        ("not named", root.leaf(&["app.internal"]), "app.internal", Some("CaUsedAsEndEntity")),
    ] {
        let draft: Draft<'_> = draft;
        let leaf = draft.self_signed().issue();
        let ca = if what == "not named" { root.pem() } else { leaf.chain_pem() };
        let target = Target::https(&TlsServer::new(&leaf), |_| ok("one"));
        let config = Config::to(&target)
            .group("protocol = \"https\"")
            .group(&format!("tls = {{ ca = \"ca.pem\", server_name = \"{name}\" }}"));
        let balancer = Balancer::prepare(config).file("ca.pem", &ca).start();
        let response = get(balancer.web(), "/");
        let Some(detail) = detail else {
            assert_eq!(response.status(), 200, "{what}");
            continue;
        };
        assert_eq!(response.reason(), "target_tls_verify", "{what}");
        let line = balancer.log_line("request_target", "/");
        assert!(line["detail"].as_str().is_some_and(|text| text.contains(detail)), "{what}: {line}");
    }
}

#[test]
fn client_may_present_the_certificate_in_ca() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let alice = root.client("alice").self_signed().issue();
    let mallory = root.client("alice").self_signed().issue();
    let config = Config::to(&target)
        .https(&["site.pem"])
        .listener("client_auth = { mode = \"required\", ca = \"clients.pem\" }");
    let balancer = Balancer::prepare(config)
        .file("site.pem", &root.leaf(&[]).issue().pem())
        .file("clients.pem", &alice.chain_pem())
        .start();
    let mut client = balancer.tls_client("web").certificate(&alice).connect();
    assert_eq!(client.get("/").status(), 200);
    assert!(balancer.tls_client("web").tls12().certificate(&mallory).try_connect().is_err());
}
