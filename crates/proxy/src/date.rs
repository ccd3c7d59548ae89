//! The `Date` field (RFC 9110 §5.6.7), whose text is made once a second.

use std::cell::RefCell;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// The text of the current second.
#[derive(Debug, Default)]
pub(crate) struct DateCache(RefCell<(u64, String)>);

/// The date of a response.
#[derive(Clone, Copy)]
pub(crate) struct Date<'a> {
    pub(crate) cache: &'a DateCache,
    pub(crate) unix_seconds: u64,
}

impl Date<'_> {
    /// Appends the field.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut cached = self.cache.0.borrow_mut();
        if cached.0 != self.unix_seconds {
            *cached = (self.unix_seconds, http_date(self.unix_seconds));
        }
        for part in [b"Date: ", cached.1.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

/// IMF-fixdate of a time in seconds since 1970. Past the year 9999, which the format cannot express, it is 1970.
fn http_date(unix_seconds: u64) -> String {
    let time =
        i64::try_from(unix_seconds).ok().and_then(|time| OffsetDateTime::from_unix_timestamp(time).ok());
    // A time of the calendar can always be written in this format.
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(IMF_FIXDATE).unwrap_or_default()
}

const IMF_FIXDATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(seconds), date);
        }
    }
}
