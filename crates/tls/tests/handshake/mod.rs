//! Handshakes between a client and a server in memory.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic, reason = "every test uses a part")]

use std::sync::Arc;
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme, SupportedProtocolVersion,
};

use crate::authority::{Authority, Client, NOW, provider};

#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW)))
    }
}

/// How a handshake ended.
#[derive(Debug, PartialEq)]
pub enum End {
    Open {
        kind: HandshakeKind,
        client: Option<Vec<CertificateDer<'static>>>,
    },
    /// The alert that the client got.
    Alert(AlertDescription),
}

impl End {
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

pub struct Server {
    config: Arc<ServerConfig>,
    root: Authority,
}

impl Server {
    pub fn new(verifier: Arc<dyn ClientCertVerifier>, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let root = Authority::root("server CA");
        Self::of(root, verifier, change)
    }

    /// The same server with another policy.
    pub fn reload(
        self,
        verifier: Arc<dyn ClientCertVerifier>,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        Self::of(self.root, verifier, change)
    }

    fn of(
        root: Authority,
        verifier: Arc<dyn ClientCertVerifier>,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let host = root.client_with("server", 1, |params| {
            params.extended_key_usages.clear();
            params.subject_alt_names = vec![rcgen::SanType::DnsName("server.test".try_into().unwrap())];
        });
        let mut config = ServerConfig::builder_with_details(provider(), Arc::new(Fixed))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![host.der()], PrivateKeyDer::try_from(host.key.serialize_der()).unwrap())
            .unwrap();
        change(&mut config);
        Self { config: Arc::new(config), root }
    }

    /// A client configuration; it contains the sessions that it may resume later.
    pub fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        chain: Option<Chain>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der()).unwrap();
        let builder = ClientConfig::builder_with_details(provider(), Arc::new(Fixed))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match chain {
            Some(chain) => builder.with_client_cert_resolver(Arc::new(chain)),
            None => builder.with_no_client_auth(),
        })
    }

    pub fn meet(&self, client: &Arc<ClientConfig>) -> End {
        let mut server = ServerConnection::new(self.config.clone()).unwrap();
        let name = ServerName::try_from("server.test").unwrap();
        let mut client = ClientConnection::new(client.clone(), name).unwrap();
        // More rounds than any handshake needs.
        for _ in 0..8 {
            flow(&mut client, &mut server);
            let refused = server.process_new_packets().err();
            if let Err(error) = answer(&mut server, &mut client) {
                let Error::AlertReceived(alert) = error else { panic!("the client failed: {error}") };
                assert!(refused.is_some());
                return End::Alert(alert);
            }
            assert!(refused.is_none(), "an error without an alert: {refused:?}");
        }
        assert!(!server.is_handshaking() && !client.is_handshaking());
        let client =
            server.peer_certificates().map(|chain| chain.iter().map(|c| c.clone().into_owned()).collect());
        End::Open { kind: server.handshake_kind().unwrap(), client }
    }
}

fn flow(client: &mut ClientConnection, server: &mut ServerConnection) {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        server.read_tls(&mut rest).unwrap();
    }
}

fn answer(server: &mut ServerConnection, client: &mut ClientConnection) -> Result<(), Error> {
    let mut bytes = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        client.read_tls(&mut rest).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

/// A certificate chain, and a key that may or may not match the first certificate.
#[derive(Debug)]
pub struct Chain(Arc<CertifiedKey>);

impl Chain {
    pub fn of(client: &Client, others: &[&Authority]) -> Self {
        Self::with_key(client, others, client)
    }

    pub fn with_key(client: &Client, others: &[&Authority], key: &Client) -> Self {
        let others = others.iter().map(|authority| authority.der());
        let chain = std::iter::once(client.der()).chain(others).collect();
        let key = PrivateKeyDer::try_from(key.key.serialize_der()).unwrap();
        let key = provider().key_provider.load_private_key(key).unwrap();
        Self(Arc::new(CertifiedKey::new(chain, key)))
    }
}

impl ResolvesClientCert for Chain {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
