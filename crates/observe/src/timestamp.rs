//! Wall-clock time as RFC 3339 in UTC.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::escape::put_padded;

/// Writes times. It keeps the text of the last second, because a busy worker writes thousands of lines in one second:
/// a line in the same second costs a comparison and the six digits of its fraction.
#[derive(Debug)]
pub struct Timestamp {
    second: u64,
    /// `YYYY-MM-DDThh:mm:ss` of `second`, and the fraction that was written last.
    text: [u8; 27],
}

impl Timestamp {
    pub const fn new() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00.000000Z" }
    }

    /// Appends `2026-01-31T23:59:59.000001Z` for microseconds since 1970. A time after the year 9999 is written
    /// as the last second of that year.
    pub fn write_micros(&mut self, unix_micros: u64, out: &mut Vec<u8>) {
        self.set(unix_micros / 1_000_000);
        put_padded(&mut self.text[20..26], (unix_micros % 1_000_000) as u32);
        out.extend_from_slice(&self.text);
    }

    /// Like [`Self::write_micros`], without a fraction.
    pub fn write_seconds(&mut self, unix_seconds: u64, out: &mut Vec<u8>) {
        self.set(unix_seconds);
        out.extend_from_slice(&self.text[..19]);
        out.push(b'Z');
    }

    fn set(&mut self, second: u64) {
        let second = second.min(LAST_SECOND);
        if second == self.second {
            return;
        }
        let Ok(time) = OffsetDateTime::from_unix_timestamp(second.cast_signed()) else { return };
        // Neither can fail: the time is in the calendar, and its text is as long as the buffer.
        if time.format_into(&mut &mut self.text[..19], SECOND).is_ok() {
            self.second = second;
        }
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::new()
    }
}

/// `YYYY-MM-DDThh:mm:ss`.
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
/// 9999-12-31T23:59:59: RFC 3339 has four digits for the year.
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(micros: u64) -> String {
        let mut out = Vec::new();
        Timestamp::new().write_micros(micros, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_times() {
        for (second, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_234_567_890, "2009-02-13T23:31:30"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (LAST_SECOND, "9999-12-31T23:59:59"),
        ] {
            assert_eq!(written(second * 1_000_000 + 1), format!("{text}.000001Z"));
        }
    }

    #[test]
    fn a_time_out_of_range_is_the_last() {
        assert!(written(u64::MAX).starts_with("9999-12-31T23:59:59."));
    }

    #[test]
    fn without_a_fraction() {
        let mut out = Vec::new();
        Timestamp::new().write_seconds(1_234_567_890, &mut out);
        assert_eq!(out, b"2009-02-13T23:31:30Z");
    }

    proptest! {
        #[test]
        fn the_cached_second_does_not_change_the_text(times in prop::collection::vec(0_u64..3_000_000_000, 1..20)) {
            let mut shared = Timestamp::new();
            for micros in times {
                let mut out = Vec::new();
                shared.write_micros(micros, &mut out);
                prop_assert_eq!(String::from_utf8(out).unwrap(), written(micros));
            }
        }
    }
}
