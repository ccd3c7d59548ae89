//! The TLS settings of a target.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::certificates::{Authority, Leaf};
use crate::tls_client::{ONLY_12, provider};

/// The builder methods have the names of [`crate::TlsClient`] where they mean the same.
#[derive(Debug)]
pub struct TlsServer {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    alpn: Vec<Vec<u8>>,
    client_ca: Option<CertificateDer<'static>>,
    versions: &'static [&'static SupportedProtocolVersion],
    config: OnceLock<Arc<ServerConfig>>,
}

impl TlsServer {
    /// A server with this certificate.
    pub fn new(leaf: &Leaf) -> Self {
        Self {
            chain: leaf.chain().to_vec(),
            key: leaf.key(),
            alpn: Vec::new(),
            client_ca: None,
            versions: rustls::ALL_VERSIONS,
            config: OnceLock::new(),
        }
    }

    /// Requires client certificates issued by this authority.
    #[must_use]
    pub fn client_ca(mut self, authority: &Authority) -> Self {
        self.client_ca = Some(authority.der());
        self
    }

    #[must_use]
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// Speaks TLS 1.2 only.
    #[must_use]
    pub fn tls12(mut self) -> Self {
        self.versions = ONLY_12;
        self
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(self.config.get_or_init(|| Arc::new(self.build())))
    }

    fn build(&self) -> ServerConfig {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(self.versions).unwrap();
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(ca.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = builder.with_single_cert(self.chain.clone(), self.key.clone_key()).unwrap();
        config.alpn_protocols.clone_from(&self.alpn);
        config
    }
}
