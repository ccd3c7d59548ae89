//! Converts a target's response to text (RFC 9113 §8.3.2).

use http::{header, response};

use super::{Framing, Malformed, is_of_connection, malformed, value_of, write_field};
use crate::http1::{Known, Method, encode, token};

/// Appends the head of a response as HTTP/1.1. `ends`: the stream ended with it.
///
/// # Errors
/// A response that a target must not send.
pub fn write_response(
    head: &response::Parts,
    ends: bool,
    request_method: Method,
    out: &mut Vec<u8>,
) -> Result<Framing, Malformed> {
    let status = head.status.as_u16();
    if status == 101 {
        return malformed("101 in HTTP/2");
    }
    if ends && status < 200 {
        return malformed("an interim response that ends its stream");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    encode::write_status(out, status);
    out.push(b' ');
    out.extend_from_slice(head.status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    let has_body = request_method != Method::Head && !matches!(status, 100..200 | 204 | 304);
    let is_chunked = has_body && !ends && may_have_trailers(head);
    let length = write_fields(head, is_chunked, out)?.filter(|_| !is_chunked);
    let framing = match length {
        _ if !has_body => Framing::None,
        Some(length) if ends && length > 0 => return malformed("content-length of a stream that has ended"),
        Some(length) => Framing::Length(length),
        None if ends => {
            out.extend_from_slice(b"Content-Length: 0\r\n");
            Framing::Length(0)
        }
        None => {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            Framing::Chunked
        }
    };
    out.extend_from_slice(b"\r\n");
    Ok(framing)
}

/// Some servers announce the length of a body that trailers follow. In text only chunks have a place for trailers; the
/// crate checks the length.
fn may_have_trailers(head: &response::Parts) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    head.headers.contains_key(header::TRAILER)
        || kind.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

fn write_fields(
    head: &response::Parts,
    is_chunked: bool,
    out: &mut Vec<u8>,
) -> Result<Option<u64>, Malformed> {
    let mut length = None;
    for (name, value) in &head.headers {
        let (name, value) = (name.as_str().as_bytes(), value_of(value)?);
        match Known::of(name) {
            known if is_of_connection(known) => return malformed("a field of the connection"),
            Known::ContentLength if length.is_some() => return malformed("several content-length fields"),
            Known::ContentLength => {
                let number =
                    token::number(value).ok_or(Malformed { detail: "content-length is not a number" })?;
                length = Some(number);
                if !is_chunked {
                    write_field(out, name, value);
                }
            }
            _ => write_field(out, name, value),
        }
    }
    Ok(length)
}

const GRPC: &[u8] = b"application/grpc";
