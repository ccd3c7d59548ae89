//! One TLS connection without I/O: records come in as a slice, plain bytes and records go out.
//!
//! Uses rustls' unbuffered connection, so that an idle one holds no buffer: incomplete records stay with the caller.

use std::sync::Arc;

use crate::{nameless, provider};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, Error, HandshakeKind, ProtocolVersion, ServerConfig};

/// Either end of a connection.
pub struct Session {
    role: Box<Role>,
    /// `close_notify` of the peer was found while writing, where it could not be reported.
    has_ended: bool,
    has_failed: bool,
    /// The client's server name is hidden from rustls.
    hides_name: bool,
}

enum Role {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// The result of reading records.
#[derive(Debug, Default)]
pub struct Read {
    /// Bytes at the front of the input that were consumed, valid in every case.
    pub consumed: usize,
    /// The peer has sent its last byte (`close_notify`).
    pub has_ended: bool,
    /// The session has failed. The alert for the peer has been written.
    pub error: Option<Error>,
}

/// The result of one step.
enum Step {
    Again,
    /// A record of plain bytes was passed to the caller.
    Plain,
    Blocked,
    Ended,
    Failed(Error),
}

impl Session {
    pub fn accept(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self::of(Role::Server(UnbufferedServerConnection::new(config)?)))
    }

