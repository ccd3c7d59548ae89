//! An expected PROXY header precedes the ClientHello, in the clear (PP1, TLS4).

use testkit::{Client, ClientHello, Target};

use crate::{expect_handshakes, https, start};

#[test]
fn proxy_header_comes_first() {
    let target = Target::named("one");
    let balancer = start(https(&target).listener("proxy_protocol = [\"127.0.0.0/8\"]"));
    let hello = ClientHello::default().sni(b"localhost").bytes();
    let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
    // In one write, and in two writes split at various points.
    for cut in [0, 10, header.len(), header.len() + 3] {
        let bytes = [&header[..], &hello].concat();
        let mut client = Client::connect(balancer.web());
        client.send(&bytes[..cut]);
        client.send(&bytes[cut..]);
        // The record of the ServerHello.
        assert_eq!(client.read_exactly(6)[..3], [22, 3, 3], "{cut}");
    }
    expect_handshakes(&balancer, "closed", 4.0);
}

#[test]
fn without_a_header_the_connection_is_closed() {
    let target = Target::named("one");
    let balancer = start(https(&target).listener("proxy_protocol = [\"127.0.0.0/8\"]"));
    let mut client = Client::connect(balancer.web());
    client.send(ClientHello::default().sni(b"localhost").bytes());
    assert!(client.is_closed());
    expect_handshakes(&balancer, "full", 0.0);
}
