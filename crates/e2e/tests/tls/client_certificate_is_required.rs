//! With `client_auth` a client without a good certificate gets the alert that says what is wrong, and nothing of it
//! reaches a target (MT1, MT2).

use testkit::{Alert, Authority, Balancer, Config, Target, TlsClient, pem};

use crate::{expect_handshakes, handshakes, https};

fn start(target: &Target, auth: &str, root: &Authority, crl: &str) -> Balancer {
    let auth = format!("client_auth = {{ {auth}, ca = \"ca.pem\", crl = \"ca.crl\" }}");
    Balancer::prepare(https(target).listener(&auth))
        .file("site.pem", &Authority::new("Site root").leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .file("ca.crl", crl)
        .start()
}

/// Both versions.
fn each_version(client: TlsClient, mut check: impl FnMut(TlsClient)) {
    check(client.clone().tls12());
    check(client.tls13());
}

#[test]
fn each_fault_has_its_alert() {
    let (root, target) = (Authority::new("Root"), Target::named("never"));
    let revoked = root.client("mallory").issue();
    let balancer = start(&target, "mode = \"required\", depth = 1", &root, &root.crl(&[&revoked]));
    let deep = root.intermediate("One").intermediate("Two");
    // By a CA of the same name.
    let forged = Authority::new("Root").client("alice").issue();
    for (result, leaf, alert) in [
        ("client_certificate_expired", root.client("alice").expired().issue(), Alert::CertificateExpired),
        ("client_certificate", root.client("alice").not_yet_valid().issue(), Alert::CertificateExpired),
        ("client_certificate_revoked", revoked, Alert::CertificateRevoked),
        ("client_certificate_unknown_ca", Authority::new("X").client("a").issue(), Alert::UnknownCA),
        ("client_certificate_unknown_ca", deep.client("alice").issue(), Alert::UnknownCA),
        ("client_certificate", root.leaf(&[]).issue(), Alert::UnsupportedCertificate),
        ("client_certificate", forged, Alert::DecryptError),
    ] {
        let before = handshakes(&balancer, result);
        each_version(balancer.tls_client("web").certificate(&leaf), |client| {
            assert_eq!(client.refusal(), Some(alert), "{result}: {}", pem("CERTIFICATE", &leaf.chain()[0]));
        });
        expect_handshakes(&balancer, result, before + 2.0);
    }
    each_version(balancer.tls_client("web"), |client| {
        assert_eq!(client.refusal(), Some(Alert::CertificateRequired));
    });
    expect_handshakes(&balancer, "client_certificate_missing", 2.0);
    assert_eq!((target.connections(), balancer.log_lines().len()), (0, 0));
}

#[test]
fn a_good_one_is_served() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let balancer = start(&target, "mode = \"required\", depth = 1", &root, &root.crl(&[]));
    for leaf in [root.client("alice").issue(), root.client("bob").rsa().issue()] {
        each_version(balancer.tls_client("web").certificate(&leaf), |client| {
            assert_eq!(client.connect().get("/").text(), "one");
        });
    }
}

#[test]
fn optional_lets_in_who_shows_none() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let balancer = start(&target, "mode = \"optional\"", &root, &root.crl(&[]));
    each_version(balancer.tls_client("web"), |client| {
        assert_eq!(client.connect().get("/").text(), "one");
        let bad = client.certificate(&Authority::new("X").client("alice").issue());
        assert_eq!(bad.refusal(), Some(Alert::UnknownCA));
    });
    assert_eq!(target.requests().len(), 2);
}

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
    // What needs a certificate does not come over a connection without, by no name of ours.
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
