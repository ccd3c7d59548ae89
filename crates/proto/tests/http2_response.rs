//! Responses between HTTP/2 and text.

#![allow(clippy::unwrap_used, reason = "tests")]

use http::{Response, response};
use model::HttpLimits;
use proptest::prelude::*;
use proto::http1::{Method, Progress, ResponseBody, ResponseHead};
use proto::http2::{ClientResponse, Framing, read_response, write_response};

fn read(text: &str, method: Method, accept: Option<&str>) -> Result<Option<ClientResponse>, &'static str> {
    let accept = accept.map(str::as_bytes);
    read_response(&mut ResponseHead::new(), text.as_bytes(), method, accept).map_err(|error| error.detail)
}

fn fields(response: &Response<()>) -> Vec<(&str, &str)> {
    response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
}

fn parts(status: u16, fields: &[(&str, &str)]) -> response::Parts {
    let mut builder = Response::builder().status(status);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

#[test]
fn a_response_as_text_becomes_a_head() {
    for (text, method, status, framing, expected) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\n",
            Method::Get,
            200,
            Framing::Length(3),
            &[("content-type", "a"), ("content-length", "3")][..],
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
            Method::Get,
            200,
            Framing::Chunked,
            &[("set-cookie", "a"), ("set-cookie", "b")][..],
        ),
        ("HTTP/1.1 204 \r\n\r\n", Method::Get, 204, Framing::None, &[][..]),
        (
            "HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n",
            Method::Get,
            304,
            Framing::None,
            &[("content-length", "9")][..],
        ),
        (
            "HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\n",
            Method::Head,
            200,
            Framing::None,
            &[("content-length", "9")][..],
        ),
        ("HTTP/1.1 200 \r\nX: \u{e9}\r\n\r\n", Method::Head, 200, Framing::None, &[][..]),
        ("HTTP/1.1 100 Continue\r\n\r\n", Method::Post, 100, Framing::None, &[][..]),
        (
            "HTTP/1.1 426 \r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n",
            Method::Get,
            426,
            Framing::Length(0),
            &[("content-length", "0")][..],
        ),
    ] {
        let answer = read(text, method, None).unwrap().unwrap();
        assert_eq!((answer.response.status().as_u16(), answer.framing), (status, framing), "{text}");
        assert_eq!(answer.head_bytes, text.len());
        if text.is_ascii() {
            assert_eq!(fields(&answer.response), expected, "{text}");
        }
    }
    assert!(read("HTTP/1.1 200 OK\r\nX: ", Method::Get, None).unwrap().is_none());
}

#[test]
fn a_101_becomes_200_if_its_accept_value_is_correct() {
    let text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: proof\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    let answer = read(text, Method::Get, Some("proof")).unwrap().unwrap();
    assert_eq!((answer.response.status().as_u16(), answer.framing), (200, Framing::Raw));
    assert_eq!(fields(&answer.response), [("sec-websocket-protocol", "chat")]);
    for (text, accept, detail) in [
        (text, None, "101 in HTTP/2"),
        (text, Some("other"), "101 with a wrong Sec-WebSocket-Accept"),
        ("HTTP/1.1 101 \r\n\r\n", Some("proof"), "101 with a wrong Sec-WebSocket-Accept"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Some("proof"),
            "a response to a WebSocket that would open it",
        ),
    ] {
        assert_eq!(read(text, Method::Get, accept).map(|_| ()), Err(detail));
    }
    let refusal =
        read("HTTP/1.1 403 \r\nContent-Length: 2\r\n\r\n", Method::Get, Some("proof")).unwrap().unwrap();
    assert_eq!((refusal.response.status().as_u16(), refusal.framing), (403, Framing::Length(2)));
}

#[test]
fn a_response_of_a_target_becomes_text() {
    for (status, given, ends, method, expected, framing) in [
        (
            200,
            &[("content-length", "3")][..],
            false,
            Method::Get,
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
            Framing::Length(3),
        ),
        (
            200,
            &[("x", "y")][..],
            false,
            Method::Get,
            "HTTP/1.1 200 OK\r\nx: y\r\nTransfer-Encoding: chunked\r\n\r\n",
            Framing::Chunked,
        ),
        (
            200,
            &[("grpc-status", "5")][..],
            true,
            Method::Post,
            "HTTP/1.1 200 OK\r\ngrpc-status: 5\r\nContent-Length: 0\r\n\r\n",
            Framing::Length(0),
        ),
        (204, &[][..], true, Method::Get, "HTTP/1.1 204 No Content\r\n\r\n", Framing::None),
        (
            304,
            &[("content-length", "3")][..],
            true,
            Method::Get,
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n",
            Framing::None,
        ),
        (
            200,
            &[("content-length", "3")][..],
            true,
            Method::Head,
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
            Framing::None,
        ),
        (
            103,
            &[("link", "a")][..],
            false,
            Method::Get,
            "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n",
            Framing::None,
        ),
        (299, &[][..], true, Method::Get, "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", Framing::Length(0)),
    ] {
        let mut out = Vec::new();
        let written = write_response(&parts(status, given), ends, method, &mut out);
        assert_eq!((written, String::from_utf8_lossy(&out).as_ref()), (Ok(framing), expected));
        let mut head = ResponseHead::new();
        let progress = head.parse(&out, &HttpLimits::default()).unwrap();
        assert_eq!(progress, Progress::Complete { head_bytes: out.len() });
        let body = match framing {
            Framing::None => ResponseBody::None,
            Framing::Length(length) => ResponseBody::Length(length),
            Framing::Chunked => ResponseBody::Chunked,
            Framing::Raw => ResponseBody::UntilClose,
        };
        assert_eq!(head.body_length(method), body, "{expected}");
    }
}

