//! A tunnel of bytes, whatever they mean.

use std::cell::{Cell, OnceCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use model::Side;
use net::{Buffer, LARGE, Sys};

use super::attend::within;
use super::ends::{Broken, Tunnel, keep_alive, write};
use crate::descriptors::Descriptors;
use crate::failed::Failed;
use crate::relay::end::End;
use crate::relay::meter::TunnelMeter;

/// Moves bytes until the tunnel ends, or its lifetime is over.
pub(crate) async fn relay_bytes<S: Sys>(tunnel: Tunnel<'_, S>) -> Result<(), Failed> {
    let (worker, max_lifetime) = (tunnel.client.stream.worker(), tunnel.max_lifetime);
    let relayed = async { relay_both(tunnel).await.map(drop).map_err(|broken| broken.failed()) };
    match max_lifetime {
        None => relayed.await,
        Some(lifetime) => Box::pin(within(worker, lifetime, relayed)).await,
    }
}

/// Moves bytes until both sides have ended their streams; returns the side that was first. What a side sent before its
/// connection was lost still goes to the other, but for what a client sent while its target takes no bytes.
pub(crate) async fn relay_both<S: Sys>(tunnel: Tunnel<'_, S>) -> Result<Side, Broken> {
    let Tunnel { client, target, from_client, from_target, up, down, idle_timeout, descriptors, .. } = tunnel;
    let (first, lost, finished) = (Cell::new(None), OnceCell::new(), [Cell::new(false), Cell::new(false)]);
    let [up_finished, down_finished] = &finished;
    let direction = |from, to, sides, meter, [has_finished, has_back_finished]: [_; 2]| Direction {
        from,
        to,
        sides,
        idle_timeout,
        meter,
        first: &first,
        lost: &lost,
        descriptors,
        has_ended: Cell::new(false),
        has_finished,
        has_back_finished,
    };
    let sides = [Side::Client, Side::Target];
    let upward = direction(client, target, sides, up, [up_finished, down_finished]);
    let sides = [Side::Target, Side::Client];
    let downward = direction(target, client, sides, down, [down_finished, up_finished]);
    let relayed = both_watched(&upward, from_client, &downward, from_target).await;
    match (lost.into_inner(), relayed) {
        (Some(broken), _) | (None, Err(broken)) => Err(broken),
        (None, Ok(())) => Ok(first.get().unwrap_or(Side::Client)),
    }
}

/// Runs both directions until both have ended. The first error ends both. While one has ended and the other has not, nothing
/// reads from the sender of the first, so its reset is watched for.
async fn both_watched<S: Sys>(
    up: &Direction<'_, S>,
    from_client: Buffer,
    down: &Direction<'_, S>,
    from_target: Buffer,
) -> Result<(), Broken> {
    let (mut upward, mut downward) = (pin!(up.run(from_client)), pin!(down.run(from_target)));
    poll_fn(|context| {
        if !up.has_ended.get()
            && let Poll::Ready(result) = upward.as_mut().poll(context)
        {
            result?;
            up.has_ended.set(true);
        }
        if !down.has_ended.get()
            && let Poll::Ready(result) = downward.as_mut().poll(context)
        {
            result?;
            down.has_ended.set(true);
        }
        match (up.has_ended.get(), down.has_ended.get()) {
            (true, true) => Poll::Ready(Ok(())),
            (true, false) => up.poll_lost(context).map(Err),
            (false, true) => down.poll_lost(context).map(Err),
            (false, false) => Poll::Pending,
        }
    })
    .await
}

/// One direction of a tunnel.
struct Direction<'a, S: Sys> {
    from: End<'a, S>,
    to: End<'a, S>,
    /// Which side is `from`, and which is `to`.
    sides: [Side; 2],
    idle_timeout: Duration,
    meter: TunnelMeter<'a>,
    /// The side that ended its stream first.
    first: &'a Cell<Option<Side>>,
    /// The first side that took no more bytes because its connection was lost.
    lost: &'a OnceCell<Broken>,
    descriptors: &'a Descriptors,
    has_ended: Cell<bool>,
    /// The sender's end of stream was passed on.
    has_finished: &'a Cell<bool>,
    /// The receiver's was, to the sender.
    has_back_finished: &'a Cell<bool>,
}

