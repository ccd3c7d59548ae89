//! A certificate factory: authorities, the certificates they issue, and the ones they revoke.
//!
//! Nothing is read from disk and nothing is fixed: each scenario generates its keys, and validity periods are
//! relative to today.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RevokedCertParams, RsaKeySize, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::wait::unix_seconds;

/// A certificate authority: a root, or an intermediate issued by another authority.
#[derive(Debug)]
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: CertificateDer<'static>,
    /// The intermediates above this authority, nearest first, without the root.
    above: Vec<CertificateDer<'static>>,
    is_root: bool,
}

/// A certificate that is not issued yet.
#[derive(Debug)]
pub struct Draft<'a> {
    issuer: &'a Authority,
    params: CertificateParams,
    is_rsa: bool,
    is_self_signed: bool,
}

/// A certificate of a server or a client, with its chain and its key.
#[derive(Debug)]
pub struct Leaf {
    params: CertificateParams,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    serial: SerialNumber,
}

impl Authority {
    /// Creates a root with this common name.
    pub fn new(name: &str) -> Self {
        Self::valid(name, -365, 3650)
    }

    /// A root that is valid from and until this many days from now.
    pub fn valid(name: &str, from: i64, to: i64) -> Self {
        let (mut params, key) = authority(name);
        set_validity(&mut params, from, to);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { params, key, certificate, above: Vec::new(), is_root: true }
    }

    /// Issues an intermediate authority.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        let (mut params, key) = authority(name);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer()).unwrap().der().clone();
        Self { params, key, certificate, above: self.served(), is_root: false }
    }

    /// A server certificate for these names and addresses; the first is also its common name. If empty, it is
    /// for `localhost` and `127.0.0.1`.
    pub fn leaf(&self, names: &[&str]) -> Draft<'_> {
        let names = if names.is_empty() { &["localhost", "127.0.0.1"] } else { names };
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())
            .expect("names of hosts or addresses");
        set_validity(&mut params, -1, 90);
        params.serial_number = Some(next_serial());
        params.use_authority_key_identifier_extension = true;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Draft { issuer: self, params, is_rsa: false, is_self_signed: false }.common_name(names[0])
    }

    /// A client certificate with this common name.
    pub fn client(&self, name: &str) -> Draft<'_> {
        let mut draft = self.leaf(&[]).common_name(name).for_clients();
        draft.params.subject_alt_names.clear();
        draft
    }

    /// A CRL, as PEM, that revokes these certificates. Its next update is due in a day.
    pub fn crl(&self, revoked: &[&Leaf]) -> String {
        self.crl_due(revoked, 1)
    }

    /// Like [`Self::crl`]. The next update is due in this many days; if negative, it was due in the past.
    pub fn crl_due(&self, revoked: &[&Leaf], due: i64) -> String {
        let revoked = revoked.iter().map(|leaf| leaf.serial.clone());
        self.crl_of_serials(revoked.collect(), due)
    }

    fn crl_of_serials(&self, serials: Vec<SerialNumber>, due: i64) -> String {
        let revoked = |serial_number| RevokedCertParams {
            serial_number,
            revocation_time: date_time_ymd(1970, 1, 1) + after_epoch(-1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(1970, 1, 1) + after_epoch(due - 30),
            next_update: date_time_ymd(1970, 1, 1) + after_epoch(due),
            crl_number: next_serial(),
            issuing_distribution_point: None,
            revoked_certs: serials.into_iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer()).unwrap().pem().unwrap()
    }

    /// The authority's own certificate, as PEM.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// The authority certificates that a server sends: this one and those above, without the root.
    fn served(&self) -> Vec<CertificateDer<'static>> {
        let own = (!self.is_root).then(|| self.certificate.clone());
        own.into_iter().chain(self.above.iter().cloned()).collect()
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

impl Draft<'_> {
    #[must_use]
    pub fn common_name(mut self, name: &str) -> Self {
        self.params.distinguished_name = rcgen::DistinguishedName::new();
        self.params.distinguished_name.push(DnType::CommonName, name);
        self
    }

    /// Follows the common name: RFC 4514 writes `CN=…,O=…` in the reverse order.
    #[must_use]
    pub fn organization(mut self, name: &str) -> Self {
        self.params.distinguished_name.push(DnType::OrganizationName, name);
        self
    }

    /// A subject alternative name: an e-mail address.
    #[must_use]
    pub fn email(mut self, address: &str) -> Self {
        self.params.subject_alt_names.push(SanType::Rfc822Name(address.try_into().unwrap()));
        self
    }

    /// A subject alternative name: a URI.
    #[must_use]
    pub fn uri(mut self, uri: &str) -> Self {
        self.params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        self
    }

    /// A subject alternative name: a host name.
    #[must_use]
    pub fn dns(mut self, name: &str) -> Self {
        self.params.subject_alt_names.push(SanType::DnsName(name.try_into().unwrap()));
        self
    }

    /// For clients only, not for servers.
    #[must_use]
    pub fn for_clients(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self
    }

    #[must_use]
    pub fn serial(mut self, serial: u64) -> Self {
        self.params.serial_number = Some(serial_number(serial));
        self
    }

    /// Expired yesterday.
    #[must_use]
    pub fn expired(self) -> Self {
        self.valid(-30, -1)
    }

    /// Valid from tomorrow.
    #[must_use]
    pub fn not_yet_valid(self) -> Self {
        self.valid(1, 30)
    }

    /// Valid from and until this many days from now.
    #[must_use]
    pub fn valid(mut self, from: i64, to: i64) -> Self {
        set_validity(&mut self.params, from, to);
        self
    }

    /// Expires this soon.
    #[must_use]
    pub fn ends_within(mut self, rest: Duration) -> Self {
        self.params.not_after = date_time_ymd(1970, 1, 1) + (Duration::from_secs(unix_seconds()) + rest);
        self
    }

    /// Its own issuer, and marked as a CA, as `openssl req -x509` makes certificates.
    #[must_use]
    pub fn self_signed(mut self) -> Self {
        self.is_self_signed = true;
        self.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self
    }

    /// Its own issuer, without being marked as a CA.
    #[must_use]
    pub fn self_signed_leaf(mut self) -> Self {
        self.is_self_signed = true;
        self
    }

    /// Uses an RSA key instead of P-256.
    #[must_use]
    pub fn rsa(mut self) -> Self {
        self.is_rsa = true;
        self
    }

    pub fn issue(self) -> Leaf {
        let key = if self.is_rsa {
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
        } else {
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        };
        let key = key.unwrap();
        if self.is_self_signed {
            let chain = vec![self.params.self_signed(&key).unwrap().der().clone()];
            return Leaf::new(self.params, chain, key);
        }
        let own = self.params.signed_by(&key, &self.issuer.issuer()).unwrap().der().clone();
        let chain = std::iter::once(own).chain(self.issuer.served()).collect();
        Leaf::new(self.params, chain, key)
    }
}

