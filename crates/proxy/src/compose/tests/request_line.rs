//! The request line, and `Host`.

use super::*;
use crate::fixture::listener;

/// A listener that adds no `X-Forwarded-*`, with one rule that forwards.
fn one_rule(keys: &str) -> Snapshot {
    listener(&format!("x_forwarded = false\n[[listener.web.rule]]\nforward = 'app'\n{keys}"))
}

#[test]
fn the_target_gets_the_path_and_query_that_the_client_sent() {
    let snapshot = one_rule("");
    for (sent, expected) in [
        ("GET /a?b=c", "GET /a?b=c"),
        ("GET /", "GET /"),
        ("GET /?", "GET /?"),
        ("GET /a/../b//%63/.?%zz", "GET /a/../b//%63/.?%zz"),
        ("GET //b/x", "GET //b/x"),
        ("G!#$%&'*+-.^_~7 /{\"|\\^<>}", "G!#$%&'*+-.^_~7 /{\"|\\^<>}"),
        ("GET http://a/x?y", "GET /x?y"),
        ("GET HTTP://A/x/..", "GET /x/.."),
        ("GET http://a?y", "GET /?y"),
        ("GET http://a", "GET /"),
        ("OPTIONS *", "OPTIONS *"),
        ("OPTIONS http://a", "OPTIONS *"),
        ("OPTIONS http://a/", "OPTIONS /"),
        ("OPTIONS http://a?y", "OPTIONS /?y"),
        ("OPTIONS /*", "OPTIONS /*"),
    ] {
        let head = forwarded(&snapshot, &arrival(CLIENT), &format!("{sent} HTTP/1.1\nHost: a"));
        assert_eq!(head, format!("{expected} HTTP/1.1\nHost: a\nX-Request-Id: {ID}"), "{sent}");
    }
}

#[test]
fn a_rewritten_path_is_made_from_the_normal_form_and_keeps_the_query() {
    for (path, rewrite, sent, expected) in [
        ("/api/", "/", "GET /api/x?q", "GET /x?q"),
        ("/api", "/", "GET /api/x?q", "GET /x?q"),
        ("/api", "/", "GET /api", "GET /"),
        ("/api", "/v2", "GET /api/x?q", "GET /v2/x?q"),
        ("/api", "/v2/", "GET /api/x", "GET /v2/x"),
        ("/api", "/v2", "GET //api/./%78/../%79?%7a", "GET /v2/y?%7a"),
        ("/api", "/v2", "GET http://a/api/x?q", "GET /v2/x?q"),
        ("= /api", "/one", "GET /api?q", "GET /one?q"),
        ("", "/new", "GET /api/x?q", "GET /new?q"),
        ("", "/new", "GET http://a", "GET /new"),
        ("", "/new", "OPTIONS *", "OPTIONS *"),
        ("", "/new", "OPTIONS http://a", "OPTIONS *"),
        ("", "/new", "OPTIONS http://a?y", "OPTIONS /new?y"),
        ("~ ^/api/(?<name>.*)$", "/files/${name}", "GET /api/x?q", "GET /files/x?q"),
        ("~ ^/api/(?<name>.*)$", "/files/${name}", "GET /api/a%3Fb%23c%0D%0A", "GET /files/a%3Fb%23c%0D%0A"),
    ] {
        let path_line = if path.is_empty() { String::new() } else { format!("path = '{path}'\n") };
        let snapshot = one_rule(&format!("{path_line}rewrite = '{rewrite}'"));
        let head = forwarded(&snapshot, &arrival(CLIENT), &format!("{sent} HTTP/1.1\nHost: a"));
        let line = head.lines().next().unwrap();
        assert_eq!(line, format!("{expected} HTTP/1.1"), "{path} -> {rewrite}: {sent}");
    }
}

#[test]
fn a_request_has_one_host_and_it_is_the_clients_unless_the_rule_sets_it() {
    let (plain, sets) = ("", "request_headers = { set = { host = 'app.internal' } }");
    for (keys, sent, target, expected) in [
        (plain, "GET / HTTP/1.1\nX: 1\nhOST:a:81 ", "127.0.0.1:9001", "X: 1\nhOST:a:81 "),
        (plain, "GET / HTTP/1.1\nHost: a\nHost_: b", "127.0.0.1:9001", "Host: a\nHost_: b"),
        (plain, "GET http://A/ HTTP/1.1\nX: 1\nHost: a", "127.0.0.1:9001", "X: 1\nHost: a"),
        (plain, "GET / HTTP/1.0\nX: 1\nHost: a", "127.0.0.1:9001", "X: 1\nHost: a"),
        (plain, "GET / HTTP/1.0\nX: 1", "127.0.0.1:9001", "Host: 127.0.0.1:9001\nX: 1"),
        (plain, "GET / HTTP/1.0\nX: 1", "[2001:db8::1]:80", "Host: [2001:db8::1]:80\nX: 1"),
        (plain, "GET http://a:81/ HTTP/1.0\nX: 1", "127.0.0.1:9001", "Host: a:81\nX: 1"),
    ] {
        let head = forwarded_to(&one_rule(keys), &arrival(CLIENT), &Request::new(sent), target);
        assert_eq!(lines(&head), format!("GET / HTTP/1.1\n{expected}\nX-Request-Id: {ID}\n\n"), "{sent}");
    }
    for sent in ["GET / HTTP/1.1\nHost: a\nX: 1", "GET / HTTP/1.0\nX: 1", "GET http://a/ HTTP/1.0\nX: 1"] {
        let head = forwarded(&one_rule(sets), &arrival(CLIENT), sent);
        let expected = format!("GET / HTTP/1.1\nX: 1\nX-Request-Id: {ID}\nhost: app.internal");
        assert_eq!(head, expected, "{sent}");
    }
}
