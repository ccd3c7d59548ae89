//! Points in time.

use std::num::NonZeroU64;

/// Seconds since 1970 of a time in the form of RFC 3339 (§5.6); a time before 1970 counts as its first second.
pub(crate) fn parse_rfc3339(text: &str) -> Option<NonZeroU64> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let (time, offset) = rest.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    // A leap second is the first of the next minute.
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let minutes = hour * 60 + minute - minutes_ahead(behind_fraction(offset)?)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + minutes * 60 + second;
    Some(u64::try_from(seconds).ok().and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN))
}

/// Numbers of so many digits, with `sign` between.
fn numbers<const N: usize>(text: &str, sign: char, digits: [usize; N]) -> Option<[i64; N]> {
    let (mut parts, mut found) = (text.split(sign), [0; N]);
    for (found, digits) in found.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        *found = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(found)
}

/// Fractions of a second are left out.
fn behind_fraction(text: &str) -> Option<&str> {
    match text.strip_prefix('.') {
        Some(rest) => {
            Some(rest.trim_start_matches(|c: char| c.is_ascii_digit())).filter(|r| r.len() < rest.len())
        }
        None => Some(text),
    }
}

/// `Z`, `+02:00` or `-05:00`.
fn minutes_ahead(offset: &str) -> Option<i64> {
    let (sign, offset) = match offset.strip_prefix('+') {
        _ if matches!(offset, "Z" | "z") => return Some(0),
        Some(offset) => (1, offset),
        None => (-1, offset.strip_prefix('-')?),
    };
    let [hours, minutes] = numbers(offset, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn days_of(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_since_1970(next_year, next, 1) - days_since_1970(year, month, 1)
}

/// Of the Gregorian calendar. A year begins in March here, so that the leap day is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_BEFORE_1970
}

/// From 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(1)),
            ("2027-01-01T00:00:00Z", Some(1_798_761_600)),
            ("2027-01-01T02:00:00+02:00", Some(1_798_761_600)),
            ("2026-12-31T19:00:00-05:00", Some(1_798_761_600)),
            ("2027-01-01T00:00:00.5Z", Some(1_798_761_600)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199)),
            ("2000-03-01T00:00:00Z", Some(951_868_800)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("9999-12-31T23:59:59Z", Some(253_402_300_799)),
            ("1969-12-31T23:59:59Z", Some(1)),
            ("2023-02-29T00:00:00Z", None),
            ("2027-01-01T00:00:00", None),
            ("2027-01-01", None),
            ("00:00:00", None),
            ("2027-01-01 00:00:00Z", None),
            ("2027-1-01T00:00:00Z", None),
            ("2027-13-01T00:00:00Z", None),
            ("2027-00-01T00:00:00Z", None),
            ("2027-01-00T00:00:00Z", None),
            ("2027-04-31T00:00:00Z", None),
            ("2027-01-01T24:00:00Z", None),
            ("2027-01-01T00:00:00.Z", None),
            ("2027-01-01T00:00:00+0200", None),
            ("2027-01-01T00:00:00+24:00", None),
            ("2027-01-01T00:00:0äZ", None),
            ("+027-01-01T00:00:00Z", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc3339(text).map(NonZeroU64::get), seconds, "{text}");
        }
    }
}
