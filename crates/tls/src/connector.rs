//! TLS to the targets of a group (TLS5).

#[cfg(test)]
mod tests;
mod verifier;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use model::{TargetProtocol, TargetTls};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, Error};

use crate::acceptor::{H2, HTTP1};
use crate::bundle::Severity;
use crate::client_auth::Authorities;
use crate::files::{Files, Loaded};
use crate::session::FRAGMENT_BYTES;
use crate::{Session, provider};
pub use verifier::certificate_cause;
use verifier::{Until, verifier};

/// How connections to the targets of a group are secured.
#[derive(Debug)]
pub struct Connector {
    term: Mutex<Term>,
    /// `None`: any certificate is accepted.
    roots: Option<Arc<Authorities>>,
    /// `None`: the address of the target.
    name: Option<ServerName<'static>>,
    /// Equal for connectors whose connections are interchangeable.
    identity: u64,
}

/// The time in which sessions may be resumed by one another. rustls does not verify the target again when it resumes a
/// session, so a term ends with the first certificate that a handshake of it was accepted for, and its sessions with it.
#[derive(Debug)]
struct Term {
    config: Arc<ClientConfig>,
    until: Arc<Until>,
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
        let until = Arc::new(Until::default());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let verifier = verifier(roots.as_ref(), &until);
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
        let term = Mutex::new(Term { config: Arc::new(config), until });
        Some(Self { term, roots, name, identity })
    }

    pub fn connect(&self, target: IpAddr) -> Result<Session, Error> {
        let name = self.name.clone().unwrap_or_else(|| ServerName::IpAddress(target.into()));
        Session::connect(self.config(), name)
    }

    /// The settings of a handshake that begins now.
    pub fn config(&self) -> Arc<ClientConfig> {
        let mut term = self.term.lock().unwrap_or_else(PoisonError::into_inner);
        if term.config.time_provider.current_time().is_some_and(|now| term.until.is_over(now)) {
            *term = self.term_after(&term.config);
        }
        Arc::clone(&term.config)
    }

    /// Late tickets of the connections of the term before go to its own store, from which nothing is taken any more.
    fn term_after(&self, before: &ClientConfig) -> Term {
        let until = Arc::new(Until::default());
        let mut config = before.clone();
        config.dangerous().set_certificate_verifier(verifier(self.roots.as_ref(), &until));
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        Term { config: Arc::new(config), until }
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

// limit: cached sessions for the targets of one group.
const SESSIONS_MAX: usize = 256;
