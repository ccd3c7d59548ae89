//! Invariants that hold for any input. The fuzz targets call these checks with generated input, the tests beside this
//! file with the corpus and with properties.

#![allow(dead_code, unused_imports, reason = "every test and fuzz target uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a check fails by panicking")]

mod cookies;
mod frames;
mod memcached;
mod proxy_header;
mod quic;

pub(crate) use cookies::cookies;
pub(crate) use frames::frames;
pub(crate) use memcached::{memcached, memcached_steps};
pub(crate) use proxy_header::proxy_header;
pub(crate) use quic::quic;

use model::HttpLimits;
use proto::client_hello::{Peek, peek};
use proto::http1::{
    BodyLength, Chunks, Field, HeadError, Known, Method, Progress, RequestHead, ResponseBody, ResponseHead,
    path,
};

/// Limits that even short inputs reach.
pub(crate) const TIGHT: HttpLimits = HttpLimits {
    request_line_bytes: 40,
    field_bytes: 48,
    fields_bytes: 100,
    fields_count: 4,
    body_bytes: None,
};

/// A request head: the result is the same for any split, and never differs from what httparse reads.
pub(crate) fn request_head(bytes: &[u8]) {
    for limits in [HttpLimits::default(), TIGHT] {
        let mut head = RequestHead::new();
        let whole = head.parse(bytes, &limits);
        let same = |other: &RequestHead, result| {
            assert_eq!(whole, result);
            if matches!(result, Ok(Progress::Complete { .. })) {
                assert_eq!(format!("{head:?}"), format!("{other:?}"));
            }
        };
        for_every_cut(bytes, |pieces| {
            let mut other = RequestHead::new();
            let result = feed(pieces, |seen| other.parse(seen, &limits));
            same(&other, result);
        });
        if let Ok(Progress::Complete { head_bytes }) = whole {
            let copy = bytes[..head_bytes].to_vec();
            let mut other = RequestHead::new();
            other.parse(b"GET / HTTP/1.1\r\nHost: left.over\r\n\r\n", &limits).unwrap();
            other.clear();
            let result = other.parse(&copy, &limits);
            same(&other, result);
            request_invariants(&copy, &head);
            request_as_httparse(&copy, &head);
        }
    }
}

/// A response head: the same.
pub(crate) fn response_head(bytes: &[u8]) {
    for limits in [HttpLimits::default(), TIGHT] {
        let mut head = ResponseHead::new();
        let whole = head.parse(bytes, &limits);
        let same = |other: &ResponseHead, result| {
            assert_eq!(whole, result);
            if matches!(result, Ok(Progress::Complete { .. })) {
                assert_eq!(format!("{head:?}"), format!("{other:?}"));
            }
        };
        for_every_cut(bytes, |pieces| {
            let mut other = ResponseHead::new();
            let result = feed(pieces, |seen| other.parse(seen, &limits));
            same(&other, result);
        });
        if let Ok(Progress::Complete { head_bytes }) = whole {
            let copy = bytes[..head_bytes].to_vec();
            let mut other = ResponseHead::new();
            let result = other.parse(&copy, &limits);
            same(&other, result);
            field_invariants(&copy, head.fields());
            assert!((100..600).contains(&head.status()));
            assert_eq!(head.body_length(Method::Head), ResponseBody::None);
            response_as_httparse(&copy, &head);
        }
    }
}

/// A chunked body: the same data, end and fault for any split, and the data that httparse's sizes give.
pub(crate) fn chunks(bytes: &[u8]) {
    for limits in [HttpLimits::default(), TIGHT] {
        let whole = decode(&[bytes], &limits);
        for_every_cut(bytes, |pieces| assert_eq!(decode(pieces, &limits), whole));
        if let Ok(body) = &whole
            && body.complete
        {
            assert_eq!(body.data, chunks_as_httparse(&bytes[..body.consumed]));
            for line in body.trailers.split_inclusive(|byte| *byte == b'\n') {
                assert!(line.ends_with(b"\r\n") && line.contains(&b':'), "{line:?}");
            }
        }
    }
}

