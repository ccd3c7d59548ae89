//! Connects to a target: reuses a good idle connection, or opens a new one.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use model::{Failure, TargetTimeouts};
use net::{Buffer, Sys, TcpStream, Ticks, Worker};
use rustls::InvalidMessage;
use tls::Connector;

use super::pool::{LocalTarget, TargetConnection};
use crate::failed::Failed;
use crate::http2::{DriverHandle, TargetStream, drive};
use crate::io_error;
use crate::live::TargetLive;
use crate::stream::{HandshakeError, Stream, Tls, Wire};

/// An attempt in flight at a target.
pub(crate) struct InFlight<S: Sys>(Rc<LocalTarget<S>>);

impl<S: Sys> InFlight<S> {
    /// `None`: the target has `max` in flight already.
    pub(crate) fn begin(target: &Rc<LocalTarget<S>>, max: Option<u32>) -> Option<Self> {
        if !target.live.begin_request(max) {
            return None;
        }
        let cells = target.cells();
        cells.requests.increment();
        cells.requests_in_flight.increment();
        Some(Self(Rc::clone(target)))
    }
}

impl<S: Sys> Drop for InFlight<S> {
    fn drop(&mut self) {
        self.0.live.end_request();
        self.0.cells().requests_in_flight.decrement();
    }
}

/// Returns a connection to `target`. A new one may still be connecting: the first write waits for that. `fresh`: no idle
/// connection is reused. `may_repeat`: the request could be sent twice.
pub(crate) fn connect<S: Sys>(
    worker: &Worker<S>,
    connector: Option<&Arc<Connector>>,
    target: &Rc<LocalTarget<S>>,
    fresh: bool,
    may_repeat: bool,
) -> Result<TargetConnection<S>, Failed> {
    let now_millis = worker.now() / 1_000_000;
    while !fresh && let Some(connection) = target.reuse(now_millis) {
        // A request that cannot be repeated is worth a system call: has the target closed just now?
        if may_repeat || connection.stream.check_open() {
            target.cells().connections_reused.increment();
            return Ok(connection);
        }
        connection.reused_after_millis.into_iter().for_each(|idle| target.learn_closed(idle, now_millis));
    }
    let stream = open(worker, target)?;
    Ok(target.opened(Stream::plain(stream), connector.cloned()))
}

fn open<S: Sys>(worker: &Worker<S>, target: &LocalTarget<S>) -> Result<TcpStream<S>, Failed> {
    if !target.live.descriptors().may_connect() {
        return Err(NO_DESCRIPTOR);
    }
    let stream = TcpStream::connect(worker, target.live.key().address).map_err(|error| on_connect(&error))?;
    // A connection without keepalive serves as well; a target that vanishes is only detected later.
    let _ = stream.set_keepalive(target.tcp_keepalive());
    Ok(stream)
}

/// Opens a connection and waits until it is established, for at most `timeout`: for bytes that may be sent once only, so
/// that none is sent before there is somewhere for all of them to go.
pub(crate) async fn establish<S: Sys>(
    worker: &Worker<S>,
    target: &Rc<LocalTarget<S>>,
    timeout: Duration,
) -> Result<TargetConnection<S>, Failed> {
    let stream = match open(worker, target) {
        Err(failed) if make_room(worker, &target.live, failed).await => open(worker, target)?,
        opened => opened?,
    };
    let connection = target.opened(Stream::plain(stream), None);
    let tcp = connection.stream.as_plain().ok_or(Failure::Internal)?;
    set_deadline(tcp, timeout);
    tcp.established().await.map_err(|error| on_connect(&error))?;
    tcp.set_read_deadline(Ticks::NEVER);
    Ok(connection)
}

/// After a failed connect: has something idle closed if that may help another try. False: it fails for good.
pub(crate) async fn make_room<S: Sys>(worker: &Worker<S>, live: &TargetLive, failed: Failed) -> bool {
    let is_made =
        failed.failure == Failure::LocalResources && live.descriptors().free_one(worker.now() / 1_000_000);
    if is_made {
        worker.sleep(CLOSES_WITHIN).await;
    }
    is_made
}

