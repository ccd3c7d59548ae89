//! What we have to say to a tunnel, and when: pings, and its end.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use model::{Failure, WebSocket};
use net::{Sys, Worker};
use proto::websocket::ControlFrame;

use super::framed::{Lane, Order};
use crate::connection::Client;
use crate::http::Failed;

/// Runs `relayed` for at most that long.
pub(super) async fn within<S: Sys>(
    worker: &Worker<S>,
    lifetime: Duration,
    relayed: impl Future<Output = Result<(), Failed>>,
) -> Result<(), Failed> {
    tokio::select! {
        biased;
        ended = relayed => ended,
        () = worker.sleep(lifetime) => Err(Failure::TunnelLifetime.into()),
    }
}

/// Pings a silent client, and returns when the tunnel is to end. `ending` says so from when its end has begun.
pub(super) async fn attend<S: Sys>(
    client: &Client<S>,
    up: &Lane<'_, S>,
    down: &Lane<'_, S>,
    websocket: &WebSocket,
    ending: &Cell<Option<Failure>>,
) -> Failed {
    let worker = &client.proxy.worker;
    let failure = tokio::select! {
        biased;
        () = over(worker, websocket.max_lifetime) => Failure::TunnelLifetime,
        () = drained(client, websocket) => Failure::TunnelDrained,
        never = ping(worker, up, down, websocket.ping_interval) => match never {},
    };
    ending.set(Some(failure));
    let Some(code) = websocket.drain_close_code else { return failure.into() };
    close(client, up, down, code).await;
    let is_answered = tokio::select! {
        biased;
        () = poll_fn(|_| if up.is_over() && down.is_over() { Poll::Ready(()) } else { Poll::Pending }) => true,
        () = worker.sleep(ANSWER_WITHIN) => false,
    };
    Failed { failure, detail: if is_answered { "" } else { "a side did not answer the Close" } }
}

async fn over<S: Sys>(worker: &Worker<S>, lifetime: Option<Duration>) {
    match lifetime {
        Some(lifetime) => worker.sleep(lifetime).await,
        None => pending().await,
    }
}

/// Without a code, a tunnel does not care.
async fn drained<S: Sys>(client: &Client<S>, websocket: &WebSocket) {
    match websocket.drain_close_code {
        Some(_) => client.bound.closes().await,
        None => pending().await,
    }
}

/// Asks for a sign of life whenever the client has given none for `interval`.
async fn ping<S: Sys>(
    worker: &Worker<S>,
    up: &Lane<'_, S>,
    down: &Lane<'_, S>,
    interval: Option<Duration>,
) -> Infallible {
    let Some(interval) = interval else { return pending().await };
    let mut asked = 0;
    loop {
        let silent = Duration::from_nanos(worker.now().saturating_sub(up.heard().max(asked)));
        if silent < interval {
            worker.sleep(interval.saturating_sub(silent)).await;
            continue;
        }
        asked = worker.now();
        down.order(Order::Ping(ControlFrame::ping(None)));
        worker.yield_now().await;
    }
}

/// A Close to both.
async fn close<S: Sys>(client: &Client<S>, up: &Lane<'_, S>, down: &Lane<'_, S>, code: u16) {
    let worker = &client.proxy.worker;
    // A mask keeps a page from choosing the bytes that go to a server. These are ours: any mask will do.
    let [mask @ .., _, _, _, _] = client.proxy.random.borrow_mut().next_u64().to_ne_bytes();
    down.order(Order::Close(ControlFrame::close(code, None)));
    up.order(Order::Close(ControlFrame::close(code, Some(mask))));
    worker.yield_now().await;
}

// limit: how long both sides have to answer a Close of ours, and to come to the end of a frame before it.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
