//! Replies to requests that failed.

use model::Failure;

use super::*;
use crate::fixture::{compile_with, listener, listener_text};

/// The fields of a failure with this type and length.
fn fields(content_type: &str, length: usize) -> String {
    format!(
        "Cache-Control: no-store\nContent-Type: {content_type}\nContent-Length: {length}\n{DATE}\n\
         X-Request-Id: {ID}\n\n"
    )
}

const PROXY_STATUS: &str = "Proxy-Status: evenkeel; error=destination_unavailable; details=\"no_target\"\n";

#[test]
fn a_page_has_the_format_that_the_client_prefers() {
    let snapshot = listener("forward = 'app'");
    let what = Failure::NoTarget.outcome().what;
    let text = format!("503 Service Unavailable\n{what}\nreason no_target, request {ID}\n");
    let json = format!(
        "{{\"status\":503,\"reason\":\"no_target\",\"message\":\"{what}\",\"request_id\":\"{ID}\"}}\n"
    );
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>503 Service Unavailable</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}}\
         small{{color:#666}}</style>\n<h1>503 Service Unavailable</h1>\n<p>{what}</p>\n\
         <p><small>reason no_target, request {ID}</small></p>\n</html>\n"
    );
    let (text, json, html) = (
        ("text/plain; charset=utf-8", &text),
        ("application/json", &json),
        ("text/html; charset=utf-8", &html),
    );
    for (accept, (content_type, body)) in [
        ("", text),
        ("Accept:\n", text),
        ("Accept: */*\n", text),
        ("Accept: text/plain, text/html\n", text),
        ("Accept: text/html,application/xhtml+xml;q=0.9\n", html),
        ("accept:APPLICATION/XHTML+XML\n", html),
        ("Accept: image/png , application/json;q=0.1, text/html\n", json),
        ("Accept: application/*\n", json),
        ("Accept: text/*\nAccept: text/html\n", html),
        ("Accept: text/html;q=0, application/json\n", json),
    ] {
        let client = Client::new(&snapshot, &format!("GET / HTTP/1.1\n{accept}Host: a"));
        let (got, sent) = client.failure(Failure::NoTarget);
        let head =
            format!("HTTP/1.1 503 Service Unavailable\n{PROXY_STATUS}{}", fields(content_type, body.len()));
        assert_eq!((got, sent), (format!("{head}{body}"), body.len() as u64), "{accept}");
        let client = Client::new(&snapshot, &format!("HEAD / HTTP/1.1\n{accept}Host: a"));
        assert_eq!(client.failure(Failure::NoTarget), (head, 0), "{accept}");
    }
}

#[test]
fn a_proxys_id_is_escaped_in_the_page() {
    let snapshot = listener("forward = 'app'");
    for (accept, expected) in [
        ("text/html", "reason no_rule, request \"&lt;b&gt;&amp;\\</small>"),
        ("application/json", "\"request_id\":\"_<b>&_\"}\n"),
        ("text/plain", "reason no_rule, request \"<b>&\\\n"),
    ] {
        let client = Client::new(&snapshot, &format!("GET / HTTP/1.1\nHost: a\nAccept: {accept}"));
        let mut out = Vec::new();
        client.compose(&FieldEdits::default(), |composer| {
            ResponseComposer { id: b"\"<b>&\\", ..composer }.write_failure(Failure::NoRule.into(), &mut out)
        });
        let text = message_text(&out);
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("X-Request-Id: \"<b>&\\\n"), "{text}");
    }
}

#[test]
fn an_operators_page_takes_the_place_of_ours() {
    let keys = "error_pages = { 503 = 'sorry.html', 4xx = 'error.json' }\nforward = 'app'";
    let files = [("sorry.html", "<p>Sorry</p>\n"), ("error.json", "{}")];
    let snapshot = compile_with(&listener_text(keys), &files);
    let client = Client::new(&snapshot, "GET / HTTP/1.1\nHost: a\nAccept: application/json");
    let (text, _) = client.failure(Failure::NoTarget);
    let own = fields("text/html; charset=utf-8", 13) + "<p>Sorry</p>\n";
    assert_eq!(text, format!("HTTP/1.1 503 Service Unavailable\n{PROXY_STATUS}{own}"));
    let (text, _) = client.failure(Failure::AccessDenied);
    let refused = "Proxy-Status: evenkeel; error=http_request_denied; details=\"access_denied\"\n";
    let own = fields("application/json", 2) + "{}";
    assert_eq!(text, format!("HTTP/1.1 403 Forbidden\n{refused}{own}"));
    let (text, _) = client.failure(Failure::TargetResponseTimeout);
    assert!(text.contains("\"status\":504"), "a status without a page of its own: {text}");
}