/// Waits until a new connection is established, then makes the TLS handshake, all within `timeout` (TLS5).
pub(crate) async fn secure<S: Sys>(
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

/// Waits until a connection is established. A socket whose connect has failed is writable too; what has happened would
/// otherwise be taken for a fault of what is spoken on it.
async fn connected<S: Sys>(tcp: &TcpStream<S>) -> Result<(), Failed> {
    tcp.writable().await.map_err(|error| on_connect(&error))?;
    match tcp.take_error() {
        Some(error) => Err(on_connect(&error)),
        None => Ok(()),
    }
}

async fn handshake<S: Sys>(
    tcp: &TcpStream<S>,
    connector: &Connector,
    target: IpAddr,
) -> Result<Box<Tls>, Failed> {
    connected(tcp).await?;
    let session = connector.connect(target).map_err(|_| Failure::Internal)?;
    Tls::handshake(tcp, session, Buffer::new(), true).await.map_err(|error| on_handshake(&error))
}

/// Returns a stream of an HTTP/2 connection to the target. A new connection is opened if none can take another stream.
pub(crate) async fn connect_http2<S: Sys>(
    worker: &Worker<S>,
    connector: Option<&Arc<Connector>>,
    target: &Rc<LocalTarget<S>>,
    timeouts: TargetTimeouts,
) -> Result<TargetConnection<S>, Http2Error> {
    let take_slot = || {
        target.http2.slot(|handle| {
            // Other requests will share it, so it is made with the current settings, not with those of this request's
            // generation.
            let connector = target.connector().or_else(|| connector.cloned());
            let target = Rc::clone(target);
            worker.spawn(open_http2(worker.clone(), target, connector, handle, timeouts));
        })
    };
    let mut slot = take_slot();
    let mut requests = slot.ready().await;
    for _ in 0..MOVES_MAX {
        if requests.is_err() || slot.is_within_limit() {
            break;
        }
        // More requests have waited for it than the target takes streams at a time.
        drop(std::mem::replace(&mut slot, take_slot()));
        requests = slot.ready().await;
    }
    let is_new = slot.is_new;
    target.forget_if_retired();
    let requests = requests.map_err(|failed| Http2Error { failed, is_new })?;
    let scheme = if connector.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    Ok(target.on_stream(TargetStream::new(worker, slot, requests, scheme)))
}

/// limit: moves to another connection before a request waits for its turn where it is.
const MOVES_MAX: u32 = 4;

/// Why there is no stream.
pub(crate) struct Http2Error {
    pub(crate) failed: Failed,
    /// The connection was opened for this request.
    pub(crate) is_new: bool,
}

/// The task of an HTTP/2 connection, from connect to close. One timeout covers connect and handshakes.
async fn open_http2<S: Sys>(
    worker: Worker<S>,
    target: Rc<LocalTarget<S>>,
    connector: Option<Arc<Connector>>,
    handle: DriverHandle,
    timeouts: TargetTimeouts,
) {
    let address = target.live.key().address;
    let _descriptor = Descriptor::new(&target, worker.now() / 1_000_000);
    let wire = async {
        let tcp = match open(&worker, &target) {
            Err(failed) if make_room(&worker, &target.live, failed).await => open(&worker, &target)?,
            opened => opened?,
        };
        set_deadline(&tcp, timeouts.connect);
        let Some(connector) = connector else {
            connected(&tcp).await?;
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
        Ok(wire) => {
            let _counted = Counted::new(target);
            drive(wire, handle, timeouts.idle).await;
        }
        Err(failed) => handle.fail(failed),
    }
}

/// What an error means before a byte was sent.
pub(crate) fn on_connect(error: &io::Error) -> Failed {
    let ours = |detail| Failed { failure: Failure::LocalResources, detail };
    let failure = match error.kind() {
        ErrorKind::TimedOut => Failure::TargetConnectTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Failure::TargetUnreachable
        }
        ErrorKind::AddrNotAvailable => return ours("no local port is free"),
        ErrorKind::OutOfMemory => return ours("no memory for a socket"),
        _ if io_error::is_out_of_descriptors(error) => return NO_DESCRIPTOR,
        _ => Failure::TargetRefused,
    };
    failure.into()
}

const NO_DESCRIPTOR: Failed =
    Failed { failure: Failure::LocalResources, detail: "no file descriptor is free" };
/// An idle connection, maybe of another worker.
const CLOSES_WITHIN: Duration = Duration::from_millis(20);

fn on_handshake(error: &HandshakeError) -> Failed {
    match error {
        HandshakeError::Io(error) if io_error::is_deadline(error) => {
            let detail = "connected; the TLS handshake did not end";
            Failed { failure: Failure::TargetConnectTimeout, detail }
        }
        HandshakeError::Io(_) => Failed { failure: Failure::TargetTls, detail: "reset within the handshake" },
        HandshakeError::Closed => {
            Failed { failure: Failure::TargetTls, detail: "closed within the handshake" }
        }
        HandshakeError::Tls(rustls::Error::InvalidCertificate(error)) => {
            Failed { failure: Failure::TargetTlsVerify, detail: tls::certificate_cause(error) }
        }
        HandshakeError::Tls(rustls::Error::AlertReceived(_)) => {
            Failed { failure: Failure::TargetTls, detail: "the target sent an alert" }
        }
        HandshakeError::Tls(rustls::Error::NoApplicationProtocol) => {
            Failed { failure: Failure::TargetTls, detail: "the target does not speak the protocol" }
        }
        HandshakeError::Tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            Failed { failure: Failure::TargetTls, detail: "the target does not speak TLS: is it plain HTTP?" }
        }
        HandshakeError::Tls(_) => {
            Failed { failure: Failure::TargetTls, detail: "not a handshake that we can make" }
        }
    }
}

/// The file descriptor of an HTTP/2 connection.
struct Descriptor(Arc<TargetLive>);

impl Descriptor {
    fn new<S: Sys>(target: &LocalTarget<S>, now_millis: u64) -> Self {
        target.live.descriptors().occupy(now_millis);
        Self(Arc::clone(&target.live))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.descriptors().vacate();
    }
}

/// An open HTTP/2 connection in the metrics.
struct Counted<S: Sys>(Rc<LocalTarget<S>>);

impl<S: Sys> Counted<S> {
    fn new(target: Rc<LocalTarget<S>>) -> Self {
        target.cells().connections_opened.increment();
        target.cells().connections_open.increment();
        Self(target)
    }
}

impl<S: Sys> Drop for Counted<S> {
    fn drop(&mut self) {
        self.0.cells().connections_open.decrement();
    }
}

#[cfg(test)]
mod tests;
