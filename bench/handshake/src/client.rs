//! One TLS connection.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme, version,
};

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) tls: ClientConnection,
    pub(crate) stream: TcpStream,
}

/// Uses TLS 1.3, X25519 and AES-128-GCM. With `sessions` it keeps the tickets of that many hosts. A
/// configuration is one client: its tickets are not shared with other configurations.
pub(crate) fn configuration(sessions: Option<usize>) -> Result<Arc<ClientConfig>, Error> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let provider = Arc::new(provider);
    let verifier = Arc::new(AcceptAny { provider: Arc::clone(&provider) });
    let mut configuration = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    configuration.resumption = sessions.map_or_else(Resumption::disabled, Resumption::in_memory_sessions);
    Ok(Arc::new(configuration))
}

/// The host name with this number; the certificate with the same number is valid for it.
pub(crate) fn host(number: usize) -> String {
    format!("host-{number}.example.com")
}

impl Connection {
    /// Connects and completes the handshake.
    pub(crate) fn open(
        address: SocketAddr,
        configuration: &Arc<ClientConfig>,
        host: String,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(configuration), name).map_err(io::Error::other)?;
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(Self { tls, stream })
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends `close_notify` and waits for the peer's end, because tickets arrive before it.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        self.stream.shutdown(Shutdown::Write)?;
        loop {
            match self.tls.read_tls(&mut self.stream) {
                // A server that closes with our `close_notify` unread resets the connection; its tickets
                // arrived before.
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                result => result?,
            };
            self.tls.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

/// Accepts every certificate without checking its signature, because the cost of the client is not measured.
#[derive(Debug)]
struct AcceptAny {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAny {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// limit: a server that sends nothing for this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);
