//! The two ends of a tunnel, and what both kinds of tunnels do with them.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use model::{Failure, Side};
use net::{Buffer, Sys};

use crate::descriptors::Descriptors;
use crate::failed::Failed;
use crate::io_error;
use crate::relay::end::End;
use crate::relay::meter::TunnelMeter;

/// Two ends, what has been read from each so far, and the limits of their tunnel.
pub(crate) struct Tunnel<'a, S: Sys> {
    pub(crate) client: End<'a, S>,
    pub(crate) target: End<'a, S>,
    pub(crate) from_client: Buffer,
    pub(crate) from_target: Buffer,
    pub(crate) up: TunnelMeter<'a>,
    pub(crate) down: TunnelMeter<'a>,
    /// A byte in either direction restarts it for both.
    pub(crate) idle_timeout: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) descriptors: &'a Descriptors,
}

/// An error on one side of a tunnel.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) side: Side,
    pub(crate) error: io::Error,
}

impl Broken {
    /// Whether the connection of this side is lost, and not only late, or in want of a buffer.
    pub(crate) fn is_loss(&self) -> bool {
        !io_error::is_deadline(&self.error) && self.error.kind() != io::ErrorKind::OutOfMemory
    }

    pub(crate) fn failed(&self) -> Failed {
        on_error(&self.error)
    }
}

/// Restarts the idle timeout of both ends: a byte in either direction keeps both alive.
pub(super) fn keep_alive<S: Sys>(one: End<'_, S>, other: End<'_, S>, idle_timeout: Duration) {
    for end in [one, other] {
        end.read_within(idle_timeout);
        end.write_within(idle_timeout);
    }
}

/// Writes all of `data`; every byte that goes restarts the idle timeout.
pub(super) async fn write<S: Sys>(
    from: End<'_, S>,
    to: End<'_, S>,
    data: &mut Buffer,
    idle_timeout: Duration,
) -> io::Result<()> {
    while !(data.is_empty() && to.stream.is_flushed()) {
        to.stream.write_some(data).await?;
        keep_alive(from, to, idle_timeout);
    }
    Ok(())
}

/// Runs both directions until both have ended. The first error ends both.
pub(super) async fn both<E>(
    one: impl Future<Output = Result<(), E>>,
    other: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
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

/// What an I/O error on either end of a tunnel means.
pub(super) fn on_error(error: &io::Error) -> Failed {
    match error.kind() {
        _ if io_error::is_dead(error) => Failure::PeerDead.into(),
        _ if io_error::is_deadline(error) => Failure::TunnelIdle.into(),
        io::ErrorKind::OutOfMemory => Failed { failure: Failure::TunnelBroken, detail: "no buffer" },
        _ => Failed { failure: Failure::TunnelBroken, detail: "reset" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_peer_is_not_an_idle_one() {
        for (error, failure) in [
            (io::Error::from_raw_os_error(110), Failure::PeerDead),
            (io::Error::from_raw_os_error(113), Failure::PeerDead),
            (io::ErrorKind::TimedOut.into(), Failure::TunnelIdle),
            (io::Error::from_raw_os_error(104), Failure::TunnelBroken),
            (io::Error::from_raw_os_error(32), Failure::TunnelBroken),
            (io::ErrorKind::OutOfMemory.into(), Failure::TunnelBroken),
        ] {
            assert_eq!(on_error(&error).failure, failure, "{error}");
        }
    }
}
