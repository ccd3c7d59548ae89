//! A TCP connection, with or without TLS.
//!
//! The methods are those of [`TcpStream`], with one difference: under TLS, a write that has returned may have left
//! encrypted bytes in a buffer. A caller that writes without waiting checks [`Wire::is_flushed`]; writes that wait also
//! wait for those bytes.

use std::io;
use std::task::{Context, Poll, ready};

use net::{Buffer, StreamKey, Sys, TcpStream, Ticks, Worker};

use super::tls::Tls;

/// A socket, and its TLS session if it has one.
#[derive(Debug)]
pub(crate) struct Wire<S: Sys> {
    // invariant: declared before the socket. `Drop` sends `close_notify`, for which the socket must still be open.
    tls: Option<Box<Tls>>,
    tcp: TcpStream<S>,
}

impl<S: Sys> Wire<S> {
    pub(crate) fn plain(tcp: TcpStream<S>) -> Self {
        Self { tls: None, tcp }
    }

    /// From now on reads and writes go through `session`.
    pub(crate) fn secure(&mut self, session: Box<Tls>) {
        self.tls = Some(session);
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    /// The socket, if it carries plaintext bytes (no TLS).
    pub(crate) fn as_plain(&self) -> Option<&TcpStream<S>> {
        self.tls.is_none().then_some(&self.tcp)
    }

    /// The socket, for calls that do not depend on TLS.
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

    /// See [`TcpStream::try_fill`]. `None` also if what was received carries no plaintext bytes, such as a TLS ticket.
    pub(crate) fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        match &self.tls {
            None => self.tcp.try_fill(buffer, wanted),
            Some(tls) => tls.try_fill(&self.tcp, buffer, wanted),
        }
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &self.tls {
            // An error is ignored for the reason given in `Tls::poll_fill`.
            let _ = tls.poll_flush(&self.tcp, context);
            if tls.is_readable() {
                return Poll::Ready(Ok(()));
            }
        }
        self.tcp.poll_readable(context)
    }

    /// See [`TcpStream::is_quiet`].
    pub(crate) fn is_quiet(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_readable()) && self.tcp.is_quiet()
    }

    /// See [`TcpStream::check_quiet`].
    pub(crate) fn check_quiet(&self) -> bool {
        self.is_quiet() || self.check_open()
    }

    /// See [`TcpStream::check_open`]. Tickets and key updates of a target are processed and do
    /// not count as unread bytes.
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

    /// Writes as much of `head` and then `rest` as is possible without waiting; returns the number of bytes that were
    /// accepted. See [`Self::is_flushed`].
    pub(crate) fn try_write(&self, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        match &self.tls {
            None => self.tcp.try_write(head, rest),
            Some(tls) => tls.try_write(&self.tcp, head, rest),
        }
    }

    /// Whether the socket has all accepted bytes. TLS keeps records that the socket did not take.
    pub(crate) fn is_flushed(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.is_flushed())
    }

    /// See [`TcpStream::write_all`].
    // A cancelled write may have sent a part: close the stream.
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

    /// Waits until a write would take bytes or fail; on a new connection, until it is established or has failed.
    pub(crate) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &self.tls {
            ready!(tls.poll_flush(&self.tcp, context))?;
        }
        self.tcp.poll_writable(context)
    }

    /// Waits until `close_notify` and all bytes before it have gone to the socket, then ends the direction to the peer
    /// (half-close). Reads are still possible.
    pub(crate) fn poll_finish(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &self.tls {
            tls.close(&self.tcp);
            ready!(tls.poll_flush(&self.tcp, context))?;
        }
        Poll::Ready(self.tcp.shutdown_write())
    }

    /// Sends `close_notify`, if it is TLS; false: the socket does not take it now.
    pub(crate) fn says_goodbye(&self) -> bool {
        if let Some(tls) = &self.tls {
            tls.close(&self.tcp);
        }
        self.is_flushed()
    }

    /// Makes the next close a reset without `close_notify`, so that the peer cannot take what it has received for a
    /// complete message.
    pub(crate) fn abort_on_close(&self) {
        if let Some(tls) = &self.tls {
            tls.suppress_close_notify();
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
