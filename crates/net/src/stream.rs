//! A TCP connection on a worker.
//!
//! A read is cancel-safe: bytes that were read are in the buffer. A write is not: after a cancelled write a part of the
//! message is on the wire, so the stream must be closed and never reused or pooled. Dropping a stream closes it.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use model::TcpKeepalive;

use crate::buffer::{Buffer, BufferFull};
use crate::pipe::{Moved, Pipe};
use crate::reactor::{Direction, SourceId, State, Ticks};
use crate::sys::{Fd, Sys};
use crate::worker::Worker;

/// A TCP connection. Its waits fail with `TimedOut` if the deadline of the direction has passed, with `OutOfMemory` if the
/// worker may not lease more bytes, with `FileTooLarge` if the largest block is full, else with the kernel's error.
pub struct TcpStream<S: Sys> {
    worker: Worker<S>,
    fd: Fd,
    id: SourceId,
}

/// Names a stream of a worker. It stays unique after the stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey(pub(crate) SourceId);

impl<S: Sys> std::fmt::Debug for TcpStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpStream").field("fd", &self.fd).finish_non_exhaustive()
    }
}

impl<S: Sys> TcpStream<S> {
    pub(crate) fn adopt(worker: &Worker<S>, fd: Fd) -> Self {
        let id = worker.0.reactor.borrow_mut().insert(fd);
        Self { worker: worker.clone(), fd, id }
    }

    /// Starts to connect. The first write waits until the connection is established, under the write deadline, and returns
    /// the error of the connect if it fails.
    pub fn connect(worker: &Worker<S>, address: SocketAddr) -> io::Result<Self> {
        let stream = Self::adopt(worker, worker.0.sys.connect(address)?);
        // The first write is tried at once. There is nothing to read before it.
        worker.0.reactor.borrow_mut().blocked(stream.id, Direction::Read);
        Ok(stream)
    }

    pub fn key(&self) -> StreamKey {
        StreamKey(self.id)
    }

    pub fn worker(&self) -> &Worker<S> {
        &self.worker
    }

    pub fn set_keepalive(&self, keepalive: Option<TcpKeepalive>) -> io::Result<()> {
        self.worker.0.sys.set_keepalive(self.fd, keepalive)
    }

    /// Our end of the connection.
    pub fn local_address(&self) -> io::Result<std::net::SocketAddr> {
        self.worker.0.sys.local_address(self.fd)
    }

    /// Takes the pending error of the connection, if no call has returned it yet.
    pub fn take_error(&self) -> Option<io::Error> {
        self.worker.0.sys.take_error(self.fd)
    }

    pub fn set_read_deadline(&self, deadline: Ticks) {
        self.worker.0.reactor.borrow_mut().set_deadline(self.id, Direction::Read, deadline);
    }

    /// Sets the deadline of the next write. A write that makes progress, even in part, restarts it for the rest.
    pub fn set_write_deadline(&self, deadline: Ticks) {
        self.worker.0.reactor.borrow_mut().set_write_deadline(self.id, deadline, self.worker.now());
    }

    /// Limits how far writes that make progress move the deadline that is set. The next deadline has no limit.
    pub fn limit_writes(&self, limit: Ticks) {
        self.worker.0.reactor.borrow_mut().limit_writes(self.id, limit);
    }

    /// Waits until the connection is readable, then reads once and appends to `buffer`. Returns the number of bytes; 0 is
    /// the end of the stream. An empty buffer leases its block, of at least `wanted` bytes, only when bytes are there.
    // cancel-safe: bytes are read only in the poll that returns their number.
    pub async fn fill(&self, buffer: &mut Buffer, wanted: usize) -> io::Result<usize> {
        poll_fn(|context| self.poll_fill(context, buffer, wanted)).await
    }

