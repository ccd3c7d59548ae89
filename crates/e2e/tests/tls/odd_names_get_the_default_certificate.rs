//! Real clients send server names that no certificate can have. They get the first certificate in a full handshake, unless
//! `sni_strict` is set.

use std::io::Write;
use std::process::{Command, Stdio};

use testkit::{Authority, Balancer, Config, Target};

/// What OpenSSL's client shows of the handshake and the response.
fn s_client(balancer: &Balancer, name: &str, arguments: &[&str]) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-ign_eof", "-connect", &balancer.web().to_string(), "-servername", name])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The client ends before it has read this if the handshake fails.
    let request = b"GET / HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n";
    let _ = client.stdin.take().unwrap().write_all(request);
    let output = client.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn start(target: &Target, strict: &str) -> Balancer {
    let authority = Authority::new("CA");
    let leaf = |name: &str| authority.leaf(&[name]).issue().pem();
    let config = Config::to(target).https(&["a.pem", "b.pem"]).listener(strict);
    Balancer::prepare(config).file("a.pem", &leaf("a.example")).file("b.pem", &leaf("b.example")).start()
}

const NAMES: [&str; 8] = [
    "localhost:8443",
    "[::1]",
    "-a.example",
    "a-.example",
    "bücher.example",
    "a..example",
    "a b",
    "b.example:443",
];

#[test]
fn odd_names_get_the_default_certificate() {
    let target = Target::named("one");
    let balancer = start(&target, "");
    let long = "x".repeat(64);
    for name in NAMES.into_iter().chain([long.as_str()]) {
        // In TLS 1.3 also with a key share that we do not accept, so that there is a second ClientHello.
        for arguments in [&["-tls1_2"][..], &["-tls1_3"], &["-tls1_3", "-groups", "P-521:P-256"]] {
            let text = s_client(&balancer, name, arguments);
            assert!(
                text.contains("subject=CN = a.example") && text.contains("HTTP/1.1 200"),
                "{name} {arguments:?}: {text}"
            );
        }
    }
}

#[test]
fn sessions_with_odd_names_are_resumed() {
    let target = Target::named("one");
    let balancer = start(&target, "");
    let session = balancer.path("session").display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        s_client(&balancer, "localhost:8443", &[version, "-sess_out", &session]);
        let text = s_client(&balancer, "localhost:8443", &[version, "-sess_in", &session]);
        assert!(text.contains("Reused, ") && text.contains("HTTP/1.1 200"), "{version}: {text}");
    }
}

#[test]
fn strict_listener_refuses_odd_names() {
    let target = Target::named("one");
    let balancer = start(&target, "sni_strict = true");
    for name in NAMES {
        let text = s_client(&balancer, name, &[]);
        assert!(text.contains("unrecognized name"), "{name}: {text}");
    }
}
