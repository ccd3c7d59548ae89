//! Rules look at the name and the protocols that a TLS client sends first, and TLS ends at the target (L41).

use std::process::Command;
use std::time::Duration;

use testkit::{Authority, Balancer, Client, ClientHello, Config, Target, TlsServer};

use crate::{echo, tcp};

/// A TLS target that echoes, with a certificate for this name.
fn tls_target(root: &Authority, name: &str, protocols: &[&str]) -> Target {
    let server = TlsServer::new(&root.leaf(&[name]).issue()).alpn(protocols);
    Target::tls(&server, |mut connection| connection.echo())
}

fn by_name(one: &Target, others: &Target) -> Config {
    tcp(one)
        .also("others", others)
        .without_forward()
        .rule("sni = \"one.example\"\nforward = \"app\"")
        .rule("sni = \"*.example\"\nforward = \"others\"")
}

#[test]
fn the_certificate_is_that_of_the_target() {
    let root = Authority::new("Root");
    let (one, others) = (tls_target(&root, "one.example", &[]), tls_target(&root, "two.example", &[]));
    let balancer = Balancer::start(by_name(&one, &others));
    for (name, group) in [("one.example", "app"), ("two.example", "others")] {
        // The client verifies that the certificate is for this name.
        let mut client = balancer.tls_client("web").sni(name).trusting(&root).connect();
        client.send("hello");
        assert_eq!(client.read_exactly(5), b"hello");
        drop(client);
        let line = balancer.log_line("server_name", name);
        assert_eq!((&line["group"], &line["tls"]), (&group.into(), &serde_json::Value::Null));
        assert!(line["bytes_in"].as_u64().unwrap() > 200, "TLS counts: {line}");
    }
}

#[test]
fn openssl_gets_through() {
    let root = Authority::new("Root");
    let (one, others) = (tls_target(&root, "one.example", &[]), tls_target(&root, "two.example", &[]));
    let balancer = Balancer::start(by_name(&one, &others));
    for name in ["one.example", "two.example"] {
        let output = Command::new("openssl")
            .args(["s_client", "-servername", name, "-connect", &balancer.web().to_string()])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let (text, leaf) = (String::from_utf8_lossy(&output.stdout), balancer.tls_client("web").sni(name));
        assert!(text.contains("BEGIN CERTIFICATE"), "{text}");
        let chain = leaf.connect().handshake().peer_chain;
        assert!(text.contains(&testkit::pem("CERTIFICATE", &chain[0])[28..90]), "{text}");
    }
}

#[test]
fn protocols_choose_among_rules_with_a_name() {
    let root = Authority::new("Root");
    let (h2, others) =
        (tls_target(&root, "a.example", &["h2"]), tls_target(&root, "a.example", &["http/1.1", "x"]));
    let balancer = Balancer::start(
        tcp(&h2)
            .also("others", &others)
            .without_forward()
            .rule("sni = \"a.example\"\nalpn = \"h2\"\nforward = \"app\"")
            .rule("sni = \"a.example\"\nalpn = [\"http/1.1\", \"x\"]\nforward = \"others\""),
    );
    for (offered, chosen) in
        [(&["h2"][..], "h2"), (&["y", "x"], "x"), (&["http/1.1"], "http/1.1"), (&["http/1.1", "h2"], "h2")]
    {
        let client = balancer.tls_client("web").sni("a.example").alpn(offered).connect();
        assert_eq!(client.handshake().alpn.as_deref(), Some(chosen), "{offered:?}");
    }
}

/// Whatever the pieces are in which a ClientHello comes, the target gets its bytes as they were.
#[test]
fn split_hellos_are_passed_on_as_they_came() {
    let (one, others) = (echo(), echo());
    let balancer = Balancer::start(by_name(&one, &others));
    let hello = ClientHello::default().sni(b"two.example");
    for bytes in [hello.bytes(), hello.in_records(1), hello.in_records(50)] {
        for at in [1, 5, 6, 47, bytes.len() - 1] {
            let mut client = Client::connect(balancer.web());
            client.send(&bytes[..at]);
            client.send(&bytes[at..]);
            client.send("and more");
            assert_eq!(client.read_exactly(bytes.len() + 8), [&bytes[..], b"and more"].concat());
        }
    }
    let bytes = hello.bytes();
    let mut slow = Client::connect(balancer.web());
    assert_eq!(slow.send_slowly(&bytes[..bytes.len() - 1], Duration::from_millis(1)), bytes.len() - 1);
    slow.send(&bytes[bytes.len() - 1..]);
    assert_eq!(slow.read_exactly(bytes.len()), bytes);
    assert_eq!(one.connections(), 0);
}

#[test]
fn a_dead_target_is_passed_over_for_a_live_one_with_the_hello() {
    let (dead, live) = (testkit::refused_address(), echo());
    let config = Config::to_addresses(&[dead, live.address()])
        .listener("protocol = \"tcp\"")
        .without_forward()
        .rule("sni = \"a.example\"\nforward = \"app\"");
    let balancer = Balancer::start(config);
    let hello = ClientHello::default().sni(b"a.example").bytes();
    for _ in 0..4 {
        let mut client = Client::connect(balancer.web());
        client.send(&hello);
        assert_eq!(client.read_exactly(hello.len()), hello);
    }
}
