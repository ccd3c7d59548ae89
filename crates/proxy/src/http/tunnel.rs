//! The tunnel behind a 101, as a part of its exchange (WS1, WS3, WS5, WS7).

use std::rc::Rc;

use net::{Buffer, Sys};
use observe::TunnelEnd;

use super::at_target::Attempt;
use super::exchange::Exchange;
use super::state::ResponseState;
use crate::failed::Failed;
use crate::relay::{Attendance, Tunnel, TunnelMeter, relay_bytes, relay_frames};

/// Runs the tunnel to its end and counts it. `from_client` and `from_target` have been read already.
pub(super) async fn tunnel<S: Sys>(attempt: Attempt<'_, '_, S>, from_client: Buffer, from_target: Buffer) {
    let (target, Attempt { exchange, to, .. }) = (attempt.end(), attempt);
    exchange.response = ResponseState::Tunnel;
    exchange.bytes.shrink();
    exchange.persists = false;
    let (client, meter, listener) = (exchange.client, exchange.meter, Rc::clone(&exchange.listener));
    let mut open = OpenTunnel::begin(exchange);
    let (websocket, cells) = (&listener.plan.rules[to.rule].websocket, &listener.cells().tunnels);
    let tunnel = Tunnel {
        client: client.end(),
        target,
        from_client,
        from_target,
        up: TunnelMeter { bytes: &meter.up, counter: Some(&cells.received_bytes) },
        down: TunnelMeter { bytes: &meter.down, counter: Some(&cells.sent_bytes) },
        idle_timeout: websocket.idle_timeout,
        max_lifetime: websocket.max_lifetime,
        descriptors: client.proxy.live.descriptors(),
    };
    let ended = if websocket.follows_frames() {
        let [mask @ .., _, _, _, _, _, _, _, _, _, _, _, _] =
            client.proxy.nonces.borrow_mut().next().to_le_bytes();
        let (ping_interval, close_code) = (websocket.ping_interval, websocket.drain_close_code);
        let attendance = Attendance { ping_interval, close_code, mask };
        relay_frames(tunnel, attendance, client.bound.closes(), cells).await
    } else {
        relay_bytes(tunnel).await
    };
    open.end(ended);
}

/// An open tunnel in metrics and record. Its drop counts the end, also if a stop cuts the tunnel off.
struct OpenTunnel<'a, 'c, S: Sys> {
    exchange: &'a mut Exchange<'c, S>,
    began: u64,
    end: TunnelEnd,
}

impl<'a, 'c, S: Sys> OpenTunnel<'a, 'c, S> {
    fn begin(exchange: &'a mut Exchange<'c, S>) -> Self {
        let cells = &exchange.listener.cells().tunnels;
        cells.opened.increment();
        cells.open.increment();
        let began = exchange.client.proxy.worker.now();
        Self { exchange, began, end: TunnelEnd::CutOff }
    }

    fn end(&mut self, ended: Result<(), Failed>) {
        if let Err(failed) = ended {
            self.exchange.record.fail(failed);
        }
        self.end = TunnelEnd::of(self.exchange.record.failure);
    }
}

impl<S: Sys> Drop for OpenTunnel<'_, '_, S> {
    fn drop(&mut self) {
        self.exchange.record.phases.relay = Some(self.exchange.micros_since(self.began));
        self.exchange.listener.cells().tunnels.count_end(self.end);
    }
}
