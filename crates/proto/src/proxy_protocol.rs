//! The PROXY protocol, versions 1 and 2 (haproxy.org, `proxy-protocol.txt`, §2): [`parse`] reads a header, [`write_v1`] and
//! [`write_v2`] make one.
//!
//! A proxy sends this header before the first byte of a TCP connection to say where the connection came from. A
//! receiver must be told which senders use the header; it must never guess. Where a header is required, anything else
//! is refused.

mod binary;
mod checksum;
mod text;
mod values;
mod write;

pub use values::{Ssl, Values};
pub use write::{TooLong, Transport, write_v1, write_v2};

use std::net::SocketAddr;

/// Source and destination of the connection that the sender accepted. IPv4-mapped addresses are in IPv4 form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

/// What a header says about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The sender's own connection, such as a health check (`LOCAL`).
    Own,
    /// A proxied connection without addresses (`UNKNOWN`, or not TCP over IP).
    Unknown,
    Ends(Ends),
}

/// The result of a call of [`parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The header is incomplete: call again with the same bytes and more after them.
    NeedMore,
    /// The bytes after the header start at `header_bytes`.
    Complete { told: Told, header_bytes: usize },
}

/// Why there is no valid header. The connection must close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The bytes are not a PROXY header.
    Missing,
    /// A PROXY header with a fault; the exact cause.
    Malformed(&'static str),
}

/// Reads the header at the start of `bytes`, the first bytes of a connection.
pub fn parse(bytes: &[u8]) -> Result<Progress, HeaderError> {
    if begins(bytes, text::START) {
        text::parse(bytes).map_err(HeaderError::Malformed)
    } else if begins(bytes, binary::SIGNATURE) {
        binary::parse(bytes).map_err(HeaderError::Malformed)
    } else {
        Err(HeaderError::Missing)
    }
}

/// The values of a header, without the bytes behind it. A header that [`parse`] does not accept has none.
pub fn values(header: &[u8]) -> Values<'_> {
    match parse(header) {
        Ok(Progress::Complete { header_bytes, .. }) if header_bytes == header.len() => {
            values::checked(binary::rest(header))
        }
        _ => Values::default(),
    }
}

/// Whether both are equal up to the length of the shorter one.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, expected)| byte == expected)
}

// limit: length of a whole header; real headers are far shorter.
pub const HEADER_BYTES_MAX: usize = 4 * 1024;