/// A path: normalising is idempotent, and what a target reads that decodes everything first is among its readings, and so
/// is what a URL parser and a servlet container make of it.
pub(crate) fn path(bytes: &[u8]) {
    let mut scratch = b"left over".to_vec();
    let Ok(normal) = path::normalize(bytes, &mut scratch) else {
        assert!(!path::is_normal(bytes));
        return;
    };
    let mut again = Vec::new();
    let twice = path::normalize(normal.path, &mut again).unwrap();
    assert_eq!(twice.path, normal.path);
    if bytes.is_empty() || bytes == b"*" {
        return;
    }
    assert_eq!(path::is_normal(bytes), normal.path == bytes && normal.doubts.is_empty());
    let segments: Vec<&[u8]> = normal.path.strip_prefix(b"/").unwrap().split(|byte| *byte == b'/').collect();
    let (last, inner) = segments.split_last().unwrap();
    assert!(inner.iter().all(|segment| !matches!(*segment, b"" | b"." | b"..")));
    assert!(!matches!(*last, b"." | b".."));
    let kept = path::with_parameters(bytes, &mut again).unwrap().to_vec();
    assert_eq!(path::normalize(&kept, &mut Vec::new()).unwrap().path, normal.path);
    let mut sent = vec![normal.path.to_vec()];
    let mut readings = vec![decode_all(normal.path, b'\\')];
    let add = |path: &[u8]| {
        assert_eq!(path.first(), Some(&b'/'));
        assert!(!sent.iter().any(|seen| seen == path), "asked twice: {path:?}");
        sent.push(path.to_vec());
        readings.push(decode_all(path, b'\\'));
        false
    };
    let all_stay = path::any_other_reading(bytes, normal.doubts, add).is_ok();
    for backslash in [b'/', b'\\'] {
        match decode_then_clean(bytes, backslash) {
            Some(seen) => assert!(!all_stay || readings.contains(&seen), "{seen:?} {readings:?}"),
            None => assert!(!all_stay),
        }
    }
    assert!(sent.len() <= 13, "{sent:?}");
    if !all_stay {
        return;
    }
    // A parameter of a name is not told from the name there.
    let seen = decoded_names(&url_path(bytes));
    assert!(sent.iter().any(|path| decoded_names(path) == seen), "{seen:?} {sent:?}");
    for decodes_slash in [false, true] {
        for backslash in [b'/', b'\\'] {
            let Some(seen) = servlet_path(bytes, decodes_slash, backslash) else { continue };
            let is_seen = |path: &Vec<u8>| servlet_decode(path, decodes_slash, b'\\') == seen;
            assert!(sent.iter().any(is_seen), "{seen:?} {sent:?}");
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Body {
    data: Vec<u8>,
    consumed: usize,
    complete: bool,
    trailers: Vec<u8>,
}

fn decode(pieces: &[&[u8]], limits: &HttpLimits) -> Result<Body, &'static str> {
    let mut decoder = Chunks::new();
    let mut body = Body { data: Vec::new(), consumed: 0, complete: false, trailers: Vec::new() };
    for piece in pieces {
        let mut buf = piece.to_vec();
        let decoded = decoder.decode(&mut buf, limits).map_err(|error| error.detail)?;
        assert!(decoded.data <= decoded.consumed && decoded.consumed <= piece.len());
        assert!(decoded.consumed == piece.len() || decoder.is_complete());
        body.data.extend_from_slice(&buf[..decoded.data]);
        body.consumed += decoded.consumed;
    }
    body.complete = decoder.is_complete();
    if body.complete {
        body.trailers = decoder.trailers().to_vec();
    }
    Ok(body)
}

/// Splits in two at every place (at spread places in a long input), and into pieces of equal size.
fn for_every_cut(bytes: &[u8], mut check: impl FnMut(&[&[u8]])) {
    for at in (0..=bytes.len()).step_by(bytes.len() / 64 + 1) {
        let (before, after) = bytes.split_at(at);
        check(&[before, after]);
    }
    for size in [1, 2, 3, 7, 64] {
        if bytes.len() / size <= 4096 {
            check(&bytes.chunks(size).collect::<Vec<_>>());
        }
    }
}

/// Passes a growing head, each time in new memory of the exact size.
fn feed(
    pieces: &[&[u8]],
    mut parse: impl FnMut(&[u8]) -> Result<Progress, HeadError>,
) -> Result<Progress, HeadError> {
    let mut seen = Vec::new();
    let mut result = parse(&seen);
    for piece in pieces {
        seen.extend_from_slice(piece);
        result = parse(&seen.clone());
        if result != Ok(Progress::NeedMore) {
            break;
        }
    }
    result
}

fn request_invariants(buf: &[u8], head: &RequestHead) {
    field_invariants(buf, head.fields());
    let start = &buf[head.message_start()..];
    assert!(start.starts_with(head.method_span().of(buf)));
    let target = head.target().of(buf);
    assert!(!target.is_empty() && target.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#'));
    assert!(!head.path().of(buf).contains(&b'?'));
    let lengths = count(head.fields(), Known::ContentLength);
    let codings = count(head.fields(), Known::TransferEncoding);
    let expected = match head.body() {
        BodyLength::None => (0, 0),
        BodyLength::Length(_) => (1, 0),
        BodyLength::Chunked => (0, 1),
    };
    assert_eq!((lengths, codings), expected);
    if let Some(host) = head.host() {
        let name = head.host_name().unwrap();
        assert!(host.start == name.start && name.end <= host.end);
        assert!(!host.of(buf).iter().any(|byte| b"@/\\ %#?".contains(byte)));
    }
}

fn field_invariants(buf: &[u8], fields: &[Field]) {
    for pair in fields.windows(2) {
        assert_eq!(pair[0].line.end, pair[1].line.start);
    }
    for field in fields {
        let (line, name, value) = (field.line.of(buf), field.name.of(buf), field.value.of(buf));
        assert!(line.ends_with(b"\r\n") && line.starts_with(name) && line[name.len()] == b':');
        assert!(!line[..line.len() - 2].iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)));
        assert_eq!(value, value.trim_ascii());
        assert!(proto::http1::token::is_token(name));
        assert!(!(field.is(Known::Host) && field.named_by_connection));
        assert!(!(field.is(Known::ContentLength) && field.named_by_connection));
        assert!(!(field.is(Known::TransferEncoding) && field.named_by_connection));
    }
}

fn count(fields: &[Field], known: Known) -> usize {
    fields.iter().filter(|field| field.is(known)).count()
}

fn request_as_httparse(buf: &[u8], head: &RequestHead) {
    let mut space = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Request::new(&mut space);
    assert_eq!(other.parse(buf), Ok(httparse::Status::Complete(buf.len())));
    assert_eq!(other.method.map(str::as_bytes), Some(head.method_span().of(buf)));
    assert_eq!(other.path.map(str::as_bytes), Some(head.target().of(buf)));
    assert_eq!(other.version, Some(head.version() as u8));
    same_fields(buf, head.fields(), other.headers);
}

fn response_as_httparse(buf: &[u8], head: &ResponseHead) {
    let mut space = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Response::new(&mut space);
    assert_eq!(other.parse(buf), Ok(httparse::Status::Complete(buf.len())));
    assert_eq!(other.code, Some(head.status()));
    assert_eq!(other.version, Some(head.version() as u8));
    same_fields(buf, head.fields(), other.headers);
}

fn same_fields(buf: &[u8], fields: &[Field], others: &[httparse::Header<'_>]) {
    assert_eq!(fields.len(), others.len());
    for (field, other) in fields.iter().zip(others) {
        assert_eq!((field.name.of(buf), field.value.of(buf)), (other.name.as_bytes(), other.value));
    }
}

fn chunks_as_httparse(mut bytes: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((head, size))) = httparse::parse_chunk_size(bytes) else {
            panic!("httparse reads no chunk in {bytes:?}");
        };
        if size == 0 {
            return data;
        }
        let end = head + size as usize;
        data.extend_from_slice(&bytes[head..end]);
        bytes = bytes[end..].strip_prefix(b"\r\n").unwrap();
    }
}

