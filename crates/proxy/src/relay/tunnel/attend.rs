//! When Pings and a Close of ours go into a tunnel, and when it ends.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use model::Failure;
use net::{Sys, Worker};
use proto::websocket::ControlFrame;

use super::state::{Control, DirectionState};
use crate::failed::Failed;

/// What is sent into a tunnel of WebSocket frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attendance {
    /// The client is pinged after this long without a byte from it.
    pub(crate) ping_interval: Option<Duration>,
    /// The tunnel ends with Close frames of this code. Without one it has no part in a drain.
    pub(crate) close_code: Option<u16>,
    /// Masks the Close to the target. A mask keeps a page from choosing the bytes that go to a server; ours are fixed, so
    /// any mask will do.
    pub(crate) mask: [u8; 4],
}

/// Runs `relayed` for at most `lifetime`.
pub(super) async fn within<S: Sys>(
    worker: &Worker<S>,
    lifetime: Duration,
    relayed: impl Future<Output = Result<(), Failed>>,
) -> Result<(), Failed> {
    tokio::select! {
        biased;
        ended = relayed => ended,
        () = worker.sleep(lifetime) => Err(Failure::TunnelLifetime.into()),
    }
}

/// Pings a silent client, and returns when the tunnel is to end. From the moment its end begins, `ending` has the reason.
pub(super) async fn attend<S: Sys>(
    worker: &Worker<S>,
    [up, down]: &[DirectionState; 2],
    attendance: Attendance,
    max_lifetime: Option<Duration>,
    drained: impl Future<Output = ()>,
    ending: &Cell<Option<Failure>>,
) -> Failed {
    let failure = tokio::select! {
        biased;
        () = over(worker, max_lifetime) => Failure::TunnelLifetime,
        () = drained, if attendance.close_code.is_some() => Failure::TunnelDrained,
        never = ping(worker, up, down, attendance.ping_interval) => match never {},
    };
    ending.set(Some(failure));
    let Some(code) = attendance.close_code else { return failure.into() };
    down.send_control(Control::Close(ControlFrame::close(code, None)));
    up.send_control(Control::Close(ControlFrame::close(code, Some(attendance.mask))));
    worker.yield_now().await;
    let is_answered = tokio::select! {
        biased;
        () = poll_fn(|_| if up.is_over.get() && down.is_over.get() { Poll::Ready(()) } else { Poll::Pending }) => true,
        () = worker.sleep(ANSWER_WITHIN) => false,
    };
    Failed { failure, detail: if is_answered { "" } else { "a side did not answer the Close" } }
}

async fn over<S: Sys>(worker: &Worker<S>, lifetime: Option<Duration>) {
    match lifetime {
        Some(lifetime) => worker.sleep(lifetime).await,
        None => pending().await,
    }
}

/// Pings the client whenever it has sent nothing for `interval`.
async fn ping<S: Sys>(
    worker: &Worker<S>,
    up: &DirectionState,
    down: &DirectionState,
    interval: Option<Duration>,
) -> Infallible {
    let Some(interval) = interval else { return pending().await };
    let mut pinged = 0;
    loop {
        let silent = Duration::from_nanos(worker.now().saturating_sub(up.last_read.get().max(pinged)));
        if silent < interval {
            worker.sleep(interval.saturating_sub(silent)).await;
            continue;
        }
        pinged = worker.now();
        down.send_control(Control::Ping(ControlFrame::ping(None)));
        worker.yield_now().await;
    }
}

// limit: time for both sides to reach the end of a frame and then to answer a Close of ours.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
