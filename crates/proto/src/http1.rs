//! HTTP/1.0 and HTTP/1.1 (RFC 9112), strict and incremental.
//!
//! `proxy` reads every HTTP/1 message with it, on both sides. A head is parsed in place: the results are [`Span`]s into
//! the caller's bytes, so that a message can be forwarded by copying its bytes, in the sender's spelling and order.
//! Anything that two readers could take differently is refused (HTTP3): one request in is exactly one request out.

mod chunks;
pub mod encode;
mod field;
mod fields;
mod host;
mod known;
mod lines;
pub mod path;
mod request;
mod request_line;
mod response;
pub mod token;
mod trailers;
mod word;

pub use chunks::{ChunkError, Chunks, Decoded};
pub use field::Field;
pub(crate) use host::is_same_host;
pub use known::{Known, Names};
use model::Failure;
pub use request::{BodyLength, RequestHead};
pub use request_line::{Method, TargetForm};
pub use response::{ResponseBody, ResponseHead};

/// A range of bytes as offsets from the start of the message. It stays valid when a partial head moves to another
/// buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The bytes of the span; empty if `buf` does not contain them.
    #[inline]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    #[inline]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The part of this span from `from` to `to`, both relative to its start.
    #[inline]
    const fn part(self, from: usize, to: usize) -> Self {
        Self { start: self.start + from as u32, end: self.start + to as u32 }
    }
}

/// The protocol version of a message (RFC 9112 §2.3); other versions are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    Http10,
    #[default]
    Http11,
}

/// The result of a call of `parse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The head is incomplete: call again with the same bytes and more after them.
    NeedMore,
    /// The head is complete; the body begins at `head_bytes`.
    Complete { head_bytes: usize },
}

/// Why a head is refused. The connection must close: the start of the next message is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadError {
    pub failure: Failure,
    /// The exact cause, for the log and the error page.
    pub detail: &'static str,
}

impl HeadError {
    const fn new(failure: Failure, detail: &'static str) -> Self {
        Self { failure, detail }
    }
}