/// The path as seen by a target that decodes everything first, without parameters; `None` if it leaves the root.
fn decode_then_clean(path: &[u8], backslash: u8) -> Option<Vec<u8>> {
    let decoded = decode_all(path, backslash);
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut ends_in_name = false;
    for segment in decoded[1..].split(|byte| *byte == b'/') {
        ends_in_name = false;
        match segment.split(|byte| *byte == b';').next().unwrap_or_default() {
            b"" | b"." => {}
            b".." => {
                kept.pop()?;
            }
            name => {
                kept.push(name);
                ends_in_name = true;
            }
        }
    }
    let mut clean = b"/".to_vec();
    clean.extend_from_slice(&kept.join(&b'/'));
    if !ends_in_name && !kept.is_empty() {
        clean.push(b'/');
    }
    Some(clean)
}

/// The path of an `http` URL as the URL standard parses it (§4.4, path state), with merged slashes.
fn url_path(path: &[u8]) -> Vec<u8> {
    let is = |segment: &[u8], dots: &str| {
        let text = String::from_utf8_lossy(segment).to_ascii_lowercase();
        text.replace("%2e", ".") == dots
    };
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = path[1..].split(|byte| matches!(byte, b'/' | b'\\')).collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_double = is(segment, "..");
        if is_double {
            kept.pop();
        }
        if !is_double && !is(segment, ".") {
            kept.push(segment);
        } else if index + 1 == segments.len() {
            kept.push(b"");
        }
    }
    let mut found = [b"/", kept.join(&b'/').as_slice()].concat();
    found.dedup_by(|next, byte| (*next, *byte) == (b'/', b'/'));
    found
}

