//! Replies that a rule gives by itself.

use super::*;
use crate::fixture::{compile_with, listener, listener_text};

/// A listener with one rule.
fn rule(keys: &str) -> Snapshot {
    listener(&format!("[[listener.web.rule]]\n{keys}"))
}

#[track_caller]
fn check(keys: &str, request: &str, expected: &str, body: &str) {
    let snapshot = rule(keys);
    let (text, sent) = Client::new(&snapshot, request).ready();
    let expected = expected.replace("{date}", DATE);
    assert_eq!(text, format!("{expected}\n\n{body}"), "{keys}: {request}");
    assert_eq!(sent, body.len() as u64, "{keys}: {request}");
}

#[test]
fn a_redirect_fills_in_each_piece() {
    for (redirect, target, host, expected) in [
        ("scheme = 'https'", "/x?y", "a", "https://a/x?y"),
        ("scheme = 'https'", "/x?y", "A.example.:8080", "https://A.example./x?y"),
        ("scheme = 'https'", "/", "a", "https://a/"),
        ("scheme = 'https'", "http://a", "a", "https://a/"),
        ("scheme = 'https'", "http://a:81?y", "a:81", "https://a/?y"),
        ("scheme = 'https'", "//evil.example/x", "a", "https://a/evil.example/x"),
        ("scheme = 'https'", "/\\evil", "a", "https://a/evil"),
        ("scheme = 'https'", "/a/../b/%63?", "a", "https://a/a/../b/%63?"),
        ("scheme = 'https'", "/", "[2001:db8::1]:80", "https://[2001:db8::1]/"),
        ("scheme = 'https', port = 8443", "/x", "a:81", "https://a:8443/x"),
        ("scheme = 'https', port = 'keep'", "/x", "a:81", "https://a:81/x"),
        ("scheme = 'https', port = 'keep'", "/x", "a", "https://a/x"),
        ("scheme = 'https', port = 'keep'", "/x", "a:80", "https://a/x"),
        ("scheme = 'https', port = 'keep'", "/x", "a:443", "https://a/x"),
        ("to = 'https://www.example{path}{query}'", "/x?y=z&z", "a", "https://www.example/x?y=z&z"),
        ("to = 'https://{host}{port}/new{path}{query}#f'", "/x", "a:81", "https://a:81/new/x#f"),
        ("to = '/new'", "/x?y", "a", "/new"),
    ] {
        let keys = format!("redirect = {{ {redirect} }}");
        let head = format!("HTTP/1.1 302 Found\nLocation: {expected}\nContent-Length: 0\n{{date}}");
        check(&keys, &format!("GET {target} HTTP/1.1\nHost: {host}"), &head, "");
    }
}

#[test]
fn a_redirect_has_the_rules_code() {
    for (code, phrase) in [
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
    ] {
        let keys = format!("redirect = {{ to = '/new', code = {code} }}");
        let head = format!("HTTP/1.1 {code} {phrase}\nLocation: /new\nContent-Length: 0\n{{date}}");
        check(&keys, "POST /x HTTP/1.1\nHost: a\nContent-Length: 5", &head, "");
    }
}

#[test]
fn a_slash_is_added_to_the_rules_own_path() {
    let keys = "path = '/abc/'\ntrailing_slash = 'redirect'\nforward = 'app'";
    for (target, expected) in
        [("/abc", "/abc/"), ("/abc?y", "/abc/?y"), ("//x/../abc?", "/abc/?"), ("http://a/%61bc", "/abc/")]
    {
        let head =
            format!("HTTP/1.1 308 Permanent Redirect\nLocation: {expected}\nContent-Length: 0\n{{date}}");
        check(keys, &format!("GET {target} HTTP/1.1\nHost: a"), &head, "");
    }
}

#[test]
fn a_fixed_response_has_its_body_and_type() {
    let get = "GET / HTTP/1.1\nHost: a";
    let type_ = "Content-Type: text/plain; charset=utf-8";
    let head = format!("HTTP/1.1 200 OK\n{type_}\nContent-Length: 3\n{{date}}");
    check("respond = { status = 200, body = 'ok!' }", get, &head, "ok!");
    check("respond = { status = 200, body = 'ok!' }", "HEAD / HTTP/1.1\nHost: a", &head, "");
    let keys = "respond = { status = 418, body = '{}', content_type = 'application/json' }";
    let phrase = model::status_phrase(418);
    check(
        keys,
        get,
        &format!("HTTP/1.1 418 {phrase}\nContent-Type: application/json\nContent-Length: 2\n{{date}}"),
        "{}",
    );
    check("respond = { status = 403 }", get, "HTTP/1.1 403 Forbidden\nContent-Length: 0\n{date}", "");
    check("respond = { status = 204 }", get, "HTTP/1.1 204 No Content\n{date}", "");
}

