//! A TCP connection on a worker.
//!
//! Reading is cancel-safe: what was read is in the buffer, nowhere else. Writing is not: a cancelled write leaves
//! a part on the wire, so the stream must be closed, never used again or pooled. Dropping a stream closes it.

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

/// Errors of its waits: `TimedOut` when the direction's deadline has passed, `OutOfMemory` when the worker may not
/// lease more, `FileTooLarge` when the largest block is full; otherwise the kernel's.
pub struct TcpStream<S: Sys> {
    worker: Worker<S>,
    fd: Fd,
    id: SourceId,
}

/// Names a stream of a worker, also when it is gone.
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

    /// Begins to connect. The first write waits until the connection stands, under the write deadline, and fails
    /// as the connect does.
    pub fn connect(worker: &Worker<S>, address: SocketAddr) -> io::Result<Self> {
        let stream = Self::adopt(worker, worker.0.sys.connect(address)?);
        // A write is worth a try at once; there is nothing to read before one.
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

    /// The error with which the connection ended, where nobody was told yet.
    pub fn take_error(&self) -> Option<io::Error> {
        self.worker.0.sys.take_error(self.fd)
    }

    pub fn set_read_deadline(&self, deadline: Ticks) {
        self.worker.0.reactor.borrow_mut().set_deadline(self.id, Direction::Read, deadline);
    }

    /// For the next write that goes through, even if only in part; the rest has as long again.
    pub fn set_write_deadline(&self, deadline: Ticks) {
        self.worker.0.reactor.borrow_mut().set_write_deadline(self.id, deadline, self.worker.now());
    }

    /// Reads once behind what `buffer` holds, waiting until there is something; 0 is the end of the stream. A
    /// buffer that is empty leases its block, of at least `wanted` bytes, only then.
    // cancel-safe: nothing is read before the poll that returns.
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
                // A wait may be long: what is held moves into the smallest block.
                buffer.shrink();
                return Poll::Pending;
            }
            if let Some(result) = self.try_fill(buffer, wanted) {
                return Poll::Ready(result);
            }
        }
    }

    /// One read without waiting; `None`: nothing is there.
    pub fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        let room = match buffer.spare(wanted) {
            Ok(room) => room,
            Err(BufferFull::Largest) => return Some(Err(io::ErrorKind::FileTooLarge.into())),
            Err(BufferFull::Budget) => return Some(Err(io::ErrorKind::OutOfMemory.into())),
        };
        let asked = room.len();
        match self.worker.0.sys.read(self.fd, room) {
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

    /// Waits until a read would say something, without holding a buffer.
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

    /// As [`Self::readable`], for a connection with nothing in flight: [`Worker::rouse_idle`] ends the wait early,
    /// as `TimedOut`.
    pub async fn idle(&self) -> io::Result<()> {
        let _mark = self.mark_idle();
        self.readable().await
    }

    /// The connection has nothing in flight until the drop of what this returns, for who waits in another way than by
    /// [`Self::idle`].
    pub fn mark_idle(&self) -> IdleMark<'_, S> {
        IdleMark::set(self)
    }

    /// Whether the connection counts as one with nothing in flight, for who waits in another way than by [`Self::idle`].
    pub fn set_idle(&self, is_idle: bool) {
        self.worker.0.reactor.borrow_mut().set_idle(self.id, is_idle);
    }

    /// Whether nothing has come that nobody asked for, as far as the worker knows without asking the kernel.
    pub fn is_quiet(&self) -> bool {
        self.worker.0.reactor.borrow().is_quiet(self.id)
    }

    /// Whether nothing has come that nobody asked for, asking the kernel where that is not known.
    pub fn check_quiet(&self) -> bool {
        self.is_quiet() || self.check_open()
    }

    /// Asks the kernel whether the connection is open and nothing has come that nobody asked for.
    pub fn check_open(&self) -> bool {
        self.try_fill(&mut Buffer::new(), crate::buffer::CLASSES[0]).is_none() && self.is_quiet()
    }

    /// Waits until the connection is gone in both directions (reset, or both sides closed). A peer that has only
    /// finished sending is not gone.
    pub async fn gone(&self) {
        poll_fn(|context| self.poll_gone(context)).await;
    }

    /// See [`Self::gone`]. Takes the place of a waiting reader.
    pub fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_gone() {
            return Poll::Ready(());
        }
        // Unlike a read, this does not register: the worker's sweep does so when the wait is long.
        let waker = context.waker().clone();
        let old = self.worker.0.reactor.borrow_mut().watch(self.id, waker);
        drop(old);
        Poll::Pending
    }

    /// Whether the connection is known to be gone in both directions.
    pub fn is_gone(&self) -> bool {
        self.worker.0.reactor.borrow().is_gone(self.id)
    }

    /// How long ago the peer was seen to finish sending or to go, in milliseconds; `None`: it has not.
    pub fn closed_for_millis(&self) -> Option<u64> {
        self.worker.0.reactor.borrow().closed_for_millis(self.id, self.worker.now())
    }

    /// Whether the peer has finished sending, or is gone: a pooled connection in this state is of no use.
    pub fn is_read_closed(&self) -> bool {
        self.worker.0.reactor.borrow().is_read_closed(self.id)
    }

    /// Writes as much of `head`, then of `rest`, as goes at once; returns how many bytes went.
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

    /// Writes all of `buffer`, then all of `rest`; what blocks shrinks to what is left.
    // A cancelled write leaves a part on the wire: close the stream.
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

    /// Writes as much of `buffer` as goes, after a wait where nothing does; what blocks shrinks to what is left.
    // A cancelled write has written nothing.
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

    /// Counts what [`Self::try_write`] wrote after a wait for [`Self::writable`]; see [`Self::set_write_deadline`].
    pub fn wrote(&self, count: usize) {
        if count > 0 {
            self.worker.moved(count);
            self.worker.0.reactor.borrow_mut().wrote(self.id, self.worker.now());
        }
    }

    /// Moves up to `len` bytes from here through `pipe` to `to` without copying them; returns how many, 0 at the
    /// end of the stream. `write_timeout` is for each write, from when there is something to be written.
    // A cancelled move leaves bytes in the pipe, which then is not used again.
    pub async fn splice_to(
        &self,
        to: &Self,
        pipe: &mut Pipe<S>,
        len: u64,
        write_timeout: Duration,
    ) -> Result<u64, Moved> {
        let asked = usize::try_from(len).unwrap_or(usize::MAX).min(pipe.capacity());
        let count = poll_fn(|context| self.poll_splice_in(context, pipe, asked)).await.map_err(Moved::In)?;
        // Only a move that came back full is known to have a successor: after a short one the kernel would hold
        // the last bytes back for 200 ms, in vain when the sender pauses.
        let more = count == asked && (count as u64) < len;
        to.set_write_deadline(self.worker.after(write_timeout));
        while pipe.held() > 0 {
            poll_fn(|context| to.poll_splice_out(context, pipe, more))
                .await
                .map_err(|error| Moved::Out(error, count as u64))?;
        }
        Ok(count as u64)
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
                // The pipe is empty here, so it is the socket that has nothing.
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
                // The pipe is not empty here, so it is the socket that is full.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Write);
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends FIN; reading goes on.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.worker.0.sys.shutdown_write(self.fd)
    }

    /// Makes the coming close a reset, so that the peer cannot take a part for the whole.
    pub fn abort_on_close(&self) {
        self.worker.0.sys.abort_on_close(self.fd);
    }

    /// Waits until a write would say something; on a new connection, until it stands or has failed.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_ready(context, Direction::Write)).await
    }

    /// Whether the read deadline is still to come: a wait that ended as `TimedOut` all the same was roused.
    pub fn has_read_deadline(&self) -> bool {
        self.worker.0.reactor.borrow().has_read_deadline(self.id)
    }

    /// After a rouse: waits go on under the same deadline.
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

/// Marks a stream as idle while its wait lives: a wait that is given up must not leave a busy stream to be roused.
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
