//! The limits of line, field, fields, count and body are exact to the byte: a request within them is forwarded
//! whole, a request one over is refused with 414, 431 or 413, and nothing is truncated (HTTP4).

use testkit::{Balancer, Client, Config, Target, ok};

const LIMITS: &str = "limits = { request_line = \"256B\", field = \"256B\", fields = \"1KiB\", fields_count = 8, body = \"1KiB\" }";

/// A name, a limit, and a request that exceeds the limit if the number does.
type Case = (&'static str, usize, fn(usize) -> String, u16, &'static str);

const CASES: &[Case] = &[
    (
        "line",
        256,
        |bytes| head(&format!("GET /{} HTTP/1.1", "x".repeat(bytes - 14)), ""),
        414,
        "request_line_too_long",
    ),
    ("field", 256, |bytes| head(GET, &field(bytes)), 431, FIELDS),
    // `Host: a` counts as one field.
    ("fields", 1024, |bytes| head(GET, &(field(250).repeat(4) + &field(bytes - 1007))), 431, FIELDS),
    ("count", 8, |count| head(GET, &"X: y\r\n".repeat(count - 1)), 431, FIELDS),
    ("length", 1024, |bytes| head(POST, &length(bytes)) + &"x".repeat(bytes), 413, "request_body_too_large"),
    ("chunk", 1024, |bytes| head(POST, CHUNKED) + &chunk(bytes) + LAST, 413, "request_body_too_large"),
    (
        "chunks",
        1024,
        |bytes| head(POST, CHUNKED) + &chunk(1).repeat(bytes) + LAST,
        413,
        "request_body_too_large",
    ),
];

#[test]
fn limits_are_exact() {
    let target = Target::http(|_| ok("served"));
    let balancer = Balancer::start(Config::to(&target).listener(LIMITS));
    for (name, limit, request, status, reason) in CASES {
        let sent = request(*limit);
        let response = testkit::exchange(balancer.web(), &sent);
        assert_eq!((response.status(), response.text().as_str()), (200, "served"), "{name}");
        let seen = target.requests().pop().unwrap();
        assert!(seen.is_complete, "{name}");
        let (line, fields) = sent.split_once("\r\n").unwrap();
        assert_eq!(seen.start, line, "{name}");
        for field in fields.split("\r\n\r\n").next().unwrap().split("\r\n") {
            assert!(
                seen.raw_head.windows(field.len()).any(|part| part == field.as_bytes()),
                "{name}: {field}"
            );
        }
        let body_bytes = if status == &413 { 1024 } else { 0 };
        assert_eq!(seen.body, vec![b'x'; body_bytes], "{name}");

        let before = target.requests().iter().filter(|request| request.is_complete).count();
        let mut client = Client::connect(balancer.web());
        // The balancer may refuse it while it is still being sent.
        let _ = client.try_send(request(limit + 1));
        let response = client.response();
        assert_eq!((response.status(), response.reason().as_str()), (*status, *reason), "{name}");
        let whole = target.requests().iter().filter(|request| request.is_complete).count();
        assert_eq!(whole, before, "{name}: the target saw no complete request");
    }
}

fn head(line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: a\r\n{fields}\r\n")
}

fn field(bytes: usize) -> String {
    format!("X: {}\r\n", "y".repeat(bytes - 3))
}

fn length(bytes: usize) -> String {
    format!("Content-Length: {bytes}\r\n")
}

fn chunk(bytes: usize) -> String {
    format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes))
}

const FIELDS: &str = "request_fields_too_large";
const GET: &str = "GET / HTTP/1.1";
const POST: &str = "POST / HTTP/1.1";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const LAST: &str = "0\r\n\r\n";
