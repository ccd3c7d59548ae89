//! Writes HTTP/1: chunks, numbers, and fields that are copied unchanged.

use super::{Field, token};

/// Appends the size line of a chunk (RFC 9112 §7.1). The caller appends the data and a CRLF. A chunk of 0 bytes would
/// end the body, so nothing is written for it.
#[inline]
pub fn write_chunk_head(out: &mut Vec<u8>, len: u64) {
    if len == 0 {
        return;
    }
    let mut text = [0; 18];
    let digits = (67 - len.leading_zeros() as usize) / 4;
    for (place, byte) in text[..digits].iter_mut().enumerate() {
        let shift = 4 * (digits - 1 - place);
        *byte = HEX[(len >> shift) as usize & 15];
    }
    text[digits] = b'\r';
    text[digits + 1] = b'\n';
    out.extend_from_slice(&text[..digits + 2]);
}

/// Appends the last chunk, the trailers (lines with CRLF, or nothing) and the end of the body.
pub fn write_last_chunk(out: &mut Vec<u8>, trailers: &[u8]) {
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(trailers);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number in decimal.
#[inline]
pub fn write_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut text = [0; 20];
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[start..]);
}

/// Whether the length is spelt as we write it. Leading zeros mean octal to some readers.
#[inline]
pub fn is_plain_length(value: &[u8]) -> bool {
    !matches!(value, [b'0', _, ..])
}

/// Appends a field for a length that is not spelt so.
#[cold]
pub fn write_length(out: &mut Vec<u8>, value: &[u8]) {
    if let Some(length) = token::number(value) {
        out.extend_from_slice(b"Content-Length: ");
        write_decimal(out, length);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a status, 100 to 599.
#[inline]
pub fn write_status(out: &mut Vec<u8>, status: u16) {
    let digits = [status / 100, status / 10 % 10, status % 10];
    out.extend_from_slice(&digits.map(|digit| b'0' + (digit % 10) as u8));
}

/// Appends an IPv4 address.
pub fn write_ipv4(out: &mut Vec<u8>, octets: [u8; 4]) {
    // Assembled on the stack, each octet overwriting the end of the one before: every request has such an address.
    let mut text = [0; 16];
    let mut end = 0;
    for octet in octets {
        text[end..end + 4].copy_from_slice(&OCTETS[usize::from(octet)]);
        end += 2 + usize::from(octet > 9) + usize::from(octet > 99);
    }
    out.extend_from_slice(&text[..end - 1]);
}

/// Appends the lines of the fields that `keep` accepts, in the sender's spelling and order. Lines that are adjacent in
/// `buf` are copied at once.
pub fn copy_fields(out: &mut Vec<u8>, buf: &[u8], fields: &[Field], mut keep: impl FnMut(&Field) -> bool) {
    let mut run = super::Span::default();
    for field in fields {
        if !keep(field) {
            continue;
        }
        if field.line.start == run.end {
            run.end = field.line.end;
        } else {
            out.extend_from_slice(run.of(buf));
            run = field.line;
        }
    }
    out.extend_from_slice(run.of(buf));
}

/// Octets in decimal, each followed by a dot.
static OCTETS: [[u8; 4]; 256] = {
    let mut octets = [[b'.'; 4]; 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let (mut from, mut to) = (2 - (octet > 9) as usize - (octet > 99) as usize, 0);
        while from < 3 {
            octets[octet][to] = b'0' + digits[from] as u8;
            (from, to) = (from + 1, to + 1);
        }
        octet += 1;
    }
    octets
};

static HEX: [u8; 16] = *b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http1::{Known, Span};

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = b"|".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_chunk_head_is_hexadecimal() {
        for (len, text) in [
            (0, "|"),
            (1, "|1\r\n"),
            (15, "|f\r\n"),
            (16, "|10\r\n"),
            (0xabc, "|abc\r\n"),
            (0x10000, "|10000\r\n"),
            (u64::MAX, "|ffffffffffffffff\r\n"),
        ] {
            assert_eq!(written(|out| write_chunk_head(out, len)), text);
        }
    }

    #[test]
    fn the_last_chunk_carries_the_trailers() {
        assert_eq!(written(|out| write_last_chunk(out, b"")), "|0\r\n\r\n");
        assert_eq!(written(|out| write_last_chunk(out, b"a: b\r\n")), "|0\r\na: b\r\n\r\n");
    }

    #[test]
    fn a_length_is_written_without_leading_zeros() {
        for (value, is_plain, text) in [
            ("0", true, "|Content-Length: 0\r\n"),
            ("10", true, "|Content-Length: 10\r\n"),
            ("00", false, "|Content-Length: 0\r\n"),
            ("010", false, "|Content-Length: 10\r\n"),
        ] {
            assert_eq!(is_plain_length(value.as_bytes()), is_plain, "{value}");
            assert_eq!(written(|out| write_length(out, value.as_bytes())), text);
        }
    }

    #[test]
    fn kept_fields_are_copied_in_order() {
        let buf = b"GET\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\n\r\n";
        let fields: Vec<Field> = (0..4)
            .map(|place| Field {
                line: Span { start: 5 + 5 * place, end: 10 + 5 * place },
                name: Span { start: 5 + 5 * place, end: 6 + 5 * place },
                value: Span::default(),
                known: Known::Other,
                alias: false,
                named_by_connection: false,
            })
            .collect();
        for (kept, text) in [
            ("ABCD", "|A:1\r\nB:2\r\nC:3\r\nD:4\r\n"),
            ("ABD", "|A:1\r\nB:2\r\nD:4\r\n"),
            ("BC", "|B:2\r\nC:3\r\n"),
            ("AD", "|A:1\r\nD:4\r\n"),
            ("", "|"),
        ] {
            let keep = |field: &Field| kept.as_bytes().contains(&field.name.of(buf)[0]);
            assert_eq!(written(|out| copy_fields(out, buf, &fields, keep)), text);
        }
    }

    #[test]
    fn a_status_has_three_digits() {
        for status in 100..600 {
            assert_eq!(written(|out| write_status(out, status)), format!("|{status}"));
        }
    }

    proptest! {
        #[test]
        fn addresses_are_written_as_the_standard_library_does(octets: [u8; 4]) {
            let expected = format!("|{}", std::net::Ipv4Addr::from(octets));
            prop_assert_eq!(written(|out| write_ipv4(out, octets)), expected);
        }

        #[test]
        fn numbers_are_written_as_the_standard_library_does(number: u64, bits in 0u32..64) {
            let number = number >> bits;
            prop_assert_eq!(written(|out| write_decimal(out, number)), format!("|{number}"));
            if number > 0 {
                prop_assert_eq!(written(|out| write_chunk_head(out, number)), format!("|{number:x}\r\n"));
            }
        }
    }
}
