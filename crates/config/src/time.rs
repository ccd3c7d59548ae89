//! Points in time.

use std::num::NonZeroU64;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Parses a time in the form of RFC 3339 (§5.6) to seconds since 1970. Times before 1970 count as second 1.
pub(crate) fn parse_rfc3339(text: &str) -> Option<NonZeroU64> {
    // The library accepts any character between date and time.
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
        return None;
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    // A leap second is parsed as the last nanosecond before the next minute, and counts as the first second of that minute.
    let seconds = time.unix_timestamp() + i64::from(time.nanosecond() == 999_999_999);
    Some(u64::try_from(seconds).ok().and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_match_the_calendar() {
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
            ("2016-12-31T23:59:60Z", Some(1_483_228_800)),
            ("2017-01-01T00:59:60+01:00", Some(1_483_228_800)),
            ("2027-01-01T00:00:60Z", None),
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
