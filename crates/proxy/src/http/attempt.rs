//! Attempts: a request is given to a target, and where that fails before anything can have been acted on, to the
//! next (KA6, BAL5).

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use model::{Failure, Limits, Retry};
use net::{Buffer, SMALL, Sys, Ticks};
use proto::http1::BodyLength;
use tls::Connector;

use super::abort::{self, ClientWatch};
use super::admit::Admitted;
use super::body::{BodyFault, BodyReader, BodyWriter};
use super::connect::{self, InFlight, connect};
use super::pick::{Tried, pick};
use super::relay::{Flow, FlowError};
use super::request::Request;
use super::respond::Ended;
use super::{Failed, failure, forward, respond, tunnel};
use crate::connection::Client;
use crate::http2::TargetStream;
use crate::io_error;
use crate::local::LocalGroup;
use crate::pool::{LocalTarget, TargetConnection};

/// What of the request's body is with us.
pub(super) struct Upload<'a> {
    pub(super) reader: BodyReader,
    pub(super) writer: BodyWriter,
    /// Data that came with the head; kept while it may have to be sent again.
    pub(super) first: Buffer,
    /// What else has arrived.
    pub(super) input: &'a mut Buffer,
}

impl Upload<'_> {
    /// Whether no data but `first` has gone to a target: the request can be sent again.
    fn is_here(&self) -> bool {
        self.reader.bytes == self.first.len() as u64
    }
}

/// How far the request's body is on its way to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UploadState {
    /// The client waits for the target's 100 Continue.
    Awaited,
    Going,
    /// Read from the client and written to the target.
    Done,
}

/// How an attempt failed.
struct Missed {
    failed: Failed,
    /// Not a byte of the request had been sent.
    unsent: bool,
    was_reused: bool,
    /// The target says that it has not acted on it (RFC 9113 §8.7).
    was_refused: bool,
}

impl Missed {
    /// On a connection that was made for it, or none.
    fn new(failed: Failed, unsent: bool) -> Self {
        Self { failed, unsent, was_reused: false, was_refused: false }
    }

    fn on<S: Sys>(connection: &TargetConnection<S>, mut failed: Failed, unsent: bool) -> Self {
        let stream = connection.stream.as_target();
        // That one stream was ended says nothing about its connection.
        let is_reset = stream.is_some_and(TargetStream::is_reset);
        if is_reset && failed.detail.is_empty() {
            failed.detail = "the target reset the stream";
        }
        Self {
            failed,
            unsent,
            was_reused: connection.is_reused() && !is_reset,
            was_refused: stream.is_some_and(TargetStream::is_refused),
        }
    }
}

/// Forwards the request and relays the response.
pub(super) async fn forward_and_respond<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    input: &mut Buffer,
    admitted: &Admitted,
) -> Result<(), Failed> {
    let listener = Rc::clone(&request.listener);
    let (place, group) = listener.next_group(admitted.rule).ok_or(Failure::NoTarget)?;
    request.group = Some(place);
    if group.plan.group.protocol.is_http2() && request.asks_for_websocket() {
        return Err(Failure::WebSocketHttp2.into());
    }
    let mut reader = admitted.body_reader();
    // Whoever merges trailers into the head would take one for what only we say of the client (MT3).
    if listener.plan.tls.as_ref().is_some_and(|tls| !tls.identity_fields.is_empty()) {
        reader.drop_trailers();
    }
    request.has_begun_body = true;
    if request.is_stream && !reader.is_complete() {
        client.stream.fill_now(input);
    }
    let first = reader.take(input, &listener.plan.http.limits).map_err(on_fault)?;
    let writer = if admitted.body == BodyLength::Chunked { BodyWriter::Chunked } else { BodyWriter::Plain };
    let mut upload = Upload { reader, writer, first, input };
    let result = try_targets(request, client, group, admitted, &mut upload).await;
    request.request_body_bytes += upload.reader.bytes;
    request.is_uploaded = upload.reader.is_complete();
    request.persists &= request.is_uploaded;
    result
}

