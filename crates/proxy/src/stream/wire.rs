//! A socket, plain or under TLS.
//!
//! The methods are those of [`TcpStream`], with one difference: what TLS has taken may still wait for the socket.
//! Whoever writes without waiting asks [`Wire::is_flushed`]; whoever waits for a write waits for that too.

use std::io;
use std::task::{Context, Poll, ready};

use net::{Buffer, StreamKey, Sys, TcpStream, Ticks, Worker};

use super::tls::Tls;

/// A socket, and the TLS session on it where there is one.
#[derive(Debug)]
pub(crate) struct Wire<S: Sys> {
    // invariant: the session is dropped first, and says goodbye on a socket that is still open.
    tls: Option<Box<Tls>>,
    tcp: TcpStream<S>,
}

impl<S: Sys> Wire<S> {
    pub(crate) fn plain(tcp: TcpStream<S>) -> Self {
        Self { tls: None, tcp }
    }

    /// From here on what is read and written goes through `session`.
    pub(crate) fn secure(&mut self, session: Box<Tls>) {
        self.tls = Some(session);
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    /// The socket, where it carries the story's bytes as they are.
    pub(crate) fn as_plain(&self) -> Option<&TcpStream<S>> {
        self.tls.is_none().then_some(&self.tcp)
    }

    /// The socket, for what concerns it alone.
    pub(crate) fn socket(&self) -> &TcpStream<S> {
        &self.tcp
    }

    pub(crate) fn key(&self) -> StreamKey {
        self.tcp.key()
    }

    pub(crate) fn is_read_closed(&self) -> bool {
        self.tcp.is_read_closed()
    }

    pub(crate) fn worker(&self) -> &Worker<S> {
        self.tcp.worker()
    }

    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.tcp.take_error()
    }

    pub(crate) fn set_read_deadline(&self, deadline: Ticks) {
        self.tcp.set_read_deadline(deadline);
    }

    pub(crate) fn set_write_deadline(&self, deadline: Ticks) {
        self.tcp.set_write_deadline(deadline);
    }

    pub(crate) fn has_read_deadline(&self) -> bool {
        self.tcp.has_read_deadline()
    }

    pub(crate) fn forget_late(&self) {
        self.tcp.forget_late();
    }

    /// See [`TcpStream::poll_fill`].
    // cancel-safe: what was read is in the buffer or kept by the session.
    pub(crate) fn poll_fill(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        match &self.tls {
            None => self.tcp.poll_fill(context, buffer, wanted),
            Some(tls) => tls.poll_fill(&self.tcp, context, buffer, wanted),
        }
    }

    /// See [`TcpStream::try_fill`]. `None` may also mean that what came says nothing to the story.
    pub(crate) fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        match &self.tls {
            None => self.tcp.try_fill(buffer, wanted),
            Some(tls) => tls.try_fill(&self.tcp, buffer, wanted),
        }
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &self.tls {
            // See `Tls::poll_fill`.
            let _ = tls.poll_flush(&self.tcp, context);
            if tls.has_news() {
                return Poll::Ready(Ok(()));
            }
        }
        self.tcp.poll_readable(context)
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.has_news()) && self.tcp.is_quiet()
    }

    pub(crate) fn check_quiet(&self) -> bool {
        self.is_quiet() || self.check_open()
    }

    /// See [`TcpStream::check_open`]. A target's tickets and key updates are taken, and are not news.
    pub(crate) fn check_open(&self) -> bool {
        match &self.tls {
            None => self.tcp.check_open(),
            Some(_) => self.try_fill(&mut Buffer::new(), net::SMALL).is_none() && self.is_quiet(),
        }
    }

    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        self.tcp.poll_gone(context)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.tcp.is_gone()
    }

    pub(crate) fn closed_for_millis(&self) -> Option<u64> {
        self.tcp.closed_for_millis()
    }

    /// Writes as much of `head`, then of `rest`, as goes at once; returns how many bytes were taken. See
    /// [`Self::is_flushed`].
    pub(crate) fn try_write(&self, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        match &self.tls {
            None => self.tcp.try_write(head, rest),
            Some(tls) => tls.try_write(&self.tcp, head, rest),
        }
    }

    /// Whether all that was taken has gone to the socket.
    pub(crate) fn is_flushed(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.is_flushed())
    }

    /// See [`TcpStream::write_all`].
    // A cancelled write leaves a part on the wire: close the stream.
    pub(crate) fn poll_write_all(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        rest: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        match &self.tls {
            None => self.tcp.poll_write_all(context, buffer, rest),
            Some(tls) => tls.poll_write_all(&self.tcp, context, buffer, rest),
        }
    }

    /// See [`TcpStream::write_some`].
    pub(crate) fn poll_write_some(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        match &self.tls {
            None => self.tcp.poll_write_some(context, buffer),
            Some(tls) => tls.poll_write_some(&self.tcp, context, buffer),
        }
    }

    /// Whether a write would say something; on a new connection, whether it stands or has failed.
    pub(crate) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &self.tls {
            ready!(tls.poll_flush(&self.tcp, context))?;
        }
        self.tcp.poll_writable(context)
    }

    /// Sends what says that nothing more comes; reading goes on.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            tls.close(&self.tcp);
        }
        self.tcp.shutdown_write()
    }

    /// Makes the coming close a reset, so that the peer cannot take a part for the whole.
    pub(crate) fn abort_on_close(&self) {
        if let Some(tls) = &self.tls {
            tls.forsake();
        }
        self.tcp.abort_on_close();
    }
}

impl<S: Sys> Drop for Wire<S> {
    fn drop(&mut self) {
        if let Some(tls) = &self.tls {
            tls.close(&self.tcp);
        }
    }
}
