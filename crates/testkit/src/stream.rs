//! The transport of a connection: TCP, or TLS over TCP.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustls::{AlertDescription, Connection, HandshakeKind, ProtocolVersion};

use crate::wait::PATIENCE;

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: TcpStream,
    session: Option<Box<Connection>>,
}

/// The result of a TLS handshake.
#[derive(Clone, Debug)]
pub struct Handshake {
    pub version: ProtocolVersion,
    /// By its IANA name.
    pub suite: String,
    pub kind: HandshakeKind,
    /// The IANA name of the key exchange group; `None` if the handshake was resumed without one.
    pub group: Option<String>,
    /// The protocol that ALPN chose.
    pub alpn: Option<String>,
    /// The host name that a client asked for; only set at targets.
    pub sni: Option<String>,
    /// The peer's certificate chain as sent, in DER.
    pub peer_chain: Vec<Vec<u8>>,
}

/// A handshake that failed.
#[derive(Debug)]
pub struct HandshakeFailure {
    /// The alert that the peer sent.
    pub alert: Option<AlertDescription>,
    pub error: io::Error,
}

impl Stream {
    pub(crate) fn plain(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, session: None }
    }

    /// Completes the handshake of `session` over this connection.
    pub(crate) fn secure(
        socket: TcpStream,
        session: impl Into<Connection>,
    ) -> Result<Self, HandshakeFailure> {
        let mut stream = Self::plain(socket);
        let mut session = Box::new(session.into());
        while session.is_handshaking() {
            if let Err(error) = session.complete_io(&mut stream.socket) {
                return Err(HandshakeFailure { alert: alert(&error), error });
            }
        }
        // Sends a server's tickets.
        if let Err(error) = write_out(&mut session, &mut stream.socket) {
            return Err(HandshakeFailure { alert: alert(&error), error });
        }
        stream.session = Some(session);
        Ok(stream)
    }

    /// The result of the handshake; `None` without TLS.
    pub(crate) fn handshake(&self) -> Option<Handshake> {
        let session = self.session.as_deref()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let suite = session.negotiated_cipher_suite()?.suite();
        Some(Handshake {
            version: session.protocol_version()?,
            suite: format!("{suite:?}").replace("TLS13_", "TLS_"),
            kind: session.handshake_kind()?,
            group: session.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
            alpn: session.alpn_protocol().map(text),
            sni: match session {
                Connection::Server(server) => server.server_name().map(str::to_owned),
                Connection::Client(_) => None,
            },
            peer_chain: session
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|one| one.to_vec())
                .collect(),
        })
    }

    /// Sends `close_notify`, if it is TLS, and leaves the connection open.
    pub(crate) fn notify_close(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        session.send_close_notify();
        write_out(session, &mut self.socket)
    }

    /// Half-closes the connection.
    pub(crate) fn half_close(&mut self) -> io::Result<()> {
        self.notify_close()?;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Closes without `close_notify`, as if the rest had been cut off.
    pub(crate) fn cut(mut self) {
        self.session = None;
    }

    /// Resets the connection, without a TLS alert.
    pub(crate) fn reset(mut self) {
        self.session = None;
        reset_on_close(&self.socket);
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &mut self.session else { return self.socket.read(into) };
        loop {
            match session.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            session.read_tls(&mut self.socket)?;
            let processed = session.process_new_packets();
            // Sends the session's answer or alert. The peer may be gone.
            let _ = write_out(session, &mut self.socket);
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(session) = &mut self.session else { return self.socket.write(bytes) };
        write_out(session, &mut self.socket)?;
        let count = session.writer().write(bytes)?;
        write_out(session, &mut self.socket)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Sends `close_notify` if the socket accepts it.
impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(session) = &mut self.session {
            session.send_close_notify();
            let _ = self.socket.set_nonblocking(true);
            let _ = write_out(session, &mut self.socket);
        }
    }
}

/// Writes pending TLS output, and reads nothing.
fn write_out(session: &mut Connection, socket: &mut TcpStream) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(socket)?;
    }
    Ok(())
}

pub(crate) fn reset_on_close(socket: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)).unwrap();
}

/// The alert that ended a connection.
pub(crate) fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}
