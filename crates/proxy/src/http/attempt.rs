//! Attempts: a request is given to a target, and if that fails before the target can have acted on it, to the next (KA6,
//! BAL5). Whether another attempt is made is decided by `target::retry`.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use model::Failure;
use net::{Buffer, Sys, Ticks};
use observe::Event;
use tls::Connector;

use super::abort::ClientWatch;
use super::at_target::{Attempt, Destination, Ended};
use super::exchange::Exchange;
use super::forward::{self, Begun, SendError};
use super::state::RequestBody;
use super::upload::Upload;
use super::{failure, persist, transfer, tunnel};
use crate::decide::{Forward, choice_key};
use crate::failed::Failed;
use crate::io_error;
use crate::session;
use crate::target::{
    self, Attempts, InFlight, LocalGroup, Missed, Repeatable, TargetConnection, choose, connect,
    connect_http2, make_room, on_connect,
};

/// Forwards the request to one of its rule's groups and relays the response.
pub(super) async fn forward_and_respond<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    input: &mut Buffer,
    admitted: &Forward,
) -> Result<(), Failed> {
    let listener = Rc::clone(&exchange.listener);
    if admitted.is_websocket
        && let Some((live, max_connections)) = listener.tunnels(admitted.rule)
    {
        exchange.tunnel = Some(live.lease(max_connections).ok_or(Failure::WebSocketFull)?);
    }
    let (index, group) = persist::begin(exchange, &listener, admitted.rule).ok_or(Failure::NoTarget)?;
    let worker = &exchange.client.proxy.worker;
    let (index, group) = if session::is_to_be_looked_up(worker, exchange.session.as_ref()) {
        let looked = session::look(worker, &mut exchange.session, &listener, admitted.rule);
        Box::pin(looked).await.unwrap_or((index, group))
    } else {
        (index, group)
    };
    exchange.route.group = Some(index);
    if admitted.is_websocket && group.plan.group.protocol.is_http2() {
        return Err(Failure::WebSocketHttp2.into());
    }
    let mut upload = Upload::begin(exchange, input, admitted, &listener.plan)?;
    let result = try_targets(exchange, group, admitted, &mut upload).await;
    exchange.body = RequestBody::of(upload.is_whole());
    exchange.persists &= upload.is_whole();
    result
}

async fn try_targets<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    group: &LocalGroup<S>,
    admitted: &Forward,
    upload: &mut Upload<'_>,
) -> Result<(), Failed> {
    let key = choice_key(&group.plan.group.algorithm, Some(exchange.request()), exchange.source);
    let (mut attempts, mut last) = (Attempts::default(), None);
    let (client, watch) = (exchange.client, ClientWatch::new(exchange));
    // Told when there is another attempt, which is known only then.
    let mut untold = None;
    while attempts.may_begin() {
        let goes_on_without = watch.is_ignored() && upload.is_whole();
        if !goes_on_without && watch.is_over(upload.input) {
            return Err(watch.failed());
        }
        let session = exchange.session.as_ref();
        let ask = session::ask(session, key, attempts.tried, client.proxy.now_millis());
        let choice = choose(&group.plan, &group.cursor, &ask, &mut client.proxy.random.borrow_mut());
        let Some(choice) = choice else { break };
        if let Some((live, failed)) = untold.take() {
            target::attempt_failed(live, Event::AttemptFailed, failed);
        }
        let (worker, session) = (&client.proxy.worker, &mut exchange.session);
        let mut chosen = session::settle(worker, session, group, choice, &attempts.tried);
        if session::is_to_be_told(session.as_ref()) {
            chosen = Box::pin(session::agree(worker, session, group, chosen, &attempts.tried)).await;
        }
        let target = &group.targets[chosen];
        let Some(in_flight) = InFlight::begin(target, group.plan.group.max_connections) else {
            attempts.place_lost();
            continue;
        };
        exchange.route.attempts = attempts.begin();
        exchange.route.target = Some(target.live.key().address);
        let to = Destination { group, target, rule: admitted.rule };
        let missed = match attempt(exchange, to, attempts.is_fresh, upload).await {
            Ok(()) => return Ok(()),
            Err(missed) => missed,
        };
        drop(in_flight);
        target.cells().failures.count(missed.failed.failure);
        let failed = *last.insert(missed.failed);
        if let (Some(session), Failure::TargetClosedBeforeResponse) = (&mut exchange.session, failed.failure)
        {
            session.response_lost();
        }
        let request = Repeatable {
            is_idempotent: exchange.heads.request.method().is_idempotent(),
            is_body_kept: upload.is_kept(),
            is_answered: exchange.response.is_answered(),
        };
        let goes_on = attempts.goes_on_after(chosen, &missed, request);
        // That a target closes an idle connection is no fault of it.
        if !(goes_on && missed.was_reused) {
            target.live.request_failed(missed.failed, client.proxy.now_millis());
        }
        if !goes_on {
            break;
        }
        untold = missed.is_news().then_some((&*target.live, missed.failed));
    }
    Err(last.unwrap_or_else(|| attempts.why_none(&group.plan).into()))
}

