//! What the story of a request reads from and writes to.
//!
//! The methods are those of [`net::TcpStream`], with one difference: what was taken may still wait for the socket.
//! Whoever writes without waiting asks [`Stream::is_flushed`]; whoever waits for a write waits for that too.

mod tls;
mod wire;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};

use net::{Buffer, SMALL, StreamKey, Sys, TcpStream, Ticks, Worker};

use crate::http2::{ClientStream, TargetStream, Writes};

pub(crate) use tls::{Agreed, HandshakeError, Tls};
pub(crate) use wire::Wire;

/// Both directions of an exchange with one peer.
#[derive(Debug)]
pub(crate) enum Stream<S: Sys> {
    /// All of a connection.
    Wire(Wire<S>),
    /// A stream of a connection that speaks HTTP/2. Whose it is, is said one level below: here it would make every idle
    /// connection larger.
    Http2(Of<S>),
}

#[derive(Debug)]
pub(crate) enum Of<S: Sys> {
    Client(Box<ClientStream<S>>),
    Target(Box<TargetStream<S>>),
}

impl<S: Sys> Stream<S> {
    pub(crate) fn plain(tcp: TcpStream<S>) -> Self {
        Self::Wire(Wire::plain(tcp))
    }

    pub(crate) fn of_client(stream: ClientStream<S>) -> Self {
        Self::Http2(Of::Client(Box::new(stream)))
    }

    pub(crate) fn of_target(stream: TargetStream<S>) -> Self {
        Self::Http2(Of::Target(Box::new(stream)))
    }

    /// The connection, where this is all of one.
    pub(crate) fn wire(&self) -> Option<&Wire<S>> {
        match self {
            Self::Wire(wire) => Some(wire),
            Self::Http2(_) => None,
        }
    }

    /// The stream, where it is one to a target.
    pub(crate) fn as_target(&self) -> Option<&TargetStream<S>> {
        match self {
            Self::Http2(Of::Target(stream)) => Some(stream),
            Self::Wire(_) | Self::Http2(Of::Client(_)) => None,
        }
    }

    /// From here on what is read and written goes through `session`.
    pub(crate) fn secure(&mut self, session: Box<Tls>) {
        match self {
            Self::Wire(wire) => wire.secure(session),
            Self::Http2(_) => {}
        }
    }

    /// The socket, where it carries the story's bytes as they are.
    pub(crate) fn as_plain(&self) -> Option<&TcpStream<S>> {
        self.wire().and_then(Wire::as_plain)
    }

    pub(crate) fn key(&self) -> StreamKey {
        match self {
            Self::Wire(wire) => wire.key(),
            Self::Http2(Of::Client(stream)) => stream.key(),
            Self::Http2(Of::Target(stream)) => stream.key(),
        }
    }

    pub(crate) fn worker(&self) -> &Worker<S> {
        match self {
            Self::Wire(wire) => wire.worker(),
            Self::Http2(Of::Client(stream)) => stream.timer().worker(),
            Self::Http2(Of::Target(stream)) => stream.timer().worker(),
        }
    }

    pub(crate) fn take_error(&self) -> Option<io::Error> {
        match self {
            Self::Wire(wire) => wire.take_error(),
            Self::Http2(_) => None,
        }
    }

    pub(crate) fn set_read_deadline(&self, deadline: Ticks) {
        match self {
            Self::Wire(wire) => wire.set_read_deadline(deadline),
            Self::Http2(Of::Client(stream)) => stream.set_read_deadline(deadline),
            Self::Http2(Of::Target(stream)) => stream.set_read_deadline(deadline),
        }
    }

    pub(crate) fn set_write_deadline(&self, deadline: Ticks) {
        match self {
            Self::Wire(wire) => wire.set_write_deadline(deadline),
            Self::Http2(Of::Client(stream)) => stream.set_write_deadline(deadline),
            Self::Http2(Of::Target(stream)) => stream.set_write_deadline(deadline),
        }
    }

    pub(crate) fn has_read_deadline(&self) -> bool {
        match self {
            Self::Wire(wire) => wire.has_read_deadline(),
            Self::Http2(Of::Client(stream)) => stream.timer().has_read_deadline(),
            Self::Http2(Of::Target(stream)) => stream.timer().has_read_deadline(),
        }
    }

    pub(crate) fn forget_late(&self) {
        match self {
            Self::Wire(wire) => wire.forget_late(),
            Self::Http2(Of::Client(stream)) => stream.timer().forget_late(),
            Self::Http2(Of::Target(stream)) => stream.timer().forget_late(),
        }
    }

    /// See [`TcpStream::fill`].
    // cancel-safe: what was read is in the buffer or kept by the stream.
    pub(crate) async fn fill(&self, buffer: &mut Buffer, wanted: usize) -> io::Result<usize> {
        poll_fn(|context| self.poll_fill(context, buffer, wanted)).await
    }

