//! A tunnel: after an upgrade, bytes go both ways unchanged until one side is gone, nothing has moved for too long, or
//! its time is over (WS1, WS3, WS5, WS7).
//!
//! `plain` relays bytes. Where a Ping or a Close of ours may have to go between two frames, `framed` does, and
//! `attend` says when.

mod attend;
mod framed;
mod plain;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::stream::Stream;
use net::{Buffer, Sys};
use observe::{Counter, TunnelEnd};

use super::Failed;
use super::request::Request;
use crate::connection::Client;

/// Runs the tunnel to its end and counts it. `from_client` and `from_target` have come already.
pub(super) async fn tunnel<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    target: &Stream<S>,
    from_client: Buffer,
    from_target: Buffer,
    rule: usize,
) {
    request.is_tunnel = true;
    request.bytes.shrink();
    request.persists = false;
    let mut open = Open::begin(request);
    let listener = Rc::clone(&open.request.listener);
    let (websocket, cells) = (&listener.plan.rules[rule].websocket, &listener.cells().tunnels);
    let up = Meter { bytes: &open.up, counter: &cells.received_bytes };
    let down = Meter { bytes: &open.down, counter: &cells.sent_bytes };
    let sides = Sides { client, target, from_client, from_target, up: &up, down: &down };
    let ended = if websocket.follows_frames() {
        framed::run(sides, websocket, cells).await
    } else {
        plain::run(sides, websocket).await
    };
    open.end(ended);
}

/// Both ends, and what is known of them so far.
struct Sides<'a, S: Sys> {
    client: &'a Client<S>,
    target: &'a Stream<S>,
    from_client: Buffer,
    from_target: Buffer,
    up: &'a Meter<'a>,
    down: &'a Meter<'a>,
}

/// Counts the bytes of one direction.
struct Meter<'a> {
    bytes: &'a Cell<u64>,
    counter: &'a Counter,
}

impl Meter<'_> {
    fn add(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
        self.counter.add(bytes as u64);
    }
}

/// An open tunnel. Its drop brings what it was into its request, also where a stop cuts it off.
struct Open<'a, S: Sys> {
    request: &'a mut Request<S>,
    up: Cell<u64>,
    down: Cell<u64>,
    began: u64,
    end: TunnelEnd,
}

impl<'a, S: Sys> Open<'a, S> {
    fn begin(request: &'a mut Request<S>) -> Self {
        let cells = &request.listener.cells().tunnels;
        cells.opened.increment();
        cells.open.increment();
        let began = request.proxy.worker.now();
        Self { request, up: Cell::new(0), down: Cell::new(0), began, end: TunnelEnd::CutOff }
    }

    fn end(&mut self, ended: Result<(), Failed>) {
        if let Err(failed) = ended {
            (self.request.failure, self.request.detail) = (Some(failed.failure), failed.detail);
        }
        self.end = TunnelEnd::of(self.request.failure);
    }
}

impl<S: Sys> Drop for Open<'_, S> {
    fn drop(&mut self) {
        self.request.request_body_bytes += self.up.get();
        self.request.response_body_bytes += self.down.get();
        self.request.phases.relay = Some(self.request.micros_since(self.began));
        self.request.listener.cells().tunnels.count_end(self.end);
    }
}

/// A byte in either direction is life in both.
fn keep_alive<S: Sys>(one: &Stream<S>, other: &Stream<S>, idle_timeout: Duration) {
    let deadline = one.worker().after(idle_timeout);
    for stream in [one, other] {
        stream.set_read_deadline(deadline);
        stream.set_write_deadline(deadline);
    }
}

/// Writes all of `data`; every byte that goes is life in both directions.
async fn write<S: Sys>(
    from: &Stream<S>,
    to: &Stream<S>,
    data: &mut Buffer,
    idle_timeout: Duration,
) -> io::Result<()> {
    while !(data.is_empty() && to.is_flushed()) {
        to.write_some(data).await?;
        keep_alive(from, to, idle_timeout);
    }
    Ok(())
}

/// Both ways at once; the first error ends both.
async fn both(
    one: impl Future<Output = io::Result<()>>,
    other: impl Future<Output = io::Result<()>>,
) -> Result<(), Failed> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut one_ended, mut other_ended) = (false, false);
    poll_fn(|context| {
        if !one_ended && let Poll::Ready(result) = one.as_mut().poll(context) {
            result?;
            one_ended = true;
        }
        if !other_ended && let Poll::Ready(result) = other.as_mut().poll(context) {
            result?;
            other_ended = true;
        }
        if one_ended && other_ended { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
    .map_err(|error: io::Error| super::failure::in_tunnel(&error))
}
