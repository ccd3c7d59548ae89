//! A target gets the configured SNI and ALPN `http/1.1`, and our certificate if it requests one (TLS5).

use std::sync::{Arc, Mutex};

use testkit::{Authority, Balancer, Config, Handshake, ProtocolVersion, Target, TlsServer, get, ok};

/// A target that records its handshakes.
fn recording(server: &TlsServer) -> (Target, Arc<Mutex<Vec<Handshake>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let target = Target::tls(server, move |mut connection| {
        notes.lock().unwrap().push(connection.handshake());
        while connection.request().is_ok() {
            connection.send(ok("one"))?;
        }
        Ok(())
    });
    (target, seen)
}

#[test]
fn name_and_protocol_are_sent() {
    let root = Authority::new("Root");
    let leaf = root.leaf(&["app.internal", "127.0.0.1"]).issue();
    for (name, sni) in [("server_name = \"app.internal\",", Some("app.internal")), ("", None)] {
        for (server, version) in [
            (TlsServer::new(&leaf), ProtocolVersion::TLSv1_3),
            (TlsServer::new(&leaf).tls12(), ProtocolVersion::TLSv1_2),
        ] {
            let (target, seen) = recording(&server.alpn(&["h2", "http/1.1"]));
            let tls = format!("tls = {{ {name} ca = \"ca.pem\" }}");
            let config = Config::to(&target).group("protocol = \"https\"").group(&tls);
            let balancer = Balancer::prepare(config).file("ca.pem", &root.pem()).start();
            assert_eq!(get(balancer.web(), "/").text(), "one");
            let handshake = seen.lock().unwrap()[0].clone();
            assert_eq!((handshake.sni.as_deref(), handshake.version), (sni, version));
            assert_eq!(handshake.alpn.as_deref(), Some("http/1.1"));
            assert!(handshake.peer_chain.is_empty());
        }
    }
}

#[test]
fn our_certificate_is_presented() {
    let (root, clients) = (Authority::new("Root"), Authority::new("Client root"));
    let own = clients.intermediate("Issuing").client("balancer").issue();
    let server = TlsServer::new(&root.leaf(&["127.0.0.1"]).issue()).client_ca(&clients);
    let (target, seen) = recording(&server);
    let config = |tls: &str| Config::to(&target).group("protocol = \"https\"").group(tls);
    let balancer = Balancer::prepare(config("tls = { ca = \"ca.pem\", cert = \"own.pem\" }"))
        .file("ca.pem", &root.pem())
        .file("own.pem", &own.pem())
        .start();
    assert_eq!(get(balancer.web(), "/").text(), "one");
    let shown = seen.lock().unwrap()[0].peer_chain.clone();
    assert_eq!(shown, own.chain().iter().map(|one| one.to_vec()).collect::<Vec<_>>());
    // Without a certificate the target refuses us.
    balancer.reload(config("tls = { ca = \"ca.pem\" }")).unwrap();
    let response = get(balancer.web(), "/");
    assert_eq!((response.status(), target.requests().len()), (502, 1), "{}", response.reason());
}
