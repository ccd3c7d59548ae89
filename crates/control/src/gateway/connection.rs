//! One connection of an application.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use proto::memcached::{Command, Parser, Reply, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::budget::{Budget, Taken};
use super::figures::{self, GatewayFigures};
use super::patience::Patience;
use super::shelf::Shelf;
use super::socket::Stream;

/// Executes commands one after the other, so that a client that does not read its replies sends no more of them.
pub(super) struct Connection {
    pub(super) shelf: Arc<Shelf>,
    pub(super) figures: Arc<GatewayFigures>,
    pub(super) budget: Arc<Budget>,
    pub(super) item_bytes_max: usize,
    /// With the stores.
    pub(super) patience: Patience,
    parser: Parser,
    input: BytesMut,
    /// What `input` takes, if that is more than usual.
    taken: Option<Taken>,
    pub(super) out: BytesMut,
}

/// What came of the bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// No command is complete.
    Nothing,
    Commands,
    /// The connection is to end.
    End,
}

/// Until when the client may take.
struct Waiting {
    /// When bytes last came.
    last: Instant,
    /// When the command began that is not complete.
    began: Option<Instant>,
}

impl Connection {
    pub(super) fn new(
        shelf: Arc<Shelf>,
        figures: Arc<GatewayFigures>,
        budget: Arc<Budget>,
        item_bytes_max: usize,
    ) -> Self {
        let parser = Parser::new(item_bytes_max);
        let (input, out, patience) = (BytesMut::new(), BytesMut::new(), Patience::new(shelf.limit()));
        Self { shelf, figures, budget, item_bytes_max, patience, parser, input, taken: None, out }
    }

    pub(super) async fn serve(mut self, mut stream: Box<dyn Stream>, mut stopping: watch::Receiver<bool>) {
        self.figures.accepted.fetch_add(1, Ordering::Relaxed);
        let _open = Open::new(Arc::clone(&self.figures));
        // Errors are not reported: the client disconnected.
        let _ = self.exchange(&mut *stream, &mut stopping).await;
    }

    async fn exchange(
        &mut self,
        stream: &mut dyn Stream,
        stopping: &mut watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut patience = Waiting { last: Instant::now(), began: None };
        // Both are made once, and not for each command.
        let (mut stop, mut timer) = (pin!(stopped(stopping)), pin!(sleep_until(patience.end())));
        loop {
            let mut came = Came::Nothing;
            if self.make_room() {
                let read = tokio::select! {
                    biased;
                    // A half command is the client's to send again.
                    () = &mut stop => return Ok(()),
                    read = stream.read_buf(&mut self.input) => read?,
                    () = &mut timer => {
                        if Instant::now() >= patience.end() {
                            return Ok(());
                        }
                        timer.as_mut().reset(patience.end());
                        continue;
                    }
                };
                if read == 0 {
                    return Ok(());
                }
                self.figures.bytes_in.fetch_add(read as u64, Ordering::Relaxed);
            } else {
                let refusal = self.parser.refuse(&mut self.input);
                came = self.step(refusal, stream).await?;
            }
            if came != Came::End {
                came = self.commands(stream).await?;
            }
            self.flush(stream).await?;
            if came == Came::End {
                return stream.shutdown().await;
            }
            let is_within = self.parser.is_within_command(&self.input);
            patience.note(Instant::now(), is_within, came == Came::Commands);
            // One that is too early is set anew when it fires.
            if patience.end() < timer.deadline() {
                timer.as_mut().reset(patience.end());
            }
        }
    }

    /// Makes room for what is read next; false: there is no memory for it.
    fn make_room(&mut self) -> bool {
        let more = READ_BYTES.max(self.parser.wanted().saturating_sub(self.input.len()));
        let total = self.input.len() + more;
        if total > USUAL_BYTES {
            let has_room = match &mut self.taken {
                Some(taken) => taken.grow(total),
                None => {
                    self.taken = self.budget.take(total);
                    self.taken.is_some()
                }
            };
            if !has_room {
                return false;
            }
        } else if self.taken.take().is_some() {
            // The large buffer goes.
            self.input = BytesMut::from(&self.input[..]);
        }
        self.input.reserve(more);
        true
    }

