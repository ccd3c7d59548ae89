//! A client that offers only unsupported versions gets the alert `protocol_version` (TLS1).

use testkit::{Alert, Client, ClientHello, Target};

use crate::{expect_handshakes, https, start};

#[test]
fn min_version_refuses_older_versions() {
    let target = Target::named("one");
    let balancer = start(https(&target).listener("tls = { min_version = \"1.3\" }"));
    let client = balancer.tls_client("web");
    assert_eq!(client.clone().tls12().refusal(), Some(Alert::ProtocolVersion));
    assert_eq!(client.connect().get("/").text(), "one");
    expect_handshakes(&balancer, "version", 1.0);
    expect_handshakes(&balancer, "full", 1.0);
}

#[test]
fn tls_10_and_11_and_ssl_are_refused() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    let hellos = [
        ClientHello::default().legacy_version(0x0302),
        ClientHello::default().legacy_version(0x0301),
        ClientHello::default().legacy_version(0x0300),
        ClientHello::default().supported_versions(&[0x0302, 0x0301]),
    ];
    for hello in &hellos {
        let mut client = Client::connect(balancer.web());
        client.send(hello.bytes());
        assert_eq!(client.plain_alert(), Some(Alert::ProtocolVersion), "{hello:?}");
        assert!(client.is_closed());
    }
    expect_handshakes(&balancer, "version", 4.0);
}

/// RC4, 3DES, CBC, RSA key exchange, NULL: none of them is supported.
#[test]
fn weak_suites_are_refused() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    let mut client = Client::connect(balancer.web());
    client.send(ClientHello::default().suites(&[0x0005, 0x000A, 0x002F, 0x009C, 0xC013, 0x0001]).bytes());
    assert_eq!(client.plain_alert(), Some(Alert::HandshakeFailure));
    expect_handshakes(&balancer, "nothing_in_common", 1.0);
}
