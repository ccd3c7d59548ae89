//! The PROXY protocol, versions 1 and 2, as its receiver reads it (haproxy.org, `proxy-protocol.txt`, §2).
//!
//! Whoever passes a TCP connection on says in front of its first byte where it came from. A receiver must know from
//! whom such a header comes, never guess: where one is due, anything else is refused, and nothing is forgiven.

mod binary;
mod text;

use std::net::SocketAddr;

/// The two ends of the connection that the sender of the header accepted. IPv4-mapped addresses are in IPv4 form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

/// What a header tells about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The sender's own connection, such as a health check (`LOCAL`).
    Own,
    /// Somebody's, and the header does not say whose (`UNKNOWN`, or no TCP over IP).
    Unknown,
    Ends(Ends),
}

/// What a call of [`parse`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The header does not end within these bytes: call again with the same bytes and more behind them.
    NeedMore,
    /// What follows the header begins at `header_bytes`.
    Complete { told: Told, header_bytes: usize },
}

/// Why there is no header to believe. The connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// What came is something else.
    Missing,
    /// It began as a header; the exact fault.
    Malformed(&'static str),
}

/// Reads the header that `bytes`, the first of a connection, begin with.
pub fn parse(bytes: &[u8]) -> Result<Progress, HeaderError> {
    if begins(bytes, text::START) {
        text::parse(bytes).map_err(HeaderError::Malformed)
    } else if begins(bytes, binary::SIGNATURE) {
        binary::parse(bytes).map_err(HeaderError::Malformed)
    } else {
        Err(HeaderError::Missing)
    }
}

/// As far as both go.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, expected)| byte == expected)
}

// limit: bytes of a whole header; what real senders attach stays far below.
pub const HEADER_BYTES_MAX: usize = 4 * 1024;
