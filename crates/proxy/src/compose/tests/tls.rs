//! What TLS changes in composed heads: the scheme, the identity of the client's certificate, HSTS.

use super::*;
use crate::fixture::{certificate, compile_with, listener_text, tls_arrival};

const KEYS: &str = "
    protocol = 'https'
    certificates = [{ cert = 'a.pem' }]
    x_forwarded = false
    forwarded = true
";
const GET: &str = "GET / HTTP/1.1\nHost: a.example";

fn secure(keys: &str) -> Snapshot {
    let (pem, _) = certificate("a", &["a.example"]);
    compile_with(&listener_text(&format!("{KEYS}{keys}")), &[("a.pem", &pem), ("ca.pem", &pem)])
}

#[test]
fn the_scheme_is_https() {
    let snapshot = secure("forward = 'app'");
    let arrival = tls_arrival(&snapshot.listeners[0], "a.example", None);
    let expected =
        format!("{GET}\nForwarded: for=192.0.2.7;host=\"a.example\";proto=https\nX-Request-Id: {ID}");
    assert_eq!(forwarded(&snapshot, &arrival, &format!("{GET}\nForwarded: proto=http")), expected);
}

#[test]
fn only_we_say_who_the_client_is() {
    let headers = "headers = { subject = 'X-Subject', san = 'X-San', verify = 'X-Verify' }";
    let auth = format!("client_auth = {{ mode = 'optional', ca = 'ca.pem', {headers} }}\nforward = 'app'");
    let snapshot = secure(&auth);
    let (_, alice) = certificate("alice", &["alice.example"]);
    let claims = "x-subject: CN=eve\nX_Subject: CN=eve\nX-San: DNS:eve\nX_VERIFY: SUCCESS\nX-Subjects: 1";
    let forwarder = format!("Forwarded: for=192.0.2.7;host=\"a.example\";proto=https\nX-Request-Id: {ID}");
    for (identity, expected) in [
        (Some(alice), "X-Subject: CN=alice\nX-San: DNS:alice.example\nX-Verify: SUCCESS"),
        (None, "X-Verify: NONE"),
    ] {
        let arrival = tls_arrival(&snapshot.listeners[0], "a.example", identity);
        let head = forwarded(&snapshot, &arrival, &format!("{GET}\n{claims}"));
        assert_eq!(head, format!("{GET}\nX-Subjects: 1\n{expected}\n{forwarder}"));
    }
}

#[test]
fn hsts_is_sent_over_tls_unless_the_rule_edits_it() {
    let hsts = "Strict-Transport-Security: max-age=3600; includeSubDomains";
    let own = "Strict-Transport-Security: max-age=1";
    let length = "HTTP/1.1 200 OK\nDate: x\nContent-Length: 5";
    let theirs = length.replace("Date", "strict-transport-security: max-age=2\nDate");
    for (edits, expected) in [
        ("", format!("\n{hsts}")),
        ("set = { X-A = '1' }", format!("\n{hsts}\nX-A: 1")),
        ("remove = ['strict-transport-security']", String::new()),
        ("set = { Strict-Transport-Security = 'max-age=1' }", format!("\n{own}")),
        // As with `Date`, `add` leaves ours.
        ("add = { Strict-Transport-Security = 'max-age=1' }", format!("\n{hsts}\n{own}")),
    ] {
        let rule = format!("[[listener.web.rule]]\nforward = 'app'\nresponse_headers = {{ {edits} }}");
        let snapshot = secure(&format!("hsts = {{ max_age = '1h', include_subdomains = true }}\n{rule}"));
        let arrival = tls_arrival(&snapshot.listeners[0], "a.example", None);
        let client = Client { arrival, ..Client::new(&snapshot, GET) };
        for sent in [length, &theirs] {
            assert_eq!(client.relayed(sent), format!("{length}{expected}"), "{edits}: {sent}");
        }
    }
}

#[test]
fn hsts_is_not_sent_in_plain_text() {
    let snapshot = secure("hsts = { max_age = '1h' }\nforward = 'app'");
    let client = Client::new(&snapshot, GET);
    let (text, _) = client.failure(model::Failure::PlainHttp);
    assert_eq!(count(&text, "strict-transport-security"), 0, "{text}");
    let mut out = Vec::new();
    let theirs = Response::new("HTTP/1.1 200 OK\nStrict-Transport-Security: a\nDate: x\nContent-Length: 0");
    let shape =
        Shape { body: ResponseBody::Length(0), writer: BodyWriter::Plain, edits: &HeadEdits::default() };
    client.compose(&FieldEdits::default(), |composer| composer.write_relayed(theirs.text(), shape, &mut out));
    assert_eq!(count(&lines(&out), "strict-transport-security"), 1, "a target may send its own");
}
