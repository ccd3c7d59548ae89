//! The I/O of an HTTP/2 connection, through which the crate `h2` reads and writes it.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use net::{Buffer, Sys};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::shared::ConnectionShared;
use crate::io_error;
use crate::stream::Wire;

/// Owns the connection that [`Io`] reads and writes.
pub(super) trait Owner<S: Sys> {
    fn wire(&self) -> Option<&Wire<S>>;

    /// Called after each read that returned bytes or the end of the stream.
    fn on_read(&self) {}
}

/// Reads into a leased buffer, so that a connection without traffic holds none, and counts the frames.
pub(super) struct Io<S: Sys, O> {
    owner: O,
    /// The state of a client's connection, whose meter counts the frames. `None` for a target.
    shared: Option<Rc<ConnectionShared>>,
    /// Bytes that were read and not yet taken by `h2`.
    input: Buffer,
    /// The longest wait of a write that makes no progress.
    write_timeout: Duration,
    /// A write waits, and its deadline is set.
    is_write_blocked: bool,
    system: PhantomData<fn() -> S>,
}

impl<S: Sys, O: Owner<S>> Io<S, O> {
    /// `input` was read already; its frames are counted too.
    pub(super) fn new(
        owner: O,
        shared: Option<Rc<ConnectionShared>>,
        input: Buffer,
        write_timeout: Duration,
    ) -> Self {
        let io = Self { owner, shared, input, write_timeout, is_write_blocked: false, system: PhantomData };
        // A fault in the first bytes is stored in `shared`, where `poll_read` and the connection's task find it.
        let _ = io.count_frames();
        io
    }

    fn wire(&self) -> io::Result<&Wire<S>> {
        self.owner.wire().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Counts the frames in `input`. `Err`: the client has exceeded a limit or violated the protocol; the fault is stored.
    fn count_frames(&self) -> Result<(), ()> {
        let (Some(shared), Ok(wire)) = (&self.shared, self.wire()) else { return Ok(()) };
        let now_millis = wire.worker().now() / 1_000_000;
        let counted = shared.meter.borrow_mut().observe(self.input.bytes(), now_millis);
        counted.map_err(|fault| shared.fault.set(Some(fault)))
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut input = std::mem::take(&mut self.input);
        let filled = self.wire()?.poll_fill(context, &mut input, READ_BYTES);
        self.input = input;
        match (ready!(filled), &self.shared) {
            // A fault is stored in `shared`, where `poll_read` and the connection's task find it.
            (Ok(_), _) => {
                let _ = self.count_frames();
                self.owner.on_read();
                Poll::Ready(Ok(()))
            }
            (Err(error), Some(shared)) if shared.is_established.get() && io_error::is_deadline(&error) => {
                self.wire()?.forget_late();
                shared.is_read_late.set(true);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (Err(error), _) => Poll::Ready(Err(error)),
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>, head: &[u8], rest: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let wire = self.wire()?;
            let count = wire.try_write(head, rest)?;
            if count > 0 {
                self.set_write_blocked(false);
                if let Some(shared) = &self.shared {
                    shared.meter.borrow_mut().wrote(count);
                }
                return Poll::Ready(Ok(count));
            }
            if head.is_empty() && rest.is_empty() {
                return Poll::Ready(Ok(0));
            }
            ready!(self.poll_writable(context))?;
        }
    }

    /// Returns the previous value.
    fn set_write_blocked(&mut self, is_write_blocked: bool) -> bool {
        if let Some(shared) = &self.shared {
            shared.is_write_blocked.set(is_write_blocked);
        }
        std::mem::replace(&mut self.is_write_blocked, is_write_blocked)
    }

    /// Waits until the connection is writable. The deadline starts with the wait.
    fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let was_blocked = self.set_write_blocked(true);
        let wire = self.wire()?;
        if !was_blocked {
            wire.set_write_deadline(wire.worker().after(self.write_timeout));
        }
        wire.poll_writable(context)
    }
}

impl<S: Sys, O: Owner<S> + Unpin> AsyncRead for Io<S, O> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            ready!(self.poll_input(context))?;
        }
        if self
            .shared
            .as_ref()
            .is_some_and(|shared| shared.is_established.get() && shared.fault.get().is_some())
        {
            self.input = Buffer::new();
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = self.input.len().min(into.remaining());
        into.put_slice(&self.input.bytes()[..count]);
        self.input.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: Sys, O: Owner<S> + Unpin> AsyncWrite for Io<S, O> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, bytes, &[])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        let head = filled.next().map_or(&[][..], |slice| slice);
        let rest = filled.next().map_or(&[][..], |slice| slice);
        self.poll_send(context, head, rest)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.wire()?.is_flushed() {
            ready!(self.poll_writable(context))?;
        }
        self.set_write_blocked(false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // A blocked write sets its deadline here.
            ready!(self.as_mut().poll_flush(context))?;
            if let Poll::Ready(finished) = self.wire()?.poll_finish(context) {
                return Poll::Ready(finished);
            }
        }
    }
}

const READ_BYTES: usize = 16 * 1024;
