//! A TLS client. After the handshake it is an ordinary [`Client`].

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, NamedGroup,
    RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

use crate::certificates::{Authority, Leaf};
use crate::client::Client;
use crate::stream::{HandshakeFailure, Stream};
use crate::wait::PATIENCE;

/// The settings of a client's handshake. By default it asks for `localhost` and accepts any certificate.
///
/// A client that connects again resumes its session if the server allows it. Clones share their sessions.
#[derive(Clone, Debug)]
pub struct TlsClient {
    pub(crate) address: SocketAddr,
    pub(crate) name: ServerName<'static>,
    settings: Settings,
    /// Built from the settings on first use. Sessions are resumed only within one configuration.
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Debug)]
struct Settings {
    sends_name: bool,
    versions: &'static [&'static SupportedProtocolVersion],
    alpn: Vec<Vec<u8>>,
    roots: Option<Arc<RootCertStore>>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    provider: Arc<CryptoProvider>,
}

impl TlsClient {
    pub fn to(address: SocketAddr) -> Self {
        let settings = Settings {
            sends_name: true,
            versions: rustls::ALL_VERSIONS,
            alpn: Vec::new(),
            roots: None,
            identity: None,
            provider: provider(),
        };
        Self { address, name: name("localhost"), settings, config: Arc::default() }
    }

    /// Connects to another address and keeps its sessions.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Asks for this name and keeps its sessions, even those of other names.
    #[must_use]
    pub fn sni(mut self, server_name: &str) -> Self {
        self.name = name(server_name);
        self
    }

    /// Sends no SNI.
    #[must_use]
    pub fn without_sni(self) -> Self {
        self.set(|settings| settings.sends_name = false)
    }

    /// Offers TLS 1.2 only.
    #[must_use]
    pub fn tls12(self) -> Self {
        self.set(|settings| settings.versions = ONLY_12)
    }

    /// Offers TLS 1.3 only.
    #[must_use]
    pub fn tls13(self) -> Self {
        self.set(|settings| settings.versions = ONLY_13)
    }

    /// Offers only cipher suites with one of these words in their IANA names, such as `CHACHA20`.
    #[must_use]
    pub fn suites(self, words: &[&str]) -> Self {
        self.set(|settings| {
            let mut narrow = CryptoProvider::clone(&provider());
            narrow
                .cipher_suites
                .retain(|suite| words.iter().any(|word| format!("{:?}", suite.suite()).contains(word)));
            settings.provider = Arc::new(narrow);
        })
    }

    /// Offers no post-quantum key exchange.
    #[must_use]
    pub fn classical(self) -> Self {
        self.set(|settings| {
            let mut narrow = CryptoProvider::clone(&settings.provider);
            narrow.kx_groups.retain(|group| group.name() != NamedGroup::X25519MLKEM768);
            settings.provider = Arc::new(narrow);
        })
    }

    #[must_use]
    pub fn alpn(self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self.set(|settings| settings.alpn = protocols)
    }

    /// Accepts only certificates of this authority that match the requested name.
    #[must_use]
    pub fn trusting(self, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der()).unwrap();
        self.set(|settings| settings.roots = Some(Arc::new(roots)))
    }

    /// Presents this certificate if the server requests one.
    #[must_use]
    pub fn certificate(self, leaf: &Leaf) -> Self {
        self.set(|settings| settings.identity = Some((leaf.chain().to_vec(), leaf.key())))
    }

    /// Presents this chain, with the leaf's key.
    #[must_use]
    pub fn certificate_with_chain(self, leaf: &Leaf, chain: Vec<CertificateDer<'static>>) -> Self {
        self.set(|settings| settings.identity = Some((chain, leaf.key())))
    }

    #[track_caller]
    pub fn connect(&self) -> Client {
        self.try_connect().unwrap_or_else(|failure| panic!("no handshake: {failure:?}"))
    }

    /// Connects and completes the handshake. In TLS 1.3 a server rejects a client's certificate only after
    /// that: see [`Self::refusal`].
    pub fn try_connect(&self) -> Result<Client, HandshakeFailure> {
        let socket = TcpStream::connect_timeout(&self.address, PATIENCE).expect("connect");
        Stream::secure(socket, self.session()).map(Client::over)
    }

    /// The alert that ends the handshake, or that follows it instead of a response. `None` if no alert refuses
    /// the connection.
    pub fn refusal(&self) -> Option<AlertDescription> {
        match self.try_connect() {
            Err(failure) => failure.alert,
            Ok(mut client) => {
                let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
                // A refused connection may be closed already; the alert is still readable.
                let _ = client.try_send(request);
                client.alert()
            }
        }
    }

    /// The bytes of the ClientHello that the client would send.
    pub fn client_hello(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.session().write_tls(&mut bytes).unwrap();
        bytes
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(self.config.get_or_init(|| Arc::new(self.settings.build())))
    }

    fn session(&self) -> ClientConnection {
        ClientConnection::new(self.config(), self.name.clone()).unwrap()
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.config = Arc::default();
        self
    }
}

