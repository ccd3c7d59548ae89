//! The trailer section of a chunked body (RFC 9112 §7.1.2).

use model::HttpLimits;

use super::lines::{LineFault, Lines};
use super::{Field, Known, Span, token};

/// Trailer lines: those that may be forwarded, followed by the line that is being read.
#[derive(Debug, Default)]
pub(super) struct Trailers {
    bytes: Vec<u8>,
    /// Offset of the line that is being read.
    kept: usize,
    lines: Lines,
    /// Bytes of all lines without CRLF, and their number, including dropped lines.
    read_bytes: usize,
    read_count: usize,
}

impl Trailers {
    pub(super) fn kept(&self) -> &[u8] {
        &self.bytes[..self.kept]
    }

    /// Consumes bytes up to the end of the line; returns how many, and whether the line is complete.
    pub(super) fn take(&mut self, bytes: &[u8], limits: &HttpLimits) -> Result<(usize, bool), &'static str> {
        if self.read_count >= usize::from(limits.fields_count) {
            return Err("too many trailers");
        }
        let room = (limits.fields_bytes as usize).saturating_sub(self.read_bytes);
        let limit = room.min(limits.field_bytes as usize);
        let line_bytes = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let held = self.bytes.len() - self.kept;
        // limit: keeps only enough of a line to see that it is too long
        let taken = line_bytes.min((limit + 3).saturating_sub(held));
        self.bytes.extend_from_slice(&bytes[..taken]);
        match self.lines.next(&self.bytes, limit) {
            Ok(None) => Ok((taken, false)),
            Ok(Some(line)) => self.end_line(line).map(|()| (taken, true)),
            Err(LineFault::TooLong) => Err("trailers too large"),
            Err(LineFault::Malformed(detail)) => Err(detail),
        }
    }

    fn end_line(&mut self, line: Span) -> Result<(), &'static str> {
        self.read_bytes += line.len();
        self.read_count += 1;
        let field = Field::parse(&self.bytes, line)?;
        if !may_trail(&field, &self.bytes) {
            self.bytes.truncate(self.kept);
        }
        self.kept = self.bytes.len();
        self.lines.begin_at(self.kept as u32);
        Ok(())
    }
}

/// Every name that affects a proxy is dropped, spelt correctly or as an alias: a recipient that merges trailers into
/// the head would let them change decisions afterwards.
fn may_trail(field: &Field, bytes: &[u8]) -> bool {
    let name = field.name.of(bytes);
    field.known == Known::Other
        && !HEAD_ONLY.iter().any(|only| token::is_same_variable(only, name))
        && !HEAD_ONLY_STARTS
            .iter()
            .any(|start| name.get(..start.len()).is_some_and(|begin| token::is_same_variable(begin, start)))
}

/// Fields for framing, routing, authentication, conditions and caching (RFC 9110 §6.5.1) that are not in [`Known`].
const HEAD_ONLY: [&[u8]; 11] = [
    b"age",
    b"authorization",
    b"cache-control",
    b"expires",
    b"max-forwards",
    b"pragma",
    b"range",
    b"retry-after",
    b"strict-transport-security",
    b"vary",
    b"www-authenticate",
];
const HEAD_ONLY_STARTS: [&[u8]; 3] = [b"content-", b"if-", b"x-forwarded-"];
