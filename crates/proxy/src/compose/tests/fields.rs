//! Which of the client's fields a target gets, and which take their place.

use super::*;
use crate::fixture::listener;

/// What the target gets between `Host` and the request's id, for these fields in a request with this line.
fn fields_after(line: &str, sent: &str) -> String {
    let snapshot = listener("x_forwarded = false\nforward = 'app'");
    let head = forwarded(&snapshot, &arrival(CLIENT), &format!("{line}\nHost: a\n{sent}"));
    let start = format!("{}HTTP/1.1\nHost: a\n", line.split_inclusive(' ').take(2).collect::<String>());
    let rest = head.strip_prefix(&start).unwrap_or_else(|| panic!("{head}"));
    let fields = rest.strip_suffix(&format!("X-Request-Id: {ID}")).unwrap_or_else(|| panic!("{head}"));
    fields.trim_end_matches('\n').to_owned()
}

#[track_caller]
fn check(line: &str, rows: &[(&str, &str)]) {
    for (sent, expected) in rows {
        assert_eq!(fields_after(line, sent), *expected, "{line}: {sent}");
    }
}

#[test]
fn fields_keep_their_spelling_and_order() {
    let fields =
        "accept:*/*\nX-B:  2 \nUSER-AGENT: x\t y \nCookie: a=b\ncookie: c=d\nX_Own: 1\nx-b: 1\nX-Empty:";
    check("GET / HTTP/1.1", &[(fields, fields)]);
}

#[test]
fn fields_for_one_hop_are_removed() {
    check(
        "GET / HTTP/1.1",
        &[
            ("Connection: close", ""),
            ("Connection: keep-alive\nX: 1", "X: 1"),
            ("Keep-Alive: timeout=5\nProxy-Connection: close\nX: 1\nTrailer: x-sum", "X: 1"),
            ("Proxy-Authenticate: Basic\nProxy-Authorization: Basic\nTE: gzip\nUpgrade: h2c\nX: 1", "X: 1"),
            ("Keep_Alive: 1\nProxy_Connection: 1\nProxy_Authorization: 1\nX: 1", "X: 1"),
            ("Connection: x-own, X-OTHER\nx-Own: 1\nX-Other: 2\nX-Own: 3\nX-Kept: 4", "X-Kept: 4"),
            ("X-Own: 1\nConnection: x-missing\nconnection:x-own\nX-Kept: 4", "X-Kept: 4"),
            ("Connection: accept, via, referer\nAccept: a\nVia: 1.1 b\nReferer: c\nX: 1", "X: 1"),
            ("Connection: , ,x-own,,\nX-Own: 1", ""),
            ("Connection: x-ow\nX-Own: 1", "X-Own: 1"),
        ],
    );
}

#[test]
fn connection_cannot_remove_what_a_request_is_judged_by() {
    let kept = "Cookie: a=b\nAuthorization: c\nOrigin: d\nCache-Control: e\nContent-Type: f\nContent-Encoding: g\n\
                Sec-WebSocket-Key: h\nExpect: 100-continue\nContent-Length: 5";
    let names = "host, cookie, authorization, origin, cache-control, content-type, content-encoding, \
                 sec-websocket-key, expect, content-length";
    check("POST / HTTP/1.1", &[(&format!("Connection: {names}\n{kept}"), kept)]);
    let chunked = "Connection: transfer-encoding\nTransfer-Encoding: chunked";
    check("POST / HTTP/1.1", &[(chunked, "Transfer-Encoding: chunked")]);
}

#[test]
fn names_that_a_target_may_take_for_ours_are_removed() {
    check(
        "GET / HTTP/1.1",
        &[
            ("Content_Length: 5\nX: 1", "X: 1"),
            ("Content_Length: 5\nContent-Length: 3", "Content-Length: 3"),
            ("Transfer_Encoding: chunked\nX: 1", "X: 1"),
            ("X_Forwarded_For: 1\nX-Forwarded_Proto: 1\nx_forwarded-host: 1\nX_FORWARDED_PORT: 1", ""),
            ("X_Request_Id: 1\nX-Request-Id: 2\nX-Request_Id: 3", ""),
            ("X-Real-IP: 1\nx_real_ip: 1\nX-Forwarded-User: 1\nX_Forwarded_User: 1\nX: 1", "X: 1"),
            ("X-Original-URL: /\nX-Rewrite-URL: /\nX_Original_URL: /\nX_Rewrite_URL: /", ""),
            ("X-Forwarded-For: 1\nX-Forwarded-Proto: 1\nX-Forwarded-Host: 1\nX-Forwarded-Port: 1", ""),
            ("Forwarded: for=1\nX: 1", "X: 1"),
            (
                "True-Client-IP: 1\nX-Original-URI: 1\nX-Forwarded: 1",
                "True-Client-IP: 1\nX-Original-URI: 1\nX-Forwarded: 1",
            ),
            ("User_Agent: 1\nSet_Cookie: 2", "User_Agent: 1\nSet_Cookie: 2"),
        ],
    );
}

