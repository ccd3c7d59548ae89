//! Lines of a head, found as their bytes arrive (RFC 9112 §2.2).
//!
//! One scan both finds the end of a line and refuses the control bytes that may stand in none, so that whoever
//! parses a line need not look for them again.

use super::{Span, word};

/// Where the next line begins, and how far it has been looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    start: u32,
    /// invariant: no line end and no refused byte stands in `start..searched`; a byte is scanned once however
    /// small the pieces are in which it arrives.
    searched: u32,
}

/// Why there is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFault {
    TooLong,
    Malformed(&'static str),
}

impl Lines {
    /// The offset at which the next line begins.
    pub(super) const fn start(&self) -> usize {
        self.start as usize
    }

    /// Begins the next line at `offset`.
    pub(super) const fn begin_at(&mut self, offset: u32) {
        self.start = offset;
        self.searched = offset;
    }

    /// Whether nothing of the next line has been looked at.
    pub(super) const fn is_fresh(&self) -> bool {
        self.searched == self.start
    }

    /// The next line without its CRLF, or `None` when its end has not arrived. `limit` bounds its bytes.
    ///
    /// The fault is that of the first byte that makes the line impossible, whichever way the bytes are cut.
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

/// Marks control bytes, HTAB among them: it is the caller's to let pass.
#[inline]
pub(super) const fn control(bytes: u64) -> u64 {
    // The two subtractions of `word::less` and `word::equal`; where 0x7f is looked for, the mask can be shared,
    // because its top bit is 0.
    let marks =
        bytes.wrapping_sub(word::splat(0x20)) | (bytes ^ word::splat(0x7f)).wrapping_sub(word::splat(1));
    marks & word::high(!bytes)
}

/// limit: offsets are kept in 32 bits; no configuration makes a head longer than this.
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
    fn the_limit_is_exact_and_applies_before_the_end_is_seen() {
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
    fn a_line_that_arrives_byte_by_byte_is_scanned_once() {
        let text = b"some line of text\r\n";
        let mut lines = Lines::default();
        for end in 0..text.len() {
            assert_eq!(lines.next(&text[..end], 100), Ok(None));
            // All but a CR whose LF may follow is behind us.
            assert_eq!(lines.searched as usize, end.min(text.len() - 2));
        }
        assert_eq!(lines.next(text, 100), Ok(Some(Span { start: 0, end: 17 })));
        assert_eq!(lines.start(), text.len());
    }

    #[test]
    fn a_shrunken_buffer_or_limit_is_survived() {
        let mut lines = Lines::default();
        assert_eq!(lines.next(b"0123456789", 100), Ok(None));
        assert_eq!(lines.next(b"012", 100), Ok(None));
        assert_eq!(lines.next(b"0123456789", 2), Err(LineFault::TooLong));
    }
}