/// One try of the request at one target: connect, forward, respond.
async fn attempt<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    to: Destination<'_, S>,
    fresh: bool,
    upload: &mut Upload<'_>,
) -> Result<(), Missed> {
    let (proxy, began) = (&exchange.client.proxy, exchange.client.proxy.worker.now());
    let is_idempotent = exchange.heads.request.method().is_idempotent();
    let connector = to.group.plan.connector.as_ref();
    let is_http2 = to.group.plan.group.protocol.is_http2();
    exchange.route.is_http2 = is_http2;
    let mut connection = if is_http2 {
        Box::pin(connect_stream(exchange, to, upload)).await?
    } else {
        let may_repeat = is_idempotent && upload.is_whole();
        let connect = || connect(&proxy.worker, connector, to.target, fresh, may_repeat);
        let connected = match connect() {
            Err(failed) if Box::pin(make_room(&proxy.worker, &to.target.live, failed)).await => connect(),
            connected => connected,
        };
        connected.map_err(|failed| Missed::new(failed, true))?
    };
    let was_reused = connection.is_reused();
    exchange.route.is_reused = was_reused;
    if let (Some(connector), false) = (connector, was_reused || is_http2) {
        // On the heap: most connections are reused, and every request would reserve space for it.
        Box::pin(secure(exchange, to, connector, &mut connection, upload)).await?;
    }
    let sent = match forward::begin(exchange, to, &connection, upload) {
        Ok(Begun::Sent) => Ok(()),
        Ok(Begun::Partly(all, sent)) => {
            let timeouts = to.group.plan.group.timeouts;
            forward::send_rest(exchange, timeouts, &connection, upload, (all, sent)).await
        }
        Err(error) => Err(error),
    };
    match sent {
        Ok(()) => count_connect(exchange, to, &connection, began),
        Err(error) => return Err(on_send(exchange, to, &connection, began, error)),
    }
    if target::is_kept(is_http2, upload.first.len(), is_idempotent) {
        upload.first.shrink();
    } else {
        upload.first = Buffer::new();
    }
    let reads_until = &Cell::new(Ticks::NEVER);
    let mut attempt = Attempt { exchange: &mut *exchange, to, connection: &connection, reads_until };
    let ended = transfer::transfer(&mut attempt, upload).await.map_err(|failed| {
        if failed.failure == Failure::TargetClosedBeforeResponse {
            learn_closed(to, &connection, failed, proxy.now_millis());
        }
        missed(&connection, failed, false)
    })?;
    match ended {
        Ended::Reusable => connection.give_back(proxy.now_millis()),
        Ended::Closed => {}
        Ended::Aborted { failed, is_reusable } => {
            if is_reusable {
                connection.give_back(proxy.now_millis());
            }
            return Err(Missed::new(failed, false));
        }
        Ended::Tunnel { from_target } => {
            let from_client = std::mem::take(upload.input);
            let attempt = Attempt { exchange, to, connection: &connection, reads_until };
            Box::pin(tunnel::tunnel(attempt, from_client, from_target)).await;
        }
    }
    Ok(())
}

/// A miss on `connection`.
fn missed<S: Sys>(connection: &TargetConnection<S>, mut failed: Failed, is_unsent: bool) -> Missed {
    // A reset of this one stream says nothing about its connection.
    let is_reset = connection.is_stream_reset();
    if is_reset && failed.detail.is_empty() {
        failed.detail = "the target reset the stream";
    }
    let is_plain = connection.stream.as_plain().is_some() && !connection.is_reused();
    if is_plain && failed.failure == Failure::TargetClosedBeforeResponse && failed.detail.is_empty() {
        // Most servers with TLS, and some with HTTP/2, answer what they do not understand with a close.
        failed.detail = "closed a new connection: does it expect TLS, or HTTP/2?";
    }
    let was_reused = connection.is_reused() && !is_reset;
    Missed { failed, is_unsent, was_reused, was_refused: connection.is_stream_refused() }
}

