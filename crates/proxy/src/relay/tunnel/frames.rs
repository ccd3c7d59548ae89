//! Bytes whose frames are followed, so that a control frame of ours can go between two of them (RFC 6455 §5.4). What
//! the two sides send is never changed and never held back.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use crate::stream::Stream;
use model::WebSocket;
use net::{Buffer, LARGE, Sys};
use observe::{TUNNEL_FRAMES, TunnelCells};
use proto::websocket::{ControlFrame, FrameKind, Frames, Sender, Step};

use super::{Meter, Sides, attend, both, keep_alive, write};
use crate::http::Failed;

pub(super) async fn run<S: Sys>(
    sides: Sides<'_, S>,
    websocket: &WebSocket,
    cells: &TunnelCells,
) -> Result<(), Failed> {
    let (client, target) = (&sides.client.stream, sides.target);
    let up = Lane::new(Sender::Client, client, target, websocket, sides.up, cells);
    let down = Lane::new(Sender::Server, target, client, websocket, sides.down, cells);
    let ending = Cell::new(None);
    let relayed = both(up.run(sides.from_client), down.run(sides.from_target));
    let attended = attend::attend(sides.client, &up, &down, websocket, &ending);
    // On the heap: few tunnels need it, and all requests would have room for it.
    let ended = Box::pin(async {
        tokio::select! {
            biased;
            ended = relayed => ended,
            failed = attended => Err(failed),
        }
    })
    .await;
    match (ending.get(), ended) {
        // Whatever ends first while we end it is not the reason.
        (Some(failure), Ok(())) => Err(failure.into()),
        (Some(failure), Err(failed)) if failed.failure != failure => Err(failure.into()),
        (_, ended) => ended,
    }
}

/// One direction of a tunnel.
pub(super) struct Lane<'a, S: Sys> {
    sender: Sender,
    from: &'a Stream<S>,
    to: &'a Stream<S>,
    idle_timeout: Duration,
    meter: &'a Meter<'a>,
    cells: &'a TunnelCells,
    order: Cell<Option<Order>>,
    heard: Cell<u64>,
    is_over: Cell<bool>,
    /// Our Close has gone to `to`, behind which nothing may (RFC 6455 §5.5.1).
    is_closed: Cell<bool>,
}

/// What is to go to the receiver as soon as the sender is between two frames.
#[derive(Clone, Copy)]
pub(super) enum Order {
    Ping(ControlFrame),
    Close(ControlFrame),
}

impl<'a, S: Sys> Lane<'a, S> {
    fn new(
        sender: Sender,
        from: &'a Stream<S>,
        to: &'a Stream<S>,
        websocket: &WebSocket,
        meter: &'a Meter<'a>,
        cells: &'a TunnelCells,
    ) -> Self {
        Self {
            sender,
            from,
            to,
            idle_timeout: websocket.idle_timeout,
            meter,
            cells,
            order: Cell::new(None),
            heard: Cell::new(from.worker().now()),
            is_over: Cell::new(false),
            is_closed: Cell::new(false),
        }
    }

    /// The task must be polled once more for it.
    pub(super) fn order(&self, order: Order) {
        self.order.set(Some(order));
    }

    /// When the sender was last heard, in nanoseconds of the worker's clock.
    pub(super) fn heard(&self) -> u64 {
        self.heard.get()
    }

    /// Whether the sender has sent a Close, or will send nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Until the sender's end, which is passed on as a half-close.
    async fn run(&self, mut data: Buffer) -> io::Result<()> {
        let mut frames = Frames::new(self.sender);
        keep_alive(self.from, self.to, self.idle_timeout);
        self.meter.add(data.len());
        loop {
            if let Some(order) = self.due(&frames) {
                self.say(order).await?;
            } else if !data.is_empty() {
                self.pass(&mut frames, &mut data).await?;
            } else {
                match self.read(&frames, &mut data).await? {
                    None => {}
                    Some(0) => break,
                    Some(count) => {
                        self.meter.add(count);
                        self.heard.set(self.from.worker().now());
                        keep_alive(self.from, self.to, self.idle_timeout);
                    }
                }
            }
        }
        self.is_over.set(true);
        // The other side may be gone already, which its own direction tells.
        let _ = self.to.shutdown_write();
        Ok(())
    }

    /// An order that can be carried out now. Behind a Close nothing is said any more.
    fn due(&self, frames: &Frames) -> Option<Order> {
        if !frames.is_between() {
            return None;
        }
        self.order.take().filter(|_| !self.is_over.get() && !self.is_closed.get())
    }

    async fn say(&self, order: Order) -> io::Result<()> {
        let (Order::Ping(frame) | Order::Close(frame)) = order;
        let mut out = Buffer::new();
        out.extend(frame.bytes()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        match order {
            Order::Ping(_) => self.cells.pings.increment(),
            Order::Close(_) => self.is_closed.set(true),
        }
        self.to.write_all(&mut out, &mut Buffer::new()).await
    }

    /// Passes on what has come; only up to the end of a frame, when there is something to be said there.
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
            self.is_over.set(true);
        }
        keep_alive(self.from, self.to, self.idle_timeout);
        Ok(())
    }

    /// How many of `bytes` may go in one write, and whether there is a Close among them.
    fn follow(&self, frames: &mut Frames, bytes: &[u8]) -> (usize, bool) {
        let (mut count, mut is_over) = (0, false);
        let stops = self.order.get().is_some();
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

    /// Waits for bytes, or for an order that can be carried out (`None`).
    async fn read(&self, frames: &Frames, data: &mut Buffer) -> io::Result<Option<usize>> {
        poll_fn(|context| {
            if frames.is_between() && self.order.get().is_some() {
                return Poll::Ready(Ok(None));
            }
            self.from.poll_fill(context, data, LARGE).map_ok(Some)
        })
        .await
    }
}

const MALFORMED: usize = TUNNEL_FRAMES.len() - 1;
