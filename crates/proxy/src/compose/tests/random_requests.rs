//! Properties of the head that a target gets.

use std::cell::Cell;

use proptest::prelude::*;
use proto::http1::{BodyLength, Version};

use super::*;
use crate::fixture::{crlf, listener};
use crate::head::RequestText;

/// A field of a request as it is sent, without the line's end.
fn field() -> impl Strategy<Value = String> {
    let connection =
        prop::sample::select(vec!["close", "keep-alive", "X-Own", "host", "cookie", "Accept", "Upgrade"]);
    let connection =
        prop::collection::vec(connection, 0..4).prop_map(|names| format!("Connection: {}", names.join(", ")));
    let known = prop::sample::select(vec![
        "Host_: b",
        "Accept:*/*",
        "COOKIE: a=b",
        "cookie: c",
        "Referer: /",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: close",
        "Trailer: x",
        "TE: trailers",
        "te: gzip",
        "Upgrade: websocket",
        "Upgrade: h2c",
        "Expect: 100-continue",
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: https",
        "X_Forwarded_For: 1",
        "X-Forwarded-User: u",
        "X-Real-IP: 1",
        "Forwarded: for=1",
        "X-Request-Id: theirs",
        "Content_Length: 7",
        "Transfer_Encoding: chunked",
        "X-Own: 1",
        "x-own:2",
        "X_Own: 3",
        "Via: 1.1 other",
        "Authorization: b",
    ]);
    let any = "[A-Za-z!#$%&'*+.^`|~0-9][A-Za-z0-9_-]{0,14}:[ \\t]{0,2}[ -~\u{a0}-\u{ff}]{0,30}[ \\t]{0,2}";
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => connection, 4 => any]
}

fn head() -> impl Strategy<Value = String> {
    let method = prop_oneof![Just("GET"), Just("POST"), Just("HEAD"), Just("PATCH"), Just("X-OWN")];
    let target = prop_oneof![
        Just("/".to_owned()),
        "/[a-z/.%0-9]{0,12}(\\?[ -~&&[^ #]]{0,9})?",
        "http://a(/[a-z]{0,5})?(\\?[a-z]{0,5})?",
    ];
    let body = prop::sample::select(vec![
        "",
        "Content-Length: 5\n",
        "content-length: 007\n",
        "Transfer-Encoding: chunked\n",
    ]);
    let host = prop::sample::select(vec!["Host: a\n", "hOST:a \n", ""]);
    let fields = prop::collection::vec(field(), 0..12);
    (method, target, prop_oneof![4 => Just("1.1"), 1 => Just("1.0")], body, host, fields, 0..13usize)
        .prop_map(|(method, target, version, body, host, mut fields, place)| {
            let place = place.min(fields.len());
            fields.insert(place, format!("{host}{body}").trim_end_matches('\n').to_owned());
            let fields: String =
                fields.iter().filter(|line| !line.is_empty()).map(|line| format!("\n{line}")).collect();
            format!("{method} {target} HTTP/{version}{fields}")
        })
}

