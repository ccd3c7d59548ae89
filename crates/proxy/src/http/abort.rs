//! Clients that go away while their request is in flight (KA7).
//!
//! A reset is an abort. The end of what a client sends (FIN) is one where the client would have kept the connection
//! and nothing unread stands before it: that is how browsers go away. Who announced that the request is its last may
//! close its side and is answered.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use model::{ClientAbort, Failure, TargetProtocol};
use net::{Buffer, LARGE, SMALL, Sys};

use super::Failed;
use super::attempt::Destination;
use super::body::BodyReader;
use super::failure::client_gone;
use super::request::Request;
use super::respond::Ended;
use crate::connection::Client;
use crate::pool::TargetConnection;

/// Watches the client of one request.
#[derive(Clone, Copy)]
pub(super) struct ClientWatch<'a, S: Sys> {
    client: &'a Client<S>,
    on_abort: ClientAbort,
    wants_more: bool,
}

impl<'a, S: Sys> ClientWatch<'a, S> {
    pub(super) fn new(request: &Request<S>, client: &'a Client<S>) -> Self {
        Self {
            client,
            on_abort: request.listener.plan.http.client_abort,
            wants_more: request.head().persists(),
        }
    }

    /// Whether the client's end does not end its request, all of which is here.
    pub(super) fn is_ignored(&self) -> bool {
        self.on_abort == ClientAbort::Ignore
    }

    /// Whether the client was lost, as far as is known without asking.
    pub(super) fn is_gone(&self) -> bool {
        self.client.stream.is_gone()
    }

    /// Whether the client is known to have gone. What came before its end is read into `input`.
    pub(super) fn is_over(&self, input: &mut Buffer) -> bool {
        if self.is_gone() {
            return true;
        }
        let wants_more = self.wants_more && !self.client.is_dismissed.get();
        let stream = &self.client.stream;
        if !wants_more || self.is_ignored() || !input.is_empty() || !stream.is_read_closed() {
            return false;
        }
        // Its end is the next that is read, unless there is more of the body or another request.
        matches!(stream.try_fill(input, SMALL), Some(Ok(0) | Err(_)))
    }

    /// Waits until the client has gone.
    pub(super) fn poll(&self, context: &mut Context<'_>, input: &mut Buffer) -> Poll<Failed> {
        if self.is_over(input) || self.client.stream.poll_gone(context).is_ready() {
            return Poll::Ready(self.failed());
        }
        Poll::Pending
    }

    /// `wait`, which a client that goes away ends; `is_whole`: all of its request is here.
    pub(super) async fn unless_gone<T>(
        &self,
        wait: impl Future<Output = T>,
        input: &mut Buffer,
        is_whole: bool,
    ) -> Result<T, Failed> {
        let mut wait = pin!(wait);
        poll_fn(|context| {
            if let Poll::Ready(output) = wait.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            if is_whole && self.is_ignored() {
                return Poll::Pending;
            }
            self.poll(context, input).map(Err)
        })
        .await
    }

    pub(super) fn failed(&self) -> Failed {
        client_gone(&self.client.stream)
    }
}

/// Whether the client went away and its request goes on all the same.
pub(super) fn is_ignored<S: Sys>(request: &Request<S>, client: &Client<S>, failed: Failed) -> bool {
    let goes_on = client.is_given_up.get() || request.listener.plan.http.client_abort == ClientAbort::Ignore;
    failed.failure == Failure::ClientAborted && goes_on
}

/// Whether a target has a moment to answer a request that its client has reset. A stream costs its client nothing to
/// reset and begin anew; a connection to a target costs both of us something to close and make anew, and a flood of
/// resets would become a flood of connections. Within the moment it counts among the client's streams.
pub(super) fn has_patience<S: Sys>(client: &Client<S>, protocol: TargetProtocol) -> bool {
    client.is_stream() && !protocol.is_http2()
}

/// What became of an exchange whose client had gone meanwhile.
pub(super) fn after_patience(ended: &Result<Ended, Failed>, failed: Failed) -> Result<Ended, Failed> {
    match ended {
        Ok(Ended::Aborted { is_reusable, .. }) => Ok(Ended::Aborted { failed, is_reusable: *is_reusable }),
        Ok(Ended::Reusable) => Ok(Ended::Aborted { failed, is_reusable: true }),
        Ok(Ended::Closed | Ended::Tunnel { .. }) | Err(_) => Err(failed),
    }
}

/// Reads the rest of a response that nobody gets, so that its target can finish. Where it does not end well, the
/// reader says so.
pub(super) async fn discard<S: Sys>(
    request: &Request<S>,
    client: &Client<S>,
    to: &Destination<'_, S>,
    connection: &TargetConnection<S>,
    input: &mut Buffer,
    reader: &mut BodyReader,
) {
    let limits = &request.listener.plan.http.limits;
    // limit: for all of it, or a response without end would stay for ever.
    let patience = if client.is_given_up.get() { PATIENCE } else { to.group.plan.group.timeouts.idle };
    connection.stream.set_read_deadline(request.proxy.worker.after(patience));
    while reader.take(input, limits).is_ok() && !reader.is_complete() {
        match connection.stream.fill(input, LARGE).await {
            Ok(count) if count > 0 => to.target.cells().received_bytes.add(count as u64),
            _ => return,
        }
    }
}

// limit: for the answer to a request that nobody waits for.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
