//! With `proxy_protocol_out` a connection to a target begins with a PROXY header that names the client (L47).

use std::sync::mpsc::{Receiver, sync_channel};

use testkit::{Authority, Balancer, Client, Config, Target};

use crate::tcp;

/// A target that tells the first `length` bytes of each connection, and then sends back what it gets.
fn telling(length: usize) -> (Target, Receiver<Vec<u8>>) {
    let (told, hear) = sync_channel(100);
    let target = Target::script(move |mut connection| {
        let Ok(bytes) = connection.read_exactly(length) else { return Ok(()) };
        told.send(bytes).unwrap();
        connection.send("220 ready")?;
        connection.echo()
    });
    (target, hear)
}

fn with(config: Config, version: &str) -> Balancer {
    Balancer::start(config.group(&format!("proxy_protocol_out = \"{version}\"")))
}

#[test]
fn version_1() {
    // The ports have five digits.
    let (target, hear) = telling("PROXY TCP4 127.0.0.1 127.0.0.1 12345 12345\r\nhello".len());
    let balancer = with(tcp(&target), "v1");
    let mut client = Client::connect(balancer.web());
    client.send("hello");
    let (source, own) = (client.address().port(), balancer.web().port());
    let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {source} {own}\r\nhello");
    assert_eq!(String::from_utf8(hear.recv().unwrap()).unwrap(), expected);
    client.half_close();
    assert!(client.is_closed());
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["bytes_in"], &line["bytes_out"]), (&5.into(), &9.into()), "without the header");
}

#[test]
fn version_2_comes_at_once() {
    let (target, hear) = telling(28);
    let balancer = with(tcp(&target), "v2");
    let mut client = Client::connect(balancer.web());
    // A server that speaks first has been introduced.
    assert_eq!(client.read_exactly(9), b"220 ready");
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01".to_vec();
    expected.extend(client.address().port().to_be_bytes());
    expected.extend(balancer.web().port().to_be_bytes());
    assert_eq!(hear.recv().unwrap(), expected);
}

/// What a proxy before the listener says of the client is passed on.
#[test]
fn other_addresses() {
    for (header, version) in [
        ("PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\n", "v1"),
        ("PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n", "v1"),
        ("PROXY UNKNOWN\r\n", "v1"),
    ] {
        let (target, hear) = telling(header.len() + 5);
        let balancer = with(tcp(&target).listener("proxy_protocol = [\"127.0.0.1\"]"), version);
        Client::connect(balancer.web()).send(format!("{header}hello"));
        assert_eq!(String::from_utf8(hear.recv().unwrap()).unwrap(), format!("{header}hello"));
    }
}

#[test]
fn version_2_of_ipv6() {
    let (target, hear) = telling(16 + 36 + 5);
    let balancer = with(tcp(&target).listener("proxy_protocol = [\"127.0.0.1\"]"), "v2");
    Client::connect(balancer.web()).send("PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\nhello");
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    expected.extend(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01");
    expected.extend(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02");
    expected.extend(b"\x04\xd2\x01\xbbhello");
    assert_eq!(hear.recv().unwrap(), expected);
}

#[test]
fn tls_of_the_client() {
    let values = [
        &b"\x02\0\x0bone.example"[..],
        // By TLS, with a certificate, which was verified.
        b"\x20\0\x30\x07\0\0\0\0",
        b"\x21\0\x07TLSv1.3",
        b"\x22\0\x05alice",
        b"\x23\0\x16TLS_AES_128_GCM_SHA256",
    ]
    .concat();
    let (target, hear) = telling(28 + values.len());
    let root = Authority::new("Root");
    let config = Config::to(&target)
        .listener("protocol = \"tcp_ssl\"")
        .listener("certificates = [\"one.pem\"]")
        .listener("client_auth = { mode = \"required\", ca = \"ca.pem\" }")
        .group("proxy_protocol_out = \"v2\"");
    let balancer = Balancer::prepare(config)
        .file("one.pem", &root.leaf(&["one.example"]).issue().pem())
        .file("ca.pem", &root.pem())
        .start();
    let alice = root.client("alice").issue();
    let client = balancer.tls_client("web").sni("one.example").certificate(&alice);
    let mut client = client.suites(&["TLS13_AES_128_GCM_SHA256"]).connect();
    assert_eq!(client.read_exactly(9), b"220 ready");
    let header = hear.recv().unwrap();
    assert_eq!(usize::from(header[15]), 12 + values.len(), "{header:?}");
    assert_eq!(header[28..], values, "{}", String::from_utf8_lossy(&header));
}

#[test]
fn another_target_gets_its_own() {
    let (target, hear) = telling(28);
    let dead = Target::script(|_| Ok(())).address();
    let config = Config::to_addresses(&[dead, target.address()]).listener("protocol = \"tcp\"");
    let balancer = with(config, "v2");
    for _ in 0..2 {
        let mut client = Client::connect(balancer.web());
        assert_eq!(client.read_exactly(9), b"220 ready");
        assert!(hear.recv().unwrap().starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"));
    }
}

#[test]
fn health_checks_name_no_client() {
    for (version, expected) in [("v1", &b"PROXY UNKNOWN\r\n"[..]), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")]
    {
        let (target, hear) = telling(expected.len());
        let config = tcp(&target).group("health_check = { type = \"tcp\" }");
        let _balancer = with(config, version);
        assert_eq!(hear.recv().unwrap(), expected);
    }
}
