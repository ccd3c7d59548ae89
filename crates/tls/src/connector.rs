//! TLS to the targets of a group (TLS5).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use model::{TargetProtocol, TargetTls};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::acceptor::{H2, HTTP1};
use crate::bundle::Severity;
use crate::files::Files;
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
        let identity = identity(tls, protocol, files);
        let roots = if tls.verifies { Some(files.roots(tls)?) } else { None };
        let verifier: Arc<dyn ServerCertVerifier> = match roots {
            Some(roots) => {
                let built = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                match built {
                    Ok(verifier) => verifier,
                    // Without a root no target can be verified, so every connection fails.
                    Err(_) => Arc::new(RefuseAll(Arc::clone(&provider))),
                }
            }
            None => Arc::new(AcceptAny(Arc::clone(&provider))),
        };
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match &tls.certificate {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let loaded = files.certificate(own)?;
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

/// A digest of the settings and the contents of the files.
fn identity(tls: &TargetTls, protocol: TargetProtocol, files: &mut Files<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (protocol, &tls.server_name, &tls.ca, tls.verifies).hash(&mut hasher);
    let own = tls.certificate.iter().flat_map(|own| [Some(&own.chain), own.key.as_ref()]).flatten();
    for path in own.chain(&tls.ca) {
        files.content(path).hash(&mut hasher);
    }
    hasher.finish()
}

/// `verify = false`: accepts any certificate, but the target must still prove that it has the key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

/// Verification without any root.
#[derive(Debug)]
struct RefuseAll(Arc<CryptoProvider>);

macro_rules! verifies_signatures {
    ($name:ident, $certificate:expr) => {
        impl ServerCertVerifier for $name {
            fn verify_server_cert(
                &self,
                _: &CertificateDer<'_>,
                _: &[CertificateDer<'_>],
                _: &ServerName<'_>,
                _: &[u8],
                _: UnixTime,
            ) -> Result<ServerCertVerified, Error> {
                $certificate
            }

            fn verify_tls12_signature(
                &self,
                message: &[u8],
                certificate: &CertificateDer<'_>,
                signed: &DigitallySignedStruct,
            ) -> Result<HandshakeSignatureValid, Error> {
                let algorithms = &self.0.signature_verification_algorithms;
                verify_tls12_signature(message, certificate, signed, algorithms)
            }

            fn verify_tls13_signature(
                &self,
                message: &[u8],
                certificate: &CertificateDer<'_>,
                signed: &DigitallySignedStruct,
            ) -> Result<HandshakeSignatureValid, Error> {
                let algorithms = &self.0.signature_verification_algorithms;
                verify_tls13_signature(message, certificate, signed, algorithms)
            }

            fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
                self.0.signature_verification_algorithms.supported_schemes()
            }
        }
    };
}

verifies_signatures!(AcceptAny, Ok(ServerCertVerified::assertion()));
verifies_signatures!(RefuseAll, Err(Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)));

// limit: cached sessions for the targets of one group.
const SESSIONS_MAX: usize = 256;