/// Waits for a new connection and makes the TLS handshake, before a byte of the request is sent.
async fn secure<S: Sys>(
    exchange: &Exchange<'_, S>,
    to: Destination<'_, S>,
    connector: &Connector,
    connection: &mut TargetConnection<S>,
    upload: &mut Upload<'_>,
) -> Result<(), Missed> {
    let (began, is_whole) = (exchange.client.proxy.worker.now(), upload.is_whole());
    let address = to.target.live.key().address.ip();
    let secured = target::secure(connection, connector, address, to.group.plan.group.timeouts.connect);
    match ClientWatch::new(exchange).unless_gone(secured, upload.input, is_whole).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failed)) => {
            pass_over(exchange, to, began, failed);
            Err(Missed::new(failed, true))
        }
        Err(failed) => Err(Missed::new(failed, false)),
    }
}

/// Waits for a stream of an HTTP/2 connection to the target.
async fn connect_stream<S: Sys>(
    exchange: &Exchange<'_, S>,
    to: Destination<'_, S>,
    upload: &mut Upload<'_>,
) -> Result<TargetConnection<S>, Missed> {
    let worker = &exchange.client.proxy.worker;
    let (began, is_whole, plan) = (worker.now(), upload.is_whole(), &to.group.plan);
    let connected = connect_http2(worker, plan.connector.as_ref(), to.target, plan.group.timeouts);
    match ClientWatch::new(exchange).unless_gone(connected, upload.input, is_whole).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => {
            if error.is_new {
                pass_over(exchange, to, began, error.failed);
            }
            Err(Missed::new(error.failed, true))
        }
        Err(failed) => Err(Missed::new(failed, false)),
    }
}

/// Counts the connect of a request that was sent. It began at `began`.
fn count_connect<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    to: Destination<'_, S>,
    connection: &TargetConnection<S>,
    began: u64,
) {
    if !connection.is_reused() {
        let connect = exchange.micros_since(began);
        target::note_connected(to.target, connect);
        let phases = &mut exchange.record.phases;
        phases.connect = Some(phases.connect.unwrap_or(0) + connect);
    }
}

/// What it means that the request could not be sent.
fn on_send<S: Sys>(
    exchange: &Exchange<'_, S>,
    to: Destination<'_, S>,
    connection: &TargetConnection<S>,
    began: u64,
    error: SendError,
) -> Missed {
    match error {
        SendError::Unsent(error) if is_not_http2(connection, &error) => {
            let detail = "cannot be expressed in HTTP/2";
            missed(connection, Failed { failure: Failure::RequestMalformed, detail }, false)
        }
        SendError::Unsent(error) if !connection.is_reused() => {
            let failed = on_connect(&error);
            pass_over(exchange, to, began, failed);
            missed(connection, failed, true)
        }
        SendError::Unsent(error) => {
            let failed = failure::on_send_to_target(&error);
            learn_closed(to, connection, failed, exchange.client.proxy.now_millis());
            missed(connection, failed, true)
        }
        SendError::ClientGone(failed) => missed(connection, failed, false),
        SendError::Partly(error) => missed(connection, failure::on_send_to_target(&error), false),
    }
}

/// Whether the request cannot be sent on an HTTP/2 stream.
fn is_not_http2<S: Sys>(connection: &TargetConnection<S>, error: &io::Error) -> bool {
    connection.stream.as_http2_target().is_some() && error.kind() == io::ErrorKind::InvalidData
}

/// See [`target::note_not_connected`].
fn pass_over<S: Sys>(exchange: &Exchange<'_, S>, to: Destination<'_, S>, began: u64, failed: Failed) {
    let now_millis = exchange.client.proxy.now_millis();
    target::note_not_connected(&to.target.live, began / 1_000_000, now_millis, failed);
}

/// Learns from a reused connection that was closed. A target that vanished has not closed it.
fn learn_closed<S: Sys>(
    to: Destination<'_, S>,
    connection: &TargetConnection<S>,
    failed: Failed,
    now_millis: u64,
) {
    if let Some(idle) = connection.reused_after_millis
        && failed.detail != io_error::PEER_DEAD
    {
        to.target.learn_closed(idle, now_millis);
    }
}
