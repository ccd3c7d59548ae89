//! Finds the lines of a head as their bytes arrive (RFC 9112 §2.2).
//!
//! A single scan finds the end of a line and refuses control bytes, so that the parsers of a line need not look for
//! them.

use super::{Span, word};

/// Start of the next line, and how far it has been scanned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    start: u32,
    /// invariant: `start..searched` contains no line end and no refused byte. Every byte is scanned once, however small
    /// the pieces are in which it arrives.
    searched: u32,
}

/// Why a line is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFault {
    TooLong,
    Malformed(&'static str),
}

impl Lines {
    /// The offset of the next line.
    pub(super) const fn start(&self) -> usize {
        self.start as usize
    }

    /// Sets the offset of the next line.
    pub(super) const fn begin_at(&mut self, offset: u32) {
        self.start = offset;
        self.searched = offset;
    }

    /// Whether no byte of the next line has been scanned.
    pub(super) const fn is_fresh(&self) -> bool {
        self.searched == self.start
    }

    /// The next line without its CRLF; `None` if its end has not arrived. `limit` is the maximum length.
    ///
    /// The fault is that of the first invalid byte, independent of how the bytes are split.
    #[inline]
    pub(super) fn next(&mut self, buf: &[u8], limit: usize) -> Result<Option<Span>, LineFault> {
        let last = self.start().saturating_add(limit).min(HEAD_BYTES_MAX);
        let window = &buf[..buf.len().min(last + 1)];
        let mut at = self.searched as usize;
        while let Some(found) = window.get(at..).and_then(|rest| word::find(rest, control)) {
            at += found;
            match (window[at], buf.get(at + 1)) {
                (b'\t', _) => at += 1,
                (b'\r', Some(b'\n')) => {
                    let line = Span { start: self.start, end: at as u32 };
                    self.begin_at(line.end + 2);
                    return Ok(Some(line));
                }
                (b'\r', None) => {
                    self.searched = at as u32;
                    return Ok(None);
                }
                (b'\r', Some(_)) => return Err(LineFault::Malformed("bare CR")),
                (b'\n', _) => return Err(LineFault::Malformed("bare LF")),
                _ => return Err(LineFault::Malformed("control byte")),
            }
        }
        if window.len() > last {
            return Err(LineFault::TooLong);
        }
        self.searched = self.searched.max(window.len() as u32);
        Ok(None)
    }
}

/// Marks control bytes, including HTAB, which the caller must accept.
#[inline]
pub(super) const fn control(bytes: u64) -> u64 {
    // The two subtractions of `word::less` and `word::equal`. They can share the mask, because the top bit of 0x7f is
    // 0.
    let marks =
        bytes.wrapping_sub(word::splat(0x20)) | (bytes ^ word::splat(0x7f)).wrapping_sub(word::splat(1));
    marks & word::high(!bytes)
}

/// limit: offsets have 32 bits; no configuration allows a longer head.
pub(super) const HEAD_BYTES_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(text: &[u8], limit: usize) -> Result<Option<Span>, LineFault> {
        Lines::default().next(text, limit)
    }

    #[test]
    fn a_line_ends_with_crlf_and_nothing_else() {
        for (text, expected) in [
            (&b"abc\r\nd"[..], Ok(Some(Span { start: 0, end: 3 }))),
            (b"\r\n", Ok(Some(Span { start: 0, end: 0 }))),
            (b"a\tb\t\r\n", Ok(Some(Span { start: 0, end: 4 }))),
            (b"a\x80\xff\r\n", Ok(Some(Span { start: 0, end: 3 }))),
            (b"", Ok(None)),
            (b"abc", Ok(None)),
            (b"abc\r", Ok(None)),
            (b"abc\rd", Err(LineFault::Malformed("bare CR"))),
            (b"abc\r\r\n", Err(LineFault::Malformed("bare CR"))),
            (b"abc\nd", Err(LineFault::Malformed("bare LF"))),
            (b"\n", Err(LineFault::Malformed("bare LF"))),
            (b"a\0", Err(LineFault::Malformed("control byte"))),
            (b"a\x7f", Err(LineFault::Malformed("control byte"))),
            (b"a\x1b\r\n", Err(LineFault::Malformed("control byte"))),
        ] {
            assert_eq!(line_of(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn the_limit_is_exact_and_applies_before_the_line_is_complete() {
        assert_eq!(line_of(b"abcd\r\n", 4), Ok(Some(Span { start: 0, end: 4 })));
        assert_eq!(line_of(b"abcd\r", 4), Ok(None));
        assert_eq!(line_of(b"abcd", 4), Ok(None));
        assert_eq!(line_of(b"abcde", 4), Err(LineFault::TooLong));
        assert_eq!(line_of(b"abcde\r\n", 4), Err(LineFault::TooLong));
        assert_eq!(line_of(b"abcde\0", 4), Err(LineFault::TooLong));
        assert_eq!(line_of(b"abcd\t", 4), Err(LineFault::TooLong));
        assert_eq!(line_of(b"\r\n", 0), Ok(Some(Span { start: 0, end: 0 })));
    }

    #[test]
    fn each_byte_is_scanned_once_when_a_line_arrives_byte_by_byte() {
        let text = b"some line of text\r\n";
        let mut lines = Lines::default();
        for end in 0..text.len() {
            assert_eq!(lines.next(&text[..end], 100), Ok(None));
            // Everything is scanned except a CR that an LF may follow.
            assert_eq!(lines.searched as usize, end.min(text.len() - 2));
        }
        assert_eq!(lines.next(text, 100), Ok(Some(Span { start: 0, end: 17 })));
        assert_eq!(lines.start(), text.len());
    }

    #[test]
    fn a_smaller_buffer_or_limit_does_not_panic() {
        let mut lines = Lines::default();
        assert_eq!(lines.next(b"0123456789", 100), Ok(None));
        assert_eq!(lines.next(b"012", 100), Ok(None));
        assert_eq!(lines.next(b"0123456789", 2), Err(LineFault::TooLong));
    }
}
