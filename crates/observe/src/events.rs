//! The operators' log, on stderr. It has few lines, all about the balancer itself; requests are logged in the
//! access log.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use model::LogLevel;

use crate::Timestamp;
use crate::escape::{push_number, push_quoted, push_token};

/// Writes one line to stderr: time, level, message and `key=value` pairs.
///
/// `message` is a fixed text and the key of the rate limit. At most ten lines with the same message are written
/// per second, so that a client cannot fill the disk; the next line with that message says how many were
/// suppressed. The call blocks while stderr blocks, so workers use it for rare events only, never once per
/// request.
pub fn event(level: LogLevel, message: &'static str, fields: &[(&'static str, &dyn Display)]) {
    static LIMITER: LazyLock<Mutex<Limiter>> = LazyLock::new(Mutex::default);
    let now = unix_seconds();
    let admitted = LIMITER.lock().unwrap_or_else(PoisonError::into_inner).admit(message, now);
    if let Some(suppressed) = admitted {
        let mut line = Vec::with_capacity(256);
        write_event(&mut line, now, level, message, fields, suppressed);
        // One write, so that lines of several threads do not mix. If stderr fails, there is nowhere to report
        // it.
        let _ = io::stderr().write_all(&line);
    }
}

/// Appends the line for [`event`].
fn write_event(
    out: &mut Vec<u8>,
    unix_seconds: u64,
    level: LogLevel,
    message: &str,
    fields: &[(&'static str, &dyn Display)],
    suppressed: u64,
) {
    Timestamp::new().write_seconds(unix_seconds, out);
    out.extend_from_slice(match level {
        LogLevel::Info => b" info ",
        LogLevel::Warning => b" warning ",
        LogLevel::Error => b" error ",
    });
    push_quoted(out, message.as_bytes());
    for (key, value) in fields {
        out.push(b' ');
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        push_value(out, value.to_string().as_bytes());
    }
    if suppressed > 0 {
        out.extend_from_slice(b" suppressed=");
        push_number(out, suppressed);
    }
    out.push(b'\n');
}

fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    if value.contains(&b' ') {
        out.push(b'"');
        push_quoted(out, value);
        out.push(b'"');
    } else {
        push_token(out, value);
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place where the operators' log reads the wall clock")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Counts the lines of each message in the current second.
///
/// limit: the keys are fixed texts of the program, so their number is bounded.
#[derive(Debug, Default)]
struct Limiter(HashMap<&'static str, Window>);

#[derive(Debug, Default)]
struct Window {
    second: u64,
    written: u32,
    suppressed: u64,
}

impl Limiter {
    /// Returns `Some` if the line may be written, with the number of lines that were suppressed before it.
    fn admit(&mut self, message: &'static str, now: u64) -> Option<u64> {
        let window = self.0.entry(message).or_default();
        if window.second != now {
            window.second = now;
            window.written = 0;
        }
        if window.written >= LINES_PER_SECOND {
            window.suppressed = window.suppressed.saturating_add(1);
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

/// limit: lines per second with the same message.
const LINES_PER_SECOND: u32 = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(message: &str, fields: &[(&'static str, &dyn Display)], suppressed: u64) -> String {
        let mut out = Vec::new();
        write_event(&mut out, 1_767_225_600, LogLevel::Warning, message, fields, suppressed);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_has_time_level_message_and_fields() {
        assert_eq!(
            line("target is down", &[("target", &"10.0.0.1:80"), ("error", &"timed out"), ("id", &"")], 0),
            "2026-01-01T00:00:00Z warning target is down target=10.0.0.1:80 error=\"timed out\" id=-\n"
        );
        assert_eq!(line("x", &[], 7), "2026-01-01T00:00:00Z warning x suppressed=7\n");
    }

    #[test]
    fn a_flood_is_suppressed_and_the_next_second_reports_it() {
        let mut limiter = Limiter::default();
        let written = (0..1_000).filter(|_| limiter.admit("flood", 5).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(limiter.admit("other", 5), Some(0), "each message has its own limit");
        assert_eq!(limiter.admit("flood", 6), Some(990));
        assert_eq!(limiter.admit("flood", 6), Some(0));
    }

    #[test]
    fn a_clock_that_goes_back_blocks_nothing() {
        let mut limiter = Limiter::default();
        let written = (0..20).filter(|_| limiter.admit("m", 100).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(limiter.admit("m", 3), Some(10));
    }

    proptest! {
        #[test]
        fn a_value_never_breaks_the_line(value in "\\PC*|[\\x00-\\x20\"=]*") {
            let line = line("m", &[("key", &value)], 0);
            let inside = line.strip_suffix('\n').unwrap();
            prop_assert!(inside.bytes().all(|b| (b' '..=b'~').contains(&b)), "{inside:?}");
        }
    }
}
