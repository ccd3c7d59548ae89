//! A new CRL locks out the clients that it revokes: new connections at once, resumed sessions too, and with
//! `close_revoked` open connections (MT2, TLS3).

use testkit::{Alert, Authority, Balancer, Config, HandshakeKind, Http2Client, Target};

use crate::https;

fn config(target: &Target, more: &str) -> Config {
    let auth = format!("client_auth = {{ mode = \"required\", ca = \"ca.pem\", crl = \"ca.crl\"{more} }}");
    https(target).listener(&auth)
}

fn start(config: &Config, root: &Authority) -> Balancer {
    Balancer::prepare(config)
        .file("site.pem", &Authority::new("Site root").leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .file("ca.crl", &root.crl(&[]))
        .start()
}

#[test]
fn revoked_clients_are_locked_out() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let config = config(&target, "");
    let balancer = start(&config, &root);
    let [alice, mallory] = ["alice", "mallory"].map(|name| root.client(name).issue());
    let alice = balancer.tls_client("web").certificate(&alice);
    let clients = [alice.clone().tls12(), alice.tls13()];
    let leaf = mallory;
    let mallory = balancer.tls_client("web").certificate(&leaf);
    let revoked = [mallory.clone().tls12(), mallory.tls13()];
    for client in clients.iter().chain(&revoked) {
        let mut client = client.connect();
        assert_eq!((client.get("/").text().as_str(), client.handshake().kind), ("one", HandshakeKind::Full));
    }
    balancer.write("ca.crl", &root.crl(&[&leaf]));
    balancer.reload(&config).unwrap();
    for client in &revoked {
        assert_eq!(client.refusal(), Some(Alert::CertificateRevoked));
    }
    for client in &clients {
        assert_eq!(client.connect().get("/").text(), "one");
    }
    assert_eq!(target.requests().len(), 6);
}

#[test]
fn open_connections_are_closed_on_demand() {
    for (more, is_closed) in [(", close_revoked = true", true), ("", false)] {
        let (root, target) = (Authority::new("Root"), Target::named("one"));
        let config = config(&target, more);
        let balancer = start(&config, &root);
        let [alice, leaf] = ["alice", "mallory"].map(|name| root.client(name).issue());
        let mallory = balancer.tls_client("web").certificate(&leaf);
        let mut alice = balancer.tls_client("web").certificate(&alice).connect();
        let mut http2 = Http2Client::secure(&mallory);
        let mut http1 = mallory.connect();
        assert_eq!(
            (alice.get("/").status(), http1.get("/").status(), http2.get("/").status()),
            (200, 200, 200)
        );
        balancer.write("ca.crl", &root.crl(&[&leaf]));
        balancer.reload(&config).unwrap();
        if is_closed {
            assert!(http1.is_closed());
            testkit::wait_until("the HTTP/2 connection is closed", || {
                http2.try_exchange("GET", "/", &[], b"").is_err()
            });
        } else {
            assert_eq!((http1.get("/").status(), http2.get("/").status()), (200, 200));
        }
        assert_eq!(alice.get("/").status(), 200);
    }
}

/// A CRL that a reload adds closes connections like one that a reload changes.
#[test]
fn an_added_crl_closes_connections() {
    let (root, target) = (Authority::new("Root"), Target::named("one"));
    let before = https(&target).listener("client_auth = { mode = \"required\", ca = \"ca.pem\" }");
    let balancer = start(&before, &root);
    let leaf = root.client("mallory").issue();
    let mut mallory = balancer.tls_client("web").certificate(&leaf).connect();
    assert_eq!(mallory.get("/").status(), 200);
    balancer.write("ca.crl", &root.crl(&[&leaf]));
    balancer.reload(config(&target, ", close_revoked = true")).unwrap();
    assert!(mallory.is_closed());
}
