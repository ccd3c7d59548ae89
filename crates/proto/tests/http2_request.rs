//! Requests between HTTP/2 and text, rule by rule of RFC 9113 §8 and RFC 8441.

#![allow(clippy::unwrap_used, reason = "tests")]

use http::uri::Scheme;
use http::{HeaderValue, Request, request};
use model::{Failure, HttpLimits};
use proptest::prelude::*;
use proto::http1::{BodyLength, Progress, RequestHead};
use proto::http2::{Asked, Framing, Malformed, Refused, read_request, write_request};

const KEY: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAA==";

fn asked(ends: bool) -> Asked<'static> {
    Asked { protocol: None, ends, key: KEY, fields_count: 100 }
}

fn parts(method: &str, uri: &str, fields: &[(&str, &str)]) -> request::Parts {
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn text(head: &request::Parts, asked: Asked<'_>) -> Result<(String, Framing), Refused> {
    let mut out = Vec::new();
    let framing = write_request(head, asked, &mut out)?;
    Ok((String::from_utf8(out).unwrap(), framing))
}

fn parse(text: &[u8]) -> Result<RequestHead, Failure> {
    let mut head = RequestHead::new();
    match head.parse(text, &HttpLimits::default()).map_err(|error| error.failure)? {
        Progress::Complete { head_bytes } => assert_eq!(head_bytes, text.len()),
        Progress::NeedMore => unreachable!("the head does not end"),
    }
    Ok(head)
}

#[test]
fn a_request_becomes_text() {
    for (method, uri, fields, ends, expected, framing) in [
        (
            "GET",
            "https://a.example/x?y=1",
            &[][..],
            true,
            "GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
            Framing::None,
        ),
        (
            "POST",
            "http://a:8080/",
            &[("content-length", "3"), ("accept", "*/*")][..],
            false,
            "POST / HTTP/1.1\r\nHost: a:8080\r\ncontent-length: 3\r\naccept: */*\r\n\r\n",
            Framing::Length(3),
        ),
        (
            "POST",
            "https://a/",
            &[("te", "trailers"), ("content-type", "application/grpc")][..],
            false,
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\ncontent-type: application/grpc\r\n\
             Transfer-Encoding: chunked\r\n\r\n",
            Framing::Chunked,
        ),
        (
            "GET",
            "https://a/",
            &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")][..],
            true,
            "GET / HTTP/1.1\r\nHost: a\r\ncookie: a=1; b=2; c=3\r\nx: y\r\n\r\n",
            Framing::None,
        ),
        (
            "POST",
            "https://a/",
            &[("content-length", "0"), ("host", "A:443")][..],
            true,
            "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n",
            Framing::None,
        ),
        ("GET", "/x", &[("host", "a")][..], true, "GET /x HTTP/1.1\r\nhost: a\r\n\r\n", Framing::None),
        ("OPTIONS", "*", &[("host", "a")][..], true, "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", Framing::None),
    ] {
        let head = parts(method, uri, fields);
        assert_eq!(text(&head, asked(ends)), Ok((expected.to_owned(), framing)), "{expected}");
        let parsed = parse(expected.as_bytes()).unwrap();
        let body = match framing {
            Framing::Length(length) => BodyLength::Length(length),
            Framing::Chunked => BodyLength::Chunked,
            _ if expected.contains("content-length") => BodyLength::Length(0),
            _ => BodyLength::None,
        };
        assert_eq!(parsed.body(), body, "{expected}");
    }
}

#[test]
fn meaningless_or_ambiguous_requests_are_refused() {
    for (method, uri, fields, ends, detail) in [
        ("GET", "ftp://a/", &[][..], true, ":scheme is neither http nor https"),
        ("GET", "https://me:secret@a/", &[][..], true, "userinfo in :authority"),
        ("GET", "https://me@a/", &[][..], true, "userinfo in :authority"),
        ("GET", "*", &[("host", "a")][..], true, ":path does not begin with a slash"),
        ("GET", "https://a/", &[("host", "b")][..], true, "Host contradicts :authority"),
        ("GET", "https://a/", &[("host", "a"), ("host", "b")][..], true, "Host contradicts :authority"),
        ("GET", "https://a/", &[("host", "a:80")][..], true, "Host contradicts :authority"),
        ("GET", "https://a/", &[("host", "a"), ("host", "a")][..], true, "several host fields"),
        ("GET", "https://a/", &[("connection", "close")][..], true, "a field of the connection"),
        ("GET", "https://a/", &[("keep-alive", "1")][..], true, "a field of the connection"),
        ("GET", "https://a/", &[("proxy-connection", "close")][..], true, "a field of the connection"),
        ("GET", "https://a/", &[("transfer-encoding", "chunked")][..], false, "a field of the connection"),
        ("GET", "https://a/", &[("upgrade", "websocket")][..], true, "a field of the connection"),
        ("GET", "https://a/", &[("te", "gzip")][..], true, "TE other than trailers"),
        ("GET", "https://a/", &[("x", " a")][..], true, "white space around a field value"),
        ("GET", "https://a/", &[("x", "a\t")][..], true, "white space around a field value"),
        (
            "POST",
            "https://a/",
            &[("content-length", "1"), ("content-length", "2")][..],
            false,
            "several content-length fields",
        ),
        (
            "POST",
            "https://a/",
            &[("content-length", "1"), ("content-length", "1")][..],
            false,
            "several content-length fields",
        ),
        ("POST", "https://a/", &[("content-length", "+1")][..], false, "content-length is not a number"),
        ("POST", "https://a/", &[("content-length", "1, 1")][..], false, "content-length is not a number"),
        (
            "POST",
            "https://a/",
            &[("content-length", "1")][..],
            true,
            "content-length of a stream that has ended",
        ),
    ] {
        let head = parts(method, uri, fields);
        assert_eq!(text(&head, asked(ends)), Err(Refused::Malformed(Malformed { detail })), "{detail}");
    }
    let mut without_path = parts("GET", "/", &[("host", "a")]);
    without_path.uri = http::Uri::from_parts(http::uri::Parts::default()).unwrap();
    assert!(matches!(text(&without_path, asked(true)), Err(Refused::Malformed(_))));
}

#[test]
fn requests_that_the_strict_parser_refuses_are_left_to_it() {
    for (method, uri, fields, failure) in [
        ("CONNECT", "a:443", &[][..], Failure::RequestMethod),
        ("GET", "/", &[][..], Failure::RequestHost),
        ("GET", "/", &[("host", "a"), ("host", "a")][..], Failure::RequestHost),
        ("get", "https://a/", &[][..], Failure::RequestMalformed),
        ("GET", "https://a/", &[("expect", "wonders")][..], Failure::RequestExpectation),
        ("GET", "https://a/\u{e9}", &[][..], Failure::RequestMalformed),
    ] {
        let head = parts(method, uri, fields);
        let (text, _) = text(&head, asked(true)).unwrap();
        assert_eq!(parse(text.as_bytes()).map(|_| ()), Err(failure), "{text}");
    }
    let long = format!("https://a/{}", "x".repeat(20_000));
    let (long, _) = text(&parts("GET", &long, &[]), asked(true)).unwrap();
    assert_eq!(parse(long.as_bytes()).map(|_| ()), Err(Failure::RequestLineTooLong));
}

#[test]
fn cookie_fields_are_joined_unless_they_are_too_many() {
    let crumbs = |count: usize| {
        let mut head = parts("GET", "https://a/", &[]);
        for _ in 0..count {
            head.headers.append("cookie", HeaderValue::from_static("a=b"));
        }
        parse(text(&head, asked(true)).unwrap().0.as_bytes()).map(|head| head.fields().len())
    };
    assert_eq!(crumbs(100), Ok(2));
    assert_eq!(crumbs(101), Err(Failure::RequestFieldsTooLarge));
}

#[test]
fn an_extended_connect_becomes_an_upgrade() {
    let fields = [("sec-websocket-version", "13"), ("origin", "https://a"), ("sec-websocket-key", "theirs")];
    let head = parts("CONNECT", "https://a/chat", &fields);
    let websocket = Asked { protocol: Some("websocket"), ..asked(false) };
    let (text, framing) = text(&head, websocket).unwrap();
    assert_eq!(
        text,
        "GET /chat HTTP/1.1\r\nHost: a\r\nsec-websocket-version: 13\r\norigin: https://a\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    assert_eq!(framing, Framing::Raw);
    let parsed = parse(text.as_bytes()).unwrap();
    assert!(parsed.upgrade());
    assert_eq!(parsed.body(), BodyLength::None);
}

#[test]
fn an_extended_connect_to_another_protocol_is_refused() {
    let head = parts("CONNECT", "https://a/chat", &[]);
    let to = |protocol| Asked { protocol: Some(protocol), ..asked(false) };
    assert_eq!(text(&head, to("connect-udp")), Err(Refused::Protocol));
    assert!(matches!(text(&head, Asked { ends: true, ..to("websocket") }), Err(Refused::Malformed(_))));
    let head = parts("GET", "https://a/chat", &[]);
    assert!(matches!(text(&head, to("websocket")), Err(Refused::Malformed(_))));
    let head = parts("CONNECT", "https://a/chat", &[("content-length", "0")]);
    assert!(matches!(text(&head, to("websocket")), Err(Refused::Malformed(_))));
}

#[test]
fn text_becomes_a_request() {
    let text = b"POST /x?y HTTP/1.1\r\nHost: a:1\r\nX-Case: V\r\nConnection: TE, x-hop\r\nTE: trailers\r\nX-Hop: 1\r\n\
        Keep-Alive: 1\r\nTransfer-Encoding: chunked\r\nVia: 1.1 e\r\n\r\nrest";
    let (request, framing, head_bytes) = read_request(&mut RequestHead::new(), text, Scheme::HTTPS).unwrap();
    assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", "https://a:1/x?y"));
    assert_eq!((framing, &text[head_bytes..]), (Framing::Chunked, &b"rest"[..]));
    let fields: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(fields, [("x-case", &b"V"[..]), ("via", b"1.1 e"), ("te", b"trailers")]);
}

#[test]
fn requests_that_http2_cannot_express_are_refused() {
    for (text, detail) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n", "an incomplete head"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "an upgrade to a target that speaks HTTP/2",
        ),
        ("GET /< HTTP/1.1\r\nHost: a\r\n\r\n", "a host or a path that HTTP/2 cannot carry"),
    ] {
        let read = read_request(&mut RequestHead::new(), text.as_bytes(), Scheme::HTTP);
        assert_eq!(read.map(|_| ()).map_err(|error| error.detail), Err(detail), "{text:?}");
    }
}

