//! Responses of targets: interim, 101, and final.

use model::ContentCoding;
use proto::compression::Survey;

use super::*;
use crate::fixture::listener;

const GET: &str = "GET / HTTP/1.1\nHost: a";

fn plain() -> Snapshot {
    listener("forward = 'app'")
}

/// A listener whose rule edits responses.
fn edited(edits: &str) -> Snapshot {
    let keys = format!("[[listener.web.rule]]\nforward = 'app'\nresponse_headers = {{ {edits} }}");
    listener(&keys)
}

#[track_caller]
fn check(snapshot: &Snapshot, request: &str, rows: &[(&str, &str)]) {
    let client = Client::new(snapshot, request);
    for (sent, expected) in rows {
        let expected = expected.replace("{date}", DATE);
        assert_eq!(client.relayed(sent), expected, "{request}: {sent}");
    }
}

#[test]
fn status_reason_and_fields_are_kept() {
    let fields = "server:x \nSet-Cookie: a=b\nX-B:  2\t \nset-cookie: c=d\nX_Own: 1\nDATE: Tue, 01 Jan 2030 00:00:00 GMT\n\
                  Content_Type: d\nVia: 1.1 origin\nCookie: e\nHost: f\nX-Forwarded-For: g";
    check(
        &plain(),
        GET,
        &[
            (
                &format!("HTTP/1.1 200 OK\n{fields}\nContent-Length: 5"),
                &format!("HTTP/1.1 200 OK\n{fields}\nContent-Length: 5"),
            ),
            (
                &format!("HTTP/1.1 404 \n{fields}\nContent-Length: 0"),
                &format!("HTTP/1.1 404 \n{fields}\nContent-Length: 0"),
            ),
            (
                "HTTP/1.0 299 Odd  reason\t!\nDate: x\ncontent-length:7 ",
                "HTTP/1.1 299 Odd  reason\t!\nDate: x\ncontent-length:7 ",
            ),
            ("HTTP/1.1 500\nDate: x\nContent-Length: 1", "HTTP/1.1 500 \nDate: x\nContent-Length: 1"),
        ],
    );
}

#[test]
fn a_missing_date_is_added_unless_the_rule_edits_it() {
    let (without, with) =
        ("HTTP/1.1 200 OK\nContent-Length: 5", "HTTP/1.1 200 OK\ndate: x\nContent-Length: 5");
    check(&plain(), GET, &[(without, &format!("{without}\n{{date}}")), (with, with)]);
    check(&edited("remove = ['date']"), GET, &[(without, without), (with, without)]);
    let own = format!("{without}\nDate: own");
    check(&edited("set = { Date = 'own' }"), GET, &[(without, &own), (with, &own)]);
    // FIXME: docs/http.md says that a missing `Date` is added unless the rule edits it; for `add` it is added all the same.
    let two = format!("{without}\n{{date}}\nDate: own");
    check(&edited("add = { Date = 'own' }"), GET, &[(without, &two), (with, &format!("{with}\nDate: own"))]);
}

#[test]
fn the_id_is_added_unless_the_target_sent_one_or_the_listener_adds_none() {
    let ours = format!("X-Request-Id: {ID}");
    let off = || listener("request_id = { response = false }\nforward = 'app'");
    for (snapshot, sent, expected) in [
        (plain(), "", &*ours),
        (plain(), "x-request-id: theirs\n", "x-request-id: theirs"),
        (plain(), "Connection: x-request-id\nX-Request-Id: theirs\n", &ours),
        (edited("set = { X-A = '1' }"), "X-Request-Id: theirs\n", "X-Request-Id: theirs"),
        (off(), "X-Request-Id: theirs\n", "X-Request-Id: theirs"),
        (off(), "", ""),
    ] {
        let client = Client::new(&snapshot, GET);
        let response = Response::new(&format!("HTTP/1.1 200 OK\n{sent}Date: x\nContent-Length: 5"));
        let head = lines(&client.relayed_bytes(&response, &HeadEdits::default()));
        let found: Vec<_> =
            head.lines().filter(|line| line.to_lowercase().starts_with("x-request")).collect();
        assert_eq!(found.join("\n"), expected, "{sent}{head}");
    }
}

