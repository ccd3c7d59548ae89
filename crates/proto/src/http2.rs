//! Translates HTTP/2 (RFC 9113) to HTTP/1.1 text and back. The request handling of `proxy` reads and writes HTTP/1.1
//! only.
//!
//! `proxy` uses this at its edges, together with a crate that does frames, HPACK and flow control. A client's stream is
//! read as a request ([`write_request`], [`BodyText`]) and takes a response ([`read_response`], [`BodyPieces`]); a
//! target's stream does the reverse ([`read_request`], [`write_response`]). The text of a head goes through the strict
//! parser of [`crate::http1`], so that every rule, limit and check is the same for both versions. [`meter`] counts the
//! frames that the crate does not expose.

mod body;
pub mod meter;
mod request_head;
mod request_text;
mod response_head;
mod response_text;
mod trailers;

pub use body::{BodyPieces, BodyText, Filled, Piece, ROOM_MIN};
pub use request_head::read_request;
pub use request_text::{Asked, Refused, write_request};
pub use response_head::{ClientResponse, read_response};
pub use response_text::write_response;
pub use trailers::{read_trailers, write_trailers};

use http::{HeaderMap, HeaderName, HeaderValue};
use model::HttpLimits;

use crate::http1::Known;

/// Why a message is refused. Its stream is reset (RFC 9113 §8.1.1); the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The exact cause, for the log.
    pub detail: &'static str,
}

/// How the body is framed in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// No body: the stream ends with the head.
    #[default]
    None,
    /// Unframed, so many bytes.
    Length(u64),
    Chunked,
    /// Unframed, to the end of the stream: a tunnel, or a response that the end of the connection ends.
    Raw,
}

impl Framing {
    /// Whether nothing follows the head.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

const fn malformed<T>(detail: &'static str) -> Result<T, Malformed> {
    Err(Malformed { detail })
}

/// Whether a field is forbidden in HTTP/2 (RFC 9113 §8.2.2).
const fn is_of_connection(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::Upgrade
    )
}

/// The value without surrounding white space, which RFC 9113 §8.2.1 forbids. The type excludes control bytes.
fn value_of(value: &HeaderValue) -> Result<&[u8], Malformed> {
    match value.as_bytes() {
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => malformed("white space around a field value"),
        bytes => Ok(bytes),
    }
}

fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Adds a field that was read as text, with its name in lower case.
fn append(fields: &mut HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
    let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else {
        return malformed("a field that HTTP/2 cannot carry");
    };
    match fields.try_append(name, value) {
        Ok(_) => Ok(()),
        Err(_) => malformed("too many fields"),
    }
}

/// limit: a head that `proxy` has written is at most as large as its buffers.
const OWN_LIMITS: HttpLimits = HttpLimits {
    request_line_bytes: u32::MAX,
    field_bytes: u32::MAX,
    fields_bytes: u32::MAX,
    fields_count: u16::MAX,
    body_bytes: None,
};
