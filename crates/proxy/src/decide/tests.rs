//! Decisions about requests, asked without a socket.

mod access;
mod authorize;
mod conditions;
mod group;
mod random;
mod source;
mod tcp;
mod websocket;

use std::net::SocketAddr;

use balance::Mismatch;
use model::ListenerName;

use super::explain::{Explanation, Outcome, explain};
use crate::fixture::compile;
use crate::snapshot::Snapshot;

/// Asks for a request from 192.0.2.7.
fn ask(snapshot: &Snapshot, head: &str) -> Explanation {
    ask_from(snapshot, "192.0.2.7:4711", head)
}

fn ask_from(snapshot: &Snapshot, peer: &str, head: &str) -> Explanation {
    let (listener, peer): (_, SocketAddr) = (ListenerName::new("web"), peer.parse().unwrap());
    let head = format!("{}\r\n\r\n", head.replace('\n', "\r\n"));
    explain(snapshot, &listener, peer, head.as_bytes(), 1_800_000_000).unwrap()
}

/// The outcome in short: a status, a reason word, or the groups.
fn short(explanation: &Explanation) -> String {
    match &explanation.outcome {
        Outcome::Refused { reason, detail: "" } => (*reason).to_owned(),
        Outcome::Refused { reason, detail } => format!("{reason} ({detail})"),
        Outcome::Replied { status } => status.to_string(),
        Outcome::Forwarded { groups } => {
            let groups: Vec<_> = groups.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
            groups.join(" ")
        }
    }
}

const LISTENER: &str = r#"
[target_group.app]
targets = ["127.0.0.1:9001"]

[target_group.api]
targets = ["127.0.0.1:9002"]

[listener.web]
bind = "127.0.0.1:8080"
"#;

const HOSTS: [&str; 4] = ["a.example", "b.example", "*.b.example", ""];
const PATHS: [&str; 5] = ["= /exact", "/api/v2", "/api", "~ ^/[0-9]+$", ""];

/// Twenty rules, one for each host and path; each answers with a status of its own.
fn twenty_rules() -> Snapshot {
    let mut text = format!("{LISTENER}forward = \"app\"\n");
    for (host, host_text) in HOSTS.iter().enumerate() {
        for (path, path_text) in PATHS.iter().enumerate() {
            let status = 400 + host * PATHS.len() + path;
            let host_line =
                if host_text.is_empty() { String::new() } else { format!("host = '{host_text}'\n") };
            let path_line =
                if path_text.is_empty() { String::new() } else { format!("path = '{path_text}'\n") };
            // The last rule would match everything; a method keeps it from that.
            let method = if host_line.is_empty() && path_line.is_empty() { "method = 'PUT'\n" } else { "" };
            let action = format!("respond = {{ status = {status} }}\n");
            text.push_str(&format!("[[listener.web.rule]]\n{host_line}{path_line}{method}{action}"));
        }
    }
    compile(&text)
}