#[test]
fn fields_for_one_hop_are_removed() {
    let length = "Date: x\nContent-Length: 5";
    let cases = [
        "Connection: close",
        "Connection: x-own, keep-alive\nX-Own: 1\nKeep-Alive: timeout=9",
        "Upgrade: h2c",
        "Connection: upgrade\nUpgrade: websocket",
        "Proxy-Authenticate: Basic\nProxy-Authorization: b\nProxy-Connection: close\nTE: trailers\nTrailer: x-sum",
        "Content_Length: 7\nTransfer_Encoding: chunked",
        "connection: server, via\nServer: s\nVia: 1.1 v",
    ];
    let client_head = format!("HTTP/1.1 200 OK\n{length}");
    for sent in cases {
        check(&plain(), GET, &[(&format!("HTTP/1.1 200 OK\n{sent}\n{length}"), &client_head)]);
    }
    let kept = "Connection: set-cookie, location, date, content-length, cache-control, content-type";
    let fields = format!("Set-Cookie: a=b\nLocation: /\nCache-Control: c\nContent-Type: d\n{length}");
    let sent = format!("HTTP/1.1 200 OK\n{kept}\n{fields}");
    check(&plain(), GET, &[(&sent, &format!("HTTP/1.1 200 OK\n{fields}"))]);
}

#[test]
fn a_body_is_framed_for_the_client() {
    let rows_11 = [
        ("HTTP/1.1 200 OK\nDate: x\nContent-Length: 0005", "HTTP/1.1 200 OK\nDate: x\nContent-Length: 5"),
        ("HTTP/1.1 200 OK\nContent-Length: 00\nDate: x", "HTTP/1.1 200 OK\nDate: x\nContent-Length: 0"),
        (
            "HTTP/1.1 200 OK\ntransfer-encoding:CHUNKED\nDate: x",
            "HTTP/1.1 200 OK\nDate: x\nTransfer-Encoding: chunked",
        ),
        ("HTTP/1.1 200 OK\nDate: x", "HTTP/1.1 200 OK\nDate: x\nTransfer-Encoding: chunked"),
        ("HTTP/1.0 200 OK\nDate: x", "HTTP/1.1 200 OK\nDate: x\nTransfer-Encoding: chunked"),
        ("HTTP/1.1 204 No Content\nDate: x", "HTTP/1.1 204 No Content\nDate: x"),
        ("HTTP/1.1 204 No Content\nContent-Length: 0\nDate: x", "HTTP/1.1 204 No Content\nDate: x"),
        (
            "HTTP/1.1 304 Not Modified\nContent-Length: 6\nDate: x",
            "HTTP/1.1 304 Not Modified\nContent-Length: 6\nDate: x",
        ),
        (
            "HTTP/1.1 304 Not Modified\nContent-Length: 06\nDate: x",
            "HTTP/1.1 304 Not Modified\nDate: x\nContent-Length: 6",
        ),
        (
            "HTTP/1.1 304 Not Modified\nTransfer-Encoding: chunked\nDate: x",
            "HTTP/1.1 304 Not Modified\nDate: x",
        ),
        (
            "HTTP/1.1 205 Reset Content\nContent-Length: 5\nDate: x",
            "HTTP/1.1 205 Reset Content\nContent-Length: 5\nDate: x",
        ),
    ];
    check(&plain(), GET, &rows_11);
    let (keeps, closes) = ("Connection: keep-alive", "Connection: close");
    check(
        &plain(),
        "GET / HTTP/1.0\nConnection: keep-alive",
        &[
            (
                "HTTP/1.1 200 OK\nDate: x\nContent-Length: 5",
                &format!("HTTP/1.1 200 OK\nDate: x\nContent-Length: 5\n{keeps}"),
            ),
            (
                "HTTP/1.1 200 OK\nDate: x\nTransfer-Encoding: chunked",
                &format!("HTTP/1.1 200 OK\nDate: x\n{closes}"),
            ),
            ("HTTP/1.1 200 OK\nDate: x", &format!("HTTP/1.1 200 OK\nDate: x\n{closes}")),
            ("HTTP/1.1 204 No Content\nDate: x", &format!("HTTP/1.1 204 No Content\nDate: x\n{keeps}")),
        ],
    );
    check(
        &plain(),
        "HEAD / HTTP/1.1\nHost: a",
        &[
            ("HTTP/1.1 200 OK\nContent-Length: 5\nDate: x", "HTTP/1.1 200 OK\nContent-Length: 5\nDate: x"),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nDate: x", "HTTP/1.1 200 OK\nDate: x"),
            ("HTTP/1.1 200 OK\nDate: x", "HTTP/1.1 200 OK\nDate: x"),
        ],
    );
}

