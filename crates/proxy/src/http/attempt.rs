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
use net::{Buffer, Sys, Ticks};
use proto::http1::BodyLength;
use tls::Connector;

use super::abort::Watch;
use super::admit::Admitted;
use super::body::{BodyFault, BodyReader, BodyWriter};
use super::connect::{self, InFlight, connect};
use super::pick::{Tried, pick};
use super::relay::{Flow, FlowError};
use super::request::Request;
use super::respond::Ended;
use super::{Failed, failure, forward, respond, tunnel};
use crate::connection::Client;
use crate::local::LocalGroup;
use crate::peer;
use crate::pool::{LocalTarget, TargetConnection};

/// What of the request's body is with us.
pub(super) struct Upload<'a> {
    pub(super) reader: BodyReader,
    pub(super) writer: BodyWriter,
    /// Data that came with the head; kept while it may have to be sent again.
    pub(super) first: Buffer,
    /// What else has arrived.
    pub(super) input: &'a mut Buffer,
    /// Data beyond `first` has gone to a target: the request cannot be sent again.
    is_beyond_first: bool,
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
    let mut reader = admitted.body_reader();
    request.has_begun_body = true;
    let first = reader.take(input, &listener.plan.http.limits).map_err(on_fault)?;
    let writer = if admitted.body == BodyLength::Chunked { BodyWriter::Chunked } else { BodyWriter::Plain };
    let mut upload = Upload { reader, writer, first, input, is_beyond_first: false };
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
    let watch = Watch::new(request, client);
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
/// twice is as good as once and all of it is still here.
fn may_repeat<S: Sys>(request: &Request<S>, upload: &Upload<'_>, missed: &Missed) -> bool {
    let repeatable = request.head().method().is_idempotent() && !upload.is_beyond_first;
    missed.was_reused && !request.is_answered && (missed.unsent || repeatable)
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
    let unsent = |failure: Failure| Missed { failed: failure.into(), unsent: true, was_reused: false };
    let is_whole = upload.reader.is_complete();
    let began = request.proxy.worker.now();
    let connector = to.group.plan.connector.as_ref();
    let mut connection = connect(request, connector, to.target, fresh, is_whole).map_err(unsent)?;
    let was_reused = connection.is_reused();
    request.is_reused = was_reused;
    if let (Some(connector), false) = (connector, was_reused) {
        // On the heap: most connections are used again, and every request would have room for it.
        Box::pin(secure_target(request, client, to, connector, &mut connection, upload)).await?;
    }
    send(request, client, to, &connection, began, upload).await?;
    if !(was_reused && request.head().method().is_idempotent()) {
        // It will not be sent again: the block is of use to others.
        upload.first = Buffer::new();
    }
    let ended = exchange(request, client, to, &connection, upload).await.map_err(|failed| {
        if failed.failure == Failure::TargetClosedBeforeResponse {
            learn_closed(request, to, &connection, failed);
        }
        Missed { failed, unsent: false, was_reused }
    })?;
    match ended {
        Ended::Reusable => connection.give_back(request.proxy.now_millis()),
        Ended::Closed => {}
        Ended::Aborted { failed, is_reusable } => {
            if is_reusable {
                connection.give_back(request.proxy.now_millis());
            }
            return Err(Missed { failed, unsent: false, was_reused });
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
    let watch = Watch::new(request, client);
    match watch.unless_gone(secured, upload.input, is_whole).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failed)) => {
            if failed.failure != Failure::LocalResources {
                to.target.live.connect_failed(began / 1_000_000, request.proxy.now_millis());
            }
            Err(Missed { failed, unsent: true, was_reused: false })
        }
        Err(failed) => Err(Missed { failed, unsent: false, was_reused: false }),
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
    let missed = |failed: Failed, unsent| Err(Missed { failed, unsent, was_reused });
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

/// A target that vanished has closed nothing: it tells nothing about its idle limit.
fn learn_closed<S: Sys>(
    request: &Request<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    failed: Failed,
) {
    if let Some(idle) = connection.reused_after_millis
        && failed.detail != peer::PEER_DEAD
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
    let state = Cell::new(match (upload.reader.is_complete(), request.head().expect_continue()) {
        (true, _) => UploadState::Done,
        (false, true) => UploadState::Awaited,
        (false, false) => UploadState::Going,
    });
    let (timeouts, watch) = (to.group.plan.group.timeouts, Watch::new(request, client));
    let mut client_side = pin!(async {
        if state.get() != UploadState::Done {
            upload.is_beyond_first = true;
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
    poll_fn(|context| {
        if let Poll::Ready(ended) = target_side.as_mut().poll(context) {
            return Poll::Ready(ended);
        }
        // Asked for here, whatever the upload waits for; it is the same task that would read from the client.
        if state.get() != UploadState::Done && client.stream.poll_gone(context).is_ready() {
            return Poll::Ready(Err(watch.failed()));
        }
        match client_side.as_mut().poll(context) {
            Poll::Ready(Err(failed)) => Poll::Ready(Err(failed)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// What an end of the upload means. A target that takes no more may have answered already: its response is waited
/// for.
fn on_upload(error: FlowError) -> Result<(), Failed> {
    match error {
        FlowError::Read(error) => Err(match error.kind() {
            _ if peer::is_deadline(&error) => Failure::RequestBodyTimeout.into(),
            io::ErrorKind::OutOfMemory => Failure::LocalResources.into(),
            _ => failure::client_aborted(&error),
        }),
        FlowError::Ended => Err(Failure::ClientAborted.into()),
        FlowError::Fault(fault) => Err(on_fault(fault)),
        FlowError::Write(error) if peer::is_deadline(&error) => Err(Failure::TargetSendTimeout.into()),
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
