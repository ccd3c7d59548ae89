//! With rules on `sni`, a client without TLS goes by the other rules; one that waits for the server, too (L41).

use testkit::{Balancer, Client, ClientHello};

use crate::{echo, is_reset, named, tcp};

#[test]
fn other_bytes_go_to_the_default() {
    let (plain, named_target) = (echo(), echo());
    let balancer = Balancer::start(
        tcp(&plain).also("named", &named_target).rule("sni = \"~ ^.*$\"\nforward = \"named\""),
    );
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0", b"\xff\x16"] {
        let mut client = Client::connect(balancer.web());
        client.send(bytes);
        assert_eq!(client.read_exactly(bytes.len()), bytes);
    }
    // TLS without a name, and with one that is none of a host.
    for hello in [ClientHello::default(), ClientHello::default().sni(b"a b")] {
        let mut client = Client::connect(balancer.web());
        client.send(hello.bytes());
        assert_eq!(client.read_exactly(hello.bytes().len()), hello.bytes());
    }
    assert_eq!((plain.connections(), named_target.connections()), (5, 0));
}

#[test]
fn a_client_that_ends_at_once_goes_to_the_default() {
    let target = named("bye");
    let balancer = Balancer::start(tcp(&target).rule("sni = \"a.example\"\nforward = \"app\""));
    let mut client = Client::connect(balancer.web());
    client.half_close();
    assert_eq!(client.read_exactly(3), b"bye");
}

#[test]
fn a_server_speaks_first_after_the_time() {
    let target = named("220 ready");
    let balancer = Balancer::start(
        tcp(&target).listener("handshake_timeout = \"1s\"").rule("sni = \"a.example\"\nforward = \"app\""),
    );
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.read_exactly(9), b"220 ready");
    client.send("hello");
    assert_eq!(client.read_exactly(5), b"hello");
}

#[test]
fn without_a_default_other_bytes_are_reset() {
    let target = echo();
    let balancer =
        Balancer::start(tcp(&target).without_forward().rule("sni = \"a.example\"\nforward = \"app\""));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert!(is_reset(&mut client));
    balancer.log_line("end", "no_rule");
    assert_eq!(target.connections(), 0);
}
