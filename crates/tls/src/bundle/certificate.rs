//! One certificate of a bundle, as needed to build a chain and to diagnose it. Lives only while a bundle is read.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::der;
use crate::asn1::Signed;
use crate::fields::is_signed_by;
use crate::identity::name;
use crate::names;

/// A view on DER.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    pub(super) der: &'a [u8],
    pub(super) parsed: X509Certificate<'a>,
    /// RFC 5280 §4.2.1.1 and §4.2.1.2.
    issuer_key_id: Option<&'a [u8]>,
    key_id: Option<&'a [u8]>,
    is_ca: bool,
    path_length: Option<u32>,
    may_sign: bool,
}

/// The result of checking a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Good,
    Bad,
    /// The algorithm or key is unknown, or too weak to be accepted.
    Unchecked,
}

impl<'a> Certificate<'a> {
    /// `None` if this is not a certificate, or if bytes follow it.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let mut certificate = Self {
            der,
            parsed,
            issuer_key_id: None,
            key_id: None,
            is_ca: false,
            path_length: None,
            may_sign: true,
        };
        certificate.read_extensions();
        Some(certificate)
    }

    fn read_extensions(&mut self) {
        for extension in self.parsed.iter_extensions() {
            match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(authority) => {
                    self.issuer_key_id = authority.key_identifier.as_ref().map(|id| id.0);
                }
                ParsedExtension::SubjectKeyIdentifier(id) => self.key_id = Some(id.0),
                ParsedExtension::KeyUsage(usage) => self.may_sign = usage.key_cert_sign(),
                ParsedExtension::BasicConstraints(constraints) => {
                    self.is_ca = constraints.ca;
                    self.path_length = constraints.path_len_constraint.filter(|_| constraints.ca);
                }
                _ => {}
            }
        }
    }

    /// In the form of RFC 4514, truncated for messages.
    pub(super) fn subject(&self) -> String {
        shown(name_text(self.parsed.subject().as_raw()), self)
    }

    pub(super) fn issuer(&self) -> String {
        shown(name_text(self.parsed.issuer().as_raw()), self)
    }

    pub(super) fn raw_issuer(&self) -> &[u8] {
        self.parsed.issuer().as_raw()
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.parsed.subject().as_raw() == self.parsed.issuer().as_raw()
    }

    /// A root, or a leaf that is its own issuer. Clients do not check the signature of a root either, so one with an
    /// old algorithm is accepted.
    pub(super) fn is_self_signed(&self) -> bool {
        self.is_self_issued() && self.key_ids_agree(self) && self.signed_by(self) != Signature::Bad
    }

    pub(super) fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// Whether rustls accepts it as a leaf: it does not accept certificates before version 3.
    pub(super) fn is_served(&self) -> bool {
        webpki::EndEntityCert::try_from(&CertificateDer::from(self.der)).is_ok()
    }

    /// A CA whose key usage, if any, allows signing certificates.
    pub(super) fn may_issue(&self) -> bool {
        self.is_ca && self.may_sign
    }

    pub(super) fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    /// Whether both certify the same CA, possibly by different issuers.
    pub(super) fn is_same_holder(&self, other: &Self) -> bool {
        self.parsed.subject().as_raw() == other.parsed.subject().as_raw()
            && self.public_key() == other.public_key()
    }

    /// By name only.
    pub(super) fn names_issuer(&self, issuer: &Self) -> bool {
        self.raw_issuer() == issuer.parsed.subject().as_raw()
    }

    /// `false`: this issuer has the right name but another key than the one that signed.
    pub(super) fn key_ids_agree(&self, issuer: &Self) -> bool {
        match (self.issuer_key_id, issuer.key_id) {
            (Some(wanted), Some(present)) => wanted == present,
            _ => true,
        }
    }

    pub(super) fn issuer_key_id(&self) -> Option<String> {
        self.issuer_key_id.map(names::hex)
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn public_key(&self) -> &[u8] {
        self.parsed.public_key().raw
    }

    /// Seconds since 1970.
    pub(super) fn not_before(&self) -> u64 {
        self.parsed.validity().not_before.timestamp().try_into().unwrap_or(0)
    }

    pub(super) fn not_after(&self) -> u64 {
        self.parsed.validity().not_after.timestamp().try_into().unwrap_or(0)
    }

    pub(super) fn is_valid_at(&self, now: u64) -> bool {
        (self.not_before()..=self.not_after()).contains(&now)
    }

    /// The URL of the issuer's certificate (RFC 5280 §4.2.2.1, `caIssuers`). HTTP is preferred because users can fetch
    /// it.
    pub(super) fn issuer_url(&self) -> Option<&str> {
        let urls = self.parsed.iter_extensions().filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => Some(access),
            _ => None,
        });
        let urls = urls.flat_map(|access| access.iter()).filter_map(|description| {
            match &description.access_location {
                GeneralName::URI(url) if description.access_method.to_id_string() == CA_ISSUERS => Some(*url),
                _ => None,
            }
        });
        let urls: Vec<_> = urls
            .filter(|url| url.len() <= URL_BYTES_MAX && url.bytes().all(|byte| byte.is_ascii_graphic()))
            .collect();
        urls.iter().find(|url| url.starts_with("http")).or(urls.first()).copied()
    }

    pub(super) fn has_weak_signature(&self) -> bool {
        WEAK_SIGNATURES.contains(&self.parsed.signature_algorithm.algorithm.to_id_string().as_str())
    }

    /// `None`: not an RSA key.
    pub(super) fn rsa_bits(&self) -> Option<usize> {
        match self.parsed.public_key().parsed() {
            Ok(PublicKey::RSA(key)) => Some(der::integer_bits(key.modulus)),
            _ => None,
        }
    }

    pub(super) fn has_weak_key(&self) -> bool {
        self.rsa_bits().is_some_and(|bits| bits < RSA_BITS_MIN)
    }

    /// Such as `RSA 2048`, `ECDSA P-256`.
    pub(super) fn key_text(&self) -> String {
        if let Some(bits) = self.rsa_bits() {
            return format!("RSA {bits}");
        }
        let algorithm = &self.parsed.public_key().algorithm;
        let curve = algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        let curve = curve.map(|curve| curve.to_id_string());
        let known = match (algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => "ECDSA P-256",
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => "ECDSA P-384",
            ("1.2.840.10045.2.1", Some("1.3.132.0.35")) => "ECDSA P-521",
            ("1.2.840.10045.2.1", _) => "ECDSA on an unknown curve",
            ("1.3.101.112", _) => "Ed25519",
            _ => "unknown",
        };
        known.to_owned()
    }

    /// Hexadecimal digits.
    pub(super) fn serial(&self) -> String {
        let serial = self.parsed.raw_serial();
        let serial = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial);
        // limit: RFC 5280 allows 20 bytes.
        names::hex(serial.get(..40).unwrap_or(serial))
    }

    /// Checks the signature with `issuer`'s key, independent of the names.
    pub(super) fn signed_by(&self, issuer: &Self) -> Signature {
        let signed = match Signed::read(self.der) {
            Ok(signed) if !issuer.has_weak_key() => signed,
            _ => return Signature::Unchecked,
        };
        match is_signed_by(&signed, issuer.public_key(), webpki::ALL_VERIFICATION_ALGS) {
            Some(true) => Signature::Good,
            Some(false) => Signature::Bad,
            None => Signature::Unchecked,
        }
    }
}

fn name_text(name: &[u8]) -> String {
    name::for_people(der::sequence(name).unwrap_or_default())
}

/// A name for messages. A certificate without a name is identified by its serial number.
fn shown(name: String, certificate: &Certificate<'_>) -> String {
    if name.is_empty() {
        return format!("(no name, serial {})", certificate.serial());
    }
    if name.chars().count() <= NAME_LENGTH_MAX {
        return name;
    }
    name.chars().take(NAME_LENGTH_MAX).chain(['…']).collect()
}

/// `id-ad-caIssuers`.
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

/// RSA and ECDSA with MD2, MD5 and SHA-1, by RFC 8017, RFC 5758 and OIW.
const WEAK_SIGNATURES: [&str; 7] = [
    "1.2.840.113549.1.1.2",
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.3.14.3.2.29",
    "1.3.14.3.2.3",
    "1.2.840.10045.4.1",
    "1.2.840.10040.4.3",
];

/// The minimum that clients accept.
pub(super) const RSA_BITS_MIN: usize = 2048;

// limit: names and addresses are quoted in messages.
const NAME_LENGTH_MAX: usize = 300;
const URL_BYTES_MAX: usize = 500;
