//! Bytes, whatever they mean.

use std::io;
use std::time::Duration;

use crate::stream::Stream;
use model::WebSocket;
use net::{Buffer, LARGE, Sys};

use super::{Meter, Sides, attend, both, keep_alive, write};
use crate::http::Failed;

pub(super) async fn run<S: Sys>(sides: Sides<'_, S>, websocket: &WebSocket) -> Result<(), Failed> {
    let idle_timeout = websocket.idle_timeout;
    let (client, target) = (&sides.client.stream, sides.target);
    let upward = Way { from: client, to: target, idle_timeout, meter: sides.up };
    let downward = Way { from: target, to: client, idle_timeout, meter: sides.down };
    let relayed = both(upward.run(sides.from_client), downward.run(sides.from_target));
    match websocket.max_lifetime {
        None => relayed.await,
        Some(lifetime) => Box::pin(attend::within(client.worker(), lifetime, relayed)).await,
    }
}

/// One direction of a tunnel.
struct Way<'a, S: Sys> {
    from: &'a Stream<S>,
    to: &'a Stream<S>,
    idle_timeout: Duration,
    meter: &'a Meter<'a>,
}

impl<S: Sys> Way<'_, S> {
    /// Until the sender's end, which is passed on as a half-close.
    async fn run(self, mut data: Buffer) -> io::Result<()> {
        self.keep_alive();
        loop {
            if !data.is_empty() {
                self.meter.add(data.len());
                write(self.from, self.to, &mut data, self.idle_timeout).await?;
            }
            if self.from.fill(&mut data, LARGE).await? == 0 {
                // The other side may be gone already, which its own direction tells.
                let _ = self.to.shutdown_write();
                return Ok(());
            }
            self.keep_alive();
        }
    }

    fn keep_alive(&self) {
        keep_alive(self.from, self.to, self.idle_timeout);
    }
}
