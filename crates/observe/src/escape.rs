//! Writes numbers, addresses and untrusted bytes as text. The output is always printable ASCII, so that a
//! client can break neither the log line nor the terminal that shows it.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Appends the inside of a JSON string (RFC 8259 §7). Non-ASCII text is written as `\u` escapes, which a parser
/// decodes; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn push_json(out: &mut Vec<u8>, value: &[u8]) {
    push_escaped(out, value, is_plain, push_json_slow);
}

/// Appends the inside of a quoted value: `\"`, `\\`, and `\xNN` for every byte that is not printable ASCII.
pub(crate) fn push_quoted(out: &mut Vec<u8>, value: &[u8]) {
    push_escaped(out, value, is_plain, |out, rest| push_text_slow(out, rest, b' '));
}

/// Appends an unquoted value: like [`push_quoted`], but a space is written as `\x20`. An empty value is `-`.
pub(crate) fn push_token(out: &mut Vec<u8>, value: &[u8]) {
    let value = if value.is_empty() { b"-" } else { value };
    push_escaped(
        out,
        value,
        |byte| is_plain(byte) & (byte != b' '),
        |out, rest| push_text_slow(out, rest, b'!'),
    );
}

pub(crate) fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let at = put_number(&mut digits, 20, number);
    out.extend_from_slice(&digits[at..]);
}

/// Fills `digits` with the last digits of `number`, padded with zeros.
pub(crate) fn put_padded(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

pub(crate) fn push_ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let mut text = [0; 15];
            let at = put_octets(&mut text, 15, v4);
            out.extend_from_slice(&text[at..]);
        }
        // Writing into a `Vec` cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

pub(crate) fn push_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => {
            let mut text = [b':'; 21];
            let colon = put_number(&mut text, 21, u64::from(v4.port())) - 1;
            let at = put_octets(&mut text, colon, *v4.ip());
            out.extend_from_slice(&text[at..]);
        }
        SocketAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// Writes the octets so that they end before `end`, and returns where they begin.
fn put_octets(text: &mut [u8], end: usize, address: Ipv4Addr) -> usize {
    let [first, second, third, fourth] = address.octets();
    let mut at = put_number(text, end, u64::from(fourth));
    for octet in [third, second, first] {
        at -= 1;
        text[at] = b'.';
        at = put_number(text, at, u64::from(octet));
    }
    at
}

/// Writes the digits so that they end before `end`, and returns where they begin.
fn put_number(text: &mut [u8], end: usize, mut number: u64) -> usize {
    let mut at = end;
    loop {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return at;
        }
    }
}

/// Copies the leading plain bytes, which are nearly always the whole value, and passes the rest to `slow`.
#[inline]
fn push_escaped(
    out: &mut Vec<u8>,
    value: &[u8],
    plain: impl Fn(u8) -> bool,
    slow: impl FnOnce(&mut Vec<u8>, &[u8]),
) {
    let (value, cut) = bounded(value);
    let (plain, rest) = value.split_at(plain_prefix(value, plain));
    out.extend_from_slice(plain);
    if !rest.is_empty() {
        slow(out, rest);
    }
    if !cut.is_empty() {
        out.extend_from_slice(cut);
    }
}

/// Returns the part of a value that is written, and the mark that follows it if it was cut.
fn bounded(value: &[u8]) -> (&[u8], &'static [u8]) {
    match value.get(..VALUE_BYTES_MAX) {
        Some(part) if part.len() < value.len() => (part, b"..."),
        _ => (value, b""),
    }
}

/// Counts the plain bytes at the start. Checks sixteen bytes at a time without a branch, so that the compiler
/// can use vector instructions.
#[inline]
fn plain_prefix(value: &[u8], plain: impl Fn(u8) -> bool) -> usize {
    let whole =
        value.chunks_exact(16).take_while(|part| part.iter().fold(true, |all, &byte| all & plain(byte)));
    let skipped = 16 * whole.count();
    skipped + value[skipped..].iter().take_while(|&&byte| plain(byte)).count()
}

fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) & (byte != b'"') & (byte != b'\\')
}

#[cold]
fn push_json_slow(out: &mut Vec<u8>, value: &[u8]) {
    for chunk in value.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '"' | '\\' => out.extend_from_slice(&[b'\\', letter as u8]),
                ' '..='~' => out.push(letter as u8),
                _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|&unit| push_unit(out, unit)),
            }
        }
        if !chunk.invalid().is_empty() {
            push_unit(out, 0xfffd);
        }
    }
}

fn push_unit(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    unit.to_be_bytes().into_iter().for_each(|byte| push_hex(out, byte));
}

fn push_hex(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

#[cold]
fn push_text_slow(out: &mut Vec<u8>, value: &[u8], lowest: u8) {
    for &byte in value {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ if (lowest..=b'~').contains(&byte) => out.push(byte),
            _ => {
                out.extend_from_slice(b"\\x");
                push_hex(out, byte);
            }
        }
    }
}

