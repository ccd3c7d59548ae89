//! Wall-clock time as RFC 3339 in UTC.

use crate::escape::put_padded;

/// Formats times. It caches the text of the last second, since a busy worker writes thousands of lines per
/// second.
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
        if second != self.second {
            self.second = second;
            self.text[..19].copy_from_slice(&format(second));
        }
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::new()
    }
}

fn format(second: u64) -> [u8; 19] {
    let (year, month, day) = civil_date((second / DAY) as u32);
    let of_day = (second % DAY) as u32;
    let mut text = *b"0000-00-00T00:00:00";
    let two = |n: u32| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
    for (at, number) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, of_day / 3_600),
        (14, of_day / 60 % 60),
        (17, of_day % 60),
    ] {
        text[at..at + 2].copy_from_slice(&two(number));
    }
    text
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
///
/// The year is taken to begin in March, so that the leap day is its last day. Then the lengths of the months
/// repeat every five months (153 days), and 400 years have 146 097 days.
pub fn civil_date(days: u32) -> (u32, u32, u32) {
    let days = days + DAYS_TO_1970;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u32::from(month <= 2);
    (year, month, day)
}

const DAY: u64 = 86_400;
/// Days from 1 March of the year 0 to 1 January 1970.
const DAYS_TO_1970: u32 = 719_468;
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
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let leap =
            |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..365 * 800 {
            assert_eq!(civil_date(days), (year, month, day), "day {days}");
            let length = match month {
                2 => 28 + u32::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
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