#[test]
fn a_426_keeps_the_protocol_that_it_asks_for() {
    let upgrade = "HTTP/1.1 426 Upgrade Required\nUpgrade: websocket\nDate: x\nContent-Length: 0";
    let named = upgrade.replace("Upgrade: w", "Connection: upgrade, close\nUpgrade: w");
    let with_connection = format!("{upgrade}\nConnection: Upgrade");
    check(&plain(), GET, &[(upgrade, upgrade), (&named, &with_connection)]);
    let snapshot = plain();
    let client = Client { persists: false, ..Client::new(&snapshot, GET) };
    assert_eq!(client.relayed(&named), format!("{with_connection}\nConnection: close"), "a list of two");
}

#[test]
fn the_client_is_told_whether_its_connection_goes_on() {
    let snapshot = plain();
    let sent = "HTTP/1.1 200 OK\nDate: x\nContent-Length: 5";
    for (request, persists, expected) in [
        (GET, true, ""),
        (GET, false, "\nConnection: close"),
        ("GET / HTTP/1.0", true, "\nConnection: keep-alive"),
        ("GET / HTTP/1.0", false, "\nConnection: close"),
    ] {
        let client = Client { persists, ..Client::new(&snapshot, request) };
        assert_eq!(client.relayed(sent), format!("{sent}{expected}"), "{request} {persists}");
    }
}

#[test]
fn the_rules_edits_come_last() {
    let head = "HTTP/1.1 200 OK\nDate: x\nContent-Length: 5";
    for (edits, sent, expected) in [
        ("set = { X-A = '1' }", "X-A: 0\nx-a: 0\nX_A: 0", "X_A: 0\n{}\nX-A: 1"),
        ("set = { X-A = '1' }", "X: 0", "X: 0\n{}\nX-A: 1"),
        ("add = { X-A = '1' }", "X-A: 0", "X-A: 0\n{}\nX-A: 1"),
        ("remove = ['X-Powered-By', 'server']", "Server: 0\nx-powered-by: 0\nX: 0", "X: 0\n{}"),
        (
            "set = { Server = 's' }, add = { X-A = '1', x-a = '2' }, remove = ['Set-Cookie']",
            "set-cookie: 0\nSERVER: 0",
            "{}\nServer: s\nX-A: 1\nx-a: 2",
        ),
    ] {
        let sent = format!("HTTP/1.1 200 OK\n{sent}\nDate: x\nContent-Length: 5");
        let expected = expected.replace("{}", "Date: x\nContent-Length: 5");
        check(&edited(edits), GET, &[(&sent, &format!("HTTP/1.1 200 OK\n{expected}"))]);
    }
    let sets = edited("set = { X-A = '1' }");
    check(&sets, GET, &[(&head.replace(": 5", ": 05"), &format!("{head}\nX-A: 1"))]);
    check(
        &sets,
        GET,
        &[("HTTP/1.1 200 OK\nDate: x", "HTTP/1.1 200 OK\nDate: x\nTransfer-Encoding: chunked\nX-A: 1")],
    );
}

#[test]
fn via_has_our_name_and_the_version_of_the_target() {
    let snapshot = listener("via = 'edge'\nforward = 'app'");
    for version in ["1.1", "1.0"] {
        let sent = format!("HTTP/{version} 200 OK\nVia: 1.1 origin\nDate: x\nContent-Length: 5");
        let expected =
            format!("HTTP/1.1 200 OK\nVia: 1.1 origin\nDate: x\nContent-Length: 5\nVia: {version} edge");
        check(&snapshot, GET, &[(&sent, &expected)]);
    }
    let client = Client { is_target_http2: true, ..Client::new(&snapshot, GET) };
    let head = client.relayed("HTTP/1.1 200 OK\nDate: x\nContent-Length: 5");
    assert_eq!(head, "HTTP/1.1 200 OK\nDate: x\nContent-Length: 5\nVia: 2 edge", "HTTP/2");
}

#[test]
fn interim_responses_are_passed_on_without_our_fields() {
    let keys =
        "via = 'edge'\n[[listener.web.rule]]\nforward = 'app'\nresponse_headers = { set = { Link = 'own' } }";
    for (snapshot, via, link) in [(plain(), "", "Link: </a>\n"), (listener(keys), "Via: 1.1 edge\n", "")] {
        let client = Client { persists: false, ..Client::new(&snapshot, GET) };
        for (sent, expected) in [
            ("HTTP/1.1 100 Continue", "HTTP/1.1 100 Continue\n"),
            (
                "HTTP/1.1 103 Early Hints\nLink: </a>\nConnection: x, close\nX: 1\nY:2 ",
                "HTTP/1.1 103 Early Hints\n{link}Y:2 \n",
            ),
            (
                "HTTP/1.1 102 \nContent-Length: 0\nContent_Length: 1\nKeep-Alive: a\nUpgrade: h2c",
                "HTTP/1.1 102 \n",
            ),
        ] {
            let mut out = Vec::new();
            let edits = &client.rule().0.response_fields;
            client.compose(edits, |composer| composer.write_interim(Response::new(sent).text(), &mut out));
            assert_eq!(lines(&out), format!("{expected}{via}\n").replace("{link}", link), "{sent}");
        }
    }
}

