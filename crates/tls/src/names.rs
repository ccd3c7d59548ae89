//! Names as people read them: distinguished names in the text form of RFC 4514, and a certificate's alternative names.

use std::fmt::Write;

use x509_parser::asn1_rs::{Any, Tag, ToDer};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// The subject of a DER certificate as RFC 4514 writes it; `None` where it is no certificate.
pub fn distinguished_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(name_text(certificate.subject()))
}

/// RFC 4514 §2: the last part first, `CN=www.example.com,O=Example\, Ltd.,C=GB`.
pub(crate) fn name_text(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in name.iter_rdn() {
        let values = part.iter().map(|attribute| {
            let oid = attribute.attr_type().to_id_string();
            match (keyword(&oid), value_text(attribute.attr_value())) {
                (Some(keyword), Some(text)) => format!("{keyword}={}", escaped(&text)),
                // §2.4: what has no short name is given by its encoding.
                (keyword, _) => format!("{}=#{}", keyword.unwrap_or(&oid), encoded(attribute.attr_value())),
            }
        });
        parts.push(values.collect::<Vec<_>>().join("+"));
    }
    parts.reverse();
    parts.join(",")
}

/// The first common name.
pub(crate) fn common_name(name: &X509Name<'_>) -> Option<String> {
    value_text(name.iter_common_name().next()?.attr_value())
}

/// RFC 4514 §3, and three more that certificates often have, by their registered LDAP names.
fn keyword(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

fn value_text(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            std::str::from_utf8(bytes).ok().map(str::to_owned)
        }
        // Latin-1 is what everybody means by it.
        Tag::TeletexString => Some(bytes.iter().map(|&byte| char::from(byte)).collect()),
        Tag::BmpString => {
            let units = bytes.chunks(2).map(|pair| match *pair {
                [high, low] => Some(u16::from_be_bytes([high, low])),
                _ => None,
            });
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}

/// RFC 4514 §2.4; control characters too, for the sake of terminals and logs.
fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (place, character) in text.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', character]),
            '#' if place == 0 => out.push_str("\\#"),
            ' ' if place == 0 || place == last => out.push_str("\\ "),
            _ if character.is_control() => {
                let mut buffer = [0; 4];
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    let _ = write!(out, "\\{byte:02X}");
                }
            }
            _ => out.push(character),
        }
    }
    out
}

fn encoded(value: &Any<'_>) -> String {
    hex(&value.to_der_vec().unwrap_or_default())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(entries: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["x".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in entries {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        params.custom_extensions = Vec::<CustomExtension>::new();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn text(value: &str) -> DnValue {
        DnValue::Utf8String(value.to_owned())
    }

    #[test]
    fn names_follow_rfc_4514() {
        let bmp = DnValue::BmpString("Zoë".try_into().unwrap());
        let custom = DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99999, 1]);
        for (entries, expected) in [
            (vec![], ""),
            (vec![(DnType::CountryName, text("GB")), (DnType::CommonName, text("alice"))], "CN=alice,C=GB"),
            (
                vec![(DnType::OrganizationName, text("A, B \"C\" <D>; E+F\\G"))],
                r#"O=A\, B \"C\" \<D\>\; E\+F\\G"#,
            ),
            (vec![(DnType::CommonName, text(" x "))], r"CN=\ x\ "),
            (vec![(DnType::CommonName, text(" "))], r"CN=\ "),
            (vec![(DnType::CommonName, text("#1#"))], r"CN=\#1#"),
            (vec![(DnType::CommonName, text("a\nb\u{9b}"))], r"CN=a\0Ab\C2\9B"),
            (vec![(DnType::CommonName, bmp)], "CN=Zoë"),
            (vec![(custom, text("x"))], "1.3.6.1.4.1.99999.1=#0c0178"),
        ] {
            assert_eq!(distinguished_name(&certificate(&entries)).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_name() {
        assert_eq!(distinguished_name(b""), None);
        assert_eq!(distinguished_name(b"0\x82\x01"), None);
    }
}
