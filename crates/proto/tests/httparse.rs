//! Messages that httparse accepts and we refuse, and why. The oracle checks the other direction.

#![allow(clippy::unwrap_used, reason = "tests")]

use model::HttpLimits;
use proto::http1::{RequestHead, ResponseHead};

#[test]
fn requests_that_only_httparse_accepts() {
    for (bytes, why) in [
        (&b"GET / HTTP/1.1\nHost: a\n\n"[..], "a lone LF ends no line: proxies differ about it"),
        (b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "one empty line is forgiven, not any number"),
        (b"GET / HTTP/1.1\r\n\r\n", "no Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "two hosts"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "two lengths"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "two framings",
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", "a coding that ends nowhere"),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "a fragment is the client's own"),
        (b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", "a target of no form"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "no forward proxy"),
    ] {
        let mut space = [httparse::EMPTY_HEADER; 16];
        let other = httparse::Request::new(&mut space).parse(bytes).unwrap();
        assert!(other.is_complete(), "{why}");
        assert!(RequestHead::new().parse(bytes, &HttpLimits::default()).is_err(), "{why}");
    }
}

#[test]
fn responses_that_only_httparse_accepts() {
    for (bytes, why) in [
        (&b"HTTP/1.1 200 OK\n\n"[..], "a lone LF ends no line"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "bytes between responses may be a response of their own"),
        (b"HTTP/1.1 999 OK\r\n\r\n", "no such class of status"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "two lengths"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0 has no transfer codings"),
        (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n", "a body that must not be"),
    ] {
        let mut space = [httparse::EMPTY_HEADER; 16];
        let other = httparse::Response::new(&mut space).parse(bytes).unwrap();
        assert!(other.is_complete(), "{why}");
        assert!(ResponseHead::new().parse(bytes, &HttpLimits::default()).is_err(), "{why}");
    }
}
