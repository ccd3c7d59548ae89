//! As much of DER (X.690 §10) as finding the parts of a certificate or a key takes.

/// One element: tag, content, and what follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) rest: &'a [u8],
}

pub(super) fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (&[tag, first], after) = bytes.split_first_chunk::<2>()?;
    let (length, after) = if first < 0x80 {
        (usize::from(first), after)
    } else {
        let (digits, after) = after.split_at_checked(usize::from(first & 0x7f))?;
        // limit: lengths of four bytes; no file is larger.
        if !(1..=4).contains(&digits.len()) {
            return None;
        }
        (digits.iter().fold(0_usize, |length, &digit| length << 8 | usize::from(digit)), after)
    };
    let (content, rest) = after.split_at_checked(length)?;
    Some(Element { tag, content, rest })
}

/// The content of a sequence.
pub(super) fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    element(bytes).filter(|element| element.tag == SEQUENCE).map(|element| element.content)
}

/// What a file of binary data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Certificate,
    Key,
    EncryptedKey,
    Pkcs7,
    Pkcs12,
}

/// By the first elements; files that were cut are recognised too.
pub(super) fn form(bytes: &[u8]) -> Option<Form> {
    let content = start_of_sequence(bytes)?;
    if content.starts_with(SIGNED_DATA) {
        return Some(Form::Pkcs7);
    }
    // Version 3, then ContentInfo (RFC 7292 §4).
    if let Some(inside) = content.strip_prefix(&[INTEGER, 1, 3]) {
        return start_of_sequence(inside).filter(|inside| inside.starts_with(PKCS_7)).map(|_| Form::Pkcs12);
    }
    // PKCS#8, PKCS#1 and SEC1 begin with version 0 or 1.
    if let [INTEGER, 1, 0 | 1, ..] = content {
        return Some(Form::Key);
    }
    let inside = start_of_sequence(content)?;
    if inside.starts_with(PKCS_5) || inside.starts_with(PKCS_12) {
        return Some(Form::EncryptedKey);
    }
    // TBSCertificate: its version, or (version 1) the serial number.
    inside.first().filter(|&&tag| tag == CONTEXT_0 || tag == INTEGER).map(|_| Form::Certificate)
}

/// What follows the tag and length of a sequence, indefinite length (BER) included, however much of it is here.
fn start_of_sequence(bytes: &[u8]) -> Option<&[u8]> {
    let (&[tag, first], after) = bytes.split_first_chunk::<2>()?;
    let digits = if first > 0x80 { usize::from(first & 0x7f) } else { 0 };
    (tag == SEQUENCE).then_some(after)?.get(digits..)
}

/// The bits of an RSA key's modulus, in PKCS#1 or PKCS#8; `None` where it is no RSA key.
pub(super) fn rsa_key_bits(key: &[u8]) -> Option<usize> {
    let version = element(sequence(key)?)?;
    let next = element(version.rest)?;
    match next.tag {
        INTEGER => Some(integer_bits(next.content)),
        SEQUENCE if next.content.starts_with(RSA_ENCRYPTION) => rsa_key_bits(element(next.rest)?.content),
        _ => None,
    }
}

/// The bits of a modulus.
pub(super) fn integer_bits(bytes: &[u8]) -> usize {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let top = bytes.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (bytes.len() - zeros) * 8 - top
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const CONTEXT_0: u8 = 0xa0;

// Object identifiers with tag and length.
const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const PKCS_7: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
/// Below it: PBES1 and PBES2.
const PKCS_5: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05";
/// Below it: the password-based encryptions of PKCS#12.
const PKCS_12: &[u8] = b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c";
const RSA_ENCRYPTION: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_taken_apart() {
        let inner = element(b"\x30\x03\x02\x01\x05\xff").unwrap();
        assert_eq!((inner.tag, inner.content, inner.rest), (0x30, &b"\x02\x01\x05"[..], &b"\xff"[..]));
        let long = [&b"\x04\x82\x01\x00"[..], &[7; 256]].concat();
        assert_eq!(element(&long).unwrap().content.len(), 256);
        for bad in
            [&b""[..], b"\x30", b"\x30\x05a", b"\x30\x80", b"\x30\x85\0\0\0\0\0", b"\x30\x84\xff\xff\xff\xff"]
        {
            assert!(element(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn bits_are_counted() {
        for (bytes, bits) in [(&b""[..], 0), (b"\0", 0), (b"\x01", 1), (b"\0\x80\0", 16), (b"\x40\0", 15)] {
            assert_eq!(integer_bits(bytes), bits, "{bytes:?}");
        }
    }
}
