//! Distinguished names as text (RFC 4514), in ASCII only.

use std::fmt::Write;

use crate::asn1::{Element, Malformed, OBJECT_ID, Reader, SEQUENCE, SET};

/// The content of a name's `SEQUENCE` as text, in reverse order: `CN=alice,O=Example`.
pub(crate) fn rfc4514(name: &[u8]) -> Result<String, Malformed> {
    let mut parts = Vec::new();
    let mut reader = Reader::new(name);
    while !reader.is_empty() {
        let mut attributes = reader.expect(SET)?.reader();
        let mut part = String::new();
        while !attributes.is_empty() {
            if !part.is_empty() {
                part.push('+');
            }
            write_attribute(&mut part, attributes.expect(SEQUENCE)?.reader())?;
        }
        parts.push(part);
    }
    parts.reverse();
    Ok(parts.join(","))
}

/// For messages: says so if the name cannot be read.
pub(crate) fn for_people(name: &[u8]) -> String {
    rfc4514(name).unwrap_or_else(|Malformed| "(a name that cannot be read)".to_owned())
}

fn write_attribute(out: &mut String, mut attribute: Reader<'_>) -> Result<(), Malformed> {
    let id = attribute.expect(OBJECT_ID)?.content;
    let value = attribute.read()?;
    attribute.end()?;
    let known = SHORT_NAMES.iter().find(|(known, _)| *known == id);
    match (known, utf8(&value)) {
        (Some((_, short)), Some(text)) => {
            out.push_str(short);
            out.push('=');
            write_value(out, &text);
        }
        (known, _) => {
            match known {
                Some((_, short)) => out.push_str(short),
                None => out.push_str(&dotted(id)?),
            }
            // RFC 4514 §2.4: the encoding in hexadecimal, after a character that no text starts with.
            out.push_str("=#");
            for byte in value.whole {
                let _ = write!(out, "{byte:02X}");
            }
        }
    }
    Ok(())
}

/// The text of a string type as UTF-8, which may be invalid. `None`: not a string type.
fn utf8(value: &Element<'_>) -> Option<Vec<u8>> {
    match value.tag {
        UTF8_STRING | PRINTABLE_STRING | NUMERIC_STRING | IA5_STRING | VISIBLE_STRING => {
            Some(value.content.to_vec())
        }
        // Formally T.61; in practice ISO 8859-1.
        TELETEX_STRING => Some(value.content.iter().map(|&byte| char::from(byte)).collect::<String>().into()),
        BMP_STRING => {
            let (pairs, []) = value.content.as_chunks() else { return None };
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            char::decode_utf16(units).collect::<Result<String, _>>().ok().map(String::into_bytes)
        }
        UNIVERSAL_STRING => {
            let (units, []) = value.content.as_chunks() else { return None };
            let chars = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit)));
            chars.collect::<Option<String>>().map(String::into_bytes)
        }
        _ => None,
    }
}

fn write_value(out: &mut String, text: &[u8]) {
    for (index, &byte) in text.iter().enumerate() {
        let is_first = index == 0;
        let is_last = index + 1 == text.len();
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            // Not `\ `: trimming the header's value would remove the space and leave the backslash.
            b' ' if is_first || is_last => push_escaped(out, byte),
            b'#' if is_first => out.push_str("\\#"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => push_escaped(out, byte),
        }
    }
}

/// `\` and two hexadecimal digits.
pub(crate) fn push_escaped(out: &mut String, byte: u8) {
    let _ = write!(out, "\\{byte:02X}");
}

/// The content of an OBJECT IDENTIFIER as numbers with dots (X.690 §8.19).
pub(crate) fn dotted(id: &[u8]) -> Result<String, Malformed> {
    let mut text = String::new();
    let mut number: u64 = 0;
    for &byte in id {
        number = number.checked_mul(128).ok_or(Malformed)? | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if text.is_empty() {
            let first = (number / 40).min(2);
            let _ = write!(text, "{first}.{}", number - first * 40);
        } else {
            let _ = write!(text, ".{number}");
        }
        number = 0;
    }
    match id.last() {
        Some(last) if last & 0x80 == 0 => Ok(text),
        _ => Err(Malformed),
    }
}

/// RFC 4514 §3, and OpenSSL's names for other common attributes.
const SHORT_NAMES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 42], "GN"),
    (&[0x55, 4, 43], "initials"),
    (&[0x55, 4, 44], "generationQualifier"),
    (&[0x55, 4, 46], "dnQualifier"),
    (&[0x55, 4, 65], "pseudonym"),
    (&[0x55, 4, 97], "organizationIdentifier"),
];

const UTF8_STRING: u8 = 0x0c;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VISIBLE_STRING: u8 = 0x1a;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;
