//! The text of a line: time, level, message and `key=value` pairs.

use std::fmt::{self, Display, Write};

use model::LogLevel;

use crate::Timestamp;
use crate::escape::{push_number, push_quoted, push_token};

/// A line's values by their keys. Values are escaped, so they may be what a peer sent.
pub type Fields<'f> = &'f [(&'static str, &'f dyn Display)];

/// What a line says.
#[derive(Clone, Copy)]
pub(super) struct Line<'l> {
    pub(super) level: LogLevel,
    pub(super) message: &'static str,
    /// The reason word of the failure of which it tells.
    pub(super) reason: Option<&'static str>,
    pub(super) fields: Fields<'l>,
    pub(super) hint: &'static str,
    /// Lines of the same kind that were left out before this one.
    pub(super) suppressed: u64,
}

impl Line<'_> {
    pub(super) fn text(&self, unix_seconds: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        Timestamp::new().write_seconds(unix_seconds, &mut out);
        out.extend_from_slice(match self.level {
            LogLevel::Info => b" info ",
            LogLevel::Warning => b" warning ",
            LogLevel::Error => b" error ",
        });
        push_quoted(&mut out, self.message.as_bytes());
        if let Some(reason) = self.reason {
            push_pair(&mut out, "reason", &reason);
        }
        for (key, value) in self.fields {
            push_pair(&mut out, key, value);
        }
        if !self.hint.is_empty() {
            push_pair(&mut out, "hint", &self.hint);
        }
        if self.suppressed > 0 {
            out.extend_from_slice(b" suppressed=");
            push_number(&mut out, self.suppressed);
        }
        out.push(b'\n');
        out
    }
}

fn push_pair(out: &mut Vec<u8>, key: &str, value: &dyn Display) {
    out.push(b' ');
    out.extend_from_slice(key.as_bytes());
    out.push(b'=');
    let mut text = Bounded(String::new());
    // An error means that the rest is cut off.
    let is_cut = write!(text, "{value}").is_err();
    let value = text.0.as_bytes();
    let is_quoted = value.contains(&b' ');
    if is_quoted {
        out.push(b'"');
        push_quoted(out, value);
    } else {
        push_token(out, value);
    }
    if is_cut {
        out.extend_from_slice(b"...");
    }
    if is_quoted {
        out.push(b'"');
    }
}

/// Text of at most [`VALUE_BYTES_MAX`] bytes.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = VALUE_BYTES_MAX - self.0.len();
        if text.len() <= left {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=left).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        Err(fmt::Error)
    }
}

/// limit: bytes of one value, so that the queue of lines is bounded in bytes too.
const VALUE_BYTES_MAX: usize = 2 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(message: &'static str, fields: Fields<'_>, hint: &'static str, suppressed: u64) -> String {
        let line = Line { level: LogLevel::Warning, message, reason: None, fields, hint, suppressed };
        String::from_utf8(line.text(1_767_225_600)).unwrap()
    }

    #[test]
    fn a_line_has_time_level_message_and_fields() {
        assert_eq!(
            line(
                "target is down",
                &[("target", &"10.0.0.1:80"), ("error", &"timed out"), ("id", &"")],
                "",
                0
            ),
            "2026-01-01T00:00:00Z warning target is down target=10.0.0.1:80 error=\"timed out\" id=-\n"
        );
        assert_eq!(line("x", &[], "do y", 7), "2026-01-01T00:00:00Z warning x hint=\"do y\" suppressed=7\n");
    }

    #[test]
    fn a_giant_value_is_cut_and_marked() {
        for (value, end) in [("a".repeat(VALUE_BYTES_MAX), "aa\n"), ("ä ".repeat(VALUE_BYTES_MAX), "...\"\n")]
        {
            let line = line("m", &[("key", &value)], "", 0);
            assert!(line.ends_with(end) && line.len() < 5 * VALUE_BYTES_MAX, "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_value_never_breaks_the_line(value in "\\PC*|[\\x00-\\x20\"=]*") {
            let line = line("m", &[("key", &value)], "", 0);
            let inside = line.strip_suffix('\n').unwrap();
            prop_assert!(inside.bytes().all(|b| (b' '..=b'~').contains(&b)), "{inside:?}");
        }
    }
}
