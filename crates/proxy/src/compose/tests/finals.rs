//! A field for every final response is there once, whatever made the response.

use model::Failure;

use super::*;
use crate::fixture::{certificate, compile_with, listener_text, tls_arrival};

const RULES: &str = "
    protocol = 'https'
    certificates = [{ cert = 'a.pem' }]
    hsts = { max_age = '1h' }
    via = 'edge'
    [[listener.web.rule]]
    path = '/redirect'
    redirect = { to = '/new' }
    [[listener.web.rule]]
    path = '/slash/'
    trailing_slash = 'redirect'
    forward = 'app'
    [[listener.web.rule]]
    path = '/fixed'
    respond = { status = 200, body = 'ok' }
    [[listener.web.rule]]
    path = '/empty'
    respond = { status = 204 }
    [[listener.web.rule]]
    path = '/edited'
    forward = 'app'
    response_headers = { set = { X-A = '1' }, remove = ['server'] }
    [[listener.web.rule]]
    forward = 'app'
";
const RESPONSES: [&str; 9] = [
    "HTTP/1.1 200 OK\nContent-Length: 5",
    "HTTP/1.1 200 OK\nDate: x\nServer: s\nContent-Length: 05",
    "HTTP/1.1 200 OK\nConnection: close, x\nX: 1\nTransfer-Encoding: chunked",
    "HTTP/1.0 200 OK\nKeep-Alive: timeout=5\nConnection: keep-alive",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified\nDate: x",
    "HTTP/1.1 500 \nstrict-transport-security: max-age=0\nContent-Length: 0",
    "HTTP/1.1 426 Upgrade Required\nUpgrade: h2c\nContent-Length: 0",
    "HTTP/1.1 302 Found\nLocation: /\nSet-Cookie: a=b\nContent-Length: 0",
];

/// All kinds of final responses that this client can get.
fn all(client: &Client<'_>, path: &str) -> Vec<String> {
    let mut all: Vec<_> = Failure::ALL.iter().map(|&failure| client.failure(failure).0).collect();
    match path {
        "/redirect" | "/slash" | "/fixed" | "/empty" => all.push(client.ready().0),
        _ => all.extend(RESPONSES.iter().map(|response| client.relayed(response))),
    }
    all
}

#[test]
fn every_final_response_has_each_common_field_once() {
    let (pem, _) = certificate("a", &["a.example"]);
    let snapshot = compile_with(&listener_text(RULES), &[("a.pem", &pem)]);
    let secure = tls_arrival(&snapshot.listeners[0], "a.example", None);
    let mut checked = 0;
    for path in ["/redirect", "/slash", "/fixed", "/empty", "/edited", "/"] {
        for line in ["GET {} HTTP/1.1", "HEAD {} HTTP/1.1", "GET {} HTTP/1.0"] {
            for (persists, is_http2) in [(true, false), (false, false), (true, true)] {
                let line = line.replace("{}", path);
                let request =
                    Request::new(&format!("{line}\nHost: a.example\nContent-Type: application/grpc"));
                let is_http10 = line.ends_with("1.0");
                let arrival = Arrival { is_http2, ..secure.clone() };
                let client = Client {
                    snapshot: &snapshot,
                    arrival,
                    request,
                    persists,
                    is_target_http2: false,
                    session: None,
                };
                for head in all(&client, path) {
                    check(&head, is_http10, persists);
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 54 * Failure::ALL.len(), "{checked}");
}

fn check(head: &str, is_http10: bool, persists: bool) {
    assert_eq!(count(head, "date"), 1, "{head}");
    assert_eq!(count(head, "strict-transport-security"), 1, "{head}");
    assert!(head.contains("\nStrict-Transport-Security: max-age=3600"), "{head}");
    // In HTTP/1.0 only the end of the connection ends a body of unknown length.
    let closes = head.contains("\nConnection: close");
    let keeps = head.contains("\nConnection: keep-alive");
    assert_eq!(count(head, "connection"), usize::from(closes) + usize::from(keeps), "{head}");
    assert!(closes || persists, "{head}");
    assert!(closes || keeps == is_http10, "{head}");
    assert!(!(closes && persists) || is_http10, "{head}");
}