proptest! {
    /// Any value of a client's types becomes exactly one message or is refused; converted back, it is unchanged.
    #[test]
    fn a_request_survives_the_way_through_text(
        method in "[A-Z]{1,8}",
        authority in "[a-z0-9.]{1,12}(:[0-9]{1,4})?",
        path in "/[a-zA-Z0-9/._~%!$&'()*+,;=:@-]{0,30}(\\?[a-z=&]{0,10})?",
        fields in proptest::collection::vec(("[a-z][a-z0-9_-]{0,12}", "[!-~\u{80}-\u{ff}]?|[!-~][ -~\t]{0,20}[!-~]"), 0..12),
        ends: bool,
    ) {
        let mut builder = Request::builder().method(method.as_str()).uri(format!("https://{authority}{path}"));
        for (name, value) in &fields {
            builder = builder.header(name, value.as_bytes());
        }
        let Ok(head) = builder.body(()).map(|request| request.into_parts().0) else { return Ok(()) };
        let mut out = Vec::new();
        let Ok(framing) = write_request(&head, asked(ends), &mut out) else { return Ok(()) };
        let mut parsed = RequestHead::new();
        if let Ok(progress) = parsed.parse(&out, &HttpLimits::default()) {
            prop_assert_eq!(progress, Progress::Complete { head_bytes: out.len() });
            prop_assert_eq!(parsed.body() == BodyLength::None, ends && !head.headers.contains_key("content-length"));
            let (back, back_framing, _) = read_request(&mut RequestHead::new(), &out, Scheme::HTTPS).unwrap();
            prop_assert_eq!(back.uri(), &head.uri);
            prop_assert_eq!(back.method(), &head.method);
            prop_assert_eq!(back_framing.is_empty(), framing.is_empty());
            let kept = |name: &&http::HeaderName| !matches!(name.as_str(), "host" | "te" | "cookie" | "trailer");
            for name in head.headers.keys().filter(kept) {
                let values = |map: &http::HeaderMap| map.get_all(name).iter().cloned().collect::<Vec<_>>();
                prop_assert_eq!(values(back.headers()), values(&head.headers), "{}", name);
            }
        }
    }
}
