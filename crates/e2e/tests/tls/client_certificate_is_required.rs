//! With `client_auth`, a client without a valid certificate gets the alert for its fault, and nothing it sends
//! reaches a target (MT1, MT2).

use testkit::{Alert, Authority, Balancer, Target, TlsClient, pem};

use crate::{expect_handshakes, handshakes, https};

fn start(target: &Target, auth: &str, root: &Authority, crl: &str) -> Balancer {
    let auth = format!("client_auth = {{ {auth}, ca = \"ca.pem\", crl = \"ca.crl\" }}");
    Balancer::prepare(https(target).listener(&auth))
        .file("site.pem", &Authority::new("Site root").leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .file("ca.crl", crl)
        .start()
}

/// Runs `check` with TLS 1.2 and with TLS 1.3.
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
    // Issued by a different CA with the same name.
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
fn a_valid_certificate_is_served() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let balancer = start(&target, "mode = \"required\", depth = 1", &root, &root.crl(&[]));
    for leaf in [root.client("alice").issue(), root.client("bob").rsa().issue()] {
        each_version(balancer.tls_client("web").certificate(&leaf), |client| {
            assert_eq!(client.connect().get("/").text(), "one");
        });
    }
}

#[test]
fn optional_serves_clients_without_a_certificate() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let balancer = start(&target, "mode = \"optional\"", &root, &root.crl(&[]));
    each_version(balancer.tls_client("web"), |client| {
        assert_eq!(client.connect().get("/").text(), "one");
        let bad = client.certificate(&Authority::new("X").client("alice").issue());
        assert_eq!(bad.refusal(), Some(Alert::UnknownCA));
    });
    assert_eq!(target.requests().len(), 2);
}