    pub(crate) fn poll_fill(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Wire(wire) => wire.poll_fill(context, buffer, wanted),
            Self::Http2(Of::Client(stream)) => stream.poll_fill(context, buffer, wanted),
            Self::Http2(Of::Target(stream)) => stream.poll_fill(context, buffer, wanted),
        }
    }

    /// See [`TcpStream::try_fill`]. `None` may also mean that what came says nothing to the story.
    pub(crate) fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        match self {
            Self::Wire(wire) => wire.try_fill(buffer, wanted),
            Self::Http2(Of::Client(stream)) => stream.try_fill(buffer, wanted),
            Self::Http2(Of::Target(stream)) => stream.try_fill(buffer, wanted),
        }
    }

    /// Takes what has come of a stream already: the rest of the body that came right behind its head.
    pub(crate) fn fill_now(&self, buffer: &mut Buffer) {
        // What goes wrong shows again with the next read, which leaves a waker of its own, too.
        let _ = self.poll_fill(&mut Context::from_waker(Waker::noop()), buffer, SMALL);
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_readable(context)).await
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Wire(wire) => wire.poll_readable(context),
            Self::Http2(Of::Client(stream)) => stream.poll_readable(context),
            Self::Http2(Of::Target(stream)) => stream.poll_readable(context),
        }
    }

    /// See [`TcpStream::idle`].
    pub(crate) async fn idle(&self) -> io::Result<()> {
        // One wait for all kinds: more would stand in every idle connection.
        let _mark = self.wire().map(|wire| wire.socket().mark_idle());
        self.readable().await
    }

    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Wire(wire) => wire.is_quiet(),
            Self::Http2(_) => true,
        }
    }

    pub(crate) fn check_quiet(&self) -> bool {
        match self {
            Self::Wire(wire) => wire.check_quiet(),
            Self::Http2(_) => true,
        }
    }

    /// See [`TcpStream::check_open`].
    pub(crate) fn check_open(&self) -> bool {
        match self {
            Self::Wire(wire) => wire.check_open(),
            Self::Http2(Of::Client(stream)) => !stream.is_gone(),
            Self::Http2(Of::Target(stream)) => !stream.is_gone(),
        }
    }

    pub(crate) async fn gone(&self) {
        poll_fn(|context| self.poll_gone(context)).await;
    }

    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Wire(wire) => wire.poll_gone(context),
            Self::Http2(Of::Client(stream)) => stream.poll_gone(context),
            Self::Http2(Of::Target(stream)) => stream.poll_gone(context),
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Wire(wire) => wire.is_gone(),
            Self::Http2(Of::Client(stream)) => stream.is_gone(),
            Self::Http2(Of::Target(stream)) => stream.is_gone(),
        }
    }

    pub(crate) fn is_read_closed(&self) -> bool {
        match self {
            Self::Wire(wire) => wire.is_read_closed(),
            Self::Http2(Of::Client(stream)) => stream.is_gone(),
            Self::Http2(Of::Target(stream)) => stream.is_gone(),
        }
    }

    pub(crate) fn closed_for_millis(&self) -> Option<u64> {
        match self {
            Self::Wire(wire) => wire.closed_for_millis(),
            Self::Http2(_) => None,
        }
    }

    /// Writes as much of `head`, then of `rest`, as goes at once; returns how many bytes were taken. See
    /// [`Self::is_flushed`].
    pub(crate) fn try_write(&self, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        match self {
            Self::Wire(wire) => wire.try_write(head, rest),
            Self::Http2(Of::Client(stream)) => stream.try_write(head, rest),
            Self::Http2(Of::Target(stream)) => stream.try_write(head, rest),
        }
    }

    /// Whether all that was taken has gone to the socket.
    pub(crate) fn is_flushed(&self) -> bool {
        match self {
            Self::Wire(wire) => wire.is_flushed(),
            Self::Http2(_) => true,
        }
    }

    /// See [`TcpStream::write_all`].
    // A cancelled write leaves a part on the wire: close the stream.
    pub(crate) async fn write_all(&self, buffer: &mut Buffer, rest: &mut Buffer) -> io::Result<()> {
        poll_fn(|context| match self {
            Self::Wire(wire) => wire.poll_write_all(context, buffer, rest),
            Self::Http2(Of::Client(stream)) => stream.poll_write_all(context, buffer, rest),
            Self::Http2(Of::Target(stream)) => stream.poll_write_all(context, buffer, rest),
        })
        .await
    }

    /// See [`TcpStream::write_some`]; with nothing to write, waits for what was taken to go.
    pub(crate) async fn write_some(&self, buffer: &mut Buffer) -> io::Result<()> {
        poll_fn(|context| match self {
            Self::Wire(wire) => wire.poll_write_some(context, buffer),
            Self::Http2(Of::Client(stream)) => stream.poll_write_some(context, buffer),
            Self::Http2(Of::Target(stream)) => stream.poll_write_some(context, buffer),
        })
        .await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| match self {
            Self::Wire(wire) => wire.poll_writable(context),
            Self::Http2(Of::Client(stream)) => stream.poll_writable(context),
            Self::Http2(Of::Target(stream)) => stream.poll_writable(context),
        })
        .await
    }

    /// Sends what says that nothing more comes; reading goes on.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Wire(wire) => wire.shutdown_write(),
            Self::Http2(Of::Client(stream)) => stream.shutdown_write(),
            // A request has its own end.
            Self::Http2(Of::Target(_)) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Makes the coming end one that the peer cannot take for the end of the whole.
    pub(crate) fn abort_on_close(&self) {
        match self {
            Self::Wire(wire) => wire.abort_on_close(),
            // Their drop does so where they have not ended.
            Self::Http2(_) => {}
        }
    }
}
