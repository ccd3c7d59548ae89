//! The verifier that rustls calls. webpki builds and checks the paths; each path is then checked against the depth, the
//! validity of the CA's certificate and the CRLs. If a path fails there, webpki searches for another one.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{Cert, EndEntityCert, KeyUsage, VerifiedPath};

use super::Policy;
use super::authorities::{seconds, unix_time};
use super::lists::Status;
use crate::asn1::Malformed;

#[derive(Debug)]
pub(super) struct ClientVerifier {
    pub(super) policy: Arc<Policy>,
    pub(super) hints: Vec<DistinguishedName>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.policy.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(refusal)?;
        if let Some(result) = self.policy.authorities.check_named(end_entity, now) {
            return result.map(|_| ClientCertVerified::assertion()).map_err(refusal);
        }
        let refusal = |error| match error {
            // Another alert than that of unknown errors.
            webpki::Error::CaUsedAsEndEntity => CertificateError::InvalidPurpose.into(),
            other => refusal(other),
        };
        certificate
            .verify_for_usage(
                self.algorithms.all,
                &self.policy.authorities.anchors,
                intermediates,
                now,
                KeyUsage::client_auth(),
                None,
                Some(&|path| self.policy.check(path, now)),
            )
            .map_err(refusal)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Policy {
    fn check(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<(), webpki::Error> {
        if path.intermediate_certificates().count() > usize::from(self.depth) {
            return Err(webpki::Error::MaximumPathDepthExceeded);
        }
        self.authorities.check_anchor(path, now)?;
        if self.lists.list.is_empty() {
            return Ok(());
        }
        let anchor_key = webpki::spki_for_anchor(path.anchor());
        let mut issuers = path.intermediate_certificates().skip(1);
        for certificate in path.intermediate_certificates() {
            let key = match issuers.next() {
                Some(issuer) => issuer.subject_public_key_info(),
                None => anchor_key.clone(),
            };
            self.check_revocation(certificate, &key, false, now)?;
        }
        // The end entity is checked last, so that a revoked one is reported as revoked, and not as one of unknown
        // status.
        self.check_revocation(path.end_entity(), &path.issuer_spki(), true, now)
    }

    fn check_revocation(
        &self,
        certificate: &Cert<'_>,
        issuer_key: &[u8],
        is_client: bool,
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        match self.lists.status(certificate, issuer_key, is_client, seconds(now), self.expired_crl) {
            Ok(Status::Good) => Ok(()),
            // Authorities often have no CRL for their intermediates. For clients a CRL is required.
            Ok(Status::Unknown) if !is_client => Ok(()),
            Ok(Status::Unknown) => Err(webpki::Error::UnknownRevocationStatus),
            Ok(Status::Revoked) => Err(webpki::Error::CertRevoked),
            Ok(Status::Stale(next_update)) => {
                Err(webpki::Error::CrlExpired { time: now, next_update: unix_time(next_update) })
            }
            Err(Malformed) => Err(webpki::Error::BadDer),
        }
    }
}

/// Maps an error so that rustls sends the right alert.
pub(crate) fn refusal(error: webpki::Error) -> Error {
    use webpki::Error as Pki;
    let reason = match error {
        Pki::BadDer | Pki::BadDerTime | Pki::TrailingData(_) => CertificateError::BadEncoding,
        Pki::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        Pki::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        Pki::InvalidCertValidity => CertificateError::Expired,
        // Like OpenSSL, reports a chain that is too long as one that leads to no CA.
        Pki::UnknownIssuer | Pki::MaximumPathDepthExceeded | Pki::PathLenConstraintViolated => {
            CertificateError::UnknownIssuer
        }
        Pki::CertRevoked => CertificateError::Revoked,
        Pki::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        Pki::CrlExpired { time, next_update } => {
            CertificateError::ExpiredRevocationListContext { time, next_update }
        }
        Pki::InvalidSignatureForPublicKey | Pki::SignatureAlgorithmMismatch => CertificateError::BadSignature,
        Pki::UnsupportedCriticalExtension => CertificateError::UnhandledCriticalExtension,
        Pki::RequiredEkuNotFoundContext(_) | Pki::EmptyEkuExtension => CertificateError::InvalidPurpose,

        Pki::UnsupportedSignatureAlgorithmContext(context) => {
            CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: context.signature_algorithm_id,
                supported_algorithms: context.supported_algorithms,
            }
        }
        Pki::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: context.signature_algorithm_id,
                public_key_algorithm_id: context.public_key_algorithm_id,
            }
        }
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    reason.into()
}
