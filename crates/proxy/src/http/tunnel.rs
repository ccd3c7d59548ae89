//! A tunnel: after an upgrade, bytes go both ways unchanged until one side is gone or nothing has moved for too long
//! (WS1, WS3, WS5).

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use model::Failure;
use net::{Buffer, LARGE, Sys, TcpStream};

use super::request::Request;
use crate::connection::Client;

/// Runs the tunnel to its end and counts it. `from_client` and `from_target` have come already.
pub(super) async fn tunnel<S: Sys>(
    request: &mut Request<S>,
    client: &Client<S>,
    target: &TcpStream<S>,
    from_client: Buffer,
    from_target: Buffer,
    rule: usize,
) {
    request.is_tunnel = true;
    request.bytes.shrink();
    request.persists = false;
    let listener = std::rc::Rc::clone(&request.listener);
    let (cells, began) = (listener.cells(), request.proxy.worker.now());
    cells.tunnels_opened.increment();
    cells.tunnels_open.increment();
    let _open = OnDrop(|| cells.tunnels_open.decrement());
    let idle_timeout = listener.plan.rules[rule].websocket.idle_timeout;
    let (up, down) = (Cell::new(0), Cell::new(0));
    let upward = Way { from: &client.stream, to: target, idle_timeout, bytes: &up };
    let downward = Way { from: target, to: &client.stream, idle_timeout, bytes: &down };
    let result = both(upward.run(from_client), downward.run(from_target)).await;
    request.request_body_bytes += up.get();
    request.response_body_bytes += down.get();
    request.phases.relay = Some(request.micros_since(began));
    if let Err(error) = result {
        let (failure, detail) = match error.kind() {
            io::ErrorKind::TimedOut => (Failure::TunnelIdle, ""),
            _ => (Failure::TunnelBroken, "reset"),
        };
        (request.failure, request.detail) = (Some(failure), detail);
    }
}

/// One direction of a tunnel.
struct Way<'a, S: Sys> {
    from: &'a TcpStream<S>,
    to: &'a TcpStream<S>,
    idle_timeout: Duration,
    bytes: &'a Cell<u64>,
}

impl<S: Sys> Way<'_, S> {
    /// Until the sender's end, which is passed on as a half-close.
    async fn run(self, mut data: Buffer) -> io::Result<()> {
        self.keep_alive();
        loop {
            if !data.is_empty() {
                self.bytes.set(self.bytes.get() + data.len() as u64);
                self.to.write_all(&mut data, &mut Buffer::new()).await?;
            }
            self.keep_alive();
            if self.from.fill(&mut data, LARGE).await? == 0 {
                // The other side may be gone already, which its own direction tells.
                let _ = self.to.shutdown_write();
                return Ok(());
            }
            self.keep_alive();
        }
    }

    /// A byte in either direction is life in both.
    fn keep_alive(&self) {
        let deadline = self.from.worker().after(self.idle_timeout);
        for stream in [self.from, self.to] {
            stream.set_read_deadline(deadline);
            stream.set_write_deadline(deadline);
        }
    }
}

/// Both ways at once; the first error ends both.
async fn both(
    one: impl Future<Output = io::Result<()>>,
    other: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
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
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
