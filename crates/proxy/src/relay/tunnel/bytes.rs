//! A tunnel of bytes, whatever they mean.

use std::cell::{Cell, OnceCell};
use std::io;
use std::time::Duration;

use model::Side;
use net::{Buffer, LARGE, Sys};

use super::attend::within;
use super::ends::{Broken, Tunnel, both, keep_alive, write};
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
/// connection was lost still goes to the other.
pub(crate) async fn relay_both<S: Sys>(tunnel: Tunnel<'_, S>) -> Result<Side, Broken> {
    let Tunnel { client, target, from_client, from_target, up, down, idle_timeout, descriptors, .. } = tunnel;
    let (first, lost) = (Cell::new(None), OnceCell::new());
    let direction = |from, to, sides, meter| Direction {
        from,
        to,
        sides,
        idle_timeout,
        meter,
        first: &first,
        lost: &lost,
        descriptors,
    };
    let upward = direction(client, target, [Side::Client, Side::Target], up);
    let downward = direction(target, client, [Side::Target, Side::Client], down);
    let relayed = both(upward.run(from_client), downward.run(from_target)).await;
    match (lost.into_inner(), relayed) {
        (Some(broken), _) | (None, Err(broken)) => Err(broken),
        (None, Ok(())) => Ok(first.get().unwrap_or(Side::Client)),
    }
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
}

impl<S: Sys> Direction<'_, S> {
    /// Until the sender's end of stream, which is passed on as a half-close, or until the receiver is lost.
    async fn run(self, mut data: Buffer) -> Result<(), Broken> {
        self.keep_alive();
        loop {
            let is_full = data.len() == data.capacity();
            if !data.is_empty() {
                self.meter.add(data.len());
                if let Err(error) = write(self.from, self.to, &mut data, self.idle_timeout).await {
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
                if let Err(error) = to.splice_out(pipe, more_follows).await {
                    return Some(self.not_written(error));
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
        self.first.set(self.first.get().or(Some(self.sides[0])));
        // The receiver may be gone already; its own direction reports that.
        let _ = self.to.stream.finish_writing().await;
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

    fn broken(&self, place: usize, error: io::Error) -> Broken {
        Broken { side: self.sides[place], error }
    }

    fn keep_alive(&self) {
        keep_alive(self.from, self.to, self.idle_timeout);
    }
}