#[test]
fn a_fixed_status_without_a_body_has_its_error_page() {
    let files = [("sorry.html", "<p>Sorry</p>\n")];
    let get = "GET / HTTP/1.1\nHost: a";
    let page = "Content-Type: text/html; charset=utf-8\nContent-Length: 13";
    let own = "Content-Type: text/plain; charset=utf-8\nContent-Length: 3";
    for (respond, line, fields, body) in [
        ("status = 503", "503 Service Unavailable", page, "<p>Sorry</p>\n"),
        ("status = 503, body = 'own'", "503 Service Unavailable", own, "own"),
        ("status = 404", "404 Not Found", "Content-Length: 0", ""),
    ] {
        let keys = format!(
            "error_pages = {{ 503 = 'sorry.html' }}\n[[listener.web.rule]]\nrespond = {{ {respond} }}"
        );
        let snapshot = compile_with(&listener_text(&keys), &files);
        let expected = format!("HTTP/1.1 {line}\n{fields}\n{DATE}\n\n{body}");
        assert_eq!(Client::new(&snapshot, get).ready(), (expected, body.len() as u64), "{respond}");
    }
}

#[test]
fn the_rules_edits_come_last() {
    let get = "GET / HTTP/1.1\nHost: a";
    let respond = "respond = { status = 200, body = 'ok' }\n";
    let type_ = "Content-Type: text/plain; charset=utf-8\n";
    for (edits, expected) in [
        (
            "set = { X-A = '1' }, add = { X-B = '2' }, remove = ['X-C']",
            format!("{type_}Content-Length: 2\n{{date}}\nX-A: 1\nX-B: 2"),
        ),
        (
            "set = { content-type = 'text/css' }",
            "Content-Length: 2\n{date}\ncontent-type: text/css".to_owned(),
        ),
        ("remove = ['Content-Type']", "Content-Length: 2\n{date}".to_owned()),
        ("remove = ['Date']", format!("{type_}Content-Length: 2")),
        ("set = { Date = 'own' }", format!("{type_}Content-Length: 2\nDate: own")),
    ] {
        let keys = format!("{respond}response_headers = {{ {edits} }}");
        check(&keys, get, &format!("HTTP/1.1 200 OK\n{expected}"), "ok");
    }
}

#[test]
fn the_client_is_told_whether_its_connection_goes_on() {
    let snapshot = listener("via = 'edge'\n[[listener.web.rule]]\nrespond = { status = 204 }");
    for (request, persists, expected) in [
        ("GET / HTTP/1.1\nHost: a", true, ""),
        ("GET / HTTP/1.1\nHost: a", false, "\nConnection: close"),
        ("GET / HTTP/1.0", true, "\nConnection: keep-alive"),
        ("GET / HTTP/1.0", false, "\nConnection: close"),
    ] {
        let client = Client { persists, ..Client::new(&snapshot, request) };
        let expected = format!("HTTP/1.1 204 No Content\n{DATE}{expected}\n\n");
        assert_eq!(client.ready(), (expected, 0), "{request}: no Via either, since it comes from us");
    }
}

#[test]
fn a_request_that_may_not_be_forwarded_is_answered_here() {
    let options = "HTTP/1.1 200 OK\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\nContent-Length: 0\n{date}";
    check("forward = 'app'", "OPTIONS * HTTP/1.1\nHost: a\nMax-Forwards: 0", options, "");
    let told = "TRACE /x?y HTTP/1.1\r\nHost: a\r\nVia: 1.1 b\r\nMax-Forwards: 00\r\n\r\n";
    let secret = "Cookie: a=b\nAuthorization: Basic x\nX-Own: 1";
    let trace = "HTTP/1.1 200 OK\nContent-Type: message/http\nContent-Length: 62\n{date}";
    let request = format!("{}\n{secret}", told.trim_end().replace('\r', ""));
    let snapshot = rule("forward = 'app'");
    let (text, sent) = Client::new(&snapshot, &request).ready();
    assert_eq!(text, format!("{}\n\n{told}", trace.replace("{date}", DATE)));
    assert_eq!(sent, 62);
}