    /// See [`Self::fill`].
    pub fn poll_fill(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.poll_ready(context, Direction::Read)?.is_pending() {
                // The wait may be long, so bytes that the buffer holds move into the smallest block.
                buffer.shrink();
                return Poll::Pending;
            }
            if let Some(result) = self.try_fill(buffer, wanted) {
                return Poll::Ready(result);
            }
        }
    }

    /// Reads once without waiting; `None`: nothing is there.
    pub fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        let spare = match buffer.spare(wanted) {
            Ok(spare) => spare,
            Err(BufferFull::Largest) => return Some(Err(io::ErrorKind::FileTooLarge.into())),
            Err(BufferFull::Budget) => return Some(Err(io::ErrorKind::OutOfMemory.into())),
        };
        let asked = spare.len();
        match self.worker.0.sys.read(self.fd, spare) {
            Ok(count) => {
                if count < asked {
                    self.worker.0.reactor.borrow_mut().drained(self.id, Direction::Read);
                }
                buffer.filled(count);
                self.worker.moved(count);
                if buffer.is_empty() {
                    buffer.shrink();
                }
                Some(Ok(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Read);
                buffer.shrink();
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Waits until a read would return bytes, the end of the stream or an error, without holding a buffer.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_ready(context, Direction::Read)).await
    }

    /// See [`Self::readable`].
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(context, Direction::Read)
    }

    /// See [`Self::writable`].
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(context, Direction::Write)
    }

    /// Waits as [`Self::readable`] does, for a connection with nothing in flight: [`Worker::rouse_idle`] ends the wait early,
    /// with `TimedOut`.
    pub async fn idle(&self) -> io::Result<()> {
        let _mark = self.mark_idle();
        self.readable().await
    }

    /// Marks the connection as idle until the result is dropped, for waits other than [`Self::idle`].
    pub fn mark_idle(&self) -> IdleMark<'_, S> {
        IdleMark::set(self)
    }

    /// Marks the connection as idle or not, for waits other than [`Self::idle`].
    pub fn set_idle(&self, is_idle: bool) {
        self.worker.0.reactor.borrow_mut().set_idle(self.id, is_idle);
    }

    /// Whether nothing unread has arrived (bytes, FIN or reset), as far as the worker knows without asking the kernel.
    pub fn is_quiet(&self) -> bool {
        self.worker.0.reactor.borrow().is_quiet(self.id)
    }

    /// Whether nothing unread has arrived; asks the kernel if the worker does not know.
    pub fn check_quiet(&self) -> bool {
        self.is_quiet() || self.check_open()
    }

    /// Asks the kernel whether the connection is open and nothing unread has arrived.
    pub fn check_open(&self) -> bool {
        self.try_fill(&mut Buffer::new(), crate::buffer::CLASSES[0]).is_none() && self.is_quiet()
    }

    /// How many bytes that were written the peer's kernel has not acknowledged yet. A close while there are some, and bytes
    /// of the peer are unread or on their way, destroys them (RFC 9112 §9.6).
    pub fn unacknowledged(&self) -> io::Result<u64> {
        self.worker.0.sys.unacknowledged(self.fd)
    }

    /// Waits until the connection is closed in both directions: reset, or FIN from both sides. A half-close does not end the
    /// wait.
    pub async fn gone(&self) {
        poll_fn(|context| self.poll_gone(context)).await;
    }

    /// See [`Self::gone`]. It replaces the waker of a wait for reading.
    pub fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_gone() {
            return Poll::Ready(());
        }
        // Unlike a read, this does not register the source; the worker does so if the wait is long.
        let waker = context.waker().clone();
        let old = self.worker.0.reactor.borrow_mut().park_unregistered(self.id, waker);
        drop(old);
        Poll::Pending
    }

    /// Whether the connection is known to be closed in both directions.
    pub fn is_gone(&self) -> bool {
        self.worker.0.reactor.borrow().is_gone(self.id)
    }

    /// How long ago the peer's FIN or reset was seen, in milliseconds; `None`: there was none.
    pub fn closed_for_millis(&self) -> Option<u64> {
        self.worker.0.reactor.borrow().closed_for_millis(self.id, self.worker.now())
    }

    /// Whether the peer has sent FIN or a reset. A pooled connection in this state cannot be used.
    pub fn is_read_closed(&self) -> bool {
        self.worker.0.reactor.borrow().is_read_closed(self.id)
    }

    /// Writes as much of `head` and then `rest` as the socket takes now; returns the number of bytes.
    pub fn try_write(&self, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        let sys = &self.worker.0.sys;
        let written = match (head.is_empty(), rest.is_empty()) {
            (false, true) => sys.write(self.fd, head),
            (true, _) => sys.write(self.fd, rest),
            (false, false) => sys.write_vectored(self.fd, &[IoSlice::new(head), IoSlice::new(rest)]),
        };
        match written {
            Ok(count) => {
                if count < head.len() + rest.len() {
                    self.worker.0.reactor.borrow_mut().drained(self.id, Direction::Write);
                }
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Write);
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes all of `buffer`, then all of `rest`. Before a wait both shrink to their unsent bytes.
    // After a cancelled write a part may be on the wire: close the stream.
    pub async fn write_all(&self, buffer: &mut Buffer, rest: &mut Buffer) -> io::Result<()> {
        poll_fn(|context| self.poll_write_all(context, buffer, rest)).await
    }

    /// See [`Self::write_all`].
    pub fn poll_write_all(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        rest: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        while !(buffer.is_empty() && rest.is_empty()) {
            if self.poll_ready(context, Direction::Write)?.is_pending() {
                buffer.shrink();
                rest.shrink();
                return Poll::Pending;
            }
            let count = self.try_write(buffer.bytes(), rest.bytes())?;
            let first = count.min(buffer.len());
            buffer.consume(first);
            rest.consume(count - first);
            self.wrote(count);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes as much of `buffer` as the socket takes, at least one byte. Before a wait it shrinks to its unsent bytes.
    // cancel-safe: bytes are written only in the poll that returns.
    pub async fn write_some(&self, buffer: &mut Buffer) -> io::Result<()> {
        poll_fn(|context| self.poll_write_some(context, buffer)).await
    }

    /// See [`Self::write_some`].
    pub fn poll_write_some(&self, context: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<()>> {
        loop {
            if self.poll_ready(context, Direction::Write)?.is_pending() {
                buffer.shrink();
                return Poll::Pending;
            }
            let count = self.try_write(buffer.bytes(), &[])?;
            buffer.consume(count);
            self.wrote(count);
            if count > 0 || buffer.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Notes the bytes that [`Self::try_write`] has written, which restarts the write deadline.
    pub fn wrote(&self, count: usize) {
        if count > 0 {
            self.worker.moved(count);
            self.worker.0.reactor.borrow_mut().wrote(self.id, self.worker.now());
        }
    }

    /// Moves up to `len` bytes from this stream through `pipe` to `to` without copying them. Returns the number of bytes; 0
    /// is the end of the stream. `write_timeout` is the timeout of each write, which starts when the pipe holds bytes; then
    /// `limit` is asked, with their number, how long all writes together may take.
    // After a cancelled move the pipe may hold bytes; it is then closed and not reused.
    pub async fn splice_to(
        &self,
        to: &Self,
        pipe: &mut Pipe<S>,
        len: u64,
        write_timeout: Duration,
        limit: impl FnOnce(usize) -> Option<Duration>,
    ) -> Result<u64, Moved> {
        let asked = usize::try_from(len).unwrap_or(usize::MAX).min(pipe.capacity());
        let count = poll_fn(|context| self.poll_splice_in(context, pipe, asked)).await.map_err(Moved::In)?;
        // After a full read more bytes are known to follow. After a short one the sender may pause, and the kernel would
        // delay the last bytes by 200 ms.
        let more = count == asked && (count as u64) < len;
        to.set_write_deadline(self.worker.after(write_timeout));
        if let Some(limit) = limit(count) {
            to.limit_writes(self.worker.after(limit));
        }
        while pipe.held() > 0 {
            poll_fn(|context| to.poll_splice_out(context, pipe, more))
                .await
                .map_err(|error| Moved::Out(error, count as u64))?;
        }
        Ok(count as u64)
    }

    /// Moves as many bytes as are there into the empty `pipe`, at most as many as it holds; returns their number, 0 at the end
    /// of the stream. The first half of [`Self::splice_to`].
    pub async fn splice_in(&self, pipe: &mut Pipe<S>) -> io::Result<usize> {
        let room = pipe.capacity();
        poll_fn(|context| self.poll_splice_in(context, pipe, room)).await
    }

    /// Moves bytes out of `pipe`, at least one. `more`: others will follow at once.
    pub async fn splice_out(&self, pipe: &mut Pipe<S>, more: bool) -> io::Result<()> {
        poll_fn(|context| self.poll_splice_out(context, pipe, more)).await
    }

    fn poll_splice_in(
        &self,
        context: &mut Context<'_>,
        pipe: &mut Pipe<S>,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_ready(context, Direction::Read))?;
            match self.worker.0.sys.splice(self.fd, pipe.write_end(), len, false) {
                Ok(count) => {
                    pipe.added(count);
                    self.worker.moved(count);
                    return Poll::Ready(Ok(count));
                }
                // The pipe is empty here, so the socket has nothing to read.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Read);
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_splice_out(
        &self,
        context: &mut Context<'_>,
        pipe: &mut Pipe<S>,
        more: bool,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_ready(context, Direction::Write))?;
            match self.worker.0.sys.splice(pipe.read_end(), self.fd, pipe.held(), more) {
                Ok(count) => {
                    pipe.removed(count);
                    self.wrote(count);
                    return Poll::Ready(Ok(()));
                }
                // The pipe is not empty here, so the socket is full.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Write);
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends FIN (half-close). Reads are still possible.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.worker.0.sys.shutdown_write(self.fd)
    }

    /// Makes the next close a reset, so that the peer cannot take what it has received for a complete message.
    pub fn abort_on_close(&self) {
        self.worker.0.sys.abort_on_close(self.fd);
    }

    /// Waits until a write would take bytes or fail.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_ready(context, Direction::Write)).await
    }

    /// Waits until a new connection is established, and returns the error if it cannot be. [`Self::writable`] does not wait
    /// before the first write, which is tried at once.
    pub async fn established(&self) -> io::Result<()> {
        self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Write);
        self.writable().await?;
        self.take_error().map_or(Ok(()), Err)
    }

    /// Whether a read deadline is set and has not passed. If a wait ended with `TimedOut` nevertheless, it was roused.
    pub fn has_read_deadline(&self) -> bool {
        self.worker.0.reactor.borrow().has_read_deadline(self.id)
    }

    /// Clears a roused state: waits continue under the same read deadline.
    pub fn forget_late(&self) {
        self.worker.0.reactor.borrow_mut().forget_late(self.id);
    }

    fn poll_ready(&self, context: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        let state = self.worker.0.reactor.borrow_mut().state(self.id, direction);
        match state {
            State::Late => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            State::Ready if self.worker.may_transfer(context) => Poll::Ready(Ok(())),
            State::Ready => Poll::Pending,
            State::NotReady => {
                let waker = context.waker().clone();
                let (old, register) = self.worker.0.reactor.borrow_mut().park(self.id, direction, waker);
                drop(old);
                if register && let Err(error) = self.worker.0.sys.register(self.fd, self.id.token()) {
                    self.worker.0.reactor.borrow_mut().not_registered(self.id);
                    return Poll::Ready(Err(error));
                }
                Poll::Pending
            }
        }
    }
}

/// Marks a stream as idle until it is dropped. So a cancelled wait leaves no mark on a stream that is in use again.
#[derive(Debug)]
pub struct IdleMark<'a, S: Sys>(&'a TcpStream<S>);

impl<'a, S: Sys> IdleMark<'a, S> {
    fn set(stream: &'a TcpStream<S>) -> Self {
        stream.worker.0.reactor.borrow_mut().set_idle(stream.id, true);
        Self(stream)
    }
}

impl<S: Sys> Drop for IdleMark<'_, S> {
    fn drop(&mut self) {
        self.0.worker.0.reactor.borrow_mut().set_idle(self.0.id, false);
    }
}

impl<S: Sys> Drop for TcpStream<S> {
    fn drop(&mut self) {
        let wakers = self.worker.0.reactor.borrow_mut().remove(self.id);
        drop(wakers);
        self.worker.0.sys.close(self.fd);
    }
}
