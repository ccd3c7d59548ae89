//! Properties of the formats over generated input: mostly near misses of real messages, because random bytes are
//! refused too early to find anything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod oracle;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Fragments of messages, which the strategies below join in any order.
fn pieces(known: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        12 => select(known).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
        1 => select(&b"\r\n\t :;,/\0\x7f\x80"[..]).prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn head(first: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        20 => select(FIELDS).prop_map(|field| format!("{field}\r\n").into_bytes()),
        3 => pieces(FIELDS),
        1 => Just(b"\r\n".to_vec()),
    ];
    let start = prop_oneof![9 => select(first).prop_map(|text| text.as_bytes().to_vec()), 1 => pieces(first)];
    (start, vec(line, 0..7), any::<bool>()).prop_map(|(start, lines, ended)| {
        let end = if ended { &b"\r\n"[..] } else { b"" };
        [start.as_slice(), &lines.concat(), end].concat()
    })
}

const REQUEST_LINES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "\r\nPOST /a/b?c=d HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "GET http://a:80/x HTTP/1.1\r\n",
    "DELETE https://[::1]?q HTTP/1.1\r\n",
];

const STATUS_LINES: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 404\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 204 \r\n",
    "HTTP/1.1 304 Not Modified\r\n",
];

const FIELDS: &[&str] = &[
    "Host: a",
    "Host: a:80",
    "host:[::1]",
    "Connection: close",
    "Connection: keep-alive, x-own, upgrade",
    "Content-Length: 5",
    "Content-Length: 0",
    "Transfer-Encoding: chunked",
    "transfer_encoding: chunked",
    "Expect: 100-continue",
    "Upgrade: websocket",
    "X-Own:\t v\u{e4}lue ",
    "TE: trailers",
    "Keep-Alive: timeout=5, max=10",
    "X_Forwarded_For: 1",
    "Empty:",
    "a",
];

const CHUNK_PIECES: &[&str] = &[
    "5\r\nhello\r\n",
    "a;x=\"y\"\r\n0123456789\r\n",
    "001\r\nx\r\n",
    "3 ;e\r\nabc\r\n",
    "0\r\n",
    "\r\n",
    "X-Sum: 1\r\n",
    "Host: a\r\n",
    "Content-Length: 3\r\n",
    "5",
    "ffffffffffffffff\r\n",
];

const PATH_PIECES: &[&str] = &[
    "/", "/", "a", "b-_~", ".", "..", "%2e", "%2E", "%2f", "%5C", "%00", "%41", "%c3%a4", "%25", "\\", ";x",
    "%", "/", "//", "/..", "..;", "/../", ";", "%3B", "\\..", "%2f..",
];

const PROXY_PIECES: &[&str] =
    &["PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", "192.0.2.1 ", "::1 ", "80 ", "443", " ", "\r\n", "\n", "0"];

/// A block after the signature, usually with a correct length.
fn proxy_block() -> impl Strategy<Value = Vec<u8>> {
    let block = prop_oneof![
        vec(any::<u8>(), 0..60),
        (vec(any::<u8>(), 12), vec((0..6_u8, vec(any::<u8>(), 0..8)), 0..4)).prop_map(|(ends, values)| {
            let value = |(kind, value): (u8, Vec<u8>)| {
                [&[kind, 0, u8::try_from(value.len()).unwrap()], value.as_slice()].concat()
            };
            ends.into_iter().chain(values.into_iter().flat_map(value)).collect()
        }),
    ];
    let first = select(&[0x20_u8, 0x21, 0x21, 0x21, 0x22, 0x11][..]);
    let family = select(&[0_u8, 0x11, 0x11, 0x12, 0x21, 0x31, 0x40, 0x13][..]);
    (first, family, block, -2..3_i32).prop_map(|(first, family, block, off)| {
        let length = u16::try_from((i32::try_from(block.len()).unwrap() + off).max(0)).unwrap();
        [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[first, family], &length.to_be_bytes(), &block].concat()
    })
}

/// A frame, usually a valid one.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        12 => select(&[0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x41][..]),
        1 => any::<u8>(),
    ];
    let length = prop_oneof![8 => 0..126_usize, 2 => 126..300_usize, 1 => Just(70_000_usize)];
    (first, length, prop_oneof![9 => Just(true), 1 => Just(false)], any::<u8>()).prop_map(
        |(first, length, masked, fill)| {
            let length = if first & 8 != 0 { length % 130 } else { length };
            let masked_bit = if masked { 0x80 } else { 0 };
            let mut frame = vec![first];
            match length {
                0..126 => frame.push(masked_bit | length as u8),
                126..65_536 => {
                    frame.push(masked_bit | 126);
                    frame.extend((length as u16).to_be_bytes());
                }
                _ => {
                    frame.push(masked_bit | 127);
                    frame.extend((length as u64).to_be_bytes());
                }
            }
            frame.extend([fill; 4].iter().take(if masked { 4 } else { 0 }));
            frame.resize(frame.len() + length, fill);
            frame
        },
    )
}

const COOKIE_PIECES: &[&str] = &[
    "a=",
    "sid=",
    "a",
    "b=2",
    "; ",
    ";",
    "=",
    "\"",
    "~",
    "~Ab-_9",
    "own",
    "Max-Age=0",
    "; expires=Thu, 01-Jan-70 00:00:00",
    "; Path=/",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn requests(bytes in head(REQUEST_LINES)) {
        oracle::request_head(&bytes);
    }

    #[test]
    fn responses(bytes in head(STATUS_LINES)) {
        oracle::response_head(&bytes);
    }

    #[test]
    fn chunked_bodies(bytes in pieces(CHUNK_PIECES)) {
        oracle::chunks(&bytes);
    }

    #[test]
    fn paths(bytes in pieces(PATH_PIECES)) {
        let bytes: Vec<u8> = bytes.into_iter().filter(|byte| *byte > b' ').collect();
        oracle::path(&bytes);
        oracle::path(&[b"/", bytes.as_slice()].concat());
    }

    #[test]
    fn proxy_lines(bytes in pieces(PROXY_PIECES)) {
        oracle::proxy_header(&bytes);
        oracle::proxy_header(&[b"PROXY ", bytes.as_slice()].concat());
    }

    #[test]
    fn proxy_blocks(bytes in proxy_block()) {
        oracle::proxy_header(&bytes);
    }

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..200)) {
        oracle::request_head(&bytes);
        oracle::response_head(&bytes);
        oracle::chunks(&bytes);
        oracle::path(&bytes);
        oracle::proxy_header(&bytes);
        oracle::frames(&bytes);
        oracle::cookies(&bytes);
    }

    #[test]
    fn cookies(bytes in pieces(COOKIE_PIECES)) {
        oracle::cookies(&bytes);
        oracle::cookies(&[b"sid\n", bytes.as_slice()].concat());
    }

    #[test]
    fn frames(frames in vec(frame(), 0..12), cut in 0..9_usize) {
        let bytes = frames.concat();
        oracle::frames(&bytes[..bytes.len().saturating_sub(cut)]);
    }
}