async fn try_targets<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    group: &LocalGroup<S>,
    admitted: &Admitted,
    upload: &mut Upload<'_>,
) -> Result<(), Failed> {
    let (mut tried, mut fresh, mut last) = (Tried::default(), false, Failed::from(Failure::NoTarget));
    let watch = ClientWatch::new(request, client);
    while request.attempts < Limits::ATTEMPTS_MAX {
        let goes_on = watch.is_ignored() && upload.reader.is_complete();
        if !goes_on && watch.is_over(upload.input) {
            return Err(watch.failed());
        }
        let Some(place) = pick(admitted, request, group, tried) else { break };
        let target = &group.targets[place];
        request.attempts += 1;
        request.target = Some(target.live.key().address);
        let to = Destination { group, target, rule: admitted.rule };
        let missed = match attempt(request, client, &to, fresh, upload).await {
            Ok(()) => return Ok(()),
            Err(missed) => missed,
        };
        target.cells().failures.count(missed.failed.failure);
        last = missed.failed;
        match missed.failed.failure.outcome().retry {
            Retry::IfUnsent if missed.unsent => tried.add(place),
            Retry::IfReused if may_repeat(request, upload, &missed) => fresh = true,
            _ => break,
        }
    }
    Err(last)
}

/// A reused connection turned out to be closed: the request may go again if nothing of it was sent, or if doing it
/// twice is as good as once and all of it is still here. What the target has refused may go again whatever it is.
fn may_repeat<S: Sys>(request: &Request<S>, upload: &Upload<'_>, missed: &Missed) -> bool {
    let is_unsent = missed.was_reused && missed.unsent;
    let is_harmless = missed.was_refused || missed.was_reused && request.head().method().is_idempotent();
    !request.is_answered && (is_unsent || is_harmless && upload.is_here())
}

/// Where an attempt goes.
pub(super) struct Destination<'a, S: Sys> {
    pub(super) group: &'a LocalGroup<S>,
    pub(super) target: &'a Rc<LocalTarget<S>>,
    pub(super) rule: usize,
}

async fn attempt<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    fresh: bool,
    upload: &mut Upload<'_>,
) -> Result<(), Missed> {
    let _in_flight = InFlight::begin(to.target);
    let is_whole = upload.reader.is_complete();
    let began = request.proxy.worker.now();
    let connector = to.group.plan.connector.as_ref();
    let is_http2 = to.group.plan.group.protocol.is_http2();
    let mut connection = if is_http2 {
        Box::pin(connect_stream(request, client, to, upload)).await?
    } else {
        connect(request, connector, to.target, fresh, is_whole)
            .map_err(|failure| Missed::new(failure.into(), true))?
    };
    let was_reused = connection.is_reused();
    request.is_reused = was_reused;
    if let (Some(connector), false) = (connector, was_reused || is_http2) {
        // On the heap: most connections are used again, and every request would have room for it.
        Box::pin(secure_target(request, client, to, connector, &mut connection, upload)).await?;
    }
    send(request, client, to, &connection, began, upload).await?;
    let may_be_refused = is_http2 && upload.first.len() <= KEPT_BYTES_MAX;
    if may_be_refused {
        upload.first.shrink();
    } else if !(was_reused && request.head().method().is_idempotent()) {
        // It will not be sent again: the block is of use to others.
        upload.first = Buffer::new();
    }
    let ended = exchange(request, client, to, &connection, upload).await.map_err(|failed| {
        if failed.failure == Failure::TargetClosedBeforeResponse {
            learn_closed(request, to, &connection, failed);
        }
        Missed::on(&connection, failed, false)
    })?;
    match ended {
        Ended::Reusable => connection.give_back(request.proxy.now_millis()),
        Ended::Closed => {}
        Ended::Aborted { failed, is_reusable } => {
            if is_reusable {
                connection.give_back(request.proxy.now_millis());
            }
            return Err(Missed::new(failed, false));
        }
        Ended::Tunnel { from_target } => {
            let from_client = std::mem::take(upload.input);
            let stream = &connection.stream;
            Box::pin(tunnel::tunnel(request, client, stream, from_client, from_target, to.rule)).await;
        }
    }
    Ok(())
}

