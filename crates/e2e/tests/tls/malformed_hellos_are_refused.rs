//! Malformed ClientHellos get an alert or a close, and do not affect other clients (TLS2, TLS4).

use testkit::{Alert, Client, ClientHello, Target};

use crate::{expect_handshakes, https, start};

#[test]
fn malformed_names_get_an_alert() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    let name = |name: &[u8]| ClientHello::default().sni(name);
    for hello in [
        // An empty list; a list and a name longer than their container; bytes after the list.
        ClientHello::default().raw_sni(&[0, 0]),
        ClientHello::default().raw_sni(&[0, 9, 0, 0, 1, b'a']),
        ClientHello::default().raw_sni(&[0, 4, 0, 0, 9, b'a']),
        ClientHello::default().raw_sni(&[0, 4, 0, 0, 1, b'a', 0]),
        ClientHello::default().raw_sni(&[]),
        // Two names, and two lists.
        ClientHello::default().raw_sni(&[0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b']),
        name(b"a.example").extension(0, &[0, 4, 0, 0, 1, b'b']),
        name(b""),
    ] {
        let mut client = Client::connect(balancer.web());
        client.send(hello.bytes());
        let alert = client.plain_alert();
        assert!(matches!(alert, Some(Alert::DecodeError | Alert::IllegalParameter)), "{alert:?} {hello:?}");
        assert!(client.is_closed());
    }
    expect_handshakes(&balancer, "malformed", 8.0);
    assert_eq!(balancer.tls_client("web").connect().get("/").text(), "one");
}

#[test]
fn truncated_and_repeated_hellos_are_closed() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    let hello = ClientHello::default().sni(b"localhost").bytes();
    for end in [1, 5, 6, 40, hello.len() - 1] {
        let mut client = Client::connect(balancer.web());
        client.send(&hello[..end]);
        client.half_close();
        assert!(client.is_closed(), "{end} bytes");
    }
    expect_handshakes(&balancer, "closed", 5.0);
    let mut client = Client::connect(balancer.web());
    client.send([&hello[..], &hello].concat());
    assert!(client.is_closed());
    assert_eq!(balancer.tls_client("web").connect().get("/").text(), "one");
}

/// A ClientHello may be split into records at any byte.
#[test]
fn hellos_split_into_records_are_parsed() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    for size in [1, 3, 50] {
        let mut client = Client::connect(balancer.web());
        client.send(ClientHello::default().sni(b"localhost").in_records(size));
        // The record of the ServerHello.
        assert_eq!(client.read_exactly(6)[..3], [22, 3, 3], "{size}");
    }
}

#[test]
fn other_bytes_than_a_hello_get_an_alert() {
    let target = Target::named("one");
    let balancer = start(https(&target));
    for bytes in [&[0x80, 0x2E, 1, 0, 2][..], &[22, 3, 1, 0, 4, 2, 0, 0, 0], &[23, 3, 3, 0, 1, 0], &[0; 64]] {
        let mut client = Client::connect(balancer.web());
        client.send(bytes);
        assert_eq!(client.plain_alert(), Some(Alert::UnexpectedMessage), "{bytes:?}");
        assert!(client.is_closed());
    }
}
