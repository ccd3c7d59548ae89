//! Clients that go away while their request is in flight (KA7).
//!
//! A reset is an abort. The client's end of stream (FIN) is one if the client would have kept the connection and nothing
//! unread stands before it: browsers abort like this. A client that announced its last request may half-close and is
//! answered.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use model::{ClientAbort, Failure, TargetProtocol};
use net::{Buffer, LARGE, SMALL, Sys};

use super::at_target::{Attempt, Ended};
use super::exchange::Exchange;
use super::failure::client_gone;
use super::progress::Progress;
use crate::connection::Client;
use crate::failed::Failed;
use crate::relay::BodyReader;

/// Watches the client of one request.
#[derive(Clone, Copy)]
pub(super) struct ClientWatch<'a, S: Sys> {
    client: &'a Client<S>,
    on_abort: ClientAbort,
    wants_more: bool,
}

impl<'a, S: Sys> ClientWatch<'a, S> {
    pub(super) fn new(exchange: &Exchange<'a, S>) -> Self {
        Self {
            client: exchange.client,
            on_abort: exchange.listener.plan.http.client_abort,
            wants_more: exchange.heads.request.persists(),
        }
    }

    /// A request that has arrived as a whole is completed without its client.
    pub(super) fn is_ignored(&self) -> bool {
        self.on_abort == ClientAbort::Ignore
    }

    /// The client was lost, as far as is known without a system call.
    pub(super) fn is_gone(&self) -> bool {
        self.client.stream.is_gone()
    }

    /// Whether the client is known to have gone. Bytes before its end of stream are read into `input`.
    pub(super) fn is_over(&self, input: &mut Buffer) -> bool {
        if self.is_gone() {
            return true;
        }
        let wants_more = self.wants_more && !self.client.is_dismissed.get();
        let stream = &self.client.stream;
        if !wants_more || self.is_ignored() || !input.is_empty() || !stream.is_read_closed() {
            return false;
        }
        // The next read finds the end of stream, unless there is more of the body or another request.
        matches!(stream.try_fill(input, SMALL), Some(Ok(0) | Err(_)))
    }

    /// Waits until the client has gone.
    pub(super) fn poll(&self, context: &mut Context<'_>, input: &mut Buffer) -> Poll<Failed> {
        if self.is_over(input) || self.client.stream.poll_gone(context).is_ready() {
            return Poll::Ready(self.failed());
        }
        Poll::Pending
    }

    /// Runs `wait`, which ends early if the client goes away. `is_whole`: all of its request has arrived.
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

/// Whether the client went away and its request is completed all the same.
pub(super) fn is_ignored<S: Sys>(exchange: &Exchange<'_, S>, progress: &Progress, failed: Failed) -> bool {
    let is_completed =
        progress.is_abandoned() || exchange.listener.plan.http.client_abort == ClientAbort::Ignore;
    failed.failure == Failure::ClientAborted && is_completed
}

/// Whether a target gets a short time to answer a request that its client has reset. A stream costs its client nothing to
/// reset and open again. Closing and opening the target's connection costs us and the target something, so a flood of
/// resets would become a flood of connections. Until then the stream counts among those of its client.
pub(super) fn has_patience<S: Sys>(client: &Client<S>, protocol: TargetProtocol) -> bool {
    client.is_stream() && !protocol.is_http2()
}

/// The end of an attempt whose client had gone in the meantime.
pub(super) fn after_abandonment(ended: &Result<Ended, Failed>, failed: Failed) -> Result<Ended, Failed> {
    match ended {
        Ok(Ended::Aborted { is_reusable, .. }) => Ok(Ended::Aborted { failed, is_reusable: *is_reusable }),
        Ok(Ended::Reusable) => Ok(Ended::Aborted { failed, is_reusable: true }),
        Ok(Ended::Closed | Ended::Tunnel { .. }) | Err(_) => Err(failed),
    }
}

/// Reads the rest of a response that no client receives, so that its target can complete it. Whether it ended well is
/// known by the reader.
pub(super) async fn discard<S: Sys>(
    attempt: &Attempt<'_, '_, S>,
    input: &mut Buffer,
    reader: &mut BodyReader<'_>,
) {
    let limits = &attempt.exchange.listener.plan.http.limits;
    // limit: for all of it, or a response without end would be read for ever.
    attempt.end().limit_reads(attempt.to.group.plan.group.timeouts.idle);
    while reader.take(input, limits).is_ok() && !reader.is_complete() {
        match attempt.connection.stream.fill(input, LARGE).await {
            Ok(count) if count > 0 => {}
            _ => return,
        }
    }
}