#[test]
fn a_hundred_requests_meet_the_most_specific_of_twenty_rules() {
    let snapshot = twenty_rules();
    assert_eq!(snapshot.listeners[0].rules.len(), 21, "and the default action");
    let hosts = [("a.example", 0), ("B.example", 1), ("x.b.example", 2), ("other", 3), ("a.example.", 0)];
    let paths = [
        ("/exact", 0),
        ("/api/v2", 1),
        ("/api/v2/x?q=/exact", 1),
        ("/api/", 2),
        ("/api/v1/..", 2),
        ("//api//v2", 1),
        ("/42", 3),
        ("/exact/", 4),
        ("/apix", 4),
        ("/%61pi/v2", 1),
    ];
    let mut asked = 0;
    for (host, host_index) in hosts {
        for (path, path_index) in paths {
            for method in ["GET", "PUT"] {
                let explanation = ask(&snapshot, &format!("{method} {path} HTTP/1.1\nHost: {host}"));
                let rule = host_index * PATHS.len() + path_index;
                let is_default = rule == 19 && method == "GET";
                let expected =
                    if is_default { (20, "app=1".to_owned()) } else { (rule, (400 + rule).to_string()) };
                assert_eq!(
                    (explanation.rule, short(&explanation)),
                    (Some(expected.0), expected.1),
                    "{method} {host}{path}"
                );
                assert_eq!(explanation.mismatches[expected.0], None, "the rule that was chosen matches");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 100);
}

#[test]
fn an_explanation_says_why_each_rule_does_not_match() {
    let snapshot = compile(&format!(
        "{LISTENER}
        [[listener.web.rule]]
        host = 'a.example'
        forward = 'app'
        [[listener.web.rule]]
        path = '/api/'
        method = 'POST'
        forward = 'api'
        [[listener.web.rule]]
        path = '/api/'
        header = {{ x-canary = 'yes' }}
        forward = 'api'
        [[listener.web.rule]]
        path = '/api/'
        forward = {{ api = 90, app = 10 }}
        [[listener.web.rule]]
        path = '/'
        forward = 'app'"
    ));
    let explanation = ask(&snapshot, "GET /api/x HTTP/1.1\nHost: b.example\nX-Canary: no");
    assert_eq!((explanation.rule, short(&explanation)), (Some(3), "api=90 app=10".to_owned()));
    let expected = [Some(Mismatch::Host), Some(Mismatch::Method), Some(Mismatch::Header(0)), None, None];
    assert_eq!(explanation.mismatches, expected, "the last rule matches, and a longer prefix has precedence");
}

#[test]
fn every_step_can_refuse_a_request() {
    let snapshot = compile(&format!(
        "{LISTENER}
        access = {{ deny = ['198.51.100.0/24'] }}
        trusted_proxies = ['192.0.2.7']
        via = 'edge'
        limits = {{ body = '1KiB' }}
        [[listener.web.rule]]
        path = '/inner/'
        access = {{ allow = ['10.0.0.0/8'] }}
        forward = 'app'
        [[listener.web.rule]]
        path = '/old'
        redirect = {{ to = 'https://{{host}}/new', code = 308 }}
        [[listener.web.rule]]
        path = '/chat'
        websocket = {{ allowed_origins = ['https://a.example'] }}
        forward = 'app'
        [[listener.web.rule]]
        path = '/no-chat'
        websocket = {{ enabled = false }}
        forward = 'app'"
    ));
    let websocket = "Host: a\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for (head, rule, expected) in [
        ("GET / HTTP/1.1\nHost: a", None, "no_rule"),
        ("GET / HTTP/1.1", None, "request_host"),
        ("GET /inner%2Fx HTTP/1.1\nHost: a", None, "request_path"),
        ("GET /inner/ HTTP/1.1\nHost: a", Some(0), "access_denied (by the rule)"),
        ("GET /inner/ HTTP/1.1\nHost: a\nX-Forwarded-For: 10.1.2.3", Some(0), "app=1"),
        ("GET /old HTTP/1.1\nHost: a", Some(1), "308"),
        ("GET /old HTTP/1.0", Some(1), "request_host"),
        (
            "GET /chat HTTP/1.1\nHost: a\nX-Forwarded-For: 198.51.100.9",
            None,
            "access_denied (by the listener)",
        ),
        ("GET /chat HTTP/1.1\nHost: a\nVia: 1.1 edge", Some(2), "request_loop"),
        ("POST /chat HTTP/1.1\nHost: a\nContent-Length: 1025", Some(2), "request_body_too_large"),
        ("POST /chat HTTP/1.1\nHost: a\nContent-Length: 1024", Some(2), "app=1"),
        (&format!("GET /chat HTTP/1.1\n{websocket}"), Some(2), "websocket_origin (no Origin)"),
        (&format!("GET /chat HTTP/1.1\n{websocket}\nOrigin: https://a.example"), Some(2), "app=1"),
        (&format!("GET /no-chat HTTP/1.1\n{websocket}"), Some(3), "websocket_disabled"),
        ("GET /no-chat HTTP/1.1\nHost: a", Some(3), "app=1"),
    ] {
        let explanation = ask(&snapshot, head);
        let found = short(&explanation);
        assert_eq!(explanation.rule, rule, "{head}: {found}");
        assert!(found.starts_with(expected), "{head}: {found}, not {expected}");
    }
    let denied = ask_from(&snapshot, "198.51.100.1:80", "GET /chat HTTP/1.1\nHost: a");
    assert_eq!(short(&denied), "access_denied (by the listener)");
}

#[test]
fn the_same_question_has_the_same_answer() {
    let snapshot = twenty_rules();
    for head in ["GET /api/v2 HTTP/1.1\nHost: a.example", "BREW / HTTP/1.1\nHost: b.example"] {
        assert_eq!(ask(&snapshot, head), ask(&snapshot, head));
    }
}
