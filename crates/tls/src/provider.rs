//! The only crypto provider: aws-lc-rs, chosen here and passed explicitly.

use std::sync::Arc;

use model::{CipherSuite, TlsVersion};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

/// With every safe suite, and X25519MLKEM768 as the preferred key exchange.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// With these suites, in this order.
pub(crate) fn provider_with(suites: &[CipherSuite]) -> Arc<CryptoProvider> {
    let cipher_suites = suites.iter().map(|&suite| of_rustls(suite)).collect();
    Arc::new(CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() })
}

/// The versions from `min` on for which there is a suite.
pub(crate) fn versions(min: TlsVersion, suites: &[CipherSuite]) -> Vec<&'static SupportedProtocolVersion> {
    let has = |version| suites.iter().any(|suite| suite.version() == version);
    let mut versions = Vec::new();
    if has(TlsVersion::Tls13) {
        versions.push(&version::TLS13);
    }
    if min == TlsVersion::Tls12 && has(TlsVersion::Tls12) {
        versions.push(&version::TLS12);
    }
    versions
}

/// The matching suite of our own type.
pub(crate) fn suite_of(suite: rustls::CipherSuite) -> Option<CipherSuite> {
    CipherSuite::ALL.into_iter().find(|&ours| of_rustls(ours).suite() == suite)
}

pub(crate) fn of_rustls(suite: CipherSuite) -> SupportedCipherSuite {
    use aws_lc_rs::cipher_suite as suites;
    match suite {
        CipherSuite::Tls13Aes128GcmSha256 => suites::TLS13_AES_128_GCM_SHA256,
        CipherSuite::Tls13Aes256GcmSha384 => suites::TLS13_AES_256_GCM_SHA384,
        CipherSuite::Tls13Chacha20Poly1305Sha256 => suites::TLS13_CHACHA20_POLY1305_SHA256,
        CipherSuite::EcdheEcdsaAes128GcmSha256 => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheEcdsaAes256GcmSha384 => suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheEcdsaChacha20Poly1305Sha256 => {
            suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        CipherSuite::EcdheRsaAes128GcmSha256 => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheRsaAes256GcmSha384 => suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheRsaChacha20Poly1305Sha256 => suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_maps_to_the_suite_with_its_name() {
        for suite in CipherSuite::ALL {
            let ours = suite.name();
            let theirs = format!("{:?}", of_rustls(suite).suite()).replace("TLS13_", "TLS_");
            assert_eq!(theirs, ours);
        }
    }

    #[test]
    fn a_version_needs_a_suite() {
        let only_12 = &CipherSuite::ALL[3..];
        assert_eq!(versions(TlsVersion::Tls12, &CipherSuite::ALL).len(), 2);
        assert_eq!(versions(TlsVersion::Tls13, &CipherSuite::ALL), [&version::TLS13]);
        assert_eq!(versions(TlsVersion::Tls12, only_12), [&version::TLS12]);
        assert!(versions(TlsVersion::Tls13, only_12).is_empty());
    }
}
