//! A certificate authority for tests: roots, intermediates, clients and CRLs, in a world whose time is always `NOW`.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic, reason = "every test uses a part")]

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{ClientAuth, ExpiredCrl, IdentityHeaders, Place};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use tls::ClientPolicy;
use tls::client_auth::Problem;

/// 2026-11-28.
pub const NOW: u64 = 1_795_856_475;

pub struct Authority {
    pub certificate: Certificate,
    pub params: CertificateParams,
    pub key: KeyPair,
}

pub struct Client {
    pub certificate: Certificate,
    pub key: KeyPair,
}

impl Client {
    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }
}

impl Authority {
    pub fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    pub fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority_params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, params, key }
    }

    pub fn intermediate(&self, name: &str, serial: u8) -> Self {
        let mut params = authority_params(name);
        params.serial_number = Some(SerialNumber::from_slice(&[serial]));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer()).unwrap();
        Self { certificate, params, key }
    }

    pub fn client(&self, name: &str, serial: u8) -> Client {
        self.client_with(name, serial, |_| {})
    }

    pub fn client_with(&self, name: &str, serial: u8, change: impl FnOnce(&mut CertificateParams)) -> Client {
        let mut params = named(name);
        params.serial_number = Some(SerialNumber::from_slice(&[serial]));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer()).unwrap();
        Client { certificate, key }
    }

    pub fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    pub fn crl(&self, serials: &[u8]) -> Vec<u8> {
        self.crl_with(serials, |_| {})
    }

    /// DER.
    pub fn crl_with(
        &self,
        serials: &[u8],
        change: impl FnOnce(&mut CertificateRevocationListParams),
    ) -> Vec<u8> {
        let mut params = crl_params(serials.iter().map(|&serial| SerialNumber::from_slice(&[serial])));
        change(&mut params);
        params.signed_by(&self.issuer()).unwrap().der().to_vec()
    }
}

pub fn crl_params(serials: impl Iterator<Item = SerialNumber>) -> CertificateRevocationListParams {
    let revoked = serials.map(|serial_number| RevokedCertParams {
        serial_number,
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 11, 1),
        next_update: date_time_ymd(2027, 1, 1),
        crl_number: SerialNumber::from_slice(&[1]),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Files by name, and the settings of a listener.
pub struct Setup {
    pub files: HashMap<PathBuf, Vec<u8>>,
    pub auth: ClientAuth,
}

impl Setup {
    pub fn new(authorities: &[&Authority]) -> Self {
        let bundle: String = authorities.iter().map(|authority| authority.certificate.pem()).collect();
        let auth = ClientAuth {
            is_required: true,
            ca: "ca.pem".into(),
            crl: Vec::new(),
            depth: 1,
            expired_crl: ExpiredCrl::Fail,
            closes_revoked: false,
            allow: Vec::new(),
            headers: IdentityHeaders::default(),
            place: Place::default(),
        };
        Self { files: HashMap::from([("ca.pem".into(), bundle.into_bytes())]), auth }
    }

    pub fn crl(mut self, bytes: Vec<u8>) -> Self {
        let path = PathBuf::from(format!("{}.crl", self.auth.crl.len()));
        self.auth.crl.push(path.clone());
        self.files.insert(path, bytes);
        self
    }

    pub fn change(mut self, change: impl FnOnce(&mut ClientAuth)) -> Self {
        change(&mut self.auth);
        self
    }

    pub fn ca(mut self, bytes: Vec<u8>) -> Self {
        self.files.insert("ca.pem".into(), bytes);
        self
    }

    pub fn load(&self) -> Result<(ClientPolicy, Vec<Problem>), Vec<Problem>> {
        let read =
            |path: &Path| self.files.get(path).cloned().ok_or(io::Error::from(io::ErrorKind::NotFound));
        ClientPolicy::load(&self.auth, &read, NOW, &provider())
    }

    /// Loads a policy that has no problems but warnings.
    pub fn policy(&self) -> ClientPolicy {
        self.load().unwrap().0
    }

    /// The messages of all problems, warnings with the prefix `warning: `.
    pub fn problems(&self) -> Vec<String> {
        let problems = match self.load() {
            Ok((_, problems)) => problems,
            Err(problems) => {
                assert!(
                    problems.iter().any(|problem| problem.is_error),
                    "refused without an error: {problems:?}"
                );
                problems
            }
        };
        assert!(problems.iter().all(|problem| !problem.hint.is_empty()));
        let word = |problem: &Problem| if problem.is_error { "" } else { "warning: " };
        problems.iter().map(|problem| format!("{}{}", word(problem), problem.message)).collect()
    }
}
