//! Chunked bodies, rule by rule of RFC 9112 §7.1.

#![allow(clippy::unwrap_used, reason = "tests")]

use model::HttpLimits;
use proto::http1::{Chunks, encode};

fn decode(text: &[u8]) -> Result<(Vec<u8>, usize, Chunks), &'static str> {
    let mut chunks = Chunks::new();
    let mut buf = text.to_vec();
    let decoded = chunks.decode(&mut buf, &HttpLimits::default()).map_err(|error| error.detail)?;
    buf.truncate(decoded.data);
    Ok((buf, decoded.consumed, chunks))
}

#[test]
fn the_decoder_is_small() {
    assert!(size_of::<Chunks>() <= 48);
}

#[test]
fn data_is_moved_to_the_start_and_nothing_after_the_body_is_consumed() {
    for (text, data, left_over) in [
        ("5\r\nhello\r\n0\r\n\r\n", "hello", 0),
        ("0\r\n\r\n", "", 0),
        ("3\r\nabc\r\n00004\r\ndefg\r\n000\r\n\r\nGET", "abcdefg", 3),
        ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 0),
        ("0000000000000003\r\nabc\r\n0\r\n\r\n", "abc", 0),
        ("3;a=b;c=\"d;e\"\r\nabc\r\n0;x\r\n\r\n", "abc", 0),
        ("3 \t;a\r\nabc\r\n0\r\n\r\n", "abc", 0),
        ("3; a \t= b ;c;d=\"\" ; e=\"\\\"\\\\;\u{e9}\t\"\r\nabc\r\n0\r\n\r\n", "abc", 0),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0),
    ] {
        let (decoded, consumed, chunks) = decode(text.as_bytes()).unwrap();
        assert_eq!((decoded.as_slice(), text.len() - consumed), (data.as_bytes(), left_over), "{text:?}");
        assert!(chunks.is_complete());
        assert!(chunks.trailers().is_empty());
    }
    let (data, consumed, chunks) = decode(b"5\r\nhel").unwrap();
    assert_eq!((data.as_slice(), consumed, chunks.is_complete()), (&b"hel"[..], 6, false));
}

const MALFORMED: &str = "malformed chunk extension";

#[test]
fn an_ambiguous_chunk_is_refused() {
    for (text, detail) in [
        ("\r\n", "chunk without a size"),
        (";x\r\n", "chunk without a size"),
        (" 3\r\n", "chunk without a size"),
        ("-1\r\n", "chunk without a size"),
        ("+3\r\n", "chunk without a size"),
        ("0x3\r\n", "chunk size is not hexadecimal"),
        ("3g\r\n", "chunk size is not hexadecimal"),
        ("3_0\r\n", "chunk size is not hexadecimal"),
        ("3\nabc", "chunk size is not hexadecimal"),
        ("00000000000000003\r\n", "chunk size too long"),
        ("10000000000000000\r\n", "chunk size too long"),
        ("3 \r\n", "space after the chunk size"),
        ("3 3\r\n", "space after the chunk size"),
        ("3;x\n", "bare LF"),
        ("3;x\0\r\n", MALFORMED),
        ("3;x\x7f\r\n", MALFORMED),
        ("3;\r\n", MALFORMED),
        ("3; \r\n", MALFORMED),
        ("3;;a\r\n", MALFORMED),
        ("3;a;\r\n", MALFORMED),
        ("3;a \r\n", MALFORMED),
        ("3;a b\r\n", MALFORMED),
        ("3;=b\r\n", MALFORMED),
        ("3;a=\r\n", MALFORMED),
        ("3;a=b=c\r\n", MALFORMED),
        ("3;a=b c\r\n", MALFORMED),
        ("3;a=b \r\n", MALFORMED),
        ("3;bad[=x\r\n", MALFORMED),
        ("3;a=\"b\r\n", MALFORMED),
        ("3;a=\"b\\\"\r\n", MALFORMED),
        ("3;a=\"b\"c\r\n", MALFORMED),
        ("3;a=b\"c\"\r\n", MALFORMED),
        ("3;a=\"\x01\"\r\n", MALFORMED),
        ("3;\u{e9}\r\n", MALFORMED),
        ("3\rabc", "bare CR"),
        ("3;x\ry", "bare CR"),
        ("3\r\nabcd\r\n", "chunk longer than its size"),
        ("3\r\nabc\n", "chunk longer than its size"),
        ("3\r\nabc\rx", "bare CR"),
        ("0\r\n\rx", "bare CR"),
        ("0\r\n\n", "bare LF"),
        ("0\r\nX: 1\n\r\n", "bare LF"),
        ("0\r\nX: 1\r\n 2\r\n\r\n", "obs-fold"),
        ("0\r\nX : 1\r\n\r\n", "space before colon"),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", "no colon in a field line"),
        ("0\r\n: 1\r\n\r\n", "empty field name"),
        ("0\r\nX: \x001\r\n\r\n", "control byte"),
    ] {
        assert_eq!(decode(text.as_bytes()).map(|_| ()), Err(detail), "{text:?}");
    }
}

