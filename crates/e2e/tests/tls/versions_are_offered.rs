//! TLS 1.2 and 1.3 are both served, and 1.3 with a post-quantum key exchange (TLS1).

use testkit::{ProtocolVersion, Target};

use crate::{expect_handshakes, https, start};

#[test]
fn both_versions_are_served() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    let client = balancer.tls_client("web");
    for (client, version) in
        [(client.clone().tls12(), ProtocolVersion::TLSv1_2), (client.tls13(), ProtocolVersion::TLSv1_3)]
    {
        let mut client = client.connect();
        assert_eq!(client.get("/").text(), "one");
        assert_eq!(client.get("/").text(), "one");
        assert_eq!(client.handshake().version, version);
    }
    expect_handshakes(&balancer, "full", 2.0);
    assert_eq!(target.connections(), 1);
}

#[test]
fn key_exchange_is_hybrid_if_the_client_supports_it() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    let client = balancer.tls_client("web");
    assert_eq!(client.connect().handshake().group.as_deref(), Some("X25519MLKEM768"));
    assert_eq!(client.classical().connect().handshake().group.as_deref(), Some("X25519"));
}