/// The path as Tomcat reads it: without what follows `;` in a segment, then decoded, then without empty segments and dot
/// segments. `None`: refused.
fn servlet_path(path: &[u8], decodes_slash: bool, backslash: u8) -> Option<Vec<u8>> {
    let names: Vec<&[u8]> = path
        .split(|byte| *byte == b'/')
        .map(|segment| segment.split(|byte| *byte == b';').next().unwrap())
        .collect();
    let mut decoded = servlet_decode(&names.join(&b'/'), decodes_slash, backslash);
    if decoded.contains(&0) {
        return None;
    }
    decoded.dedup_by(|next, byte| (*next, *byte) == (b'/', b'/'));
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = decoded[1..].split(|byte| *byte == b'/').collect();
    for (index, &segment) in segments.iter().enumerate() {
        let is_dot = matches!(segment, b"." | b"..");
        if segment == b".." {
            kept.pop()?;
        }
        if !is_dot {
            kept.push(segment);
        } else if index + 1 == segments.len() {
            kept.push(b"");
        }
    }
    Some([b"/", kept.join(&b'/').as_slice()].concat())
}

/// Decodes all but `%2F`, unless that, too.
fn servlet_decode(path: &[u8], decodes_slash: bool, backslash: u8) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let taken = if rest[0] == b'%' { 3 } else { 1 };
        if !decodes_slash && rest[..taken].eq_ignore_ascii_case(b"%2F") {
            decoded.extend_from_slice(b"%2F");
        } else {
            decoded.extend(decode_all(&rest[..taken], backslash));
        }
        rest = &rest[taken..];
    }
    decoded
}

/// Decodes all, and leaves out what follows `;` or `%3B` in each segment.
fn decoded_names(path: &[u8]) -> Vec<u8> {
    let name = |segment: &[u8]| {
        let decoded = decode_all(segment, b'\\');
        decoded.split(|byte| *byte == b';').next().unwrap().to_vec()
    };
    path.split(|byte| *byte == b'/').map(name).collect::<Vec<_>>().join(&b'/')
}

fn decode_all(path: &[u8], backslash: u8) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let mut byte = path[at];
        if byte == b'%' {
            let text = std::str::from_utf8(&path[at + 1..at + 3]).unwrap();
            byte = u8::from_str_radix(text, 16).unwrap();
            at += 2;
        }
        decoded.push(if byte == b'\\' { backslash } else { byte });
        at += 1;
    }
    decoded
}

/// A ClientHello: a result stays the same whatever follows, and every prefix of it needs more bytes.
pub(crate) fn client_hello(bytes: &[u8]) {
    let whole = peek(bytes);
    let said = (0..=bytes.len()).map(|count| peek(&bytes[..count])).find(|said| *said != Peek::NeedMore);
    assert_eq!(said.unwrap_or(Peek::NeedMore), whole);
    if let Peek::Complete(hello) = whole {
        let is_name =
            |name: &String| !name.is_empty() && name.is_ascii() && *name == name.to_ascii_lowercase();
        assert!(hello.server_name.as_ref().is_none_or(is_name), "{hello:?}");
        assert!(hello.protocols().all(|protocol| !protocol.is_empty()), "{hello:?}");
    }
}