impl Leaf {
    fn new(params: CertificateParams, chain: Vec<CertificateDer<'static>>, key: KeyPair) -> Self {
        let serial = params.serial_number.clone().unwrap();
        Self { params, chain, key, serial }
    }

    /// Signs certificates with its key, whether it may or not.
    pub fn issuer(&self) -> Authority {
        Authority {
            params: self.params.clone(),
            key: KeyPair::try_from(self.key.serialize_der()).unwrap(),
            certificate: self.chain[0].clone(),
            above: self.chain[1..].to_vec(),
            is_root: self.chain.len() == 1,
        }
    }

    /// The chain, leaf first, without the root.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Chain and key as one PEM file.
    pub fn pem(&self) -> String {
        self.chain_pem() + &self.key_pem()
    }

    /// SHA-256 of the certificate, in lower-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        hex(digest(&SHA256, &self.chain[0]).as_ref())
    }

    /// The serial number in lower-case hexadecimal.
    pub fn serial(&self) -> String {
        hex(&self.serial.to_bytes())
    }
}

/// Encodes DER as PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text += &String::from_utf8_lossy(line);
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    set_validity(&mut params, -365, 3650);
    params.serial_number = Some(next_serial());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    (params, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
}

fn set_validity(params: &mut CertificateParams, from: i64, to: i64) {
    params.not_before = date_time_ymd(1970, 1, 1) + after_epoch(from);
    params.not_after = date_time_ymd(1970, 1, 1) + after_epoch(to);
}

fn next_serial() -> SerialNumber {
    static NEXT: AtomicU64 = AtomicU64::new(0x4000_0000_0000_0001);
    serial_number(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Encodes the number as X.690 §8.3.2 requires: without leading zero bytes.
fn serial_number(serial: u64) -> SerialNumber {
    let bytes = serial.to_be_bytes();
    let first = bytes.iter().position(|&byte| byte != 0).unwrap_or(7);
    SerialNumber::from_slice(&bytes[first..])
}

/// A date this many days from now, as the time since 1970.
fn after_epoch(days: i64) -> Duration {
    Duration::from_secs(unix_seconds().saturating_add_signed(days * 86_400))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_leaf_first_and_without_its_root() {
        let root = Authority::new("Root");
        let lower = root.intermediate("Upper").intermediate("Lower");
        let leaf = lower.leaf(&["a.example"]).serial(0x80).issue();
        assert_eq!(leaf.chain().len(), 3);
        assert_eq!(leaf.chain()[1], lower.der());
        assert!(!leaf.chain().contains(&root.der()));
        assert_eq!((leaf.serial().as_str(), leaf.fingerprint().len()), ("80", 64));
    }

    #[test]
    fn pem_has_lines_of_64() {
        let text = pem("X", &[0; 50]);
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [17, 64, 4, 15]);
    }
}
