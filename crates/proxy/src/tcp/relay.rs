//! The bytes of a connection, both ways, until its end; and the end of one side, passed on to the other as what it was.

use std::io::ErrorKind;
use std::time::Duration;

use model::{ConnectionEnd, Failure, Side};
use net::{Buffer, Sys};

use super::exchange::TcpExchange;
use super::introduce::introduce;
use super::reach::Reached;
use crate::connection::Client;
use crate::io_error;
use crate::relay::{Broken, CutOff, Tunnel, TunnelMeter, relay_both};
use crate::snapshot::ServicePlan;
use crate::stream::Stream;

/// Relays until both sides have ended their streams, or one of them breaks off.
pub(super) async fn relay<S: Sys>(
    exchange: &TcpExchange<'_, S>,
    reached: Reached<S>,
    mut input: Buffer,
) -> ConnectionEnd {
    let (client, meter) = (exchange.client, exchange.meter);
    let ServicePlan::Tcp(settings) = exchange.listener.plan.service else {
        return ConnectionEnd::Failed(Failure::Internal);
    };
    let target = &reached.connection.stream;
    let cut_off = CutOff(target);
    let target_end = reached.connection.end();
    target_end.write_within(settings.idle_timeout);
    if let Some(version) = reached.introduction
        && let Err(error) = Box::pin(introduce(exchange, version, target, &mut input)).await
    {
        return broken_off(client, &Broken { side: Side::Target, error }).await;
    }
    let relayed = relay_both(Tunnel {
        client: client.end(),
        target: target_end,
        from_client: input,
        from_target: Buffer::new(),
        up: TunnelMeter { bytes: &meter.up, counter: None },
        down: TunnelMeter { bytes: &meter.down, counter: None },
        idle_timeout: settings.idle_timeout,
        max_lifetime: None,
        descriptors: client.proxy.live.descriptors(),
    })
    .await;
    match relayed {
        Ok(first) => {
            // All was read, and both sockets have the rest and their FINs: the kernel delivers them.
            cut_off.disarm();
            ConnectionEnd::Closed(first)
        }
        Err(broken) => broken_off(client, &broken).await,
    }
}

/// The other side gets a reset as well, behind what has been sent to it: an end of stream would say that all had come.
async fn broken_off<S: Sys>(client: &Client<S>, broken: &Broken) -> ConnectionEnd {
    let end = end_of(broken);
    client.stream.abort_on_close();
    if end == ConnectionEnd::Reset(Side::Target) {
        wait_for_delivery(&client.stream).await;
    }
    end
}

fn end_of(broken: &Broken) -> ConnectionEnd {
    let Broken { side, error } = broken;
    match error.kind() {
        _ if io_error::is_dead(error) => ConnectionEnd::PeerDead(*side),
        _ if io_error::is_deadline(error) => ConnectionEnd::Idle,
        ErrorKind::ConnectionAborted => ConnectionEnd::Failed(Failure::ClientRevoked),
        ErrorKind::OutOfMemory => ConnectionEnd::Failed(Failure::LocalResources),
        _ => ConnectionEnd::Reset(*side),
    }
}

/// Waits until a client has what it was sent last, for a short time: our reset would destroy it. A server that refuses a
/// client often says why and closes with bytes unread, which is a reset.
async fn wait_for_delivery<S: Sys>(stream: &Stream<S>) {
    let Some(socket) = stream.wire().map(|wire| wire.socket()) else { return };
    for _ in 0..LOOKS_MAX {
        if socket.is_gone() || socket.unacknowledged().unwrap_or(0) == 0 {
            return;
        }
        stream.worker().sleep(LOOK).await;
    }
}

/// limit: looks at the kernel, which does not tell when the last byte is acknowledged.
const LOOKS_MAX: u32 = 10;
const LOOK: Duration = Duration::from_millis(20);