/// Go's server sends a length together with trailers.
#[test]
fn trailers_survive_a_content_length() {
    let grpc = ("content-type", "application/grpc+proto");
    for (field, status, method, framing) in [
        (grpc, 200, Method::Post, Framing::Chunked),
        (("content-type", "Application/gRPC"), 200, Method::Post, Framing::Chunked),
        (("trailer", "x-sum"), 200, Method::Get, Framing::Chunked),
        (("content-type", "application/grp"), 200, Method::Get, Framing::Length(3)),
        (grpc, 200, Method::Head, Framing::None),
        (grpc, 304, Method::Get, Framing::None),
    ] {
        let mut out = Vec::new();
        let head = parts(status, &[field, ("content-length", "3")]);
        assert_eq!(write_response(&head, false, method, &mut out), Ok(framing), "{field:?}");
        let text = String::from_utf8(out).unwrap();
        let is_chunked = framing == Framing::Chunked;
        assert_eq!(text.contains("content-length: 3\r\n"), !is_chunked, "{text}");
        assert_eq!(text.contains("Transfer-Encoding: chunked\r\n"), is_chunked, "{text}");
    }
    let mut out = Vec::new();
    let written = write_response(&parts(200, &[grpc, ("content-length", "0")]), true, Method::Post, &mut out);
    assert_eq!(written, Ok(Framing::Length(0)), "the stream ended with the head");
    let twice = parts(200, &[grpc, ("content-length", "3"), ("content-length", "3")]);
    let written = write_response(&twice, false, Method::Post, &mut Vec::new());
    assert_eq!(written.map_err(|error| error.detail), Err("several content-length fields"));
}

#[test]
fn invalid_responses_of_a_target_are_refused() {
    for (status, given, ends, detail) in [
        (101, &[][..], false, "101 in HTTP/2"),
        (103, &[][..], true, "an interim response that ends its stream"),
        (200, &[("connection", "close")][..], false, "a field of the connection"),
        (200, &[("transfer-encoding", "chunked")][..], false, "a field of the connection"),
        (200, &[("x", "y ")][..], false, "white space around a field value"),
        (
            200,
            &[("content-length", "1"), ("content-length", "1")][..],
            false,
            "several content-length fields",
        ),
        (200, &[("content-length", "x")][..], false, "content-length is not a number"),
        (200, &[("content-length", "1")][..], true, "content-length of a stream that has ended"),
    ] {
        let written = write_response(&parts(status, given), ends, Method::Get, &mut Vec::new());
        assert_eq!(written.map_err(|error| error.detail), Err(detail));
    }
}

proptest! {
    #[test]
    fn a_response_survives_the_way_through_text(
        status in 200u16..600,
        fields in proptest::collection::vec(("[a-z][a-z0-9_-]{0,12}", "[!-~]?|[!-~][ -~\t]{0,20}[!-~]"), 0..12),
        ends: bool,
    ) {
        let mut builder = Response::builder().status(status);
        for (name, value) in &fields {
            builder = builder.header(name, value);
        }
        let Ok(head) = builder.body(()).map(|response| response.into_parts().0) else { return Ok(()) };
        let mut out = Vec::new();
        let Ok(framing) = write_response(&head, ends, Method::Get, &mut out) else { return Ok(()) };
        let Ok(back) = read_response(&mut ResponseHead::new(), &out, Method::Get, None) else { return Ok(()) };
        let back = back.unwrap();
        prop_assert_eq!((back.head_bytes, back.framing), (out.len(), framing));
        prop_assert_eq!(back.response.status(), head.status);
        for name in head.headers.keys().filter(|name| !matches!(name.as_str(), "te" | "trailer" | "content-length")) {
            let values = |map: &http::HeaderMap| map.get_all(name).iter().cloned().collect::<Vec<_>>();
            prop_assert_eq!(values(back.response.headers()), values(&head.headers), "{}", name);
        }
    }
}