fn name(line: &str) -> String {
    line.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

/// The client's lines that a target gets as they are, computed from the text alone. The peer is not a trusted proxy.
fn passed_on(head: &str) -> Vec<&str> {
    let (line, fields) = head.split_once('\n').unwrap_or((head, ""));
    let values = |wanted: &str| -> Vec<String> {
        let own = fields.lines().filter(|line| name(line) == wanted);
        own.map(|line| line[wanted.len() + 1..].trim().to_ascii_lowercase()).collect()
    };
    let options: Vec<String> = values("connection")
        .iter()
        .flat_map(|list| list.split(','))
        .map(|name| name.trim().to_owned())
        .collect();
    let is_upgrade = line.starts_with("GET ")
        && line.ends_with("1.1")
        && options.iter().any(|name| name == "upgrade")
        && values("upgrade").iter().all(|value| value == "websocket")
        && values("transfer-encoding").is_empty()
        && values("content-length").iter().all(|length| length.trim_matches('0').is_empty());
    let is_passed = |line: &&str| match name(line).as_str() {
        "connection" | "keep-alive" | "proxy-connection" | "trailer" | "te" | "transfer-encoding" => false,
        "x-request-id" | "content_length" | "transfer_encoding" | "forwarded" | "x-real-ip" => false,
        name if name.starts_with("x-forwarded-") || name.starts_with("x_forwarded_") => false,
        "upgrade" => is_upgrade,
        "expect" => head.lines().next().unwrap_or_default().ends_with("1.1"),
        "content-length" => !line.contains(": 00"),
        "host" | "cookie" => true,
        name => !options.iter().any(|option| option == name),
    };
    fields.lines().filter(is_passed).collect()
}

/// The names of the fields that only we write, behind those of the client.
const OURS: [&str; 9] = [
    "content-length",
    "connection",
    "te",
    "transfer-encoding",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-request-id",
];

/// Returns whether the client's head was accepted and forwarded.
fn check(snapshot: &Snapshot, head: &str) -> Result<bool, TestCaseError> {
    // One character is one byte: obs-text comes, too.
    let bytes: Vec<u8> = format!("{}\r\n\r\n", crlf(head)).chars().map(|c| c as u8).collect();
    let Ok(request) = Request::parse(bytes) else { return Ok(false) };
    let arrival = arrival(CLIENT);
    let decision = decide(&question(snapshot, &arrival, &request));
    if !matches!(decision.verdict, Verdict::Forward(_)) {
        return Ok(false);
    }
    let out = forwarded_to(snapshot, &arrival, &request, "127.0.0.1:9001");
    let text: String = out.iter().map(|&byte| char::from(byte)).collect();

    // Behind the request line, and perhaps our Host, are the lines of the client, unchanged and without a gap.
    let rest = text.split_once("\r\n").unwrap().1;
    let added = ["Host: 127.0.0.1:9001\r\n", "Host: a\r\n"];
    let is_hostless = !head.to_ascii_lowercase().contains("\nhost:");
    let rest = if is_hostless { added.iter().find_map(|line| rest.strip_prefix(line)) } else { Some(rest) };
    let kept: String = passed_on(head).iter().map(|line| format!("{line}\r\n")).collect();
    let ours = rest.and_then(|rest| rest.strip_prefix(&kept));
    prop_assert!(ours.is_some(), "{head}\n---\n{kept}\n---\n{text}");
    let names: Vec<_> = ours.unwrap().trim_end().split("\r\n").map(name).collect();
    let places: Vec<_> = names.iter().map(|name| OURS.iter().position(|ours| ours == name)).collect();
    prop_assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    prop_assert_eq!(places.last(), Some(&Some(8)), "the id is the last");

    // A strict reader finds the same request, and no field that a value of the client made.
    let reread = Request::parse(out).map_err(TestCaseError::fail)?;
    let (sent, got) = (request.text(), reread.text());
    prop_assert_eq!(sent.text(sent.head.method_span()), got.text(got.head.method_span()));
    let body = match sent.head.body() {
        BodyLength::None if sent.head.method().expects_content() => BodyLength::Length(0),
        body => body,
    };
    prop_assert_eq!(body, got.head.body());
    prop_assert_eq!(got.head.version(), Version::Http11);
    prop_assert_eq!(sent.head.query().map(|q| sent.text(q)), got.head.query().map(|q| got.text(q)));
    prop_assert_eq!(sent.asks_for_websocket(), got.asks_for_websocket());
    let host =
        |request: RequestText<'_>| request.head.host().map(|span| request.text(span).to_ascii_lowercase());
    prop_assert_eq!(host(sent).or(Some(b"127.0.0.1:9001".to_vec())), host(got));
    let lines = text.matches("\r\n").count();
    prop_assert_eq!(got.head.fields().len(), lines - 2);
    prop_assert_eq!((text.matches('\r').count(), text.matches('\n').count()), (lines, lines));
    prop_assert_eq!(
        got.head.body() == BodyLength::None,
        !text.to_ascii_lowercase().contains("\r\ncontent-length:") && !text.contains("Transfer-Encoding:")
    );
    Ok(true)
}

#[test]
fn a_target_gets_the_clients_fields_as_they_were_and_one_request() {
    let snapshot = listener("forward = 'app'");
    let accepted = Cell::new(0);
    proptest!(ProptestConfig::with_cases(2_000), |(head in head())| {
        accepted.set(accepted.get() + usize::from(check(&snapshot, &head)?));
    });
    assert!(accepted.get() > 500, "most heads are refused: {accepted:?}");
}