impl Settings {
    fn build(&self) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(self.versions)
            .unwrap();
        let builder = match &self.roots {
            Some(roots) => builder.with_root_certificates(Arc::clone(roots)),
            None => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
            }
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()).unwrap(),
        };
        config.enable_sni = self.sends_name;
        config.alpn_protocols.clone_from(&self.alpn);
        let sessions = AnyServer(ClientSessionMemoryCache::new(32), name("any.example"));
        config.resumption = Resumption::store(Arc::new(sessions));
        config
    }
}

impl Clone for Settings {
    fn clone(&self) -> Self {
        Self {
            sends_name: self.sends_name,
            versions: self.versions,
            alpn: self.alpn.clone(),
            roots: self.roots.clone(),
            identity: self.identity.as_ref().map(|(chain, key)| (chain.clone(), key.clone_key())),
            provider: Arc::clone(&self.provider),
        }
    }
}

/// Stores the sessions of all names and addresses together, as a malicious client would.
#[derive(Debug)]
struct AnyServer(ClientSessionMemoryCache, ServerName<'static>);

impl ClientSessionStore for AnyServer {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(self.1.clone(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&self.1)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(self.1.clone(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&self.1)
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&self.1);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(self.1.clone(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&self.1)
    }
}

/// Accepts any certificate, but checks that the server has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

fn name(text: &str) -> ServerName<'static> {
    ServerName::try_from(text.to_owned()).expect("a host's name or address")
}

pub(crate) static ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
pub(crate) static ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

#[cfg(test)]
mod tests {
    use rustls::{HandshakeKind, ProtocolVersion};

    use super::*;
    use crate::{Target, TlsServer};

    #[test]
    fn a_tls_client_is_used_like_a_plain_one() {
        let authority = Authority::new("Root").intermediate("Intermediate");
        let leaf = authority.leaf(&["a.example"]).issue();
        let target = Target::https(&TlsServer::new(&leaf).alpn(&["http/1.1"]), |_| crate::ok("one"));
        let mut client = TlsClient::to(target.address()).sni("a.example").alpn(&["http/1.1"]).connect();
        assert_eq!(client.get("/").text(), "one");
        let handshake = client.handshake();
        assert_eq!((handshake.version, handshake.kind), (ProtocolVersion::TLSv1_3, HandshakeKind::Full));
        assert_eq!((handshake.alpn.as_deref(), handshake.peer_chain.len()), (Some("http/1.1"), 2));
        assert_eq!(
            (handshake.suite.as_str(), handshake.group.as_deref()),
            ("TLS_AES_256_GCM_SHA384", Some("X25519MLKEM768"))
        );
        drop(client);
        assert_eq!(target.requests().len(), 1);
    }

    #[test]
    fn sessions_are_resumed() {
        let leaf = Authority::new("Root").leaf(&[]).issue();
        let target = Target::https(&TlsServer::new(&leaf), |_| crate::ok("one"));
        let client = TlsClient::to(target.address());
        for client in [client.clone().tls12(), client.tls13()] {
            let kind = |client: &TlsClient| {
                let mut client = client.connect();
                assert_eq!(client.get("/").text(), "one");
                client.handshake().kind
            };
            let client = client.sni("a.example");
            assert_eq!(kind(&client), HandshakeKind::Full);
            assert_eq!(kind(&client), HandshakeKind::Resumed);
            assert_eq!(kind(&client.clone()), HandshakeKind::Resumed);
            // rustls itself does not resume a session of another name.
            assert_eq!(kind(&client.sni("b.example")), HandshakeKind::Full);
        }
    }

    #[test]
    fn refusals_return_the_alert() {
        let authority = Authority::new("Root");
        let server = TlsServer::new(&authority.leaf(&[]).issue()).client_ca(&authority);
        let target = Target::https(&server, |_| crate::response(200, "Connection: close\r\n", "one"));
        let client = TlsClient::to(target.address());
        let expired = authority.client("alice").expired().issue();
        let stranger = Authority::new("Other").client("alice").issue();
        let good = authority.client("alice").issue();
        let table = [
            (client.clone(), Some(AlertDescription::CertificateRequired)),
            (client.clone().certificate(&expired), Some(AlertDescription::CertificateExpired)),
            (client.clone().certificate(&stranger), Some(AlertDescription::UnknownCA)),
            (client.certificate(&good), None),
        ];
        for (number, (client, alert)) in table.iter().enumerate() {
            assert_eq!(client.refusal(), *alert, "row {number}");
        }
        assert_eq!(target.requests().len(), 1);
        assert_eq!(target.handshake_failures().len(), 3, "{:?}", target.handshake_failures());
    }

    #[test]
    fn certificates_are_verified_when_asked() {
        let authority = Authority::new("Root");
        let target =
            Target::https(&TlsServer::new(&authority.leaf(&["a.example"]).issue()), |_| crate::ok(""));
        let client = TlsClient::to(target.address()).trusting(&authority);
        assert!(client.clone().sni("a.example").try_connect().is_ok());
        assert!(client.sni("b.example").try_connect().is_err());
    }
}
