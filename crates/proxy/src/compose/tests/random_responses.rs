//! Properties of the head that a client gets.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::fixture::{crlf, listener};

fn field() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "Date: x",
        "x-request-id: theirs",
        "Server: s",
        "Set-Cookie: a=b",
        "set-cookie:c",
        "Location: /",
        "Connection: close",
        "Connection: x-own, server, set-cookie",
        "Connection: upgrade",
        "Upgrade: h2c",
        "Keep-Alive: timeout=5",
        "Trailer: x",
        "Content_Length: 7",
        "X-Own: 1",
        "x-own:2",
        "Via: 1.1 origin",
        "ETag: \"x\"",
        "Proxy-Authenticate: Basic",
    ]);
    let any = "[A-Za-z!#$%&'*+.^`|~0-9][A-Za-z0-9_-]{0,14}:[ \\t]{0,2}[ -~\u{a0}-\u{ff}]{0,30}[ \\t]{0,2}";
    prop_oneof![4 => known.prop_map(str::to_owned), 4 => any]
}

fn head() -> impl Strategy<Value = String> {
    let status = prop_oneof![Just(200u16), Just(204), Just(304), Just(426), 200..600u16];
    let framing = prop::sample::select(vec![
        "",
        "Content-Length: 5",
        "content-length:00",
        "Transfer-Encoding: chunked",
    ]);
    let fields = prop::collection::vec(field(), 0..10);
    (prop_oneof![Just("1.1"), Just("1.0")], status, "[ -~\u{a0}-\u{ff}]{0,12}", framing, fields, 0..11usize)
        .prop_map(|(version, status, reason, framing, mut fields, place)| {
            let place = place.min(fields.len());
            fields.insert(place, framing.to_owned());
            let fields: String =
                fields.iter().filter(|line| !line.is_empty()).map(|line| format!("\n{line}")).collect();
            format!("HTTP/{version} {status} {reason}{fields}")
        })
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

/// Returns whether the target's head was accepted.
fn check(client: &Client<'_>, head: &str) -> Result<bool, TestCaseError> {
    let Ok(response) = Response::parse(latin1(&format!("{}\r\n\r\n", crlf(head)))) else { return Ok(false) };
    let out = client.relayed_bytes(&response, &HeadEdits::default());
    let text: String = out.iter().map(|&byte| char::from(byte)).collect();
    let reread = Response::parse(out).map_err(TestCaseError::fail)?;
    let (sent, got) = (response.text(), reread.text());
    prop_assert_eq!(sent.head.status(), got.head.status());
    prop_assert_eq!(sent.text(sent.head.reason()), got.text(got.head.reason()));

    let request = client.request.text();
    let (method, takes_chunks) = (request.head.method(), request.takes_chunks());
    let expected = match sent.head.body_length(method) {
        ResponseBody::Chunked | ResponseBody::UntilClose if takes_chunks => ResponseBody::Chunked,
        ResponseBody::Chunked | ResponseBody::UntilClose => ResponseBody::UntilClose,
        same => same,
    };
    prop_assert_eq!(got.head.body_length(method), expected, "{}", text);
    let closes = expected == ResponseBody::UntilClose;
    prop_assert_eq!(got.head.close(), closes || !client.persists, "{}", text);
    prop_assert_eq!(got.head.keep_alive(), !got.head.close() && !takes_chunks, "{}", text);
    prop_assert_eq!(count(&text, "x-request-id"), count(head, "x-request-id").max(1), "{}", text);
    prop_assert_eq!(count(&text, "date"), count(head, "date").max(1), "{}", text);

    // Every line is one of the target, in its order and unchanged, or has a name that we write.
    let ours = ["transfer-encoding", "content-length", "connection", "date", "x-request-id"];
    let mut theirs = head.lines().skip(1);
    for line in text.trim_end_matches("\r\n").split("\r\n").skip(1) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let is_theirs = theirs.clone().any(|own| own == line);
        prop_assert!(is_theirs || ours.contains(&name.as_str()), "{line}\n{text}");
        if is_theirs {
            theirs.find(|own| *own == line);
        }
    }
    let lines = text.matches("\r\n").count();
    prop_assert_eq!(got.head.fields().len(), lines - 2);
    prop_assert_eq!((text.matches('\r').count(), text.matches('\n').count()), (lines, lines));
    Ok(true)
}

#[test]
fn a_client_gets_one_response_with_the_same_meaning() {
    let snapshot = listener("forward = 'app'");
    let lines = ["GET / HTTP/1.1\nHost: a", "HEAD / HTTP/1.1\nHost: a", "GET / HTTP/1.0"];
    let clients: Vec<_> = lines
        .iter()
        .flat_map(|line| [true, false].map(|persists| Client { persists, ..Client::new(&snapshot, line) }))
        .collect();
    let accepted = Cell::new(0);
    proptest!(ProptestConfig::with_cases(2_000), |(head in head(), client in 0..6usize)| {
        accepted.set(accepted.get() + usize::from(check(&clients[client], &head)?));
    });
    assert!(accepted.get() > 500, "most heads are refused: {accepted:?}");
}
