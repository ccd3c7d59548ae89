//! A ticket is not valid for another host, in particular not for one that requires client certificates (TLS3).

use testkit::{Alert, Authority, Balancer, Config, HandshakeKind, Target, TlsClient};

const CERTIFICATES: &str = "certificates = [\"open.pem\", \"other.pem\", { cert = \"closed.pem\", \
                            client_auth = { mode = \"required\", ca = \"ca.pem\" } }]";

fn start(target: &Target, root: &Authority) -> Balancer {
    let names = ["open", "other", "closed"];
    let config = Config::to(target).listener("protocol = \"https\"").listener(CERTIFICATES);
    let prepared = Balancer::prepare(config).file("ca.pem", &root.pem());
    let leaf = |name: &str| root.leaf(&[&format!("{name}.example")]).issue().pem();
    names.iter().fold(prepared, |all, name| all.file(&format!("{name}.pem"), &leaf(name))).start()
}

fn kind(client: &TlsClient, name: &str) -> HandshakeKind {
    let mut client = client.clone().sni(name).connect();
    client.send(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    assert_eq!(client.response().status(), 200);
    client.handshake().kind
}

#[test]
fn another_host_means_a_full_handshake() {
    let (target, root) = (Target::named("one"), Authority::new("Root"));
    let balancer = start(&target, &root);
    let client = balancer.tls_client("web");
    for (version, client) in [("1.2", client.clone().tls12()), ("1.3", client.tls13())] {
        assert_eq!(kind(&client, "open.example"), HandshakeKind::Full, "{version}");
        assert_eq!(kind(&client, "other.example"), HandshakeKind::Full, "{version}");
        assert_eq!(kind(&client, "other.example"), HandshakeKind::Resumed, "{version}");
    }
}

#[test]
fn a_ticket_does_not_replace_a_certificate() {
    let (target, root) = (Target::named("one"), Authority::new("Root"));
    let balancer = start(&target, &root);
    let alice = root.client("alice").issue();
    for client in [balancer.tls_client("web").tls12(), balancer.tls_client("web").tls13()] {
        assert_eq!(kind(&client, "open.example"), HandshakeKind::Full);
        assert_eq!(client.clone().sni("closed.example").refusal(), Some(Alert::CertificateRequired));
        // With a certificate every handshake is full.
        let client = client.certificate(&alice);
        for name in ["open.example", "closed.example", "closed.example"] {
            assert_eq!(kind(&client, name), HandshakeKind::Full);
        }
    }
}
