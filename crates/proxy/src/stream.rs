//! What the story of a request reads from and writes to.
//!
//! The methods are those of [`net::TcpStream`], with one difference: what was taken may still wait for the socket.
//! Whoever writes without waiting asks [`Stream::is_flushed`]; whoever waits for a write waits for that too.

mod tls;
mod wire;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use model::TcpKeepalive;
use net::{Buffer, StreamKey, Sys, TcpStream, Ticks, Worker};

pub(crate) use tls::{Agreed, HandshakeError, Tls};
pub(crate) use wire::Wire;

/// Both directions of an exchange with one peer.
#[derive(Debug)]
pub(crate) enum Stream<S: Sys> {
    /// All of a connection.
    Wire(Wire<S>),
}

impl<S: Sys> Stream<S> {
    pub(crate) fn plain(tcp: TcpStream<S>) -> Self {
        Self::Wire(Wire::plain(tcp))
    }

    /// The connection, where this is all of one.
    pub(crate) fn wire(&self) -> Option<&Wire<S>> {
        let Self::Wire(wire) = self;
        Some(wire)
    }

    /// From here on what is read and written goes through `session`.
    pub(crate) fn secure(&mut self, session: Box<Tls>) {
        let Self::Wire(wire) = self;
        wire.secure(session);
    }

    /// The socket, where it carries the story's bytes as they are.
    pub(crate) fn as_plain(&self) -> Option<&TcpStream<S>> {
        self.wire().and_then(Wire::as_plain)
    }

    pub(crate) fn key(&self) -> StreamKey {
        let Self::Wire(wire) = self;
        wire.key()
    }

    pub(crate) fn worker(&self) -> &Worker<S> {
        let Self::Wire(wire) = self;
        wire.worker()
    }

    pub(crate) fn set_keepalive(&self, keepalive: Option<TcpKeepalive>) -> io::Result<()> {
        let Self::Wire(wire) = self;
        wire.set_keepalive(keepalive)
    }

    pub(crate) fn take_error(&self) -> Option<io::Error> {
        let Self::Wire(wire) = self;
        wire.take_error()
    }

    pub(crate) fn set_read_deadline(&self, deadline: Ticks) {
        let Self::Wire(wire) = self;
        wire.set_read_deadline(deadline);
    }

    pub(crate) fn set_write_deadline(&self, deadline: Ticks) {
        let Self::Wire(wire) = self;
        wire.set_write_deadline(deadline);
    }

    pub(crate) fn has_read_deadline(&self) -> bool {
        let Self::Wire(wire) = self;
        wire.has_read_deadline()
    }

    pub(crate) fn forget_late(&self) {
        let Self::Wire(wire) = self;
        wire.forget_late();
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
        let Self::Wire(wire) = self;
        wire.poll_fill(context, buffer, wanted)
    }

    /// See [`TcpStream::try_fill`]. `None` may also mean that what came says nothing to the story.
    pub(crate) fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        let Self::Wire(wire) = self;
        wire.try_fill(buffer, wanted)
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| {
            let Self::Wire(wire) = self;
            wire.poll_readable(context)
        })
        .await
    }

    /// See [`TcpStream::idle`].
    pub(crate) async fn idle(&self) -> io::Result<()> {
        let Self::Wire(wire) = self;
        wire.idle().await
    }

    pub(crate) fn is_quiet(&self) -> bool {
        let Self::Wire(wire) = self;
        wire.is_quiet()
    }

    pub(crate) fn check_quiet(&self) -> bool {
        let Self::Wire(wire) = self;
        wire.check_quiet()
    }

    /// See [`TcpStream::check_open`].
    pub(crate) fn check_open(&self) -> bool {
        let Self::Wire(wire) = self;
        wire.check_open()
    }

    pub(crate) async fn gone(&self) {
        poll_fn(|context| self.poll_gone(context)).await;
    }

    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        let Self::Wire(wire) = self;
        wire.poll_gone(context)
    }

    pub(crate) fn is_gone(&self) -> bool {
        let Self::Wire(wire) = self;
        wire.is_gone()
    }

    pub(crate) fn is_read_closed(&self) -> bool {
        let Self::Wire(wire) = self;
        wire.is_read_closed()
    }

    pub(crate) fn closed_for_millis(&self) -> Option<u64> {
        let Self::Wire(wire) = self;
        wire.closed_for_millis()
    }

    /// Writes as much of `head`, then of `rest`, as goes at once; returns how many bytes were taken. See
    /// [`Self::is_flushed`].
    pub(crate) fn try_write(&self, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        let Self::Wire(wire) = self;
        wire.try_write(head, rest)
    }

    /// Whether all that was taken has gone to the socket.
    pub(crate) fn is_flushed(&self) -> bool {
        let Self::Wire(wire) = self;
        wire.is_flushed()
    }

    /// See [`TcpStream::write_all`].
    // A cancelled write leaves a part on the wire: close the stream.
    pub(crate) async fn write_all(&self, buffer: &mut Buffer, rest: &mut Buffer) -> io::Result<()> {
        poll_fn(|context| {
            let Self::Wire(wire) = self;
            wire.poll_write_all(context, buffer, rest)
        })
        .await
    }

    /// See [`TcpStream::write_some`]; with nothing to write, waits for what was taken to go.
    pub(crate) async fn write_some(&self, buffer: &mut Buffer) -> io::Result<()> {
        poll_fn(|context| {
            let Self::Wire(wire) = self;
            wire.poll_write_some(context, buffer)
        })
        .await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| {
            let Self::Wire(wire) = self;
            wire.poll_writable(context)
        })
        .await
    }

    /// Sends what says that nothing more comes; reading goes on.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        let Self::Wire(wire) = self;
        wire.shutdown_write()
    }

    /// Makes the coming end one that the peer cannot take for the end of the whole.
    pub(crate) fn abort_on_close(&self) {
        let Self::Wire(wire) = self;
        wire.abort_on_close();
    }
}
