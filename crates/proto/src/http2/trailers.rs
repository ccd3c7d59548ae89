//! Trailers: a final block of fields in HTTP/2, lines after the last chunk in HTTP/1.1.

use http::HeaderMap;

use super::{Malformed, append, is_of_connection, malformed, value_of, write_field};
use crate::http1::{Known, token};

/// Appends trailers as lines. The reader of the chunks decides which of them are forwarded.
///
/// # Errors
/// Trailers that RFC 9113 §8.2 forbids.
pub fn write_trailers(trailers: &HeaderMap, out: &mut Vec<u8>) -> Result<(), Malformed> {
    for (name, value) in trailers {
        let name = name.as_str().as_bytes();
        if is_of_connection(Known::of(name)) {
            return malformed("a trailer of the connection");
        }
        write_field(out, name, value_of(value)?);
    }
    Ok(())
}

/// Reads lines with CRLF.
///
/// # Errors
/// A field that HTTP/2 cannot carry.
pub fn read_trailers(mut lines: &[u8]) -> Result<HeaderMap, Malformed> {
    let mut trailers = HeaderMap::new();
    while let Some(end) = memchr::memchr(b'\n', lines) {
        let (line, rest) = lines.split_at(end + 1);
        lines = rest;
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        let Some(colon) = memchr::memchr(b':', line) else { return malformed("no colon in a trailer") };
        let name = &line[..colon];
        if !is_of_connection(Known::of(name)) {
            append(&mut trailers, name, token::trim(&line[colon + 1..]))?;
        }
    }
    Ok(trailers)
}
