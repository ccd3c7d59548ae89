//! Recognises the kind of a binary file, and reads from keys and certificates what x509-parser does not provide.

use crate::asn1::{CONTEXT_0, INTEGER, Reader, SEQUENCE};

/// The content of the sequence at the start.
pub(super) fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    Reader::new(bytes).expect(SEQUENCE).ok().map(|element| element.content)
}

/// The kind of a binary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Certificate,
    Key,
    EncryptedKey,
    Pkcs7,
    Pkcs12,
}

/// Looks at the first elements only, so that truncated files are recognised too.
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

/// The bytes after the tag and length of a sequence, also with indefinite length (BER), even if they are truncated.
fn start_of_sequence(bytes: &[u8]) -> Option<&[u8]> {
    let (&[tag, first], after) = bytes.split_first_chunk::<2>()?;
    let digits = if first > 0x80 { usize::from(first & 0x7f) } else { 0 };
    (tag == SEQUENCE).then_some(after)?.get(digits..)
}

/// The size of an RSA key's modulus in bits, in PKCS#1 or PKCS#8; `None` if this is not an RSA key.
pub(super) fn rsa_key_bits(key: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(sequence(key)?);
    reader.read().ok()?;
    let next = reader.read().ok()?;
    match next.tag {
        INTEGER => Some(integer_bits(next.content)),
        SEQUENCE if next.content.starts_with(RSA_ENCRYPTION) => rsa_key_bits(reader.read().ok()?.content),
        _ => None,
    }
}

/// The number of bits of a modulus.
pub(super) fn integer_bits(bytes: &[u8]) -> usize {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let top = bytes.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (bytes.len() - zeros) * 8 - top
}

// Object identifiers with tag and length.
const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const PKCS_7: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
/// Prefix of PBES1 and PBES2.
const PKCS_5: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05";
/// Prefix of the password-based encryptions of PKCS#12.
const PKCS_12: &[u8] = b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c";
const RSA_ENCRYPTION: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted() {
        for (bytes, bits) in [(&b""[..], 0), (b"\0", 0), (b"\x01", 1), (b"\0\x80\0", 16), (b"\x40\0", 15)] {
            assert_eq!(integer_bits(bytes), bits, "{bytes:?}");
        }
    }
}
