//! Opens a connection to a target: an idle one where one is good, else a new one.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use net::{Buffer, Sys, TcpStream, Ticks, Worker};
use rustls::CertificateError;
use tls::Connector;

use super::request::Request;
use super::{Failed, failure};
use crate::http2::{Opening, TargetStream, drive};
use crate::io_error;
use crate::pool::{LocalTarget, TargetConnection};
use crate::stream::{HandshakeError, Stream, Tls, Wire};
use model::{Failure, TargetTimeouts};

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
    let tcp = connection.stream.as_plain().ok_or(Failure::Internal)?;
    set_deadline(tcp, timeout);
    let session = handshake(tcp, connector, target).await?;
    connection.stream.secure(session);
    connection.stream.set_read_deadline(Ticks::NEVER);
    Ok(())
}

/// For both directions, from now on.
fn set_deadline<S: Sys>(tcp: &TcpStream<S>, timeout: Duration) {
    let deadline = tcp.worker().after(timeout);
    tcp.set_read_deadline(deadline);
    tcp.set_write_deadline(deadline);
}

async fn handshake<S: Sys>(
    tcp: &TcpStream<S>,
    connector: &Connector,
    target: IpAddr,
) -> Result<Box<Tls>, Failed> {
    tcp.writable().await.map_err(|error| failure::on_connect(&error))?;
    let session = connector.connect(target).map_err(|_| Failure::Internal)?;
    Tls::handshake(tcp, session, Buffer::new(), true).await.map_err(|error| on_handshake(&error))
}

/// A stream of a connection to the target that speaks HTTP/2, which is opened where there is none with room.
pub(super) async fn connect_http2<S: Sys>(
    request: &Request<S>,
    connector: Option<&Arc<Connector>>,
    target: &Rc<LocalTarget<S>>,
    timeouts: TargetTimeouts,
) -> Result<TargetConnection<S>, Http2Error> {
    let worker = &request.proxy.worker;
    let lane = || {
        target.http2.lane(|opening| {
            // Others will share it: it is made with what holds now, whatever held when this request began.
            let connector = target.connector().or_else(|| connector.cloned());
            let target = Rc::clone(target);
            worker.spawn(open_http2(worker.clone(), target, connector, opening, timeouts));
        })
    };
    let mut taken = lane();
    let mut requests = taken.ready().await;
    for _ in 0..MOVES_MAX {
        if requests.is_err() || taken.fits() {
            break;
        }
        // More have waited for it than the target takes at a time.
        drop(std::mem::replace(&mut taken, lane()));
        requests = taken.ready().await;
    }
    let is_new = taken.is_new;
    target.forget_if_retired();
    let requests = requests.map_err(|failed| Http2Error { failed, is_new })?;
    let scheme = if connector.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    Ok(target.on_stream(TargetStream::new(worker, taken, requests, scheme)))
}

/// limit: moves to another connection before a request waits for its turn where it is.
const MOVES_MAX: u32 = 4;

/// Why there is no stream.
pub(super) struct Http2Error {
    pub(super) failed: Failed,
    /// The connection was opened for it.
    pub(super) is_new: bool,
}

/// The task of a connection: from its opening, with the same limit for all of it, to its end.
async fn open_http2<S: Sys>(
    worker: Worker<S>,
    target: Rc<LocalTarget<S>>,
    connector: Option<Arc<Connector>>,
    opening: Opening,
    timeouts: TargetTimeouts,
) {
    let address = target.live.key().address;
    let wire = async {
        let tcp = TcpStream::connect(&worker, address).map_err(|error| failure::on_connect(&error))?;
        let _ = tcp.set_keepalive(target.tcp_keepalive());
        set_deadline(&tcp, timeouts.connect);
        let Some(connector) = connector else {
            tcp.writable().await.map_err(|error| failure::on_connect(&error))?;
            return Ok(Wire::plain(tcp));
        };
        let session = handshake(&tcp, &connector, address.ip()).await?;
        if session.with_session(|session| session.protocol() != Some(tls::H2)) {
            return Err(Failed { failure: Failure::TargetTls, detail: "the target does not speak HTTP/2" });
        }
        let mut wire = Wire::plain(tcp);
        wire.secure(session);
        Ok(wire)
    };
    match Box::pin(wire).await {
        Ok(wire) => drive(target, wire, opening, timeouts.idle).await,
        Err(failed) => opening.failed(failed),
    }
}

fn on_handshake(error: &HandshakeError) -> Failed {
    match error {
        HandshakeError::Io(error) if io_error::is_deadline(error) => Failure::TargetConnectTimeout.into(),
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
