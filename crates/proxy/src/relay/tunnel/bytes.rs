//! A tunnel of bytes, whatever they mean.

use std::io;
use std::time::Duration;

use net::{Buffer, LARGE, Sys};

use super::attend::within;
use super::ends::{Tunnel, both, keep_alive, write};
use crate::failed::Failed;
use crate::relay::end::End;
use crate::relay::meter::TunnelMeter;

/// Moves bytes, whatever they mean, until the tunnel ends.
pub(crate) async fn relay_bytes<S: Sys>(tunnel: Tunnel<'_, S>) -> Result<(), Failed> {
    let Tunnel { client, target, from_client, from_target, up, down, idle_timeout, max_lifetime } = tunnel;
    let upward = Direction { from: client, to: target, idle_timeout, meter: up };
    let downward = Direction { from: target, to: client, idle_timeout, meter: down };
    let relayed = both(upward.run(from_client), downward.run(from_target));
    match max_lifetime {
        None => relayed.await,
        Some(lifetime) => Box::pin(within(client.stream.worker(), lifetime, relayed)).await,
    }
}

/// One direction of a tunnel.
struct Direction<'a, S: Sys> {
    from: End<'a, S>,
    to: End<'a, S>,
    idle_timeout: Duration,
    meter: TunnelMeter<'a>,
}

impl<S: Sys> Direction<'_, S> {
    /// Until the sender's end of stream, which is passed on as a half-close.
    async fn run(self, mut data: Buffer) -> io::Result<()> {
        self.keep_alive();
        loop {
            if !data.is_empty() {
                self.meter.add(data.len());
                write(self.from, self.to, &mut data, self.idle_timeout).await?;
            }
            if self.from.stream.fill(&mut data, LARGE).await? == 0 {
                // The receiver may be gone already; its own direction reports that.
                let _ = self.to.stream.finish_writing().await;
                return Ok(());
            }
            self.keep_alive();
        }
    }

    fn keep_alive(&self) {
        keep_alive(self.from, self.to, self.idle_timeout);
    }
}