/// Connects and makes the TLS handshake before a byte of the request is sent.
async fn secure_target<S: Sys>(
    request: &Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    connector: &Connector,
    connection: &mut TargetConnection<S>,
    upload: &mut Upload<'_>,
) -> Result<(), Missed> {
    let (began, is_whole) = (request.proxy.worker.now(), upload.reader.is_complete());
    let address = to.target.live.key().address.ip();
    let timeout = to.group.plan.group.timeouts.connect;
    let secured = connect::secure(connection, connector, address, timeout);
    let watch = ClientWatch::new(request, client);
    match watch.unless_gone(secured, upload.input, is_whole).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failed)) => {
            if failed.failure != Failure::LocalResources {
                to.target.live.connect_failed(began / 1_000_000, request.proxy.now_millis());
            }
            Err(Missed::new(failed, true))
        }
        Err(failed) => Err(Missed::new(failed, false)),
    }
}

/// Waits for a stream to a target that speaks HTTP/2.
async fn connect_stream<S: Sys>(
    request: &Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    upload: &mut Upload<'_>,
) -> Result<TargetConnection<S>, Missed> {
    let (began, is_whole) = (request.proxy.worker.now(), upload.reader.is_complete());
    let plan = &to.group.plan;
    let connected = connect::connect_http2(request, plan.connector.as_ref(), to.target, plan.group.timeouts);
    let watch = ClientWatch::new(request, client);
    match watch.unless_gone(connected, upload.input, is_whole).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => {
            if error.is_new && error.failed.failure != Failure::LocalResources {
                to.target.live.connect_failed(began / 1_000_000, request.proxy.now_millis());
            }
            Err(Missed::new(error.failed, true))
        }
        Err(failed) => Err(Missed::new(failed, false)),
    }
}

/// Sends the head and what of the body came with it; `began`: to connect.
async fn send<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    began: u64,
    upload: &mut Upload<'_>,
) -> Result<(), Missed> {
    let was_reused = connection.is_reused();
    let missed = |failed: Failed, unsent| Err(Missed::on(connection, failed, unsent));
    match forward::send(request, client, to, connection, upload).await {
        Ok(bytes) => {
            to.target.cells().sent_bytes.add(bytes);
            if !was_reused {
                to.target.live.connect_succeeded();
                let connect = request.micros_since(began);
                to.target.cells().connect.record(connect);
                request.phases.connect = Some(request.phases.connect.unwrap_or(0) + connect);
            }
            Ok(())
        }
        Err(forward::SendError::Unsent(error)) if is_unspeakable(connection, &error) => {
            missed(Failed { failure: Failure::RequestMalformed, detail: "HTTP/2 cannot say it" }, false)
        }
        Err(forward::SendError::Unsent(error)) if !was_reused => {
            let failure = failure::on_connect(&error);
            if failure != Failure::LocalResources {
                to.target.live.connect_failed(began / 1_000_000, request.proxy.now_millis());
            }
            missed(failure.into(), true)
        }
        Err(forward::SendError::Unsent(error)) => {
            let failed = failure::on_send_to_target(&error);
            learn_closed(request, to, connection, failed);
            missed(failed, true)
        }
        Err(forward::SendError::ClientGone(failed)) => missed(failed, false),
        Err(forward::SendError::Partly(error)) => missed(failure::on_send_to_target(&error), false),
    }
}

/// Whether it is the request that a stream cannot carry.
fn is_unspeakable<S: Sys>(connection: &TargetConnection<S>, error: &io::Error) -> bool {
    connection.stream.as_target().is_some() && error.kind() == io::ErrorKind::InvalidData
}

/// A target that vanished has closed nothing: it tells nothing about its idle limit.
fn learn_closed<S: Sys>(
    request: &Request<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    failed: Failed,
) {
    if let Some(idle) = connection.reused_after_millis
        && failed.detail != io_error::PEER_DEAD
    {
        to.target.learn_closed(idle, request.proxy.now_millis());
    }
}

