//! A connection as the crate `h2` reads and writes it.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use net::{Buffer, Sys};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::link::Link;
use crate::io_error;
use crate::stream::Wire;

/// The owner of the connection.
pub(super) trait Owner<S: Sys> {
    fn wire(&self) -> Option<&Wire<S>>;

    /// Bytes have come.
    fn did_read(&self) {}
}

/// Reads through a leased buffer, so that a connection without traffic holds none, and has the frames counted.
pub(super) struct Io<S: Sys, O> {
    owner: O,
    /// Where the frames are counted; of a client only.
    link: Option<Rc<Link>>,
    input: Buffer,
    /// Between two writes that go through.
    write_timeout: Duration,
    is_blocked: bool,
    system: PhantomData<fn() -> S>,
}

impl<S: Sys, O: Owner<S>> Io<S, O> {
    /// `input` was read already. It is counted with what comes.
    pub(super) fn new(owner: O, link: Option<Rc<Link>>, input: Buffer, write_timeout: Duration) -> Self {
        let io = Self { owner, link, input, write_timeout, is_blocked: false, system: PhantomData };
        // A flood within the first bytes shows with the next read.
        let _ = io.observe();
        io
    }

    fn wire(&self) -> io::Result<&Wire<S>> {
        self.owner.wire().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Counts what is in the buffer. `Err`: too much of it.
    fn observe(&self) -> Result<(), ()> {
        let (Some(link), Ok(wire)) = (&self.link, self.wire()) else { return Ok(()) };
        let now_millis = wire.worker().now() / 1_000_000;
        let counted = link.meter.borrow_mut().observe(self.input.bytes(), now_millis);
        counted.map_err(|fault| link.fault.set(Some(fault)))
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut input = std::mem::take(&mut self.input);
        let filled = self.wire()?.poll_fill(context, &mut input, READ_BYTES);
        self.input = input;
        match (ready!(filled), &self.link) {
            // Whether it is a flood shows when the connection's task looks next.
            (Ok(_), _) => {
                let _ = self.observe();
                self.owner.did_read();
                Poll::Ready(Ok(()))
            }
            (Err(error), Some(link)) if link.is_open.get() && io_error::is_deadline(&error) => {
                self.wire()?.forget_late();
                link.is_late.set(true);
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
                self.set_blocked(false);
                if let Some(link) = &self.link {
                    link.meter.borrow_mut().wrote(count);
                }
                return Poll::Ready(Ok(count));
            }
            if head.is_empty() && rest.is_empty() {
                return Poll::Ready(Ok(0));
            }
            ready!(self.poll_writable(context))?;
        }
    }

    /// Returns what was.
    fn set_blocked(&mut self, is_blocked: bool) -> bool {
        if let Some(link) = &self.link {
            link.is_blocked.set(is_blocked);
        }
        std::mem::replace(&mut self.is_blocked, is_blocked)
    }

    /// Waits under a deadline that begins with the wait.
    fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let was_blocked = self.set_blocked(true);
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
        if self.link.as_ref().is_some_and(|link| link.is_open.get() && link.fault.get().is_some()) {
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
        self.set_blocked(false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Poll::Ready(self.wire()?.shutdown_write())
    }
}

const READ_BYTES: usize = 16 * 1024;
