//! Opens a connection to a target: an idle one where one is good, else a new one.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::{Buffer, Sys, TcpStream, Ticks};
use rustls::CertificateError;
use tls::Connector;

use super::request::Request;
use super::{Failed, failure};
use crate::peer;
use crate::pool::{LocalTarget, TargetConnection};
use crate::stream::{HandshakeError, Stream, Tls};
use model::Failure;

/// An attempt in flight at a target.
pub(super) struct InFlight<S: Sys>(Rc<LocalTarget<S>>);

impl<S: Sys> InFlight<S> {
    pub(super) fn begin(target: &Rc<LocalTarget<S>>) -> Self {
        target.live.begin_request();
        let cells = target.cells();
        cells.requests.increment();
        cells.requests_in_flight.increment();
        Self(Rc::clone(target))
    }
}

impl<S: Sys> Drop for InFlight<S> {
    fn drop(&mut self) {
        self.0.live.end_request();
        self.0.cells().requests_in_flight.decrement();
    }
}

/// A new connection may still be in the making: the first write waits for it. `fresh`: no idle one is taken.
/// `is_whole`: all of the request is here, so that it could be sent twice.
pub(super) fn connect<S: Sys>(
    request: &Request<S>,
    connector: Option<&Arc<Connector>>,
    target: &Rc<LocalTarget<S>>,
    fresh: bool,
    is_whole: bool,
) -> Result<TargetConnection<S>, Failure> {
    let proxy = &request.proxy;
    let may_repeat = request.head().method().is_idempotent() && is_whole;
    while !fresh && let Some(connection) = target.reuse(proxy.now_millis()) {
        // What cannot be repeated is worth a question to the kernel: has the target closed just now?
        if may_repeat || connection.stream.check_open() {
            target.cells().connections_reused.increment();
            return Ok(connection);
        }
        connection
            .reused_after_millis
            .into_iter()
            .for_each(|idle| target.learn_closed(idle, proxy.now_millis()));
    }
    let address = target.live.key().address;
    let stream = TcpStream::connect(&proxy.worker, address).map_err(|error| failure::on_connect(&error))?;
    // Without it the connection serves as well; only a target that vanishes is found out later.
    let _ = stream.set_keepalive(target.tcp_keepalive());
    Ok(target.opened(Stream::plain(stream), connector.cloned()))
}

/// Waits until a new connection stands, and makes the TLS handshake on it, all within `timeout` (TLS5).
pub(super) async fn secure<S: Sys>(
    connection: &mut TargetConnection<S>,
    connector: &Connector,
    target: IpAddr,
    timeout: Duration,
) -> Result<(), Failed> {
    let stream = &connection.stream;
    let deadline = stream.worker().after(timeout);
    stream.set_read_deadline(deadline);
    stream.set_write_deadline(deadline);
    stream.writable().await.map_err(|error| failure::on_connect(&error))?;
    let tcp = stream.as_plain().ok_or(Failure::Internal)?;
    let session = connector.connect(target).map_err(|_| Failure::Internal)?;
    let session =
        Tls::handshake(tcp, session, Buffer::new(), true).await.map_err(|error| on_handshake(&error))?;
    connection.stream.secure(session);
    connection.stream.set_read_deadline(Ticks::NEVER);
    Ok(())
}

fn on_handshake(error: &HandshakeError) -> Failed {
    match error {
        HandshakeError::Io(error) if peer::is_deadline(error) => Failure::TargetConnectTimeout.into(),
        HandshakeError::Io(_) => Failed { failure: Failure::TargetTls, detail: "reset within the handshake" },
        HandshakeError::Closed => {
            Failed { failure: Failure::TargetTls, detail: "closed within the handshake" }
        }
        HandshakeError::Tls(rustls::Error::InvalidCertificate(error)) => {
            Failed { failure: Failure::TargetTlsVerify, detail: verify_detail(error) }
        }
        HandshakeError::Tls(rustls::Error::AlertReceived(_)) => {
            Failed { failure: Failure::TargetTls, detail: "the target sent an alert" }
        }
        HandshakeError::Tls(rustls::Error::NoApplicationProtocol) => {
            Failed { failure: Failure::TargetTls, detail: "the target does not speak the protocol" }
        }
        HandshakeError::Tls(_) => {
            Failed { failure: Failure::TargetTls, detail: "not a handshake that we can make" }
        }
    }
}

fn verify_detail(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not yet valid",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "another name",
        CertificateError::UnknownIssuer => "unknown CA",
        CertificateError::BadSignature => "bad signature",
        CertificateError::Revoked => "revoked",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "not for servers"
        }
        _ => "not valid",
    }
}
