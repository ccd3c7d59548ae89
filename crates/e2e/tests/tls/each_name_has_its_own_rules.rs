//! Client authentication depends on the name, and a connection is valid only for the name of its handshake
//! (MT1, MT4).

use testkit::{Alert, Authority, Balancer, Config, Target};

#[test]
fn each_name_has_its_own_rules() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let certificates =
        "certificates = [\"closed.pem\", { cert = \"open.pem\", client_auth = { mode = \"off\" } }]";
    let auth = "client_auth = { mode = \"required\", ca = \"ca.pem\" }";
    let config = Config::to(&target).listener("protocol = \"https\"").listener(certificates).listener(auth);
    let balancer = Balancer::prepare(config)
        .file("closed.pem", &root.leaf(&["closed.example"]).issue().pem())
        .file("open.pem", &root.leaf(&["open.example"]).issue().pem())
        .file("ca.pem", &root.pem())
        .start();
    let client = balancer.tls_client("web");
    for name in ["closed.example", "unknown.example"] {
        assert_eq!(client.clone().sni(name).refusal(), Some(Alert::CertificateRequired), "{name}");
    }
    let mut open = client.clone().sni("open.example").connect();
    // A host that requires a certificate is not served over a connection without one, even under an unknown
    // name.
    for (host, status) in [("open.example", 200), ("closed.example", 421), ("unknown.example", 421)] {
        open.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(open.response().status(), status, "{host}");
    }
    let alice = client.certificate(&root.client("alice").issue());
    let mut closed = alice.sni("closed.example").connect();
    for (host, status) in [("closed.example", 200), ("unknown.example", 200), ("open.example", 421)] {
        closed.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(closed.response().status(), status, "{host}");
    }
}
