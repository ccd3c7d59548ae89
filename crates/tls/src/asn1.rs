//! A reader for the part of DER that CRLs and distinguished names need (X.690 §10). It walks over borrowed bytes
//! without allocating or recursing, so that deep nesting costs nothing; a length beyond the end of the bytes is an
//! error.
//!
//! Certificates are read by webpki and x509-parser. CRLs are not: x509-parser builds a structure for each entry,
//! several times the size of the file for a list of a million entries, while a set of serial numbers needs twenty bytes
//! for each. It also skips parts that it does not know, and an unknown part can limit the certificates that a list
//! covers.

use x509_parser::prelude::{ASN1Time, FromDer};

/// The bytes are not DER, or not the expected DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One value: its tag, its content, and the bytes of the whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// The rest of a sequence of values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn read(&mut self) -> Result<Element<'a>, Malformed> {
        let (head, length) = head(self.rest)?;
        let end = head.checked_add(length).ok_or(Malformed)?;
        let whole = self.rest.get(..end).ok_or(Malformed)?;
        self.rest = &self.rest[end..];
        Ok(Element { tag: whole[0], content: &whole[head..], whole })
    }

    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        if self.rest.first() == Some(&tag) { self.read() } else { Err(Malformed) }
    }

    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.rest.first() == Some(&tag) { self.read().map(Some) } else { Ok(None) }
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

impl<'a> Element<'a> {
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader::new(self.content)
    }
}

/// The length of the header (tag and length), and the length of the content.
fn head(bytes: &[u8]) -> Result<(usize, usize), Malformed> {
    let (&tag, &first) = (bytes.first().ok_or(Malformed)?, bytes.get(1).ok_or(Malformed)?);
    if tag & TAG_NUMBER == TAG_NUMBER {
        // Neither certificates nor CRLs contain tags of several bytes.
        return Err(Malformed);
    }
    if first < 0x80 {
        return Ok((2, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > LENGTH_BYTES_MAX {
        return Err(Malformed);
    }
    let digits = bytes.get(2..2 + count).ok_or(Malformed)?;
    let length = digits.iter().fold(0usize, |sum, &digit| sum << 8 | usize::from(digit));
    // DER requires the shortest form of a length.
    if digits[0] == 0 || length < 0x80 {
        return Err(Malformed);
    }
    Ok((2 + count, length))
}

/// An extension of a CRL or of one of its entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) is_critical: bool,
    pub(crate) value: &'a [u8],
}

/// Calls `visit` for every extension in the content of a `SEQUENCE OF Extension`.
pub(crate) fn each_extension<'a, E: From<Malformed>>(
    extensions: &'a [u8],
    mut visit: impl FnMut(Extension<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut list = Reader::new(extensions);
    while !list.is_empty() {
        let mut extension = list.expect(SEQUENCE)?.reader();
        let id = extension.expect(OBJECT_ID)?.content;
        let is_critical = extension.optional(BOOLEAN)?.is_some_and(|flag| flag.content != [0]);
        let value = extension.expect(OCTET_STRING)?.content;
        extension.end()?;
        visit(Extension { id, is_critical, value })?;
    }
    Ok(())
}

/// The outer form of certificates and CRLs: the signed part, the algorithm and the signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    /// The signed part, with its tag.
    pub(crate) message: Element<'a>,
    /// The content of the algorithm identifier.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(der);
        let mut parts = outer.expect(SEQUENCE)?.reader();
        outer.end()?;
        let message = parts.expect(SEQUENCE)?;
        let algorithm = parts.expect(SEQUENCE)?.content;
        let bits = parts.expect(BIT_STRING)?.content;
        parts.end()?;
        // A signature has no unused bits in its last byte.
        let signature = bits.strip_prefix(&[0]).ok_or(Malformed)?;
        Ok(Self { message, algorithm, signature })
    }
}

/// UTCTime and GeneralizedTime in the one form that RFC 5280 §4.1.2.5 allows, in seconds since 1970. `ASN1Time` takes
/// more forms (offsets, no seconds, fractions), which are refused here.
pub(crate) fn seconds(time: &Element<'_>) -> Result<i64, Malformed> {
    let digits = match (time.tag, time.content) {
        (UTC_TIME, [digits @ .., b'Z']) if digits.len() == "YYMMDDHHMMSS".len() => digits,
        (GENERALIZED_TIME, [digits @ .., b'Z']) if digits.len() == "YYYYMMDDHHMMSS".len() => digits,
        _ => return Err(Malformed),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    let (_, time) = ASN1Time::from_der(time.whole).map_err(|_| Malformed)?;
    Ok(time.timestamp())
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_ID: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, holding other values.
pub(crate) const CONTEXT_0: u8 = 0xa0;

const TAG_NUMBER: u8 = 0x1f;
/// limit: 4 GiB, more than any file that is read.
const LENGTH_BYTES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal_and_within_the_input() {
        let good: &[(&[u8], &[u8])] = &[(&[4, 0], &[]), (&[4, 2, 7, 8], &[7, 8])];
        for (bytes, content) in good {
            assert_eq!(Reader::new(bytes).read().map(|element| element.content), Ok(*content));
        }
        let bad: &[&[u8]] = &[
            &[],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x81, 1, 7],
            &[4, 0x82, 0, 0x80],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[4, 0x88, 0, 0, 1, 0, 0, 0, 0, 0],
            &[0x1f, 0x81, 1, 0],
        ];
        for bytes in bad {
            assert!(Reader::new(bytes).read().is_err(), "{bytes:x?}");
        }
        let long = [&[4, 0x81, 0x80][..], &[9; 128]].concat();
        assert_eq!(Reader::new(&long).read().map(|element| element.content.len()), Ok(128));
    }

    #[test]
    fn times_are_seconds_since_1970() {
        let table: &[(u8, &str, Option<i64>)] = &[
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "000229120000Z", Some(951_825_600)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "500101000000Z", Some(-631_152_000)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (GENERALIZED_TIME, "20261128090115Z", Some(1_795_856_475)),
            (UTC_TIME, "701301000000Z", None),
            (UTC_TIME, "700230000000Z", None),
            (UTC_TIME, "700101000060Z", None),
            (GENERALIZED_TIME, "2026112809.123Z", None),
            (UTC_TIME, "700100000000Z", None),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "700101000000+0100", None),
            (UTC_TIME, "70010100000", None),
            (INTEGER, "700101000000Z", None),
        ];
        for &(tag, text, expected) in table {
            let content = text.as_bytes();
            let whole = [&[tag, content.len() as u8], content].concat();
            assert_eq!(seconds(&Element { tag, content, whole: &whole }).ok(), expected, "{text}");
        }
    }
}