#[test]
fn an_expectation_is_passed_on_from_http_1_1_only() {
    let sent = "Expect: 100-continue\nContent-Length: 5";
    check("POST / HTTP/1.1", &[(sent, sent)]);
    check("GET / HTTP/1.1", &[("Expect: 100-Continue", "Expect: 100-Continue")]);
    check("POST / HTTP/1.0", &[(sent, "Content-Length: 5"), ("Expect: anything", "Content-Length: 0")]);
}

#[test]
fn te_is_sent_again_for_trailers_alone() {
    let again = "Connection: TE\nTE: trailers";
    check(
        "GET / HTTP/1.1",
        &[
            ("TE: trailers", again),
            ("Connection: TE\nTE: trailers\nX: 1", &format!("X: 1\n{again}")),
            ("te: gzip;q=0.5, Trailers", again),
            ("TE: gzip\nTE: trailers", again),
            ("TE: gzip, deflate", ""),
            ("TE: xtrailers", ""),
            ("TE:", ""),
        ],
    );
    check(
        "POST / HTTP/1.1",
        &[("TE: trailers\nTransfer-Encoding: chunked", &format!("{again}\nTransfer-Encoding: chunked"))],
    );
}

#[test]
fn an_upgrade_is_passed_on_to_a_websocket_only() {
    let key = "Sec-WebSocket-Key: k\nOrigin: o";
    check(
        "GET / HTTP/1.1",
        &[
            (
                &format!("Connection: Upgrade\nUpgrade: websocket\n{key}"),
                &format!("Upgrade: websocket\n{key}\nConnection: Upgrade"),
            ),
            (
                &format!("{key}\nconnection: keep-alive, upgrade\nupgrade:WebSocket"),
                &format!("{key}\nupgrade:WebSocket\nConnection: Upgrade"),
            ),
            (
                "Connection: Upgrade\nUpgrade: websocket\nContent-Length: 0",
                "Upgrade: websocket\nContent-Length: 0\nConnection: Upgrade",
            ),
            (
                "Connection: Upgrade\nUpgrade: websocket\nTE: trailers",
                "Upgrade: websocket\nConnection: Upgrade",
            ),
            ("Connection: Upgrade\nUpgrade: h2c", ""),
            ("Connection: Upgrade\nUpgrade: h2c, websocket", ""),
            ("Connection: Upgrade\nUpgrade: websocket\nUpgrade: h2c", ""),
            ("Upgrade: websocket", ""),
            ("Connection: upgrade", ""),
            ("Connection: Upgrade\nUpgrade: websocket\nContent-Length: 5", "Content-Length: 5"),
            (
                "Connection: Upgrade\nUpgrade: websocket\nTransfer-Encoding: chunked",
                "Transfer-Encoding: chunked",
            ),
        ],
    );
    check("POST / HTTP/1.1", &[("Connection: Upgrade\nUpgrade: websocket", "Content-Length: 0")]);
    check("GET / HTTP/1.0", &[("Connection: Upgrade\nUpgrade: websocket", "")]);
}

#[test]
fn framing_is_written_anew() {
    check(
        "POST / HTTP/1.1",
        &[
            ("content-length:5\nX: 1", "content-length:5\nX: 1"),
            ("Content-Length: 0", "Content-Length: 0"),
            ("Content-Length: 0005\nX: 1", "X: 1\nContent-Length: 5"),
            ("X: 1\nContent-Length: 00\nY: 2", "X: 1\nY: 2\nContent-Length: 0"),
            ("transfer-encoding:CHUNKED\nX: 1", "X: 1\nTransfer-Encoding: chunked"),
        ],
    );
    check("POST / HTTP/1.0", &[("Content-Length: 05\nX: 1", "X: 1\nContent-Length: 5")]);
}

#[test]
fn the_length_of_no_body_is_said_where_the_method_expects_one() {
    for (method, expected) in [
        ("POST", "X: 1\nContent-Length: 0"),
        ("PUT", "X: 1\nContent-Length: 0"),
        ("PATCH", "X: 1\nContent-Length: 0"),
        ("GET", "X: 1"),
        ("HEAD", "X: 1"),
        ("DELETE", "X: 1"),
        ("OPTIONS", "X: 1"),
        ("TRACE", "X: 1"),
        ("REPORT", "X: 1"),
    ] {
        for version in ["1.1", "1.0"] {
            check(&format!("{method} / HTTP/{version}"), &[("X: 1", expected)]);
        }
    }
}

#[test]
fn max_forwards_counts_down_where_it_limits() {
    for method in ["OPTIONS", "TRACE"] {
        check(
            &format!("{method} / HTTP/1.1"),
            &[
                ("Max-Forwards: 10\nX: 1", "X: 1\nMax-Forwards: 9"),
                ("X: 1\nmax-forwards: 1", "X: 1\nMax-Forwards: 0"),
                ("Max-Forwards: 7\nMax-Forwards: 3", "Max-Forwards: 2"),
                ("Max-Forwards: 99999999999999999999999", "Max-Forwards: 18446744073709551614"),
                ("Max-Forwards: -1\nMax-Forwards:", "Max-Forwards: -1\nMax-Forwards:"),
            ],
        );
    }
    check("GET / HTTP/1.1", &[("Max-Forwards: 0", "Max-Forwards: 0")]);
}