    /// Executes what is complete.
    async fn commands(&mut self, stream: &mut dyn Stream) -> io::Result<Came> {
        let mut came = Came::Nothing;
        loop {
            match self.parser.next(&mut self.input) {
                Step::Wait => return Ok(came),
                step => came = self.step(step, stream).await?,
            }
            if came == Came::End {
                return Ok(came);
            }
            if self.out.len() >= OUT_BYTES_MAX {
                self.flush(stream).await?;
            }
        }
    }

    async fn step(&mut self, step: Step, stream: &mut dyn Stream) -> io::Result<Came> {
        self.patience.renew();
        match step {
            Step::Wait => return Ok(Came::Nothing),
            Step::Do(Command::Quit(form)) => {
                Reply(&mut self.out).quit(form);
                return Ok(Came::End);
            }
            Step::Do(command) => self.execute(command, stream).await?,
            Step::Refuse(reply) => {
                self.figures.count(figures::Command::Other, figures::Result::Refused);
                self.out.extend_from_slice(&reply);
            }
            Step::Unstored { key, reply } => {
                self.figures.count(figures::Command::Store, figures::Result::Refused);
                self.patience.outcome(self.shelf.delete(&key, 0)).await;
                self.out.extend_from_slice(&reply);
            }
            Step::Close(reply) => {
                self.out.extend_from_slice(&reply);
                return Ok(Came::End);
            }
        }
        Ok(Came::Commands)
    }

    /// Sends the replies that were collected.
    pub(super) async fn flush(&mut self, stream: &mut dyn Stream) -> io::Result<()> {
        if !self.out.is_empty() {
            in_time(stream.write_all(&self.out)).await?;
            self.figures.bytes_out.fetch_add(self.out.len() as u64, Ordering::Relaxed);
            self.out.clear();
        }
        Ok(())
    }

    /// Sends a value behind the replies that were collected, without a copy of it.
    pub(super) async fn send_value(&mut self, value: &Bytes, mut stream: &mut dyn Stream) -> io::Result<()> {
        let mut bytes = Buf::chain(&self.out[..], &value[..]);
        let count = bytes.remaining() as u64;
        in_time(AsyncWriteExt::write_all_buf(&mut stream, &mut bytes)).await?;
        self.figures.bytes_out.fetch_add(count, Ordering::Relaxed);
        self.out.clear();
        Ok(())
    }

    /// What a value takes while it is sent. `Err`: there is no memory for it.
    pub(super) fn take_for(&self, value: &Bytes) -> Result<Option<Taken>, NoMemory> {
        match value.len() {
            large if large >= LARGE_BYTES => self.budget.take(large).map(Some).ok_or(NoMemory),
            _ => Ok(None),
        }
    }
}

/// Counts a connection while it is open, also if its task panics.
struct Open(Arc<GatewayFigures>);

impl Open {
    fn new(figures: Arc<GatewayFigures>) -> Self {
        figures.open.fetch_add(1, Ordering::Relaxed);
        Self(figures)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// See [`Connection::take_for`].
pub(super) struct NoMemory;

impl Waiting {
    fn end(&self) -> Instant {
        self.began.map_or(self.last + IDLE_TIMEOUT, |began| began + COMMAND_TIMEOUT)
    }

    /// After bytes were handled: `is_within` a command that is not complete, which is a new one if others were complete.
    fn note(&mut self, now: Instant, is_within: bool, is_new: bool) {
        self.last = now;
        self.began = is_within.then(|| self.began.filter(|_| !is_new).unwrap_or(now));
    }
}

/// Writes what the client is to read.
async fn in_time(writing: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let mut writing = pin!(writing);
    // What the socket takes at once needs no timer.
    match poll_fn(|context| Poll::Ready(writing.as_mut().poll(context))).await {
        Poll::Ready(written) => written,
        Poll::Pending => {
            let late = |_| io::Error::from(io::ErrorKind::TimedOut);
            timeout(WRITE_TIMEOUT, writing).await.map_err(late)?
        }
    }
}

/// Waits until the gateway is to stop.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// limit: bytes of replies that are collected before they are sent; the last reply may exceed it by [`LARGE_BYTES`].
pub(super) const OUT_BYTES_MAX: usize = 64 * 1024;
/// Values from this size on are not copied into the replies that are collected.
pub(super) const LARGE_BYTES: usize = 16 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// limit: bytes of input that a connection has room for without [`Budget`].
const USUAL_BYTES: usize = 2 * READ_BYTES;
/// Connections of applications are often idle for long, but not for ever.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long a client may take to send the rest of a command. What has come of it takes memory.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may not read its replies.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
