//! A client that reconnects resumes its session on any worker, and after a reload too (TLS3).

use testkit::{HandshakeKind, Target, TlsClient};

use crate::{expect_handshakes, https, start};

fn kind(client: &TlsClient) -> HandshakeKind {
    let mut client = client.connect();
    assert_eq!(client.get("/").text(), "one");
    client.handshake().kind
}

#[test]
fn sessions_are_resumed() {
    let target = Target::named("one");
    let balancer = start(https(&target).top("workers = 2"));
    let client = balancer.tls_client("web");
    for client in [client.clone().tls12(), client.tls13()] {
        assert_eq!(kind(&client), HandshakeKind::Full);
        // Each of the two workers gets about half of the connections.
        for round in 0..20 {
            assert_eq!(kind(&client), HandshakeKind::Resumed, "{round}");
        }
    }
    expect_handshakes(&balancer, "full", 2.0);
    expect_handshakes(&balancer, "resumed", 40.0);
}

#[test]
fn tickets_outlive_a_reload() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    let client = balancer.tls_client("web");
    for client in [client.clone().tls12(), client.tls13()] {
        assert_eq!(kind(&client), HandshakeKind::Full);
        balancer.reload(https(&target)).unwrap();
        assert_eq!(kind(&client), HandshakeKind::Resumed);
        let changed = https(&target).rule("path = \"/x\"\nrespond = { status = 204 }");
        balancer.reload(changed).unwrap();
        assert_eq!(kind(&client), HandshakeKind::Resumed);
    }
}

#[test]
fn tickets_end_with_the_process() {
    let target = Target::named("one");
    let (first, second) = (start(https(&target)), start(https(&target)));
    let client = first.tls_client("web");
    assert_eq!(kind(&client), HandshakeKind::Full);
    assert_eq!(kind(&client.at(second.web())), HandshakeKind::Full);
}