impl<S: Sys> Direction<'_, S> {
    /// Until the sender's end of stream, which is passed on as a half-close, or until the receiver is lost.
    async fn run(&self, mut data: Buffer) -> Result<(), Broken> {
        self.keep_alive();
        loop {
            let is_full = data.len() == data.capacity();
            if !data.is_empty() {
                self.meter.add(data.len());
                let writing = write(self.from, self.to, &mut data, self.idle_timeout);
                if let Err(error) = self.unless_reset(writing).await? {
                    return self.not_written(error);
                }
                // On the heap: an idle tunnel must not reserve space for it.
                if is_full && let Some(ended) = Box::pin(self.splice()).await {
                    return ended;
                }
            }
            match self.from.stream.fill(&mut data, LARGE).await {
                Ok(0) => return self.end().await,
                Ok(_) => self.keep_alive(),
                Err(error) => return Err(self.broken(0, error)),
            }
        }
    }

    /// Moves bytes through a pipe as long as they come in large pieces. `Some`: the direction has ended.
    async fn splice(&self) -> Option<Result<(), Broken>> {
        let (from, to) = (self.from.stream.as_plain()?, self.to.stream.as_plain()?);
        let mut leased = self.descriptors.lease_pipe(from.worker())?;
        let pipe = leased.pipe()?;
        loop {
            let bytes = match from.splice_in(pipe).await {
                Ok(0) => return Some(self.end().await),
                Ok(bytes) => bytes,
                Err(error) => return Some(Err(self.broken(0, error))),
            };
            self.keep_alive();
            self.from.stream.received(bytes);
            self.meter.add(bytes);
            // Of a short read it is not known that more follows: the kernel would hold the last segment back.
            let more_follows = bytes == pipe.capacity();
            while pipe.held() > 0 {
                let before = pipe.held();
                match self.unless_reset(to.splice_out(pipe, more_follows)).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return Some(self.not_written(error)),
                    Err(broken) => return Some(Err(broken)),
                }
                self.to.stream.sent(before - pipe.held());
                self.keep_alive();
            }
            if bytes < LARGE {
                return None;
            }
        }
    }

    /// The sender has ended its stream. If its connection is lost, that is no end that the receiver may take for one.
    async fn end(&self) -> Result<(), Broken> {
        if self.lost.get().is_some_and(|broken| broken.side == self.sides[0]) {
            return Ok(());
        }
        if self.from.stream.is_revoked() {
            return Err(self.reset());
        }
        self.first.set(self.first.get().or(Some(self.sides[0])));
        // The receiver may be gone already; its own direction reports that.
        if self.to.stream.finish_writing().await.is_ok() {
            self.has_finished.set(true);
        }
        Ok(())
    }

    /// The receiver took no more. What it sent before its connection was lost is there to be read, so the other direction
    /// goes on to its end.
    fn not_written(&self, error: io::Error) -> Result<(), Broken> {
        let broken = self.broken(1, error);
        if !broken.is_loss() {
            return Err(broken);
        }
        let _ = self.lost.set(broken);
        Ok(())
    }

    /// Waits for a write to the receiver. `Err`: the client, whose bytes they are, has broken off, and the target takes none:
    /// it may never do. What a target sent before its reset is an answer, for which its client has `idle_timeout`.
    async fn unless_reset<T>(
        &self,
        writing: impl Future<Output = io::Result<T>>,
    ) -> Result<io::Result<T>, Broken> {
        let mut writing = pin!(writing);
        poll_fn(|context| {
            if let Poll::Ready(written) = writing.as_mut().poll(context) {
                return Poll::Ready(Ok(written));
            }
            // After the end of both its streams a connection is gone as well, but not lost.
            if self.sides[0] == Side::Client && !self.has_back_finished.get() {
                return self.poll_lost(context).map(Err);
            }
            Poll::Pending
        })
        .await
    }

    /// Waits until the sender is lost, while nothing reads from it. Its own end of stream does not end the wait, before the
    /// one that is passed to it.
    fn poll_lost(&self, context: &mut Context<'_>) -> Poll<Broken> {
        self.from.stream.poll_gone(context).map(|()| self.reset())
    }

    /// The sender's connection is gone: why.
    fn reset(&self) -> Broken {
        let error = self.from.stream.take_error();
        self.broken(0, error.unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()))
    }

    fn broken(&self, place: usize, error: io::Error) -> Broken {
        let is_revoked = [self.from, self.to][place].stream.is_revoked();
        let error = if is_revoked { io::ErrorKind::ConnectionAborted.into() } else { error };
        Broken { side: self.sides[place], error }
    }

    fn keep_alive(&self) {
        keep_alive(self.from, self.to, self.idle_timeout);
    }
}
