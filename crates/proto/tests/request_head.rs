//! Valid and invalid request heads, rule by rule of RFC 9112 and RFC 9110, with the exact failure.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use model::{Failure, HttpLimits};
use proto::http1::{BodyLength, Known, Method, Names, Progress, RequestHead, Span, TargetForm, Version};

type Refusal = (Failure, &'static str);

fn parse(bytes: &[u8], limits: &HttpLimits) -> Result<Option<RequestHead>, Refusal> {
    let mut head = RequestHead::new();
    match head.parse(bytes, limits) {
        Ok(Progress::NeedMore) => Ok(None),
        Ok(Progress::Complete { head_bytes }) => {
            assert_eq!(head_bytes, bytes.len());
            Ok(Some(head))
        }
        Err(error) => Err((error.failure, error.detail)),
    }
}

fn complete(text: &str) -> RequestHead {
    match parse(text.as_bytes(), &HttpLimits::default()) {
        Ok(Some(head)) => head,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn refusal(bytes: &[u8]) -> Refusal {
    match parse(bytes, &HttpLimits::default()) {
        Err(refusal) => refusal,
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

/// A request with these lines after `Host`.
fn with(lines: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")
}

fn text(span: Span, bytes: &str) -> &str {
    &bytes[span.start as usize..span.end as usize]
}

#[test]
fn a_plain_request_is_parsed() {
    let bytes = "GET /a/b?c=d?e HTTP/1.1\r\nHost: Example.com:8080\r\nAccept:  */* \r\n\r\n";
    let head = complete(bytes);
    assert_eq!((head.method(), text(head.method_span(), bytes)), (Method::Get, "GET"));
    assert_eq!((head.target_form(), text(head.target(), bytes)), (TargetForm::Origin, "/a/b?c=d?e"));
    assert_eq!(text(head.path(), bytes), "/a/b");
    assert_eq!(head.query().map(|query| text(query, bytes)), Some("c=d?e"));
    assert_eq!(head.version(), Version::Http11);
    assert_eq!(head.host().map(|host| text(host, bytes)), Some("Example.com:8080"));
    assert_eq!(head.host_name().map(|name| text(name, bytes)), Some("Example.com"));
    assert_eq!(head.port(), Some(8080));
    assert_eq!((head.body(), head.persists(), head.message_start()), (BodyLength::None, true, 0));
    let fields: Vec<_> = head.fields().iter().map(|f| (f.known, text(f.value, bytes))).collect();
    assert_eq!(fields, [(Known::Host, "Example.com:8080"), (Known::Accept, "*/*")]);
    assert_eq!(text(head.fields()[1].line, bytes), "Accept:  */* \r\n");
}

#[test]
fn methods_are_case_sensitive_tokens() {
    for (name, method, safe, idempotent) in [
        ("GET", Method::Get, true, true),
        ("HEAD", Method::Head, true, true),
        ("POST", Method::Post, false, false),
        ("PUT", Method::Put, false, true),
        ("DELETE", Method::Delete, false, true),
        ("PATCH", Method::Patch, false, false),
        ("TRACE", Method::Trace, true, true),
        ("OPTIONS", Method::Options, true, true),
        ("PROPFIND", Method::Other, false, false),
        ("M-SEARCH", Method::Other, false, false),
    ] {
        let head = complete(&format!("{name} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(head.method(), method, "{name}");
        assert_eq!((method.is_safe(), method.is_idempotent()), (safe, idempotent), "{name}");
    }
}

#[test]
fn a_target_is_origin_absolute_or_asterisk() {
    for (line, form, path, query) in [
        ("GET / HTTP/1.1", TargetForm::Origin, "/", None),
        ("GET /? HTTP/1.1", TargetForm::Origin, "/", Some("")),
        ("GET //a HTTP/1.1", TargetForm::Origin, "//a", None),
        ("GET /{\"|\\^`} HTTP/1.1", TargetForm::Origin, "/{\"|\\^`}", None),
        ("GET http://a HTTP/1.1", TargetForm::Absolute, "", None),
        ("GET http://a?x HTTP/1.1", TargetForm::Absolute, "", Some("x")),
        ("GET HTTPS://A/b/c?d/e HTTP/1.1", TargetForm::Absolute, "/b/c", Some("d/e")),
        ("OPTIONS * HTTP/1.1", TargetForm::Asterisk, "*", None),
    ] {
        let bytes = format!("{line}\r\nHost: a\r\n\r\n");
        let head = complete(&bytes);
        assert_eq!(head.target_form(), form, "{line}");
        assert_eq!(text(head.path(), &bytes), path, "{line}");
        assert_eq!(head.query().map(|query| text(query, &bytes)), query, "{line}");
    }
}

#[test]
fn an_ambiguous_request_line_is_refused() {
    use Failure::{RequestHost, RequestMalformed, RequestMethod, RequestVersion};
    for (line, failure, detail) in [
        ("GET  / HTTP/1.1", RequestMalformed, "white space in the request line"),
        ("GET /  HTTP/1.1", RequestMalformed, "white space in the request line"),
        ("GET / HTTP/1.1 ", RequestMalformed, "no HTTP version"),
        ("GET /a b HTTP/1.1", RequestMalformed, "white space in the request line"),
        ("GET\t/ HTTP/1.1", RequestMalformed, "method is not a token"),
        ("GET /\tHTTP/1.1", RequestMalformed, "no HTTP version"),
        ("GET /?a\tb HTTP/1.1", RequestMalformed, "white space in the request line"),
        ("GET /a#b HTTP/1.1", RequestMalformed, "fragment in the request target"),
        ("GET /?a#b HTTP/1.1", RequestMalformed, "fragment in the request target"),
        ("GET /\u{e4} HTTP/1.1", RequestMalformed, "request target is not ASCII"),
        ("GET /", RequestMalformed, "no HTTP version"),
        ("GET", RequestMalformed, "request line without a space"),
        ("GET HTTP/1.1", RequestMalformed, "no request target"),
        ("GET  HTTP/1.1", RequestMalformed, "no request target"),
        ("G@T / HTTP/1.1", RequestMalformed, "method is not a token"),
        ("get / HTTP/1.1", RequestMalformed, "method in lower case"),
        ("PURGe / HTTP/1.1", RequestMalformed, "method in lower case"),
        ("GET / http/1.1", RequestMalformed, "no HTTP version"),
        ("GET / HTTP/1.10", RequestMalformed, "no HTTP version"),
        ("GET / HTTP/11", RequestMalformed, "no HTTP version"),
        ("GET / HTTP/1.2", RequestVersion, "not HTTP/1.0 or HTTP/1.1"),
        ("GET / HTTP/2.0", RequestVersion, "not HTTP/1.0 or HTTP/1.1"),
        ("PRI * HTTP/2.0", RequestVersion, "not HTTP/1.0 or HTTP/1.1"),
        ("GET / HTTP/0.9", RequestVersion, "not HTTP/1.0 or HTTP/1.1"),
        ("GET * HTTP/1.1", RequestMalformed, "asterisk without OPTIONS"),
        ("GET a HTTP/1.1", RequestMalformed, "request target of no known form"),
        ("GET a:80 HTTP/1.1", RequestMalformed, "request target of no known form"),
        ("GET ftp://a/ HTTP/1.1", RequestMalformed, "request target of no known form"),
        ("GET ?a HTTP/1.1", RequestMalformed, "request target of no known form"),
        ("GET http:///x HTTP/1.1", RequestHost, "absolute target without a host"),
        ("GET http://?x HTTP/1.1", RequestHost, "absolute target without a host"),
        ("CONNECT a:443 HTTP/1.1", RequestMethod, "CONNECT"),
    ] {
        let bytes = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(refusal(bytes.as_bytes()), (failure, detail), "{line}");
    }
}

#[test]
fn bytes_that_cannot_be_http_are_refused_at_the_first_byte() {
    for (bytes, detail) in [
        (&b"\x16"[..], "not HTTP"),
        (b"\x00", "not HTTP"),
        (b" ", "not HTTP"),
        (b"\xff", "not HTTP"),
        (b"\n", "no request line"),
        (b"\r\n\r", "no request line"),
        (b"\r\n\n", "no request line"),
        (b"\rG", "no request line"),
        (b"G\0", "control byte"),
    ] {
        assert_eq!(refusal(bytes), (Failure::RequestMalformed, detail), "{bytes:?}");
    }
}

#[test]
fn one_empty_line_before_the_request_is_accepted() {
    let bytes = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = complete(bytes);
    assert_eq!((head.message_start(), text(head.method_span(), bytes)), (2, "GET"));
    for part in ["", "\r", "\r\n"] {
        assert!(parse(part.as_bytes(), &HttpLimits::default()).unwrap().is_none());
    }
}

#[test]
fn lines_end_with_crlf_and_contain_no_control_bytes() {
    for (lines, detail) in [
        ("X: a\nY: b", "bare LF"),
        ("X: a\rY: b", "bare CR"),
        ("X: a\r\r\nY: b", "bare CR"),
        ("X: a\0b", "control byte"),
        ("X: a\x0bb", "control byte"),
        ("X: a\x7f", "control byte"),
        ("X\x01: a", "control byte"),
        ("X: a\r\n b", "obs-fold"),
        ("X: a\r\n\tb: c", "obs-fold"),
        ("X : a", "space before colon"),
        ("X\t: a", "space before colon"),
        (": a", "empty field name"),
        ("X", "no colon in a field line"),
        ("X(): a", "field name is not a token"),
        ("\u{fc}: a", "field name is not a token"),
    ] {
        assert_eq!(refusal(with(lines).as_bytes()), (Failure::RequestMalformed, detail), "{lines:?}");
    }
    let after_the_line = b"GET / HTTP/1.1\r\n Host: a\r\n\r\n";
    assert_eq!(refusal(after_the_line), (Failure::RequestMalformed, "obs-fold"));
    complete(&with("X: a\tb\r\nY: \u{e4}\u{fc}"));
}

#[test]
fn http_1_1_has_exactly_one_valid_host() {
    let refused = |hosts: &str| refusal(format!("GET / HTTP/1.1\r\n{hosts}\r\n").as_bytes());
    for (hosts, detail) in [
        ("", "no Host"),
        ("H0st: a\r\n", "no Host"),
        ("Host: a\r\nHost: a\r\n", "several Host fields"),
        ("Host: a\r\nhOST: b\r\n", "several Host fields"),
        ("Host:\r\n", "empty Host"),
        ("Host: \t\r\n", "empty Host"),
        ("Host: u@a\r\n", "userinfo in the host"),
        ("Host: a, b\r\n", "invalid byte in the host"),
        ("Host: a/b\r\n", "invalid byte in the host"),
        ("Host: http://a\r\n", "invalid port in the host"),
        ("Host: a:b\r\n", "invalid port in the host"),
        ("Host: :80\r\n", "host without a name"),
        ("Host: [::1\r\n", "invalid IPv6 address in the host"),
    ] {
        assert_eq!(refused(hosts), (Failure::RequestHost, detail), "{hosts:?}");
    }
    let bytes = "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n";
    let head = complete(bytes);
    assert_eq!(head.host_name().map(|name| text(name, bytes)), Some("[::1]"));
}

#[test]
fn http_1_0_may_omit_host() {
    assert_eq!(complete("GET / HTTP/1.0\r\n\r\n").host(), None);
    assert!(complete("GET / HTTP/1.0\r\nHost: a\r\n\r\n").host().is_some());
    let several = b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n";
    assert_eq!(refusal(several), (Failure::RequestHost, "several Host fields"));
}

#[test]
fn an_absolute_target_takes_precedence_and_must_equal_host() {
    let bytes = "GET http://A.example:81/x HTTP/1.1\r\nHost: a.EXAMPLE:81\r\n\r\n";
    let head = complete(bytes);
    assert_eq!(head.host().map(|host| text(host, bytes)), Some("A.example:81"));
    assert_eq!((head.host_name().map(|name| text(name, bytes)), head.port()), (Some("A.example"), Some(81)));
    let alone = "GET http://b/ HTTP/1.0\r\n\r\n";
    assert_eq!(complete(alone).host().map(|host| text(host, alone)), Some("b"));
    for (target, host, detail) in [
        ("http://a/", "b", "Host contradicts the request target"),
        ("http://a:443/", "a", "Host contradicts the request target"),
        ("https://a:80/", "a", "Host contradicts the request target"),
        ("http://a:80/", "b", "Host contradicts the request target"),
        ("http://a:x/", "a", "invalid port in the host"),
        ("http://a/", "", "Host contradicts the request target"),
        ("http://u@a/", "u@a", "userinfo in the host"),
        ("http://:80/", ":80", "host without a name"),
        ("http://a\\b/", "a\\b", "invalid byte in the host"),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refusal(bytes.as_bytes()), (Failure::RequestHost, detail), "{target} {host}");
    }
    for (target, host) in
        [("http://a:80/", "A"), ("HTTP://a/", "a:80"), ("https://a:443/", "a"), ("http://a:/", "a")]
    {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(complete(&bytes).host().map(|found| text(found, &bytes)), Some(host), "{target}");
    }
    let hostless = b"GET http://a/ HTTP/1.1\r\n\r\n";
    assert_eq!(refusal(hostless), (Failure::RequestHost, "no Host"));
}

#[test]
fn the_body_has_exactly_one_end() {
    for (lines, body) in [
        ("X: y", BodyLength::None),
        ("Content-Length: 0", BodyLength::Length(0)),
        ("content-length:\t007 ", BodyLength::Length(7)),
        ("Content-Length: 9223372036854775807", BodyLength::Length(i64::MAX as u64)),
        ("Transfer-Encoding: chunked", BodyLength::Chunked),
        ("transfer-encoding: CHUNKED", BodyLength::Chunked),
        // An alias does not frame the body here; the proxy must drop it.
        ("Content_Length: 5", BodyLength::None),
        ("Transfer_Encoding: chunked\r\nContent-Length: 5", BodyLength::Length(5)),
    ] {
        assert_eq!(complete(&with(lines)).body(), body, "{lines}");
    }
}

#[test]
fn an_ambiguous_body_is_refused() {
    const LENGTH: &str = "Content-Length is not a number below 2^63";
    const CODING: &str = "invalid Transfer-Encoding";
    use Failure::{RequestFraming, RequestTransferCoding};
    for (lines, failure, detail) in [
        ("Content-Length: 5\r\nContent-Length: 6", RequestFraming, "several Content-Length fields"),
        ("Content-Length: 5\r\nContent-Length: 5", RequestFraming, "several Content-Length fields"),
        ("Content-Length: 5, 5", RequestFraming, LENGTH),
        ("Content-Length:", RequestFraming, LENGTH),
        ("Content-Length: +5", RequestFraming, LENGTH),
        ("Content-Length: -0", RequestFraming, LENGTH),
        ("Content-Length: 0x5", RequestFraming, LENGTH),
        ("Content-Length: 5 5", RequestFraming, LENGTH),
        ("Content-Length: \"5\"", RequestFraming, LENGTH),
        ("Content-Length: 9223372036854775808", RequestFraming, LENGTH),
        ("Content-Length: 18446744073709551616", RequestFraming, LENGTH),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            RequestFraming,
            "Content-Length with Transfer-Encoding",
        ),
        (
            "Transfer-Encoding: x\r\nContent-Length: 5",
            RequestFraming,
            "Content-Length with Transfer-Encoding",
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            RequestFraming,
            "several Transfer-Encoding fields",
        ),
        ("Transfer-Encoding: chunked, chunked", RequestFraming, CODING),
        ("Transfer-Encoding: chunked, gzip", RequestFraming, CODING),
        ("Transfer-Encoding: chunked;q=1", RequestFraming, CODING),
        ("Transfer-Encoding: chunked,", RequestFraming, CODING),
        ("Transfer-Encoding: , chunked", RequestFraming, CODING),
        ("Transfer-Encoding: \"chunked\"", RequestFraming, CODING),
        ("Transfer-Encoding: chunked x", RequestFraming, CODING),
        ("Transfer-Encoding:", RequestFraming, CODING),
        ("Transfer-Encoding: identity", RequestTransferCoding, "unknown transfer coding"),
        ("Transfer-Encoding: xchunked", RequestTransferCoding, "unknown transfer coding"),
        ("Transfer-Encoding: gzip, chunked", RequestTransferCoding, "unknown transfer coding"),
    ] {
        assert_eq!(refusal(with(lines).as_bytes()), (failure, detail), "{lines}");
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refusal(old), (RequestFraming, "Transfer-Encoding in HTTP/1.0"));
}

#[test]
fn connection_decides_persistence() {
    for (version, lines, persists) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let head = complete(&format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n"));
        assert_eq!(head.persists(), persists, "{version} {lines}");
    }
}

#[test]
fn connection_cannot_list_fields_that_define_the_message() {
    let bytes = with(
        "X-Own: 1\r\nConnection: x-OWN, host, content-length, cookie, x-forwarded-for\r\nContent-Length: 0\r\n\
         Content-Type: t\r\nCookie: c\r\nx-own: 2\r\nX-Owned: 3\r\nX-Forwarded-For: 4\r\nX_Forwarded_For: 5\r\n\
         TE: trailers\r\nExpect: 100-continue\r\nConnection: te, content-type, expect, transfer-encoding, close",
    );
    let head = complete(&bytes);
    let named: Vec<&str> = head
        .fields()
        .iter()
        .filter(|f| f.named_by_connection)
        .map(|f| text(f.line, &bytes).trim_end())
        .collect();
    assert_eq!(named, ["X-Own: 1", "x-own: 2", "X-Forwarded-For: 4", "TE: trailers"]);
    assert!(head.close());
}

#[test]
fn connection_options_are_bounded() {
    let options = |count: usize| with(&format!("Connection: {}", vec!["x"; count].join(",")));
    complete(&options(64));
    assert_eq!(
        refusal(options(65).as_bytes()),
        (Failure::RequestFieldsTooLarge, "too many Connection options")
    );
}

#[test]
fn an_upgrade_needs_both_fields_and_http_1_1() {
    for (version, lines, upgrade) in [
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket", true),
        ("1.1", "Upgrade: websocket\r\nConnection: keep-alive, upgrade", true),
        ("1.1", "Connection: upgrade", false),
        ("1.1", "Upgrade: websocket", false),
        ("1.0", "Connection: upgrade\r\nUpgrade: websocket", false),
    ] {
        let head = complete(&format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n\r\n"));
        assert_eq!(head.upgrade(), upgrade, "{version} {lines}");
    }
}

#[test]
fn only_100_continue_can_be_expected() {
    assert!(complete(&with("Expect: 100-Continue")).expect_continue());
    assert!(!complete(&with("X: y")).expect_continue());
    for lines in
        ["Expect: tea", "Expect:", "Expect: 100-continue\r\nExpect: tea", "Expect: 100-continue, tea"]
    {
        let refused = (Failure::RequestExpectation, "unknown expectation");
        assert_eq!(refusal(with(lines).as_bytes()), refused, "{lines}");
    }
    let old = complete("GET / HTTP/1.0\r\nExpect: tea\r\n\r\n");
    assert!(!old.expect_continue());
}

#[test]
fn te_trailers_is_found_among_others() {
    assert!(complete(&with("TE: gzip;q=0.5, Trailers")).te_trailers());
    assert!(!complete(&with("TE: gzip, trailer")).te_trailers());
}

#[test]
fn limits_apply_as_soon_as_they_are_exceeded() {
    use Failure::{RequestFieldsTooLarge, RequestLineTooLong};
    let limits = HttpLimits {
        request_line_bytes: 16,
        field_bytes: 12,
        fields_bytes: 24,
        fields_count: 3,
        ..HttpLimits::default()
    };
    for (bytes, expected) in [
        ("GET /aa HTTP/1.1\r\nHost: 345678\r\n\r\n", None),
        ("GET /aaa HTTP/1.1", Some((RequestLineTooLong, "request line too long"))),
        ("GET /aaaaaaaaaaaaaaaaaaa", Some((RequestLineTooLong, "request line too long"))),
        ("GET / HTTP/1.1\r\nHost: 3456789", Some((RequestFieldsTooLarge, "field too large"))),
        (
            "GET / HTTP/1.1\r\nHost: 345678\r\nX: 345678901\r\nY",
            Some((RequestFieldsTooLarge, "fields too large together")),
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nZ", Some((RequestFieldsTooLarge, "too many fields"))),
    ] {
        assert_eq!(parse(bytes.as_bytes(), &limits).err(), expected, "{bytes:?}");
    }
}

#[test]
fn a_refusal_persists_until_clear_and_the_head_is_reusable() {
    let limits = HttpLimits::default();
    let mut head = RequestHead::new();
    let error = head.parse(b"GET / HTTP/9.9\r\n", &limits);
    assert!(error.is_err());
    assert_eq!(head.parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &limits), error);
    head.clear();
    let first =
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close, upgrade\r\nUpgrade: x\r\n\
        Expect: 100-continue\r\nTE: trailers\r\n\r\n";
    assert_eq!(head.parse(first, &limits), Ok(Progress::Complete { head_bytes: first.len() }));
    assert_eq!(head.parse(first, &limits), Ok(Progress::Complete { head_bytes: first.len() }));
    head.clear();
    head.parse(b"GET / HTTP/1.0\r\n\r\n", &limits).unwrap();
    assert_eq!((head.body(), head.host(), head.fields().len()), (BodyLength::None, None, 0));
    assert!(!head.close() && !head.upgrade() && !head.expect_continue() && !head.te_trailers());
}

#[test]
fn fields_form_one_span_unless_one_needs_a_check() {
    let names = Names::of(&[Known::Host, Known::Accept, Known::ContentLength]);
    for (lines, together) in [
        ("Accept: b", true),
        ("X-Other: b\r\nAccept: c\r\nContent-Length: 0012", true),
        ("Cookie: b", false),
        ("Connection: X-Other\r\nX-Other: b", false),
        ("Accept: b\r\nX_Forwarded_For: c", false),
        ("X_Other: b", true),
    ] {
        let bytes = with(lines);
        let span = complete(&bytes).fields_together(names);
        let all = format!("Host: a\r\n{lines}\r\n");
        assert_eq!(span.map(|span| text(span, &bytes)), together.then_some(all.as_str()), "{lines}");
    }
    let bytes = with("X-Other: b\r\nContent-Length: 0012");
    assert_eq!(text(complete(&bytes).length_value(), &bytes), "0012");
    assert!(complete(&with("Content_Length: 12")).length_value().is_empty());
}
