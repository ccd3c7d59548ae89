//! Valid and invalid response heads, rule by rule of RFC 9112, with the exact failure.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use model::{Failure, HttpLimits};
use proto::http1::{Known, Method, Progress, ResponseBody, ResponseHead, Version};

fn parse(bytes: &[u8]) -> Result<Option<ResponseHead>, (Failure, &'static str)> {
    let mut head = ResponseHead::new();
    match head.parse(bytes, &HttpLimits::default()) {
        Ok(Progress::NeedMore) => Ok(None),
        Ok(Progress::Complete { head_bytes }) => {
            assert_eq!(head_bytes, bytes.len());
            Ok(Some(head))
        }
        Err(error) => Err((error.failure, error.detail)),
    }
}

fn complete(text: &str) -> ResponseHead {
    match parse(text.as_bytes()) {
        Ok(Some(head)) => head,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn refusal(text: &str) -> (Failure, &'static str) {
    match parse(text.as_bytes()) {
        Err(refusal) => refusal,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn a_status_line_is_a_version_a_status_and_an_optional_reason() {
    for (line, version, status, reason) in [
        ("HTTP/1.1 200 OK", Version::Http11, 200, "OK"),
        ("HTTP/1.1 404 Not\tFound \u{e4}", Version::Http11, 404, "Not\tFound \u{e4}"),
        ("HTTP/1.1 200 ", Version::Http11, 200, ""),
        ("HTTP/1.1 200", Version::Http11, 200, ""),
        ("HTTP/1.0 100 x", Version::Http10, 100, "x"),
        ("HTTP/1.1 599  two spaces", Version::Http11, 599, " two spaces"),
    ] {
        let bytes = format!("{line}\r\n\r\n");
        let head = complete(&bytes);
        assert_eq!((head.version(), head.status()), (version, status), "{line}");
        assert_eq!(head.reason().of(bytes.as_bytes()), reason.as_bytes(), "{line}");
    }
}

#[test]
fn another_status_line_is_refused() {
    const NOT_HTTP: &str = "not an HTTP/1 status line";
    const DIGITS: &str = "status is not three digits";
    for (line, detail) in [
        ("", NOT_HTTP),
        ("HTTP/2 200", NOT_HTTP),
        ("HTTP/1.2 200 OK", NOT_HTTP),
        ("http/1.1 200 OK", NOT_HTTP),
        ("HTTP/1.1  200 OK", DIGITS),
        ("HTTP/1.1\t200 OK", NOT_HTTP),
        ("HTTP/1.1", NOT_HTTP),
        ("HTTP/1.1 ", DIGITS),
        ("HTTP/1.1 20", DIGITS),
        ("HTTP/1.1 2000", DIGITS),
        ("HTTP/1.1 2x0 OK", DIGITS),
        ("HTTP/1.1 +20 OK", DIGITS),
        ("HTTP/1.1 200\tOK", DIGITS),
        ("HTTP/1.1 099 OK", "status beyond 100 to 599"),
        ("HTTP/1.1 600 OK", "status beyond 100 to 599"),
        ("HTTP/1.1 200 O\0K", "control byte"),
        ("HTTP/1.1 200 O\rK", "bare CR"),
        ("HTTP/1.1 200 OK\nX: y", "bare LF"),
    ] {
        let bytes = format!("{line}\r\n\r\n");
        assert_eq!(refusal(&bytes), (Failure::TargetResponseMalformed, detail), "{line:?}");
    }
    assert_eq!(refusal("<html>"), (Failure::TargetResponseMalformed, NOT_HTTP));
    const HTTP2: &str = "a frame of HTTP/2: the target expects HTTP/2; `protocol` of its group says HTTP/1";
    assert_eq!(refusal("\0\0\x12\x04\0\0\0\0\0"), (Failure::TargetResponseMalformed, HTTP2));
    assert_eq!(refusal("\0\0\x12\x05"), (Failure::TargetResponseMalformed, NOT_HTTP));
    assert_eq!(refusal("\0\x01"), (Failure::TargetResponseMalformed, NOT_HTTP));
    for beginning in ["\0", "\0\0", "\0\0\x12"] {
        assert!(parse(beginning.as_bytes()).unwrap().is_none());
    }
    assert!(parse(b"HTT").unwrap().is_none());
}

#[test]
fn the_body_ends_as_the_rfc_says() {
    use ResponseBody::{Chunked, Length, None, UntilClose};
    for (method, status, lines, body) in [
        (Method::Get, 200, "", UntilClose),
        (Method::Get, 200, "Content-Length: 0\r\n", Length(0)),
        (Method::Get, 200, "Content-Length: 5\r\n", Length(5)),
        (Method::Get, 200, "Transfer-Encoding: Chunked\r\n", Chunked),
        (Method::Head, 200, "Content-Length: 5\r\n", None),
        (Method::Head, 200, "Transfer-Encoding: chunked\r\n", None),
        (Method::Head, 200, "", None),
        (Method::Get, 304, "Content-Length: 5\r\n", None),
        (Method::Get, 304, "Transfer-Encoding: chunked\r\n", None),
        (Method::Get, 204, "", None),
        (Method::Get, 204, "Content-Length: 0\r\n", None),
        (Method::Get, 100, "", None),
        (Method::Get, 101, "", None),
        (Method::Get, 205, "", UntilClose),
        (Method::Get, 205, "Content-Length: 0\r\n", Length(0)),
        (Method::Post, 500, "Content-Length: 7\r\n", Length(7)),
    ] {
        let head = complete(&format!("HTTP/1.1 {status} x\r\n{lines}\r\n"));
        assert_eq!(head.body_length(method), body, "{method:?} {status} {lines}");
    }
}

#[test]
fn an_ambiguous_body_is_refused() {
    for (line, lines, detail) in [
        (
            "1.1 200",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Content-Length with Transfer-Encoding",
        ),
        ("1.1 200", "Content-Length: 5\r\nContent-Length: 5", "several Content-Length fields"),
        ("1.1 200", "Content-Length: 5, 5", "Content-Length is not a number below 2^63"),
        ("1.1 200", "Transfer-Encoding: gzip, chunked", "unknown transfer coding"),
        ("1.1 200", "Transfer-Encoding: chunked, chunked", "invalid Transfer-Encoding"),
        ("1.0 200", "Transfer-Encoding: chunked", "Transfer-Encoding in HTTP/1.0"),
        ("1.1 103", "Content-Length: 5", "a body where the status allows none"),
        ("1.1 100", "Transfer-Encoding: chunked", "a body where the status allows none"),
        ("1.1 204", "Transfer-Encoding: gzip, chunked", "unknown transfer coding"),
        (
            "1.1 101",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Content-Length with Transfer-Encoding",
        ),
    ] {
        let refused = refusal(&format!("HTTP/{line} x\r\n{lines}\r\n\r\n"));
        assert_eq!(refused, (Failure::TargetResponseFraming, detail), "{line} {lines}");
    }
}

/// RFC 9112 §6.3: such a response ends with its head. What the target sends behind it is not known.
#[test]
fn a_body_that_a_204_or_101_announces_is_none_and_ends_the_connection() {
    for (line, lines, persists) in [
        ("1.1 204", "", true),
        ("1.1 204", "Content-Length: 0\r\n", true),
        ("1.1 204", "Content-Length: 5\r\n", false),
        ("1.1 204", "Transfer-Encoding: chunked\r\n", false),
        ("1.0 204", "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", false),
        ("1.1 101", "Transfer-Encoding: chunked\r\n", false),
        ("1.1 101", "Content-Length: 5\r\n", false),
        ("1.1 304", "Transfer-Encoding: chunked\r\n", true),
    ] {
        let head = complete(&format!("HTTP/{line} x\r\n{lines}\r\n"));
        assert_eq!(
            (head.body_length(Method::Get), head.persists()),
            (ResponseBody::None, persists),
            "{line} {lines}"
        );
    }
}

#[test]
fn persistence_and_its_timeout_are_read() {
    for (version, lines, persists, timeout) in [
        ("1.1", "", true, None),
        ("1.1", "Connection: close\r\n", false, None),
        ("1.0", "", false, None),
        ("1.0", "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", true, Some(5)),
        ("1.1", "Keep-Alive: max=100, Timeout=15\r\n", true, Some(15)),
        ("1.1", "Keep-Alive: timeout=99999999999\r\n", true, Some(u32::MAX)),
        ("1.1", "Keep-Alive: timeout=\r\n", true, None),
        ("1.1", "Keep-Alive: timeout=-1\r\n", true, None),
        ("1.1", "Keep-Alive: timeout\r\n", true, None),
        ("1.1", "Keep-Alive: timeou\u{e4}=5\r\n", true, None),
    ] {
        let head = complete(&format!("HTTP/{version} 200 OK\r\n{lines}\r\n"));
        assert_eq!((head.persists(), head.keep_alive_timeout()), (persists, timeout), "{version} {lines}");
    }
}

#[test]
fn fields_are_read_as_in_a_request() {
    let bytes = "HTTP/1.1 101 x\r\nConnection: upgrade, x-own\r\nUpgrade: websocket\r\nX-Own: 1\r\n\
        Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n";
    let head = complete(bytes);
    assert!(head.upgrade());
    let cookies: Vec<&[u8]> =
        head.fields_of(Known::SetCookie).map(|f| f.value.of(bytes.as_bytes())).collect();
    assert_eq!(cookies, [b"a=b", b"c=d"]);
    assert_eq!(head.fields().iter().filter(|f| f.is_hop_by_hop()).count(), 3);
    for (lines, detail) in
        [("X : a", "space before colon"), ("X: a\r\n b", "obs-fold"), ("X", "no colon in a field line")]
    {
        let refused = refusal(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n"));
        assert_eq!(refused, (Failure::TargetResponseMalformed, detail), "{lines}");
    }
}

#[test]
fn limits_apply_to_targets_too() {
    let limits = HttpLimits { field_bytes: 20, fields_bytes: 30, fields_count: 2, ..HttpLimits::default() };
    for (bytes, detail) in [
        ("HTTP/1.1 200 45678901", "status line too long"),
        ("HTTP/1.1 200 OK\r\nX: 456789012345678901", "field too large"),
        ("HTTP/1.1 200 OK\r\nX: 45678901234\r\nX: 45678901234567", "fields too large together"),
        ("HTTP/1.1 200 OK\r\nX: 1\r\nX: 2\r\nX", "too many fields"),
    ] {
        let error = ResponseHead::new().parse(bytes.as_bytes(), &limits).unwrap_err();
        assert_eq!((error.failure, error.detail), (Failure::TargetResponseFieldsTooLarge, detail), "{bytes}");
    }
}
