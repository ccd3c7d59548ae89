//! Certificates for tests: CAs and leaves in one line each, and their files.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// 2026-07-01.
pub(crate) const NOW: u64 = 1_782_864_000;

/// A holder of a key and a certificate, which may issue others.
pub(crate) type Holder = CertifiedIssuer<'static, KeyPair>;

/// Valid from 2026-01-01 until 2027-01-01.
pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

pub(crate) fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn leaf_params(host: &str) -> CertificateParams {
    let mut params = params(host);
    params.subject_alt_names = vec![rcgen::SanType::DnsName(host.try_into().unwrap())];
    params
}

pub(crate) fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

pub(crate) fn root(name: &str) -> Holder {
    Holder::self_signed(ca_params(name), key()).unwrap()
}

pub(crate) fn ca(name: &str, issuer: &Holder) -> Holder {
    issued(ca_params(name), issuer)
}

pub(crate) fn leaf(host: &str, issuer: &Holder) -> Holder {
    issued(leaf_params(host), issuer)
}

pub(crate) fn issued(params: CertificateParams, issuer: &Holder) -> Holder {
    Holder::signed_by(params, key(), issuer).unwrap()
}

/// Authority information access with one `caIssuers` URL (RFC 5280 §4.2.2.1).
pub(crate) fn issuer_url(url: &str) -> CustomExtension {
    let tlv = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 128);
        [&[tag, length], content].concat()
    };
    let method = tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 0x30, 2]);
    let description = tlv(0x30, &[method, tlv(0x86, url.as_bytes())].concat());
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], tlv(0x30, &description))
}

/// Leaf, four intermediates, root: six certificates in the order of issue.
pub(crate) fn six() -> Vec<Holder> {
    let mut chain = vec![root("Root")];
    for number in 1..=4 {
        let below = ca(&format!("Intermediate {number}"), chain.last().unwrap());
        chain.push(below);
    }
    let leaf = leaf("www.example.com", chain.last().unwrap());
    chain.push(leaf);
    chain.reverse();
    chain
}

/// PEM of all certificates, one after the other.
pub(crate) fn pem(holders: &[&Holder]) -> String {
    holders.iter().map(|holder| holder.pem()).collect()
}

/// The same, with the key of the first one.
pub(crate) fn pem_with_key(holders: &[&Holder]) -> String {
    pem(holders) + &holders[0].key().serialize_pem()
}

/// A random number generator for tests (SplitMix64).
#[derive(Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Base64 in lines of 64 digits, as PEM has it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let lines: Vec<_> = bytes.chunks(48).map(|line| STANDARD.encode(line)).collect();
    lines.join("\n")
}
