//! TLS to the targets of a group (TLS5).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use model::{TargetProtocol, TargetTls};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

use crate::acceptor::{H2, HTTP1};
use crate::bundle::Severity;
use crate::client_auth::{Authorities, refusal};
use crate::files::{Files, Loaded};
use crate::session::FRAGMENT_BYTES;
use crate::{Session, provider};

/// How connections to the targets of a group are secured.
#[derive(Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    /// `None`: the address of the target.
    name: Option<ServerName<'static>>,
    /// Equal for connectors whose connections are interchangeable.
    identity: u64,
}

impl Connector {
    /// Whether a connection that was secured by one may be used where the other is required.
    pub fn are_same(one: Option<&Arc<Self>>, other: Option<&Arc<Self>>) -> bool {
        one.map(|one| one.identity) == other.map(|other| other.identity)
    }

    /// `None`: something cannot be used, and the problem was reported to `files`.
    pub fn build(tls: &TargetTls, protocol: TargetProtocol, files: &mut Files<'_>) -> Option<Self> {
        let provider = provider();
        let roots = if tls.verifies { Some(files.roots(tls)?) } else { None };
        let own = match &tls.certificate {
            Some(own) => Some(files.certificate(own)?),
            None => None,
        };
        let identity = identity(tls, protocol, roots.as_deref(), own.as_deref());
        let verifier: Arc<dyn ServerCertVerifier> = match roots {
            Some(roots) => Arc::new(TargetVerifier { roots, provider: Arc::clone(&provider) }),
            None => Arc::new(AcceptAny { provider: Arc::clone(&provider) }),
        };
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(loaded) => {
                let key = Arc::clone(&loaded.key);
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)))
            }
        };
        let protocol = if protocol.is_http2() { H2 } else { HTTP1 };
        config.alpn_protocols = vec![protocol.to_vec()];
        config.max_fragment_size = Some(FRAGMENT_BYTES);
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        let name = match tls.server_name.clone().map(ServerName::try_from) {
            Some(Ok(name)) => Some(name),
            Some(Err(_)) => {
                let message = "`server_name` is no name".to_owned();
                files.found(&tls.place, Severity::Error, message, "a DNS name, or an address");
                return None;
            }
            None => None,
        };
        Some(Self { config: Arc::new(config), name, identity })
    }

    pub fn connect(&self, target: IpAddr) -> Result<Session, Error> {
        let name = self.name.clone().unwrap_or_else(|| ServerName::IpAddress(target.into()));
        Session::connect(Arc::clone(&self.config), name)
    }

    /// For other clients: the probes.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    pub fn server_name(&self, target: IpAddr) -> ServerName<'static> {
        self.name.clone().unwrap_or_else(|| ServerName::IpAddress(target.into()))
    }
}

/// A digest of the settings, and of the certificates as they were read.
fn identity(
    tls: &TargetTls,
    protocol: TargetProtocol,
    roots: Option<&Authorities>,
    own: Option<&Loaded>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    (protocol, &tls.server_name, &tls.ca, tls.verifies).hash(&mut hasher);
    roots.into_iter().flat_map(Authorities::digests).for_each(|digest| digest.hash(&mut hasher));
    // The chain names the key, which must belong to it.
    own.map(|own| own.key.cert.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>()).hash(&mut hasher);
    hasher.finish()
}

/// Verifies targets by webpki, and checks what it does not look at: whether the CA itself is still valid. A certificate
/// that is itself named in `ca` needs no issuer, also if it is one of a CA, as `openssl req -x509` makes them.
#[derive(Debug)]
struct TargetVerifier {
    roots: Arc<Authorities>,
    provider: Arc<CryptoProvider>,
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
        let is_trusted = self.roots.check_named(end_entity, now).unwrap_or_else(|| {
            let check = |path: &webpki::VerifiedPath<'_>| self.roots.check_anchor(path, now);
            let algorithms = self.provider.signature_verification_algorithms.all;
            let (anchors, usage) = (self.roots.anchors(), KeyUsage::server_auth());
            certificate
                .verify_for_usage(algorithms, anchors, intermediates, now, usage, None, Some(&check))
                .map(|_| ())
        });
        is_trusted.map_err(refusal)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
        Ok(ServerCertVerified::assertion())
    }
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

// limit: cached sessions for the targets of one group.
const SESSIONS_MAX: usize = 256;
