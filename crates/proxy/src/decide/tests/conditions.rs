//! Conditions on headers: they see the head as the target gets it.

use super::*;

/// Whether a rule with this condition matches the request.
fn holds(keys: &str, condition: &str, peer: &str, line: &str, fields: &str) -> bool {
    let snapshot = compile(&format!(
        "{LISTENER}{keys}
        forward = 'app'
        [[listener.web.rule]]
        header = {{ {condition} }}
        respond = {{ status = 200 }}"
    ));
    short(&ask_from(&snapshot, peer, &format!("{line}\nHost: a:81\n{fields}"))) == "200"
}

#[test]
fn a_claim_is_seen_only_if_a_trusted_proxy_sent_it() {
    let trusted = "trusted_proxies = ['10.0.0.1']";
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-User",
        "X-Real-IP",
        "X-Original-URL",
        "Forwarded",
        "X-Request-Id",
    ] {
        for keys in ["", "x_forwarded = false\nforwarded = false", "forwarded = true"] {
            let keys = format!("{trusted}\n{keys}");
            let condition = format!("{name} = '~ secret'");
            let sent = format!("{name}: secret");
            assert!(!holds(&keys, &condition, "192.0.2.7:80", "GET / HTTP/1.1", &sent), "{name} {keys}");
            assert!(holds(&keys, &condition, "10.0.0.1:80", "GET / HTTP/1.1", &sent), "{name} {keys}");
        }
        let alias = name.replace('-', "_");
        if alias != name {
            let (condition, sent) = (format!("{alias} = 'secret'"), format!("{alias}: secret"));
            assert!(!holds(trusted, &condition, "10.0.0.1:80", "GET / HTTP/1.1", &sent), "{alias}");
        }
    }
}

#[test]
fn what_we_say_ourselves_is_seen() {
    for (keys, condition, line, fields, expected) in [
        ("", "X-Forwarded-For = '192.0.2.7'", "GET / HTTP/1.1", "X-Forwarded-For: 10.0.0.1", true),
        ("", "X-Forwarded-Proto = 'http'", "GET / HTTP/1.1", "X-Forwarded-Proto: https", true),
        ("", "X-Forwarded-Host = 'a:81'", "GET / HTTP/1.1", "", true),
        ("x_forwarded = false", "X-Forwarded-Proto = '*'", "GET / HTTP/1.1", "", false),
        ("forwarded = true", "Forwarded = '~ for=192'", "GET / HTTP/1.1", "", true),
        ("via = 'edge'", "Via = '1.1 edge'", "GET / HTTP/1.1", "", true),
        ("", "X-Request-Id = '*'", "GET / HTTP/1.1", "X-Request-Id: 1", false),
        ("", "Host = 'a:81'", "GET / HTTP/1.1", "", true),
    ] {
        assert_eq!(holds(keys, condition, "192.0.2.7:80", line, fields), expected, "{keys} {condition}");
    }
}

#[test]
fn an_alias_holds_no_condition() {
    for (condition, fields, expected) in [
        ("X-Debug = '*'", "X_Debug: 1", false),
        ("X_Debug = '*'", "X-Debug: 1", false),
        ("X_Debug = '*'", "X_debug: 1", true),
        ("X-Debug-Id = '*'", "X_Debug-Id: 1", false),
        ("X-Debug = '*', X_Debug = '*'", "X-Debug: 1\nX_Debug: 1", true),
    ] {
        assert_eq!(holds("", condition, "192.0.2.7:80", "GET / HTTP/1.1", fields), expected, "{fields}");
    }
}

#[test]
fn fields_that_are_not_passed_on_are_not_seen() {
    for (condition, fields, expected) in [
        ("X-A = '1'", "X-A: 1", true),
        ("X-A = '1'", "Connection: x-a\nX-A: 1", false),
        ("Cookie = 'a=1'", "Connection: cookie\nCookie: a=1", true),
        ("Keep-Alive = '*'", "Keep-Alive: 5", false),
        ("Proxy-Authorization = '*'", "Proxy-Authorization: Basic x", false),
        ("Connection = '*'", "Connection: close", false),
        ("TE = 'trailers'", "TE: gzip, trailers", true),
        ("TE = '*'", "TE: gzip", false),
        ("Upgrade = '*'", "Connection: upgrade\nUpgrade: h2c", false),
        ("Content_Length = '*'", "Content_Length: 5", false),
    ] {
        assert_eq!(holds("", condition, "192.0.2.7:80", "GET / HTTP/1.1", fields), expected, "{fields}");
    }
}
