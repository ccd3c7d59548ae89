//! Whether a request may come over its connection.

use model::Failure;

use super::*;
use crate::arrival::{Arrival, Security};
use crate::decide::{Verdict, decide};
use crate::failed::Failed;
use crate::fixture::{Request, arrival, certificate, compile_with, question, tls_arrival};

const PEER: &str = "192.0.2.7:4711";

/// Why a GET for this host is refused.
fn refused(snapshot: &Snapshot, arrival: &Arrival, host: &str) -> Option<(Failure, &'static str)> {
    let request = Request::new(&format!("GET / HTTP/1.1\nHost: {host}"));
    match decide(&question(snapshot, arrival, &request)).verdict {
        Verdict::Refuse(Failed { failure, detail }) => Some((failure, detail)),
        _ => None,
    }
}

fn secure(certificates: &str) -> Snapshot {
    let (a, _) = certificate("a", &["a.example"]);
    let (b, _) = certificate("b", &["*.b.example"]);
    let keys = format!("protocol = 'https'\nforward = 'app'\ncertificates = [{certificates}]");
    compile_with(&format!("{LISTENER}{keys}"), &[("a.pem", &a), ("b.pem", &b), ("ca.pem", &a)])
}

#[test]
fn a_listener_with_tls_refuses_plain_text() {
    let snapshot = secure("{ cert = 'a.pem' }");
    let plain = arrival(PEER);
    assert_eq!(refused(&snapshot, &plain, "a.example"), Some((Failure::PlainHttp, "before a reload")));
    let on_tls = Arrival { security: Security::PlainOnTls, ..arrival(PEER) };
    assert_eq!(refused(&snapshot, &on_tls, "a.example"), Some((Failure::PlainHttp, "")));
    let without = compile(&format!("{LISTENER}forward = 'app'"));
    for arrival in [plain, on_tls, tls_arrival(&snapshot.listeners[0], "a.example", None)] {
        assert_eq!(refused(&without, &arrival, "a.example"), None, "a reload took TLS away: {arrival:?}");
    }
}

#[test]
fn a_host_must_be_one_of_the_handshakes_certificate() {
    let snapshot = secure("{ cert = 'a.pem' }, { cert = 'b.pem' }");
    let misdirected = Some((Failure::Misdirected, ""));
    for (name, host, expected) in [
        ("a.example", "a.example", None),
        ("a.example", "A.Example.", None),
        ("a.example", "a.example:444", None),
        ("a.example", "x.b.example", misdirected),
        ("a.example", "X.B.EXAMPLE", misdirected),
        ("a.example", "unknown.example", None),
        ("x.b.example", "y.b.example", None),
        ("x.b.example", "a.example", misdirected),
        ("unknown.example", "a.example", None),
        ("unknown.example", "x.b.example", misdirected),
    ] {
        let arrival = tls_arrival(&snapshot.listeners[0], name, None);
        assert_eq!(refused(&snapshot, &arrival, host), expected, "{name} {host}");
    }
}

#[test]
fn only_allowed_certificates_are_served() {
    let auth = |allow: &str| format!("client_auth = {{ mode = 'optional', ca = 'ca.pem', {allow} }}");
    let denied = |detail| Some((Failure::ClientCertificateDenied, detail));
    let (_, alice) = certificate("alice", &["alice.example"]);
    let (_, eve) = certificate("eve", &["eve.example"]);
    for (allow, by_alice, by_eve, by_none) in [
        ("allow = ['subject=CN=alice']", None, denied(""), denied("no certificate")),
        ("allow = ['san=DNS:ALICE.example', 'subject=CN=x']", None, denied(""), denied("no certificate")),
        ("depth = 1", None, None, None),
    ] {
        let snapshot = secure(&format!("{{ cert = 'a.pem', {} }}", auth(allow)));
        for (identity, expected) in [(Some(&alice), by_alice), (Some(&eve), by_eve), (None, by_none)] {
            let arrival = tls_arrival(&snapshot.listeners[0], "a.example", identity.cloned());
            assert_eq!(refused(&snapshot, &arrival, "a.example"), expected, "{allow}");
        }
    }
}

#[test]
fn a_client_that_another_host_admitted_may_not_use_this_one() {
    let auth = "client_auth = { mode = 'required', ca = 'ca.pem', allow = ['subject=CN=alice'] }";
    let snapshot = secure(&format!("{{ cert = 'a.pem', {auth} }}, {{ cert = 'b.pem' }}"));
    let (_, alice) = certificate("alice", &["alice.example"]);
    let misdirected = Some((Failure::Misdirected, ""));
    for (name, identity, host, expected) in [
        ("a.example", Some(alice.clone()), "a.example", None),
        ("a.example", Some(alice.clone()), "unknown.example", None),
        ("x.b.example", None, "a.example", misdirected),
        ("x.b.example", None, "unknown.example", misdirected),
        ("a.example", Some(alice), "x.b.example", misdirected),
    ] {
        let arrival = tls_arrival(&snapshot.listeners[0], name, identity);
        assert_eq!(refused(&snapshot, &arrival, host), expected, "{name} {host}");
    }
}
