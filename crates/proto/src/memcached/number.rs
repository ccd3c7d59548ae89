//! Numbers as memcached reads them (`util.c`): `strtol` and its relatives, which must end at a space or the end.

use bytes::{BufMut, BytesMut};

/// A signed number.
pub(super) fn signed(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.starts_with('+') { None } else { text.parse().ok() }
}

pub(super) fn signed_32(text: &[u8]) -> Option<i32> {
    signed(text).and_then(|number| i32::try_from(number).ok())
}

/// An unsigned number. A minus sign is refused.
pub(super) fn unsigned(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok()
}

pub(super) fn unsigned_32(text: &[u8]) -> Option<u32> {
    unsigned(text).and_then(|number| u32::try_from(number).ok())
}

/// The number at the front of an item's value. White space may stand before and behind it, and anything behind that: a
/// number that became shorter leaves spaces, to which something may have been appended.
pub fn numeric(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii_start();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    unsigned(value.get(..end)?)
}

/// Appends a number in decimal digits, without the detour over a string.
pub(super) fn put_decimal(out: &mut BytesMut, mut number: u64) {
    let mut digits = [0; DIGITS_MAX];
    let mut start = DIGITS_MAX;
    loop {
        start -= 1;
        // A digit.
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put_slice(&digits[start..]);
}

/// Of `u64::MAX`.
const DIGITS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 1, 9, 10, 99, 100, 1_048_576, u64::MAX - 1, u64::MAX] {
            let mut out = BytesMut::new();
            put_decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn numbers_are_decimal_and_complete() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("++7", None),
            ("", None),
            ("1x", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
        ] {
            assert_eq!(signed(text.as_bytes()), expected, "{text}");
        }
        assert_eq!((unsigned(b"-1"), unsigned(b"18446744073709551615")), (None, Some(u64::MAX)));
        assert_eq!((signed_32(b"2147483648"), unsigned_32(b"4294967295")), (None, Some(u32::MAX)));
        assert_eq!(
            (numeric(b"9 "), numeric(b" 9"), numeric(b"9x"), numeric(b"")),
            (Some(9), Some(9), None, None)
        );
        assert_eq!(numeric(&[b'1'; 21]), None);
    }
}
