//! Numbers, addresses and hostile bytes as text. Everything that is written is printable ASCII, so that neither a
//! line nor the terminal that shows it can be broken from outside.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

/// Appends the inside of a JSON string (RFC 8259 §7). Text beyond ASCII becomes `\u` escapes, which a parser turns
/// back; bytes that are no UTF-8 become U+FFFD.
pub(crate) fn push_json(out: &mut Vec<u8>, value: &[u8]) {
    let (value, cut) = bounded(value);
    let plain = plain_prefix(value);
    out.extend_from_slice(&value[..plain]);
    if plain < value.len() {
        push_json_slow(out, &value[plain..]);
    }
    out.extend_from_slice(cut);
}

/// Appends the inside of a quoted value: `\"`, `\\`, and `\xNN` for every byte that is not printable ASCII.
pub(crate) fn push_quoted(out: &mut Vec<u8>, value: &[u8]) {
    push_text(out, value, |byte| byte == b' ' || byte.is_ascii_graphic());
}

/// Appends a value that stands without quotes: as [`push_quoted`], and a space is `\x20`. An empty value is `-`.
pub(crate) fn push_token(out: &mut Vec<u8>, value: &[u8]) {
    if value.is_empty() {
        out.push(b'-');
    }
    push_text(out, value, |byte| byte.is_ascii_graphic());
}

pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends the last `width` (at most 9) digits, with leading zeros.
pub(crate) fn push_padded(out: &mut Vec<u8>, mut number: u32, width: usize) {
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[digits.len() - width.min(digits.len())..]);
}

pub(crate) fn push_ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (place, octet) in v4.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                push_number(out, u64::from(octet));
            }
        }
        // Writing into a `Vec` cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

pub(crate) fn push_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => {
            push_ip(out, IpAddr::V4(*v4.ip()));
            out.push(b':');
            push_number(out, u64::from(v4.port()));
        }
        SocketAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// The part of a value that is written, and what marks a cut.
fn bounded(value: &[u8]) -> (&[u8], &'static [u8]) {
    match value.get(..VALUE_BYTES_MAX) {
        Some(part) if part.len() < value.len() => (part, b"..."),
        _ => (value, b""),
    }
}

/// How many bytes from the start need no escape in JSON.
fn plain_prefix(value: &[u8]) -> usize {
    let mut words = value.chunks_exact(8);
    let mut plain = 0;
    for word in words.by_ref() {
        if !word.iter().fold(true, |all, &byte| all & is_plain(byte)) {
            break;
        }
        plain += 8;
    }
    plain + value[plain..].iter().take_while(|&&byte| is_plain(byte)).count()
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

fn push_text(out: &mut Vec<u8>, value: &[u8], allowed: impl Fn(u8) -> bool) {
    let (value, cut) = bounded(value);
    for &byte in value {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ if allowed(byte) => out.push(byte),
            _ => {
                out.extend_from_slice(b"\\x");
                push_hex(out, byte);
            }
        }
    }
    out.extend_from_slice(cut);
}

/// limit: of one value in a line; a longer one is cut and ends in `...`. Request lines may be 16 KiB by default, and
/// many collectors cut or split lines beyond that.
pub(crate) const VALUE_BYTES_MAX: usize = 8 * 1024;