#[test]
fn a_101_keeps_the_handshake_of_the_websocket() {
    let keys = "via = 'edge'\n[[listener.web.rule]]\nforward = 'app'\n\
                response_headers = { set = { X-A = 'own', Sec-WebSocket-Accept = 'x' }, remove = ['X-B'] }";
    let handshake = "Connection: Upgrade\nUpgrade: websocket";
    for (snapshot, fields, ours) in [
        (plain(), "X-B: 1\nSec-WebSocket-Accept: k\nX-A: b\n", ""),
        (listener(keys), "Sec-WebSocket-Accept: k\n", "Via: 1.1 edge\nX-A: own\n"),
    ] {
        let client = Client::new(&snapshot, &format!("{GET}\n{handshake}"));
        let sent = "HTTP/1.1 101 Switching Protocols\nconnection:x, upgrade\nUPGRADE: WebSocket\nX: 1\nX-B: 1\n\
                    Sec-WebSocket-Accept: k\nContent-Length: 0\nKeep-Alive: a\nX-A: b";
        let mut out = Vec::new();
        let edits = &client.rule().0.response_fields;
        client.compose(edits, |composer| composer.write_switch(Response::new(sent).text(), &mut out));
        let expected = format!("HTTP/1.1 101 Switching Protocols\nUPGRADE: WebSocket\n{fields}{ours}");
        assert_eq!(without_id(&lines(&out)), format!("{expected}Connection: Upgrade\n\n"));
    }
}

/// The head for a client that gets the response in this coding, or could.
fn compressed(snapshot: &Snapshot, sent: &str, coding: Option<ContentCoding>) -> String {
    let (client, response) = (Client::new(snapshot, GET), Response::new(sent));
    let mut survey = Survey::default();
    for field in response.text().head.fields() {
        survey.note(response.text().text(field.name), response.text().text(field.value));
    }
    without_id(&lines(&client.relayed_bytes(&response, &HeadEdits::of_response(&survey, coding))))
}

#[test]
fn compression_changes_the_fields_that_describe_the_body() {
    let types = "Content-Type: text/html\nDate: x";
    for (coding, sent, expected) in [
        (
            Some(ContentCoding::Br),
            "Accept-Ranges: bytes\nETag: \"x\"\nDigest: d\nX: 1\nContent-MD5: m\ncontent-length: 5",
            "X: 1\nContent-Encoding: br\nVary: Accept-Encoding\nETag: W/\"x\"\nTransfer-Encoding: chunked",
        ),
        (
            Some(ContentCoding::Gzip),
            "etag: W/\"x\"\nVary: accept-encoding\nTransfer-Encoding: chunked",
            "Vary: accept-encoding\nContent-Encoding: gzip\nETag: W/\"x\"\nTransfer-Encoding: chunked",
        ),
        (
            Some(ContentCoding::Zstd),
            "Connection: etag\nETag: \"x\"\nContent-Length: 05",
            "Content-Encoding: zstd\nVary: Accept-Encoding\nTransfer-Encoding: chunked",
        ),
        (None, "ETag: \"x\"\nContent-Length: 5", "ETag: \"x\"\nContent-Length: 5\nVary: Accept-Encoding"),
        (None, "Vary: *\nContent-Length: 05", "Vary: *\nContent-Length: 5"),
    ] {
        let head = compressed(&plain(), &format!("HTTP/1.1 200 OK\n{types}\n{sent}"), coding);
        assert_eq!(head, format!("HTTP/1.1 200 OK\n{types}\n{expected}\n\n"), "{sent}");
    }
    let sent = format!("HTTP/1.1 200 OK\n{types}\nETag: \"x\"\nContent-Length: 5");
    let head = compressed(&edited("remove = ['ETag']"), &sent, Some(ContentCoding::Gzip));
    let coded = "Content-Encoding: gzip\nVary: Accept-Encoding\nTransfer-Encoding: chunked";
    assert_eq!(head, format!("HTTP/1.1 200 OK\n{types}\n{coded}\n\n"), "a removed ETag does not come back");
}
