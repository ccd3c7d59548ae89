//! The rule's edits of requests.

use super::*;
use crate::fixture::listener;

#[test]
fn edits_come_last_and_remove_a_name_with_its_aliases() {
    let x_forwarded = "x_forwarded = false\nvia = 'edge'\n";
    for (edits, sent, expected) in [
        ("set = { X-A = '1' }", "X-A: 0\nx-a: 0\nX_A: 0\nx_A: 0\nX-AB: 0", "X-AB: 0\n{}\nX-A: 1"),
        ("set = { X_A = '1' }", "X-A: 0\nX_A: 0\nX: 0", "X: 0\n{}\nX_A: 1"),
        ("set = { X-A = '' }", "X-A: 0", "{}\nX-A: "),
        ("add = { X-A = '1' }", "X-A: 0\nX_A: 0", "X-A: 0\nX_A: 0\n{}\nX-A: 1"),
        (
            "remove = ['True-Client-IP']",
            "True-Client-IP: 0\nTrue_Client_IP: 0\ntrue-client_ip: 0\nX: 0",
            "X: 0\n{}",
        ),
        (
            "remove = ['Accept', 'cookie', 'USER-AGENT']",
            "accept: 0\nCookie: 0\nUser_Agent: 0\nReferer: 0",
            "Referer: 0\n{}",
        ),
        ("remove = ['Expect', 'Authorization']", "Expect: 100-continue\nauthorization: 0\nX: 0", "X: 0\n{}"),
        ("set = { X-Real-IP = '1' }", "X-Real-IP: 0\nX_Real_IP: 0", "{}\nX-Real-IP: 1"),
        ("set = { Via = '1.1 x' }", "Via: 1.1 y", "{}\nVia: 1.1 x"),
        (
            "set = { X-B = '2', X-A = '1' }, add = { x-b = '3' }, remove = ['X-C']",
            "X-C: 0\nX-B: 0",
            "{}\nX-B: 2\nX-A: 1\nx-b: 3",
        ),
        ("remove = ['X-A']", "X-B: 0", "X-B: 0\n{}"),
    ] {
        let keys =
            format!("{x_forwarded}[[listener.web.rule]]\nforward = 'app'\nrequest_headers = {{ {edits} }}");
        let head = forwarded(&listener(&keys), &arrival(CLIENT), &format!("GET / HTTP/1.1\nHost: a\n{sent}"));
        let expected = expected.replace("{}", &format!("Via: 1.1 edge\nX-Request-Id: {ID}"));
        assert_eq!(head, format!("GET / HTTP/1.1\nHost: a\n{expected}"), "{edits}: {sent}");
    }
}

#[test]
fn edits_leave_framing_and_upgrade_alone() {
    let keys = "x_forwarded = false\n[[listener.web.rule]]\nforward = 'app'\n\
                request_headers = { set = { X-A = '1' } }";
    let snapshot = listener(keys);
    for (sent, expected) in [
        ("POST / HTTP/1.1\nHost: a\nContent-Length: 5\nX_A: 0", "Content-Length: 5\nX-Request-Id: {}"),
        ("POST / HTTP/1.1\nHost: a\nContent-Length: 05", "Content-Length: 5\nX-Request-Id: {}"),
        (
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\nX-Request-Id: {}",
        ),
        (
            "POST / HTTP/1.1\nHost: a\nTE: trailers\nX-A: 0\nAccept: b",
            "Accept: b\nContent-Length: 0\nConnection: TE\nTE: trailers\nX-Request-Id: {}",
        ),
    ] {
        let head = forwarded(&snapshot, &arrival(CLIENT), sent);
        let expected = expected.replace("{}", ID);
        assert_eq!(head, format!("POST / HTTP/1.1\nHost: a\n{expected}\nX-A: 1"), "{sent}");
    }
}
