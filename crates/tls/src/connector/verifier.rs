//! The verifier of targets that rustls calls in full handshakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use webpki::{Cert, EndEntityCert, KeyUsage, VerifiedPath};

use crate::client_auth::{Authorities, refusal, seconds};
use crate::fields::Fields;
use crate::provider;

/// Notes in `until` how long what it accepts is valid. Without `roots` it accepts anything, for ever.
pub(super) fn verifier(roots: Option<&Arc<Authorities>>, until: &Arc<Until>) -> Arc<dyn ServerCertVerifier> {
    let (provider, until) = (provider(), Arc::clone(until));
    match roots.cloned() {
        Some(roots) => Arc::new(TargetVerifier { roots, provider, until }),
        None => Arc::new(AcceptAny { provider }),
    }
}

/// When the first of the certificates expires that targets were accepted for, in seconds since 1970.
#[derive(Debug)]
pub(super) struct Until(AtomicI64);

impl Default for Until {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MAX))
    }
}

impl Until {
    // invariant: noted before rustls stores a session of the handshake, whose ticket comes later.
    fn note(&self, not_after: i64) {
        self.0.fetch_min(not_after, Ordering::AcqRel);
    }

    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        self.0.load(Ordering::Acquire) < seconds(now)
    }
}

/// Verifies targets by webpki, and checks what it does not look at: whether the CA itself is still valid. A certificate
/// that is itself named in `ca` needs no issuer, also if it is one of a CA, as `openssl req -x509` makes them.
#[derive(Debug)]
struct TargetVerifier {
    roots: Arc<Authorities>,
    provider: Arc<CryptoProvider>,
    until: Arc<Until>,
}

impl TargetVerifier {
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(refusal)?;
        let accepted = self
            .roots
            .check_named(end_entity, now)
            .unwrap_or_else(|| self.check_path(&certificate, intermediates, now));
        let until = accepted.map_err(refusal)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
        self.until.note(until);
        Ok(ServerCertVerified::assertion())
    }

    /// Returns until when all certificates of a path to a CA are valid.
    fn check_path(
        &self,
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<i64, webpki::Error> {
        let check = |path: &VerifiedPath<'_>| self.roots.check_anchor(path, now).map(|_| ());
        let algorithms = self.provider.signature_verification_algorithms.all;
        let (anchors, usage) = (self.roots.anchors(), KeyUsage::server_auth());
        let path = certificate.verify_for_usage(
            algorithms,
            anchors,
            intermediates,
            now,
            usage,
            None,
            Some(&check),
        )?;
        let mut until = self.roots.check_anchor(&path, now)?.min(not_after(path.end_entity()));
        for intermediate in path.intermediate_certificates() {
            until = until.min(not_after(intermediate));
        }
        Ok(until)
    }
}

/// One that webpki reads and x509-parser does not is not counted on: its sessions are not resumed.
fn not_after(certificate: &Cert<'_>) -> i64 {
    Fields::read(&certificate.der()).map_or(i64::MIN, |fields| fields.not_after())
}

/// Why a certificate was refused, for logs. The words are rustls' own where there are no plainer ones.
pub fn certificate_cause(error: &CertificateError) -> &'static str {
    use CertificateError as Cause;
    match error {
        Cause::Expired | Cause::ExpiredContext { .. } => "expired",
        Cause::NotValidYet | Cause::NotValidYetContext { .. } => "not yet valid",
        Cause::NotValidForName | Cause::NotValidForNameContext { .. } => "another name",
        Cause::UnknownIssuer => "unknown CA",
        Cause::BadSignature => "bad signature",
        Cause::Revoked => "revoked",
        Cause::InvalidPurpose | Cause::InvalidPurposeContext { .. } => "not for servers",
        Cause::BadEncoding => "bad encoding",
        Cause::UnhandledCriticalExtension => "unhandled critical extension",
        Cause::UnsupportedSignatureAlgorithmContext { .. }
        | Cause::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => "unsupported signature algorithm",
        Cause::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(error) => other_cause(error),
            None => "not valid",
        },
        _ => "not valid",
    }
}

/// What rustls has no error of its own for.
fn other_cause(error: &webpki::Error) -> &'static str {
    use webpki::Error as Cause;
    match error {
        Cause::CaUsedAsEndEntity => "certificate of a CA that is not in `ca` (CaUsedAsEndEntity)",
        Cause::EndEntityUsedAsCa => "signed by a certificate that is none of a CA (EndEntityUsedAsCa)",
        Cause::NameConstraintViolation => "name constraint of its CA (NameConstraintViolation)",
        Cause::UnsupportedCertVersion => "not of version 3 (UnsupportedCertVersion)",
        Cause::InvalidSerialNumber => "invalid serial number (InvalidSerialNumber)",
        Cause::ExtensionValueInvalid => "invalid extension (ExtensionValueInvalid)",
        Cause::MalformedExtensions => "malformed extensions (MalformedExtensions)",
        Cause::MaximumPathBuildCallsExceeded => "too many paths (MaximumPathBuildCallsExceeded)",
        Cause::MaximumSignatureChecksExceeded => "too many signatures (MaximumSignatureChecksExceeded)",
        Cause::MaximumNameConstraintComparisonsExceeded => "too many name constraints",
        _ => "not valid",
    }
}

/// `verify = false`: accepts any certificate, but the target must still prove that it has the key.
#[derive(Debug)]
struct AcceptAny {
    provider: Arc<CryptoProvider>,
}

impl AcceptAny {
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "the signature of the other verifier")]
    fn check(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }
}

macro_rules! verifies_signatures {
    ($name:ident) => {
        impl ServerCertVerifier for $name {
            fn verify_server_cert(
                &self,
                end_entity: &CertificateDer<'_>,
                intermediates: &[CertificateDer<'_>],
                name: &ServerName<'_>,
                _: &[u8],
                now: UnixTime,
            ) -> Result<ServerCertVerified, Error> {
                self.check(end_entity, intermediates, name, now)
            }

            fn verify_tls12_signature(
                &self,
                message: &[u8],
                certificate: &CertificateDer<'_>,
                signed: &DigitallySignedStruct,
            ) -> Result<HandshakeSignatureValid, Error> {
                let algorithms = &self.provider.signature_verification_algorithms;
                verify_tls12_signature(message, certificate, signed, algorithms)
            }

            fn verify_tls13_signature(
                &self,
                message: &[u8],
                certificate: &CertificateDer<'_>,
                signed: &DigitallySignedStruct,
            ) -> Result<HandshakeSignatureValid, Error> {
                let algorithms = &self.provider.signature_verification_algorithms;
                verify_tls13_signature(message, certificate, signed, algorithms)
            }

            fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
                self.provider.signature_verification_algorithms.supported_schemes()
            }
        }
    };
}

verifies_signatures!(AcceptAny);
verifies_signatures!(TargetVerifier);