#[test]
fn extensions_are_limited_per_line_and_relative_to_the_data() {
    let line = |bytes: usize| format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(bytes - 1));
    assert!(decode(line(256).as_bytes()).is_ok());
    assert_eq!(decode(line(257).as_bytes()).map(|_| ()), Err("chunk extension too long"));
    let many = format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(100);
    assert_eq!(decode(many.as_bytes()).map(|_| ()), Err("more chunk extensions than data"));
    let paid = format!("a0;{}\r\n{}\r\n", "x".repeat(150), "a".repeat(160)).repeat(1000);
    assert!(decode(paid.as_bytes()).is_ok());
    assert!(decode("1\r\na\r\n".repeat(10_000).as_bytes()).is_ok());
}

#[test]
fn trailers_are_kept_except_fields_that_only_a_head_may_carry() {
    let text = b"0\r\nX-Sum: 1\r\nHost: b\r\ncontent-length: 3\r\nTransfer_Encoding: chunked\r\nX-Forwarded-For: c\r\n\
        Content-Type: d\r\nAuthorization: e\r\nIf-Match: f\r\ngrpc-status: 0\r\nConnection: g\r\n\
        Cache_Control: h\r\ncontent_encoding: i\r\nif_none-match: j\r\nx_forwarded_own: k\r\n\
        Strict-Transport-Security: l\r\nRetry-After: m\r\n\r\n";
    let (_, consumed, chunks) = decode(text).unwrap();
    assert_eq!(consumed, text.len());
    assert!(chunks.is_complete());
    assert_eq!(chunks.trailers(), b"X-Sum: 1\r\ngrpc-status: 0\r\n");
}

#[test]
fn trailers_are_limited_like_fields() {
    let limits = HttpLimits { field_bytes: 20, fields_bytes: 30, fields_count: 3, ..HttpLimits::default() };
    for (trailers, detail) in [
        ("X: 4567890123456789012", "trailers too large"),
        ("X: 45678901234567890\r\nX: 45678901234", "trailers too large"),
        ("X: 1\r\nX: 2\r\nX: 3\r\nX", "too many trailers"),
        ("Host: 1\r\nHost: 2\r\nHost: 3\r\nHost", "too many trailers"),
    ] {
        let mut buf = format!("0\r\n{trailers}").into_bytes();
        let error = Chunks::new().decode(&mut buf, &limits).unwrap_err();
        assert_eq!(error.detail, detail, "{trailers:?}");
    }
}

#[test]
fn encoded_chunks_are_decoded() {
    let mut out = Vec::new();
    for piece in [&b"hello"[..], b"", &[b'x'; 70_000]] {
        encode::write_chunk_head(&mut out, piece.len() as u64);
        if !piece.is_empty() {
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        }
    }
    encode::write_last_chunk(&mut out, b"a: b\r\n");
    let (data, consumed, chunks) = decode(&out).unwrap();
    assert_eq!((data.len(), consumed), (70_005, out.len()));
    assert_eq!(chunks.trailers(), b"a: b\r\n");
}
