//! The settings of TLS and HTTP/2. They name files by path; crate `tls` reads the files and reports errors in
//! them at the [`Place`] in the configuration that names the file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A position in a configuration file, for errors that are found after the configuration was parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<str>,
    /// From 1; 0: the whole file.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In characters, from `column`.
    pub length: usize,
}

/// TLS of a listener (TLS1, TLS2, MT1).
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// Not empty. The first is the default, for unknown names and for clients that send no name (SNI).
    pub certificates: Vec<CertificateEntry>,
    pub min_version: TlsVersion,
    /// In the order of preference; never empty.
    pub suites: Vec<CipherSuite>,
    /// TLS2: a name without a certificate gets `unrecognized_name` instead of the default certificate.
    pub sni_strict: bool,
    /// TLS4: from accept to the end of the handshake, 1–3600 s.
    pub handshake_timeout: Duration,
    /// MT1: for names whose certificate has no `client_auth` of its own.
    pub client_auth: Option<ClientAuth>,
    /// The value of `Strict-Transport-Security` (RFC 6797).
    pub hsts: Option<String>,
}

/// A certificate with its chain and key.
#[derive(Clone, Debug)]
pub struct CertificateEntry {
    pub files: CertificateFiles,
    /// MT1: replaces that of the listener. `Some(None)` is `mode = "off"`.
    pub client_auth: Option<Option<ClientAuth>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub chain: PathBuf,
    /// `None`: the key is in the chain's file.
    pub key: Option<PathBuf>,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// The cipher suites of rustls, by their IANA names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherSuite {
    Tls13Aes128GcmSha256,
    Tls13Aes256GcmSha384,
    Tls13Chacha20Poly1305Sha256,
    EcdheEcdsaAes128GcmSha256,
    EcdheEcdsaAes256GcmSha384,
    EcdheEcdsaChacha20Poly1305Sha256,
    EcdheRsaAes128GcmSha256,
    EcdheRsaAes256GcmSha384,
    EcdheRsaChacha20Poly1305Sha256,
}

impl CipherSuite {
    /// In our order of preference: all are strong, so the cheapest comes first.
    pub const ALL: [Self; 9] = [
        Self::Tls13Aes128GcmSha256,
        Self::Tls13Aes256GcmSha384,
        Self::Tls13Chacha20Poly1305Sha256,
        Self::EcdheEcdsaAes128GcmSha256,
        Self::EcdheEcdsaAes256GcmSha384,
        Self::EcdheEcdsaChacha20Poly1305Sha256,
        Self::EcdheRsaAes128GcmSha256,
        Self::EcdheRsaAes256GcmSha384,
        Self::EcdheRsaChacha20Poly1305Sha256,
    ];

    /// The name in the IANA registry of TLS parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls13Aes128GcmSha256 => "TLS_AES_128_GCM_SHA256",
            Self::Tls13Aes256GcmSha384 => "TLS_AES_256_GCM_SHA384",
            Self::Tls13Chacha20Poly1305Sha256 => "TLS_CHACHA20_POLY1305_SHA256",
            Self::EcdheEcdsaAes128GcmSha256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheEcdsaAes256GcmSha384 => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheEcdsaChacha20Poly1305Sha256 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Self::EcdheRsaAes128GcmSha256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheRsaAes256GcmSha384 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheRsaChacha20Poly1305Sha256 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        }
    }

    pub fn version(self) -> TlsVersion {
        match self {
            Self::Tls13Aes128GcmSha256 | Self::Tls13Aes256GcmSha384 | Self::Tls13Chacha20Poly1305Sha256 => {
                TlsVersion::Tls13
            }
            _ => TlsVersion::Tls12,
        }
    }
}

/// MT1–MT3: which certificates clients must present, and which headers tell targets about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// `false`: a client without a certificate is served as well. An invalid certificate is always refused.
    pub is_required: bool,
    pub ca: PathBuf,
    pub crl: Vec<PathBuf>,
    /// The maximum number of intermediate certificates between the client's and the CA's, 0–10.
    pub depth: u8,
    pub expired_crl: ExpiredCrl,
    /// MT2: live connections of a certificate that a new CRL revokes are closed.
    pub closes_revoked: bool,
    /// MT3: the allowed identities; others get 403. Empty: every valid certificate is allowed.
    pub allow: Vec<IdentityPattern>,
    pub headers: IdentityHeaders,
    pub place: Place,
}

/// MT2: how a CRL is treated after its `nextUpdate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredCrl {
    /// Certificates of its issuer are refused.
    Fail,
    /// It stays in force, and a warning is logged.
    Warn,
}

/// MT3: one entry of an allow-list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityPattern {
    /// The whole subject in the form of RFC 4514, such as `CN=alice,O=Example`.
    Subject(String),
    /// A subject alternative name: `DNS:…`, `email:…`, `URI:…` or `IP:…`; DNS without regard to case.
    San(String),
    /// SHA-256 of the certificate.
    Fingerprint([u8; 32]),
}

/// MT3: names of the request headers that pass the client's identity to targets; `None`: not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityHeaders {
    pub subject: Option<String>,
    pub san: Option<String>,
    pub serial: Option<String>,
    pub fingerprint: Option<String>,
    /// PEM in percent encoding, as nginx's `$ssl_client_escaped_cert`.
    pub certificate: Option<String>,
    /// `SUCCESS` or `NONE`.
    pub verify: Option<String>,
}

impl IdentityHeaders {
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all =
            [&self.subject, &self.san, &self.serial, &self.fingerprint, &self.certificate, &self.verify];
        all.into_iter().filter_map(|name| name.as_deref())
    }
}

/// HTTP/2 of a listener (HTTP6). A client cannot raise any of these limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2 {
    pub is_enabled: bool,
    /// Streams that a client may have open at the same time, 1–1000.
    pub concurrent_streams: u32,
    /// The flow-control window of a stream, 64 KiB–16 MiB.
    pub stream_window_bytes: u32,
    /// The flow-control window of a connection, 64 KiB–16 MiB.
    pub connection_window_bytes: u32,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            is_enabled: true,
            concurrent_streams: 100,
            stream_window_bytes: 256 << 10,
            connection_window_bytes: 1 << 20,
        }
    }
}

/// The protocol that targets speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TargetProtocol {
    #[default]
    Http,
    Https,
    /// HTTP/2 without TLS, by prior knowledge.
    H2c,
    H2,
    /// Bytes, whatever they mean: for listeners with the service [`Tcp`](crate::Service::Tcp), and only for them.
    Tcp,
}

impl TargetProtocol {
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::H2)
    }

    pub fn is_http2(self) -> bool {
        matches!(self, Self::H2c | Self::H2)
    }
}

/// TLS to targets (TLS5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetTls {
    /// The name that is sent (SNI) and verified; `None`: the target's address, verified as an IP address.
    pub server_name: Option<String>,
    /// `None`: the system's roots.
    pub ca: Option<PathBuf>,
    /// Our client certificate, for targets that request one.
    pub certificate: Option<CertificateFiles>,
    /// `false`: any server can impersonate the target. The check warns about it.
    pub verifies: bool,
    pub place: Place,
}

impl Default for TargetTls {
    fn default() -> Self {
        Self { server_name: None, ca: None, certificate: None, verifies: true, place: Place::default() }
    }
}
