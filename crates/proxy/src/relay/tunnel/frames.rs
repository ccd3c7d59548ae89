//! A tunnel whose WebSocket frames are followed, so that a control frame of ours can go between two of them (RFC 6455
//! §5.4). The bytes of both sides are never changed and never held back.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::task::Poll;
use std::time::Duration;

use net::{Buffer, LARGE, Sys};
use observe::{TUNNEL_FRAMES, TunnelCells};
use proto::websocket::{FrameKind, Frames, Sender, Step};

use super::attend::{Attendance, attend};
use super::ends::{Tunnel, both, keep_alive, on_error, write};
use super::state::{Control, DirectionState};
use crate::failed::Failed;
use crate::relay::end::End;
use crate::relay::meter::TunnelMeter;

/// Moves the frames of a WebSocket, and sends Pings and a Close of ours as `attendance` says. `drained` resolves when the
/// tunnel is to end with a Close.
pub(crate) async fn relay_frames<S: Sys>(
    tunnel: Tunnel<'_, S>,
    attendance: Attendance,
    drained: impl Future<Output = ()>,
    cells: &TunnelCells,
) -> Result<(), Failed> {
    let Tunnel { client, target, from_client, from_target, up, down, idle_timeout, max_lifetime, .. } =
        tunnel;
    let worker = client.stream.worker();
    let states = [DirectionState::new(worker.now()), DirectionState::new(worker.now())];
    let [up_state, down_state] = &states;
    let direction = |sender, from, to, meter, state| {
        let is_closed = Cell::new(false);
        Direction { sender, from, to, idle_timeout, meter, cells, state, is_closed }
    };
    let up = direction(Sender::Client, client, target, up, up_state);
    let down = direction(Sender::Server, target, client, down, down_state);
    let ending = Cell::new(None);
    let relayed =
        async { both(up.run(from_client), down.run(from_target)).await.map_err(|error| on_error(&error)) };
    let attended = attend(worker, &states, attendance, max_lifetime, drained, &ending);
    // On the heap: few tunnels need it, and every request would reserve space for it.
    let ended = Box::pin(async {
        tokio::select! {
            biased;
            ended = relayed => ended,
            failed = attended => Err(failed),
        }
    })
    .await;
    match (ending.get(), ended) {
        // Once we have begun to end the tunnel, an end of either side is not the reason.
        (Some(failure), Ok(())) => Err(failure.into()),
        (Some(failure), Err(failed)) if failed.failure != failure => Err(failure.into()),
        (_, ended) => ended,
    }
}

/// One direction of a tunnel.
struct Direction<'a, S: Sys> {
    sender: Sender,
    from: End<'a, S>,
    to: End<'a, S>,
    idle_timeout: Duration,
    meter: TunnelMeter<'a>,
    cells: &'a TunnelCells,
    state: &'a DirectionState,
    /// Our Close has gone to `to`; no frame may follow it (RFC 6455 §5.5.1).
    is_closed: Cell<bool>,
}

impl<S: Sys> Direction<'_, S> {
    /// Until the sender's end of stream, which is passed on as a half-close.
    async fn run(&self, mut data: Buffer) -> io::Result<()> {
        let mut frames = Frames::new(self.sender);
        keep_alive(self.from, self.to, self.idle_timeout);
        self.meter.add(data.len());
        loop {
            if let Some(control) = self.due(&frames) {
                self.send_now(control).await?;
            } else if !data.is_empty() {
                self.pass(&mut frames, &mut data).await?;
            } else {
                match self.read(&frames, &mut data).await? {
                    None => {}
                    Some(0) => break,
                    Some(count) => {
                        self.meter.add(count);
                        self.state.last_read.set(self.from.stream.worker().now());
                        keep_alive(self.from, self.to, self.idle_timeout);
                    }
                }
            }
        }
        self.state.is_over.set(true);
        // The receiver may be gone already; its own direction reports that.
        let _ = self.to.stream.finish_writing().await;
        Ok(())
    }

    /// The control frame that can go now. None goes behind a Close.
    fn due(&self, frames: &Frames) -> Option<Control> {
        if !frames.is_between() {
            return None;
        }
        self.state.control.take().filter(|_| !self.state.is_over.get() && !self.is_closed.get())
    }

    async fn send_now(&self, control: Control) -> io::Result<()> {
        let (Control::Ping(frame) | Control::Close(frame)) = control;
        let mut out = Buffer::new();
        out.extend(frame.bytes()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        match control {
            Control::Ping(_) => self.cells.pings.increment(),
            Control::Close(_) => self.is_closed.set(true),
        }
        self.to.stream.write_all(&mut out, &mut Buffer::new()).await
    }

    /// Passes on what was read; only up to the end of a frame, if a control frame is to follow it.
    async fn pass(&self, frames: &mut Frames, data: &mut Buffer) -> io::Result<()> {
        let (count, is_over) = self.follow(frames, data.bytes());
        if self.is_closed.get() {
            data.consume(count);
        } else if count == data.len() {
            write(self.from, self.to, data, self.idle_timeout).await?;
        } else {
            let mut part = data.split_to(count).map_err(|_| io::ErrorKind::OutOfMemory)?;
            write(self.from, self.to, &mut part, self.idle_timeout).await?;
        }
        if is_over {
            self.state.is_over.set(true);
        }
        keep_alive(self.from, self.to, self.idle_timeout);
        Ok(())
    }

    /// The number of `bytes` that may go in one write, and whether there is a Close among them.
    fn follow(&self, frames: &mut Frames, bytes: &[u8]) -> (usize, bool) {
        let (mut count, mut is_over) = (0, false);
        let stops = self.state.control.get().is_some();
        let tally = match self.sender {
            Sender::Client => &self.cells.frames_from_client,
            Sender::Server => &self.cells.frames_from_target,
        };
        while count < bytes.len() {
            let was_lost = frames.is_lost();
            match frames.step(&bytes[count..]) {
                Step::Frame { kind, bytes } => {
                    tally[kind as usize].increment();
                    is_over |= kind == FrameKind::Close;
                    count += bytes;
                    if stops {
                        break;
                    }
                }
                Step::Within => count = bytes.len(),
                Step::Lost => {
                    tally[MALFORMED].add(u64::from(!was_lost));
                    count = bytes.len();
                }
            }
        }
        (count, is_over)
    }

    /// Waits for bytes, or for a control frame that can go (`None`).
    async fn read(&self, frames: &Frames, data: &mut Buffer) -> io::Result<Option<usize>> {
        poll_fn(|context| {
            if frames.is_between() && self.state.control.get().is_some() {
                return Poll::Ready(Ok(None));
            }
            self.from.stream.poll_fill(context, data, LARGE).map_ok(Some)
        })
        .await
    }
}

const MALFORMED: usize = TUNNEL_FRAMES.len() - 1;

#[cfg(test)]
mod tests;