    /// For a client that sent a name for which [`is_server_name`] is false; `config` is
    /// [`Host::nameless`](crate::Host::nameless).
    pub fn accept_nameless(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self { hides_name: true, ..Self::accept(config)? })
    }

    /// The first [`Self::read`], with no input, writes the ClientHello.
    pub fn connect(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Error> {
        Ok(Self::of(Role::Client(UnbufferedClientConnection::new(config, name)?)))
    }

    fn of(role: Role) -> Self {
        Self { role: Box::new(role), has_ended: false, has_failed: false, hides_name: false }
    }

    /// Takes complete records from the front of `records`, which is decrypted in place, until `plain` returns `false`
    /// for the bytes of one, or no complete record is left. Appends the bytes that must be sent in answer to `out`.
    pub fn read(
        &mut self,
        records: &mut [u8],
        mut plain: impl FnMut(&[u8]) -> bool,
        out: &mut Vec<u8>,
    ) -> Read {
        let mut read = Read::default();
        if self.hides_name && self.is_handshaking() {
            nameless::hide_name(records);
        }
        loop {
            let rest = records.get_mut(read.consumed..).unwrap_or_default();
            let mut goes_on = true;
            let mut take = |bytes: &[u8]| goes_on &= plain(bytes);
            let (discard, step) = match &mut *self.role {
                Role::Server(connection) => step(connection.process_tls_records(rest), &mut take, out),
                Role::Client(connection) => step(connection.process_tls_records(rest), &mut take, out),
            };
            read.consumed += discard;
            match step {
                Step::Again => {}
                Step::Plain if goes_on => {}
                Step::Plain | Step::Blocked => {
                    read.has_ended = matches!(step, Step::Blocked) && self.has_ended;
                    return read;
                }
                Step::Ended => {
                    read.has_ended = true;
                    return read;
                }
                Step::Failed(error) => {
                    self.write_alert(records.get_mut(read.consumed..).unwrap_or_default(), out);
                    self.has_failed = true;
                    read.error = Some(error);
                    return read;
                }
            }
        }
    }

    /// Writes what a failed session still has to send to its peer.
    // invariant: rustls always gets all bytes that it has not consumed. It stores the offsets of started messages, and
    // would panic if they were outside the slice.
    fn write_alert(&mut self, records: &mut [u8], out: &mut Vec<u8>) {
        let mut nothing = |_: &[u8]| {};
        // limit: a session that fails sends an alert, and perhaps one flight before it.
        for _ in 0..ALERT_STEPS_MAX {
            // invariant: rustls does not get a record again that it has failed at: it would fail again, and hit an
            // assertion that the error is not reported twice.
            if !self.owes_bytes() {
                break;
            }
            let (discard, step) = match &mut *self.role {
                Role::Server(connection) => step(connection.process_tls_records(records), &mut nothing, out),
                Role::Client(connection) => step(connection.process_tls_records(records), &mut nothing, out),
            };
            if discard > 0 || !matches!(step, Step::Again) {
                break;
            }
        }
    }

    /// Whether rustls has records to send that were not taken from it.
    fn owes_bytes(&self) -> bool {
        match &*self.role {
            Role::Server(connection) => connection.wants_write(),
            Role::Client(connection) => connection.wants_write(),
        }
    }

    /// Encrypts `plain` into `room`, which has at least [`sealed_len`] bytes; returns how many bytes were consumed.
    /// Other pending output is appended to `out` and must be sent first. `records` are the bytes that [`Self::read`]
    /// has left, which contain no complete record.
    ///
    /// # Errors
    /// If the handshake is not finished, or the session is over.
    pub fn write(
        &mut self,
        records: &mut [u8],
        plain: &[u8],
        room: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        if self.has_failed {
            return Err(Error::HandshakeNotComplete);
        }
        match &mut *self.role {
            Role::Server(connection) => loop {
                let status = connection.process_tls_records(records);
                if let Some(written) = seal(status, plain, room, out, &mut self.has_ended)? {
                    return Ok(written);
                }
            },
            Role::Client(connection) => loop {
                let status = connection.process_tls_records(records);
                if let Some(written) = seal(status, plain, room, out, &mut self.has_ended)? {
                    return Ok(written);
                }
            },
        }
    }

    /// Appends `close_notify`; nothing can be written after it. `records` as for [`Self::write`].
    pub fn close(&mut self, records: &mut [u8], out: &mut Vec<u8>) {
        if self.has_failed {
            return;
        }
        let mut nothing = |_: &[u8]| {};
        for _ in 0..ALERT_STEPS_MAX {
            let (_, step) = match &mut *self.role {
                Role::Server(connection) => last(connection.process_tls_records(records), &mut nothing, out),
                Role::Client(connection) => last(connection.process_tls_records(records), &mut nothing, out),
            };
            if !matches!(step, Step::Again) {
                break;
            }
        }
    }

    pub fn is_handshaking(&self) -> bool {
        match &*self.role {
            Role::Server(connection) => connection.is_handshaking(),
            Role::Client(connection) => connection.is_handshaking(),
        }
    }

    /// The protocol that ALPN negotiated.
    pub fn protocol(&self) -> Option<&[u8]> {
        match &*self.role {
            Role::Server(connection) => connection.alpn_protocol(),
            Role::Client(connection) => connection.alpn_protocol(),
        }
    }

    fn version(&self) -> Option<ProtocolVersion> {
        match &*self.role {
            Role::Server(connection) => connection.protocol_version(),
            Role::Client(connection) => connection.protocol_version(),
        }
    }

    /// `1.2` or `1.3`, or nothing before the end of the handshake.
    pub fn version_text(&self) -> &'static str {
        match self.version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            _ => "",
        }
    }

    /// The IANA name, or nothing before the end of the handshake.
    pub fn suite_name(&self) -> &'static str {
        let suite = self.suite().map(|suite| suite.suite());
        suite.and_then(provider::suite_of).map_or("", model::CipherSuite::name)
    }

    fn suite(&self) -> Option<rustls::SupportedCipherSuite> {
        match &*self.role {
            Role::Server(connection) => connection.negotiated_cipher_suite(),
            Role::Client(connection) => connection.negotiated_cipher_suite(),
        }
    }

    pub fn is_resumed(&self) -> bool {
        let kind = match &*self.role {
            Role::Server(connection) => connection.handshake_kind(),
            Role::Client(connection) => connection.handshake_kind(),
        };
        kind == Some(HandshakeKind::Resumed)
    }

    /// The peer's certificate chain, its own certificate first. The peer has proved that it has the key.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        match &*self.role {
            Role::Server(connection) => connection.peer_certificates(),
            Role::Client(connection) => connection.peer_certificates(),
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("is_handshaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}

/// Whether rustls takes this as the name of a server.
pub fn is_server_name(name: &str) -> bool {
    DnsName::try_from(name).is_ok()
}

/// The maximum length of the records for `plain_len` bytes.
pub const fn sealed_len(plain_len: usize) -> usize {
    plain_len + (plain_len / (FRAGMENT_BYTES - RECORD_OVERHEAD_MAX) + 1) * RECORD_OVERHEAD_MAX
}

fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut impl FnMut(&[u8]),
    out: &mut Vec<u8>,
) -> (usize, Step) {
    let mut discard = status.discard;
    let step = match status.state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
            match traffic.next_record() {
                Some(Ok(record)) => {
                    discard += record.discard;
                    plain(record.payload);
                }
                Some(Err(error)) => break Step::Failed(error),
                None => break Step::Plain,
            }
        },
        Ok(ConnectionState::EncodeTlsData(mut data)) => encode(out, |room| data.encode(room)),
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Step::Again
        }
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Step::Ended,
        Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => Step::Blocked,
        // Early data is never accepted, and an unknown state cannot be handled.
        Ok(_) => Step::Failed(Error::General("unexpected state".into())),
        Err(error) => Step::Failed(error),
    };
    (discard, step)
}