/// Lets the response come while the rest of the body goes, and watches for a client that goes away.
async fn exchange<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    upload: &mut Upload<'_>,
) -> Result<Ended, Failed> {
    let listener = Rc::clone(&request.listener);
    let state = Cell::new(UploadState::at_first(request, upload));
    let (timeouts, watch) = (to.group.plan.group.timeouts, ClientWatch::new(request, client));
    let mut client_side = pin!(async {
        if state.get() != UploadState::Done {
            if state.get() == UploadState::Awaited {
                client.stream.set_read_deadline(Ticks::NEVER);
                // An error shows again when the body is read.
                let _ = client.stream.readable().await;
                state.set(UploadState::Going);
                connection.stream.set_read_deadline(Ticks::NEVER);
            }
            let http = &listener.plan.http;
            let flow = Flow {
                from: &client.stream,
                to: &connection.stream,
                input: &mut *upload.input,
                reader: &mut upload.reader,
                writer: upload.writer,
                limits: &http.limits,
                read_timeout: http.body_timeout,
                write_timeout: timeouts.idle,
            };
            match flow.run().await {
                Ok(()) => state.set(UploadState::Done),
                Err(error) => on_upload(error)?,
            }
            // From here on it is the target's turn.
            connection.stream.set_read_deadline(connection.stream.worker().after(timeouts.response));
        }
        if watch.is_ignored() {
            return std::future::pending().await;
        }
        Err::<Infallible, _>(poll_fn(|context| watch.poll(context, upload.input)).await)
    });
    let mut target_side = pin!(respond::respond(request, client, to, connection, &state));
    let has_patience = abort::has_patience(client, to.group.plan.group.protocol);
    let mut given_up = None;
    poll_fn(|context| {
        if let Poll::Ready(ended) = target_side.as_mut().poll(context) {
            return Poll::Ready(match given_up {
                Some((failed, _)) => abort::after_patience(&ended, failed),
                None => ended,
            });
        }
        if let Some((_, until)) = given_up {
            // Each part of a response sets a deadline of its own, and this one is for all of it.
            connection.stream.set_read_deadline(until);
            return Poll::Pending;
        }
        // Asked for here, whatever the upload waits for; it is the same task that would read from the client.
        if state.get() != UploadState::Done && client.stream.poll_gone(context).is_ready() {
            return Poll::Ready(Err(watch.failed()));
        }
        match client_side.as_mut().poll(context) {
            Poll::Ready(Err(failed)) if has_patience && state.get() == UploadState::Done => {
                client.is_given_up.set(true);
                given_up = Some((failed, connection.stream.worker().after(abort::PATIENCE)));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Err(failed)) => Poll::Ready(Err(failed)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

impl UploadState {
    fn at_first<S: Sys>(request: &Request<S>, upload: &Upload<'_>) -> Self {
        match (upload.reader.is_complete(), request.head().expect_continue()) {
            (true, _) => Self::Done,
            (false, true) => Self::Awaited,
            (false, false) => Self::Going,
        }
    }
}

/// What an end of the upload means. A target that takes no more may have answered already: its response is waited
/// for.
fn on_upload(error: FlowError) -> Result<(), Failed> {
    match error {
        FlowError::Read(error) => Err(match error.kind() {
            _ if io_error::is_deadline(&error) => Failure::RequestBodyTimeout.into(),
            io::ErrorKind::OutOfMemory => Failure::LocalResources.into(),
            _ => failure::client_aborted(&error),
        }),
        FlowError::Ended => Err(Failure::ClientAborted.into()),
        FlowError::Fault(fault) => Err(on_fault(fault)),
        FlowError::Write(error) if io_error::is_deadline(&error) => Err(Failure::TargetSendTimeout.into()),
        FlowError::Write(_) => Ok(()),
    }
}

fn on_fault(fault: BodyFault) -> Failed {
    match fault {
        BodyFault::Malformed(detail) => Failed { failure: Failure::RequestBodyMalformed, detail },
        BodyFault::TooLarge => Failed { failure: Failure::RequestBodyTooLarge, detail: "counted" },
        BodyFault::NoMemory => Failure::LocalResources.into(),
    }
}

/// limit: bytes of a request's body that are kept while a target that speaks HTTP/2 may refuse it.
const KEPT_BYTES_MAX: usize = SMALL;