#[test]
fn a_rules_edits_apply_but_for_what_describes_our_page() {
    for (edits, expected) in [
        ("set = { X-Frame-Options = 'DENY' }", "{}\n{date}\n{id}\nX-Frame-Options: DENY"),
        ("add = { Content-Security-Policy = 'a' }", "{}\n{date}\n{id}\nContent-Security-Policy: a"),
        ("set = { Date = 'own' }", "{}\n{id}\nDate: own"),
        ("remove = ['date']", "{}\n{id}"),
        (
            "set = { Content-Type = 'a', Content-Encoding = 'b', cache-control = 'public', Grpc-Status = '0' }",
            "{}\n{date}\n{id}",
        ),
        (
            "remove = ['Content-Type', 'Cache-Control']\nadd = { ETag = 'a', Expires = 'b' }",
            "{}\n{date}\n{id}",
        ),
    ] {
        let edits = edits.replace('\n', ", ");
        let keys = format!("[[listener.web.rule]]\nforward = 'app'\nresponse_headers = {{ {edits} }}");
        let snapshot = listener(&keys);
        let head = Client::new(&snapshot, "GET / HTTP/1.1\nHost: a").failure_of_rule(Failure::NoTarget);
        let body = format!(
            "503 Service Unavailable\n{}\nreason no_target, request {ID}\n",
            Failure::NoTarget.outcome().what
        );
        let ours = format!(
            "HTTP/1.1 503 Service Unavailable\n{PROXY_STATUS}Cache-Control: no-store\n\
             Content-Type: text/plain; charset=utf-8\nContent-Length: {}",
            body.len()
        );
        let expected = expected.replace("{}", &ours).replace("{date}", DATE);
        assert_eq!(head, expected.replace("{id}", &format!("X-Request-Id: {ID}")), "{edits}");
    }
}

#[test]
fn our_own_fields_of_a_failure_can_be_taken_away() {
    let keys = "[[listener.web.rule]]\nforward = 'app'\n\
                response_headers = { set = { proxy-status = 'own' }, remove = ['Allow'] }";
    let snapshot = listener(keys);
    let head = Client::new(&snapshot, "GET / HTTP/1.1\nHost: a").failure_of_rule(Failure::NoTarget);
    assert_eq!((count(&head, "proxy-status"), count(&head, "content-length")), (1, 1), "{head}");
    assert!(head.ends_with("\nproxy-status: own"), "{head}");
    let not_allowed = *Failure::ALL.iter().find(|failure| failure.outcome().status == 405).unwrap();
    let head = Client::new(&snapshot, "GET / HTTP/1.1\nHost: a").failure_of_rule(not_allowed);
    assert_eq!(count(&head, "allow"), 0, "{head}");
}

#[test]
fn a_grpc_client_gets_its_status_whatever_the_rule_edits() {
    let keys = "[[listener.web.rule]]\nforward = 'app'\n\
                response_headers = { set = { Content-Type = 'text/html', grpc-status = '0', X-A = '1' } }";
    let snapshot = listener(keys);
    let request = "POST / HTTP/1.1\nHost: a\nContent-Type: application/grpc";
    let arrival = Arrival { is_http2: true, ..arrival(CLIENT) };
    let head = Client { arrival, ..Client::new(&snapshot, request) }.failure_of_rule(Failure::NoTarget);
    assert!(head.contains("\nContent-Type: application/grpc\nGrpc-Status: 14\n"), "{head}");
    assert_eq!(["content-type", "grpc-status", "x-a"].map(|name| count(&head, name)), [1, 1, 1], "{head}");
}

#[test]
fn a_405_lists_the_methods_that_are_served() {
    let snapshot = listener("forward = 'app'");
    let client = Client::new(&snapshot, "GET / HTTP/1.1\nHost: a");
    for &failure in Failure::ALL {
        let (text, _) = client.failure(failure);
        let allow = "\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\n";
        assert_eq!(text.contains(allow), failure.outcome().status == 405, "{text}");
        let status = failure.outcome().proxy_error.map(|error| {
            format!("\nProxy-Status: evenkeel; error={error}; details=\"{}\"\n", failure.outcome().reason)
        });
        assert_eq!(count(&text, "proxy-status"), usize::from(status.is_some()), "{text}");
        assert!(status.is_none_or(|status| text.contains(&status)), "{text}");
    }
}

#[test]
fn a_head_that_could_not_be_read_is_answered_in_plain_text() {
    let snapshot = listener("forward = 'app'");
    let client = Client { persists: false, ..Client::new(&snapshot, "HEAD / HTTP/1.0\nAccept: text/html") };
    let mut out = Vec::new();
    client.compose(&FieldEdits::default(), |composer| {
        ResponseComposer { request: None, ..composer }
            .write_failure(Failure::RequestMalformed.into(), &mut out)
    });
    let what = Failure::RequestMalformed.outcome().what;
    let body = format!("400 Bad Request\n{what}\nreason request_malformed, request {ID}\n");
    let fields = fields("text/plain; charset=utf-8", body.len()).replace("\n\n", "\nConnection: close\n\n");
    let status = "Proxy-Status: evenkeel; error=http_request_error; details=\"request_malformed\"\n";
    assert_eq!(message_text(&out), format!("HTTP/1.1 400 Bad Request\n{status}{fields}{body}"));
}

#[test]
fn a_grpc_client_over_http_2_gets_a_grpc_status() {
    let snapshot = listener("forward = 'app'");
    let request = "POST / HTTP/1.1\nHost: a\nContent-Type: application/grpc+proto\nAccept: application/json";
    let client = |is_http2| Client {
        arrival: Arrival { is_http2, ..arrival(CLIENT) },
        ..Client::new(&snapshot, request)
    };
    let what = Failure::NoTarget.outcome().what;
    let expected = format!(
        "HTTP/1.1 200 OK\nContent-Type: application/grpc\nGrpc-Status: 14\nGrpc-Message: no_target: {what}\n\
         {PROXY_STATUS}Cache-Control: no-store\nContent-Length: 0\n{DATE}\nX-Request-Id: {ID}\n\n"
    );
    assert_eq!(client(true).failure(Failure::NoTarget), (expected, 0));
    let (text, _) = client(false).failure(Failure::NoTarget);
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("application/json"), "{text}");
    let (text, _) = client(true).failure(Failure::Misdirected);
    assert!(text.starts_with("HTTP/1.1 421 "), "its HTTP/2 layer makes another connection: {text}");
}