/// limit: the bytes of one value in a line. A longer value is cut and ends in `...`. Request lines may be 16
/// KiB by default, and many log collectors cut or split lines beyond that.
pub(crate) const VALUE_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn parsed(value: &[u8]) -> String {
        serde_json::from_str(&with(|out| {
            out.push(b'"');
            push_json(out, value);
            out.push(b'"');
        }))
        .unwrap()
    }

    #[test]
    fn each_format_escapes_in_its_own_way() {
        for (value, json, quoted, token) in [
            ("plain/path?a=b", "plain/path?a=b", "plain/path?a=b", "plain/path?a=b"),
            ("", "", "", "-"),
            ("a b", "a b", "a b", r"a\x20b"),
            ("\"\\", r#"\"\\"#, r#"\"\\"#, r#"\"\\"#),
            ("a\r\n\0\u{7f}", r"a\u000d\u000a\u0000\u007f", r"a\x0d\x0a\x00\x7f", r"a\x0d\x0a\x00\x7f"),
            ("\u{1b}[31m", r"\u001b[31m", r"\x1b[31m", r"\x1b[31m"),
            ("\u{9b}2J", r"\u009b2J", r"\xc2\x9b2J", r"\xc2\x9b2J"),
            ("ü", r"\u00fc", r"\xc3\xbc", r"\xc3\xbc"),
            ("\u{202e}", r"\u202e", r"\xe2\x80\xae", r"\xe2\x80\xae"),
            ("\u{1f980}", r"\ud83e\udd80", r"\xf0\x9f\xa6\x80", r"\xf0\x9f\xa6\x80"),
        ] {
            assert_eq!(with(|out| push_json(out, value.as_bytes())), json, "{value:?}");
            assert_eq!(with(|out| push_quoted(out, value.as_bytes())), quoted, "{value:?}");
            assert_eq!(with(|out| push_token(out, value.as_bytes())), token, "{value:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_marked() {
        assert_eq!(parsed(b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}");
        assert_eq!(with(|out| push_token(out, b"a\xffb")), r"a\xffb");
    }

    #[test]
    fn a_giant_value_is_cut_and_marked() {
        for (length, expected) in [
            (VALUE_BYTES_MAX - 1, VALUE_BYTES_MAX - 1),
            (VALUE_BYTES_MAX, VALUE_BYTES_MAX),
            (VALUE_BYTES_MAX + 1, VALUE_BYTES_MAX + 3),
            (10 * VALUE_BYTES_MAX, VALUE_BYTES_MAX + 3),
        ] {
            let value = vec![b'a'; length];
            for written in [with(|out| push_json(out, &value)), with(|out| push_quoted(out, &value))] {
                assert_eq!(written.len(), expected);
                assert_eq!(written.ends_with("..."), length > VALUE_BYTES_MAX);
            }
        }
    }

    #[test]
    fn digits_keep_their_width() {
        for (number, text) in [(0, "000000"), (7, "000007"), (123_456, "123456"), (7_654_321, "654321")] {
            let mut digits = [0; 6];
            put_padded(&mut digits, number);
            assert_eq!(str::from_utf8(&digits), Ok(text));
        }
    }

    #[test]
    fn a_byte_that_needs_an_escape_is_found_at_any_position() {
        for length in 1..50 {
            for place in 0..length {
                let mut value = vec![b'a'; length];
                value[place] = b'"';
                let expected = format!("{}\\\"{}", "a".repeat(place), "a".repeat(length - place - 1));
                assert_eq!(with(|out| push_json(out, &value)), expected);
                assert_eq!(with(|out| push_quoted(out, &value)), expected);
                assert_eq!(with(|out| push_token(out, &value)), expected);
            }
        }
    }

    /// Reverses `push_quoted` and `push_token`.
    fn unescape(text: &str) -> Vec<u8> {
        let mut bytes = text.bytes();
        let mut value = Vec::new();
        while let Some(byte) = bytes.next() {
            value.push(match byte {
                b'\\' => match bytes.next().unwrap() {
                    b'x' => {
                        let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                        u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    escaped => escaped,
                },
                plain => plain,
            });
        }
        value
    }

    proptest! {
        #[test]
        fn every_text_survives_a_round_trip_through_json(value: String) {
            prop_assert_eq!(parsed(value.as_bytes()), value);
        }

        #[test]
        fn json_reads_bytes_as_a_lossy_reader_does(value: Vec<u8>) {
            prop_assert_eq!(parsed(&value), String::from_utf8_lossy(&value));
        }

        #[test]
        fn every_byte_survives_a_round_trip_through_text(value: Vec<u8>) {
            let (quoted, token) = (with(|out| push_quoted(out, &value)), with(|out| push_token(out, &value)));
            prop_assert_eq!(unescape(&quoted), &value[..]);
            prop_assert!(quoted.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
            if !value.is_empty() {
                prop_assert_eq!(unescape(&token), value);
            }
        }

        #[test]
        fn numbers_are_as_the_standard_library_writes_them(number: u64, shift in 0_u32..64) {
            let number = number >> shift;
            prop_assert_eq!(with(|out| push_number(out, number)), number.to_string());
        }

        #[test]
        fn addresses_are_as_the_standard_library_writes_them(address: SocketAddr) {
            prop_assert_eq!(with(|out| push_address(out, address)), address.to_string());
            prop_assert_eq!(with(|out| push_ip(out, address.ip())), address.ip().to_string());
        }
    }
}
