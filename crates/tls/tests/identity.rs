//! The identity of a client (MT3) as text for headers, whatever the certificate contains.

#![allow(clippy::unwrap_used)]

mod authority;

use authority::Authority;
use model::{IdentityHeaders, IdentityPattern};
use proptest::prelude::*;
use rcgen::{CustomExtension, DistinguishedName, DnType, DnValue, SanType, SerialNumber};
use tls::{Identity, write_headers};

fn identity(root: &Authority, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Identity {
    Identity::of(&root.client_with("alice", 1, change).der()).unwrap()
}

fn named(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}

fn all_headers() -> IdentityHeaders {
    let name = |what: &str| Some(format!("X-Client-{what}"));
    IdentityHeaders {
        subject: name("Subject"),
        san: name("San"),
        serial: name("Serial"),
        fingerprint: name("Fingerprint"),
        certificate: name("Certificate"),
        verify: name("Verify"),
    }
}

fn headers(identity: Option<&Identity>) -> Vec<(String, String)> {
    let mut out = Vec::new();
    write_headers(identity, &all_headers(), &mut out);
    let text = String::from_utf8(out).unwrap();
    let lines = text.strip_suffix("\r\n").unwrap().split("\r\n");
    lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect()
}

#[test]
fn subjects_are_written_in_the_form_of_rfc_4514() {
    let root = Authority::root("root");
    let table: &[(&[(DnType, &str)], &str)] = &[
        (&[(DnType::OrganizationName, "Example"), (DnType::CommonName, "alice")], "CN=alice,O=Example"),
        (&[(DnType::CommonName, "Sue, Grabbit + Runn")], r"CN=Sue\, Grabbit \+ Runn"),
        (&[(DnType::CommonName, "a=b")], "CN=a=b"),
        (&[(DnType::CommonName, " #x ")], r"CN=\20#x\20"),
        (&[(DnType::CommonName, "#x")], r"CN=\#x"),
        (&[(DnType::CommonName, r#"<"\;>"#)], r#"CN=\<\"\\\;\>"#),
        (&[(DnType::CommonName, "Lučić")], r"CN=Lu\C4\8Di\C4\87"),
        (&[(DnType::CommonName, "a\r\nX-Admin: 1\0")], r"CN=a\0D\0AX-Admin: 1\00"),
        (&[(DnType::CustomDnType(vec![1, 3, 6, 1, 4]), "x")], "1.3.6.1.4=#0C0178"),
        (&[], ""),
    ];
    for (parts, expected) in table {
        let identity = identity(&root, |params| params.distinguished_name = named(parts));
        assert_eq!(identity.subject, *expected);
    }
    let other_strings = [
        (DnValue::BmpString("é".try_into().unwrap()), r"CN=\C3\A9"),
        (DnValue::TeletexString("x,y".try_into().unwrap()), r"CN=x\,y"),
        (DnValue::UniversalString("é".try_into().unwrap()), r"CN=\C3\A9"),
        (DnValue::Ia5String("a@b".try_into().unwrap()), "CN=a@b"),
    ];
    for (value, expected) in other_strings {
        let identity = identity(&root, |params| {
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, value);
        });
        assert_eq!(identity.subject, expected);
    }
}

#[test]
fn all_headers_are_written() {
    let root = Authority::root("root");
    let client = root.client_with("alice", 1, |params| {
        params.serial_number = Some(SerialNumber::from_slice(&[0xab, 0x0c, 1]));
        params.subject_alt_names = vec![
            SanType::DnsName("alice.example".try_into().unwrap()),
            SanType::Rfc822Name("alice@example.com".try_into().unwrap()),
            SanType::URI("spiffe://example/alice%20".try_into().unwrap()),
            SanType::IpAddress([192, 0, 2, 1].into()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
            SanType::OtherName((vec![1, 2, 3], rcgen::OtherNameValue::Utf8String("left out".to_owned()))),
        ];
    });
    let identity = Identity::of(&client.der()).unwrap();
    let lines = headers(Some(&identity));
    let value =
        |what: &str| lines.iter().find(|(name, _)| name == &format!("X-Client-{what}")).unwrap().1.as_str();
    assert_eq!(lines.len(), 6);
    assert_eq!(value("Subject"), "CN=alice");
    assert_eq!(
        value("San"),
        "DNS:alice.example, email:alice@example.com, URI:spiffe://example/alice%20, IP:192.0.2.1, IP:2001:db8::1"
    );
    assert_eq!(value("Serial"), "AB0C01");
    assert_eq!(value("Verify"), "SUCCESS");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &client.der());
    assert_eq!(identity.fingerprint, digest.as_ref());
    assert_eq!(value("Fingerprint").len(), 64);
    assert!(value("Fingerprint").bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    let pem = value("Certificate").replace("%0A", "\n").replace("%20", " ").replace("%2B", "+");
    let pem = pem.replace("%2F", "/").replace("%3D", "=");
    assert_eq!(pem, client.certificate.pem().replace("\r\n", "\n"));
}

#[test]
fn without_a_certificate_only_verify_is_written() {
    assert_eq!(headers(None), [("X-Client-Verify".to_owned(), "NONE".to_owned())]);
    let mut out = Vec::new();
    write_headers(None, &IdentityHeaders::default(), &mut out);
    assert!(out.is_empty());
}

#[test]
fn allow_lists_match_subjects_names_and_fingerprints() {
    let root = Authority::root("root");
    let alice = identity(&root, |params| {
        params.subject_alt_names = vec![
            SanType::DnsName("Alice.Example".try_into().unwrap()),
            SanType::Rfc822Name("alice@example.com".try_into().unwrap()),
        ];
    });
    let subject = |text: &str| IdentityPattern::Subject(text.to_owned());
    let san = |text: &str| IdentityPattern::San(text.to_owned());
    let table = [
        (vec![], true),
        (vec![subject("CN=alice")], true),
        (vec![subject("CN=Alice")], false),
        (vec![subject("CN=alic")], false),
        (vec![subject("CN=bob"), san("DNS:alice.example")], true),
        (vec![san("DNS:alice.example.")], false),
        (vec![san("email:alice@example.com")], true),
        (vec![san("email:Alice@example.com")], false),
        (vec![san("URI:alice@example.com")], false),
        (vec![IdentityPattern::Fingerprint(alice.fingerprint)], true),
        (vec![IdentityPattern::Fingerprint([0; 32])], false),
    ];
    for (patterns, expected) in table {
        assert_eq!(alice.matches(&patterns), expected, "{patterns:?}");
    }
}

/// A subject alternative name of any kind and bytes.
fn raw_san(names: &[(u8, Vec<u8>)]) -> CustomExtension {
    let mut content = Vec::new();
    for (tag, bytes) in names {
        content.extend([*tag, u8::try_from(bytes.len()).unwrap()]);
        content.extend_from_slice(bytes);
    }
    let mut value = vec![0x30, 0x82];
    value.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    if content.len() < 0x80 {
        value = vec![0x30, content.len() as u8];
    } else if content.len() < 0x100 {
        value = vec![0x30, 0x81, content.len() as u8];
    }
    value.extend(content);
    CustomExtension::from_oid_content(&[2, 5, 29, 17], value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_in_a_certificate_gets_out_of_its_header(
        common in any::<String>(),
        unit in "[ -~\r\n\0,+\"\\\\;<>#=]{0,12}",
        names in prop::collection::vec((prop::sample::select(vec![0x81u8, 0x82, 0x86]), prop::collection::vec(any::<u8>(), 0..20)), 0..5),
    ) {
        let root = Authority::root("root");
        let identity = identity(&root, |params| {
            params.distinguished_name = named(&[(DnType::OrganizationalUnitName, &unit), (DnType::CommonName, &common)]);
            params.custom_extensions = vec![raw_san(&names)];
        });
        let lines = headers(Some(&identity));
        prop_assert_eq!(lines.len(), 6);
        for (name, value) in &lines {
            prop_assert!(name.starts_with("X-Client-"));
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{}", value);
            prop_assert_eq!(value.trim(), value);
        }
        // Joined and split again the names are unchanged, and each contains one name.
        prop_assert_eq!(identity.sans.len(), names.len());
        if !names.is_empty() {
            let joined = identity.sans.join(", ");
            prop_assert_eq!(joined.split(", ").collect::<Vec<_>>(), identity.sans.iter().collect::<Vec<_>>());
        }
        for (san, (_, bytes)) in identity.sans.iter().zip(&names) {
            prop_assert_eq!(&unescaped(san.split_once(':').unwrap().1), bytes);
        }
        // Two parts, whatever they contain.
        let commas = identity.subject.replace("\\\\", "").replace("\\,", "");
        prop_assert_eq!(commas.matches(',').count(), 1, "{}", identity.subject);
        let common_value = identity.subject.strip_prefix("CN=").unwrap();
        prop_assert!(unescaped(common_value).starts_with(common.as_bytes()));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let _ = Identity::of(&bytes.clone().into());
        let mut der = Authority::root("root").der().to_vec();
        let at = at.index(der.len());
        for (index, byte) in bytes.iter().take(8).enumerate() {
            if let Some(place) = der.get_mut(at + index) {
                *place = *byte;
            }
        }
        if let Ok(identity) = Identity::of(&der.into()) {
            prop_assert_eq!(headers(Some(&identity)).len(), 6);
        }
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let pair = pair.filter(|pair| first == b'\\' && pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let hex = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (first, hex) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'\\', None) => {
                bytes.push(after[0]);
                rest = &after[1..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}