/// Like [`step`], but sends `close_notify` if it can be sent.
fn last<Data>(
    mut status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut impl FnMut(&[u8]),
    out: &mut Vec<u8>,
) -> (usize, Step) {
    if let Ok(ConnectionState::WriteTraffic(traffic)) = &mut status.state {
        let mut room = [0; CLOSE_BYTES_MAX];
        let written = traffic.queue_close_notify(&mut room).unwrap_or(0);
        out.extend_from_slice(&room[..written]);
        return (status.discard, Step::Blocked);
    }
    step(status, plain, out)
}

fn encode(out: &mut Vec<u8>, mut into: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) -> Step {
    let before = out.len();
    match into(&mut []) {
        Ok(_) => return Step::Again,
        Err(EncodeError::InsufficientSize(needed)) => out.resize(before + needed.required_size, 0),
        Err(error) => return Step::Failed(Error::General(error.to_string())),
    }
    match into(&mut out[before..]) {
        Ok(written) => {
            out.truncate(before + written);
            Step::Again
        }
        Err(error) => {
            out.truncate(before);
            Step::Failed(Error::General(error.to_string()))
        }
    }
}

/// `None`: something else had to be written first.
fn seal<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &[u8],
    room: &mut [u8],
    out: &mut Vec<u8>,
    has_ended: &mut bool,
) -> Result<Option<usize>, Error> {
    if status.discard > 0 {
        return Err(Error::General("records were left".into()));
    }
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => match traffic.encrypt(plain, room) {
            Ok(written) => Ok(Some(written)),
            Err(EncryptError::EncryptExhausted) => Err(Error::EncryptError),
            Err(error) => Err(Error::General(error.to_string())),
        },
        Ok(ConnectionState::EncodeTlsData(mut data)) => match encode(out, |room| data.encode(room)) {
            Step::Failed(error) => Err(error),
            _ => Ok(None),
        },
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(None)
        }
        // Reported once; the other direction stays open.
        Ok(ConnectionState::PeerClosed) => {
            *has_ended = true;
            Ok(None)
        }
        Ok(_) => Err(Error::HandshakeNotComplete),
        Err(error) => Err(error),
    }
}

/// Maximum size of our records. rustls copies each record twice, and the C library's `rep movsb` for copies above 8 KiB
/// took more than half of the time of a large response; the cost per record is not measurable at this size.
pub(crate) const FRAGMENT_BYTES: usize = 8_000;
/// Overhead of a record: header, explicit nonce (TLS 1.2), content type (TLS 1.3) and tag, with a margin.
const RECORD_OVERHEAD_MAX: usize = 64;
const CLOSE_BYTES_MAX: usize = 64;
const ALERT_STEPS_MAX: usize = 8;
