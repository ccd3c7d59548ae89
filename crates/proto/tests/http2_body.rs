//! Bodies between DATA frames and text, for any split of the bytes.

#![allow(clippy::unwrap_used, reason = "tests")]

use http::{HeaderMap, HeaderValue};
use model::HttpLimits;
use proptest::prelude::*;
use proto::http1::Chunks;
use proto::http2::{BodyPieces, BodyText, Filled, Framing, ROOM_MIN, read_trailers};

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("x-sum", HeaderValue::from_static("a b"));
    trailers
}

/// All of the data as text, written through outputs of these sizes.
fn encoded(framing: Framing, data: &[u8], rooms: &[usize], trailers: Option<&HeaderMap>) -> Vec<u8> {
    let mut body = BodyText::new(framing);
    let (mut out, mut rest) = (Vec::new(), data);
    for size in rooms.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let mut room = vec![0; *size];
        let filled = body.fill(rest, &mut room).unwrap();
        assert!(filled.taken > 0 || *size < ROOM_MIN);
        out.extend_from_slice(&room[..filled.written]);
        rest = &rest[filled.taken..];
    }
    body.end(trailers, &mut out).unwrap();
    out
}

#[test]
fn data_is_framed_as_the_head_announced() {
    let trailers = trailers();
    for (framing, data, text) in [
        (Framing::None, "", ""),
        (Framing::Length(5), "hello", "hello"),
        (Framing::Raw, "hello", "hello"),
        (Framing::Chunked, "hello", "5\r\nhello\r\n0\r\n\r\n"),
        (Framing::Chunked, "", "0\r\n\r\n"),
    ] {
        let text_of = encoded(framing, data.as_bytes(), &[100], None);
        assert_eq!(String::from_utf8_lossy(&text_of), text);
    }
    let with = encoded(Framing::Chunked, b"hello", &[100], Some(&trailers));
    assert_eq!(String::from_utf8_lossy(&with), "5\r\nhello\r\n0\r\ngrpc-status: 0\r\nx-sum: a b\r\n\r\n");
    assert_eq!(encoded(Framing::Length(5), b"hello", &[100], Some(&trailers)), b"hello");
}

#[test]
fn data_that_contradicts_the_head_is_refused() {
    let fill =
        |framing, data: &[u8]| BodyText::new(framing).fill(data, &mut [0; 100]).map_err(|error| error.detail);
    assert_eq!(fill(Framing::None, b""), Ok(Filled { taken: 0, written: 0 }));
    assert_eq!(fill(Framing::None, b"x"), Err("data where no body was announced"));
    assert_eq!(fill(Framing::Length(1), b"xy"), Err("more data than content-length"));
    let end = |framing| BodyText::new(framing).end(None, &mut Vec::new()).map_err(|error| error.detail);
    assert_eq!(end(Framing::Length(1)), Err("less data than content-length"));
    assert_eq!(end(Framing::Length(0)), Ok(()));
}

#[test]
fn trailers_become_fields_without_hop_by_hop_fields() {
    let read = read_trailers(b"Grpc-Status: 0\r\nx-sum:  a b \r\n").unwrap();
    assert_eq!(read, trailers());
    assert_eq!(read_trailers(b"").unwrap(), HeaderMap::new());
    assert_eq!(read_trailers(b"connection: x\r\n").unwrap(), HeaderMap::new());
    assert!(read_trailers(b"no colon\r\n").is_err());
    let mut wrong = HeaderMap::new();
    wrong.insert("upgrade", HeaderValue::from_static("x"));
    assert!(BodyText::new(Framing::Chunked).end(Some(&wrong), &mut Vec::new()).is_err());
}

#[test]
fn the_end_is_read_without_a_window_for_data() {
    let mut pieces = BodyPieces::new(Framing::Chunked);
    let text = b"3\r\nabc\r\n0\r\nx: y\r\n\r\nrest";
    let piece = pieces.next(text, 2).unwrap();
    assert_eq!((piece.consumed, piece.data), (5, &b"ab"[..]));
    let piece = pieces.next(&text[5..], 0).unwrap();
    assert_eq!((piece.consumed, piece.data, pieces.is_complete()), (0, &b""[..], false));
    let piece = pieces.next(&text[5..], 1).unwrap();
    assert_eq!((piece.consumed, piece.data), (1, &b"c"[..]));
    let piece = pieces.next(&text[6..], 0).unwrap();
    assert_eq!((piece.consumed, piece.data, pieces.is_complete()), (text.len() - 10, &b""[..], true));
    assert_eq!(pieces.trailers().unwrap().unwrap().get("x").unwrap(), "y");
    for framing in [Framing::None, Framing::Length(0)] {
        let mut pieces = BodyPieces::new(framing);
        assert!(pieces.is_complete());
        assert_eq!(pieces.next(b"next", 9).unwrap().consumed, 0);
    }
}

proptest! {
    #[test]
    fn a_body_survives_however_it_is_cut(
        data in proptest::collection::vec(any::<u8>(), 0..3000),
        rooms in proptest::collection::vec(1usize..400, 1..6),
        cuts in proptest::collection::vec((1usize..300, 0usize..200), 1..20),
        kind in 0..3,
        with_trailers: bool,
    ) {
        let rooms = [&rooms[..], &[ROOM_MIN]].concat();
        let framing = [Framing::Length(data.len() as u64), Framing::Chunked, Framing::Raw][kind as usize];
        let trailers = (with_trailers && framing == Framing::Chunked).then(trailers);
        let text = encoded(framing, &data, &rooms, trailers.as_ref());
        if framing == Framing::Chunked {
            let (mut chunks, mut copy) = (Chunks::new(), text.clone());
            let decoded = chunks.decode(&mut copy, &HttpLimits::default()).unwrap();
            prop_assert_eq!(&copy[..decoded.data], &data[..]);
            prop_assert!(chunks.is_complete());
        }
        let (mut pieces, mut at, mut back) = (BodyPieces::new(framing), 0, Vec::new());
        for (bytes, data_max) in cuts.iter().copied().chain(std::iter::repeat((7, 5))) {
            if at == text.len() {
                break;
            }
            let end = text.len().min(at + bytes);
            let piece = pieces.next(&text[at..end], data_max).unwrap();
            prop_assert!(piece.data.len() <= data_max);
            back.extend_from_slice(piece.data);
            at += piece.consumed;
        }
        prop_assert_eq!(&back, &data);
        prop_assert_eq!(pieces.is_complete(), framing != Framing::Raw);
        prop_assert_eq!(pieces.trailers().unwrap(), trailers);
    }
}

#[test]
fn only_the_end_of_the_stream_ends_a_tunnel() {
    for (framing, is_delimited) in
        [(Framing::Raw, false), (Framing::Chunked, true), (Framing::Length(0), true)]
    {
        let mut text = BodyText::new(framing);
        assert_eq!(text.is_delimited(), is_delimited);
        text.end(None, &mut Vec::new()).unwrap();
        assert_eq!(text.is_delimited(), is_delimited, "{framing:?}");
    }
}
