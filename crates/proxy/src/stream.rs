//! The byte stream from which requests and responses are read and to which they are written, as HTTP/1.1 text.
//!
//! The methods are those of [`net::TcpStream`], with one difference: a write that has returned may have left encrypted
//! bytes in a buffer. A caller that writes without waiting checks [`Stream::is_flushed`]; writes that wait also wait for
//! those bytes.

mod tls;
mod wire;

use std::cell::OnceCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use net::{Buffer, SMALL, StreamKey, Sys, TcpStream, Ticks, Worker};

use crate::http2::{ClientStream, StreamWrite, TargetStream};
use crate::io_error;
use crate::traffic::Traffic;

pub(crate) use tls::{HandshakeError, Tls, TlsFacts};
pub(crate) use wire::Wire;

/// Both directions of one connection, or of one HTTP/2 stream.
#[derive(Debug)]
pub(crate) struct Stream<S: Sys> {
    carrier: Carrier<S>,
    /// Empty: its bytes are not counted, because they are not of HTTP messages yet.
    traffic: OnceCell<Rc<Traffic>>,
}

#[derive(Debug)]
enum Carrier<S: Sys> {
    /// A connection.
    Wire(Wire<S>),
    /// A stream of an HTTP/2 connection. Client and target are variants of a second enum: as variants of this one they
    /// would make every idle connection larger.
    Http2(Http2Stream<S>),
}

/// A stream of an HTTP/2 connection, by the peer of that connection.
#[derive(Debug)]
enum Http2Stream<S: Sys> {
    Client(Box<ClientStream<S>>),
    Target(Box<TargetStream<S>>),
}

impl<S: Sys> Stream<S> {
    pub(crate) fn plain(tcp: TcpStream<S>) -> Self {
        Self::carried(Carrier::Wire(Wire::plain(tcp)))
    }

    pub(crate) fn http2_client(stream: ClientStream<S>) -> Self {
        Self::carried(Carrier::Http2(Http2Stream::Client(Box::new(stream))))
    }

    pub(crate) fn http2_target(stream: TargetStream<S>) -> Self {
        Self::carried(Carrier::Http2(Http2Stream::Target(Box::new(stream))))
    }

    fn carried(carrier: Carrier<S>) -> Self {
        Self { carrier, traffic: OnceCell::new() }
    }

    /// From now on the bytes that are read and written count for `traffic`, and `so_far` that were read before.
    pub(crate) fn count_for(&self, traffic: &Rc<Traffic>, so_far: usize) {
        if self.traffic.get().is_none() {
            let _ = self.traffic.set(Rc::clone(traffic));
            self.received(so_far);
        }
    }

    /// Counts bytes that came from the peer by another way than a read, as do [`Self::fill`] and its kind for theirs.
    pub(crate) fn received(&self, count: usize) {
        if let Some(traffic) = self.traffic.get() {
            traffic.received(count);
        }
    }

    /// Counts bytes that went to the peer by another way than a write.
    pub(crate) fn sent(&self, count: usize) {
        if let Some(traffic) = self.traffic.get() {
            traffic.sent(count);
        }
    }

    /// The connection; `None`: this is an HTTP/2 stream.
    pub(crate) fn wire(&self) -> Option<&Wire<S>> {
        match &self.carrier {
            Carrier::Wire(wire) => Some(wire),
            Carrier::Http2(_) => None,
        }
    }

    /// The HTTP/2 stream to a target, if this is one.
    pub(crate) fn as_http2_target(&self) -> Option<&TargetStream<S>> {
        match &self.carrier {
            Carrier::Http2(Http2Stream::Target(stream)) => Some(stream),
            Carrier::Wire(_) | Carrier::Http2(Http2Stream::Client(_)) => None,
        }
    }

    /// Puts the connection under TLS: from now on reads and writes go through `session`.
    pub(crate) fn secure(&mut self, session: Box<Tls>) {
        match &mut self.carrier {
            Carrier::Wire(wire) => wire.secure(session),
            Carrier::Http2(_) => {}
        }
    }

    /// The socket, if it carries plaintext bytes (no TLS, no HTTP/2), so that they can be spliced.
    pub(crate) fn as_plain(&self) -> Option<&TcpStream<S>> {
        self.wire().and_then(Wire::as_plain)
    }

    pub(crate) fn key(&self) -> StreamKey {
        match &self.carrier {
            Carrier::Wire(wire) => wire.key(),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.key(),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.key(),
        }
    }

    pub(crate) fn worker(&self) -> &Worker<S> {
        match &self.carrier {
            Carrier::Wire(wire) => wire.worker(),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.timer().worker(),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.timer().worker(),
        }
    }

    pub(crate) fn take_error(&self) -> Option<io::Error> {
        match &self.carrier {
            Carrier::Wire(wire) => wire.take_error(),
            Carrier::Http2(_) => None,
        }
    }

    /// Whether the kernel gave up this connection, which is known to be gone and whose error has not been read yet.
    pub(crate) fn is_peer_dead(&self) -> bool {
        self.take_error().is_some_and(|error| io_error::is_dead(&error))
    }

    pub(crate) fn set_read_deadline(&self, deadline: Ticks) {
        match &self.carrier {
            Carrier::Wire(wire) => wire.set_read_deadline(deadline),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.set_read_deadline(deadline),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.set_read_deadline(deadline),
        }
    }

    pub(crate) fn set_write_deadline(&self, deadline: Ticks) {
        match &self.carrier {
            Carrier::Wire(wire) => wire.set_write_deadline(deadline),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.set_write_deadline(deadline),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.set_write_deadline(deadline),
        }
    }

    /// See [`TcpStream::limit_writes`].
    pub(crate) fn limit_writes(&self, limit: Ticks) {
        match &self.carrier {
            Carrier::Wire(wire) => wire.socket().limit_writes(limit),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.timer().limit_writes(limit),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.timer().limit_writes(limit),
        }
    }

    pub(crate) fn has_read_deadline(&self) -> bool {
        match &self.carrier {
            Carrier::Wire(wire) => wire.has_read_deadline(),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.timer().has_read_deadline(),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.timer().has_read_deadline(),
        }
    }

    pub(crate) fn forget_late(&self) {
        match &self.carrier {
            Carrier::Wire(wire) => wire.forget_late(),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.timer().forget_late(),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.timer().forget_late(),
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
        let filled = match &self.carrier {
            Carrier::Wire(wire) => wire.poll_fill(context, buffer, wanted),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.poll_fill(context, buffer, wanted),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.poll_fill(context, buffer, wanted),
        };
        if let Poll::Ready(Ok(count)) = filled {
            self.received(count);
        }
        filled
    }

    /// See [`TcpStream::try_fill`]. `None` also if what was received carries no plaintext bytes, such as a TLS ticket.
    pub(crate) fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        let filled = match &self.carrier {
            Carrier::Wire(wire) => wire.try_fill(buffer, wanted),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.try_fill(buffer, wanted),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.try_fill(buffer, wanted),
        };
        if let Some(Ok(count)) = filled {
            self.received(count);
        }
        filled
    }

    /// Reads what has already arrived on the stream, such as a body directly behind its head.
    pub(crate) fn fill_now(&self, buffer: &mut Buffer) {
        // The next read returns the error again and registers a waker of its own.
        let _ = self.poll_fill(&mut Context::from_waker(Waker::noop()), buffer, SMALL);
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_readable(context)).await
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.carrier {
            Carrier::Wire(wire) => wire.poll_readable(context),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.poll_readable(context),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.poll_readable(context),
        }
    }

    /// See [`TcpStream::idle`].
    pub(crate) async fn idle(&self) -> io::Result<()> {
        // One await for all variants: each further one would make the future of every idle connection larger.
        let _mark = self.wire().map(|wire| wire.socket().mark_idle());
        self.readable().await
    }

    /// See [`TcpStream::is_quiet`].
    pub(crate) fn is_quiet(&self) -> bool {
        match &self.carrier {
            Carrier::Wire(wire) => wire.is_quiet(),
            Carrier::Http2(_) => true,
        }
    }

    /// See [`TcpStream::check_quiet`].
    pub(crate) fn check_quiet(&self) -> bool {
        match &self.carrier {
            Carrier::Wire(wire) => wire.check_quiet(),
            Carrier::Http2(_) => true,
        }
    }

    /// See [`TcpStream::check_open`].
    pub(crate) fn check_open(&self) -> bool {
        match &self.carrier {
            Carrier::Wire(wire) => wire.check_open(),
            Carrier::Http2(Http2Stream::Client(stream)) => !stream.is_gone(),
            Carrier::Http2(Http2Stream::Target(stream)) => !stream.is_gone(),
        }
    }

    /// See [`TcpStream::poll_gone`].
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        match &self.carrier {
            Carrier::Wire(wire) => wire.poll_gone(context),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.poll_gone(context),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.poll_gone(context),
        }
    }

    /// Whether the worker cut the connection because the client's certificate was revoked.
    pub(crate) fn is_revoked(&self) -> bool {
        self.wire().and_then(Wire::tls).and_then(Tls::facts).is_some_and(|facts| facts.is_revoked())
    }

    pub(crate) fn is_gone(&self) -> bool {
        match &self.carrier {
            Carrier::Wire(wire) => wire.is_gone(),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.is_gone(),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.is_gone(),
        }
    }

    pub(crate) fn is_read_closed(&self) -> bool {
        match &self.carrier {
            Carrier::Wire(wire) => wire.is_read_closed(),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.is_gone(),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.is_gone(),
        }
    }

    pub(crate) fn closed_for_millis(&self) -> Option<u64> {
        match &self.carrier {
            Carrier::Wire(wire) => wire.closed_for_millis(),
            Carrier::Http2(_) => None,
        }
    }

    /// StreamWrite as much of `head` and then `rest` as is possible without waiting; returns the number of bytes that were
    /// accepted. See [`Self::is_flushed`].
    pub(crate) fn try_write(&self, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        let written = match &self.carrier {
            Carrier::Wire(wire) => wire.try_write(head, rest),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.try_write(head, rest),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.try_write(head, rest),
        };
        if let Ok(count) = written {
            self.sent(count);
        }
        written
    }

    /// Whether the socket has all accepted bytes. TLS keeps records that the socket did not take.
    pub(crate) fn is_flushed(&self) -> bool {
        match &self.carrier {
            Carrier::Wire(wire) => wire.is_flushed(),
            Carrier::Http2(_) => true,
        }
    }

    /// See [`TcpStream::write_all`].
    // A cancelled write may have sent a part: close the stream.
    pub(crate) async fn write_all(&self, buffer: &mut Buffer, rest: &mut Buffer) -> io::Result<()> {
        poll_fn(|context| {
            let before = buffer.len() + rest.len();
            let written = match &self.carrier {
                Carrier::Wire(wire) => wire.poll_write_all(context, buffer, rest),
                Carrier::Http2(Http2Stream::Client(stream)) => stream.poll_write_all(context, buffer, rest),
                Carrier::Http2(Http2Stream::Target(stream)) => stream.poll_write_all(context, buffer, rest),
            };
            self.sent(before.saturating_sub(buffer.len() + rest.len()));
            written
        })
        .await
    }

    /// See [`TcpStream::write_some`]; with an empty buffer, waits until the stream is flushed.
    pub(crate) async fn write_some(&self, buffer: &mut Buffer) -> io::Result<()> {
        poll_fn(|context| {
            let before = buffer.len();
            let written = match &self.carrier {
                Carrier::Wire(wire) => wire.poll_write_some(context, buffer),
                Carrier::Http2(Http2Stream::Client(stream)) => stream.poll_write_some(context, buffer),
                Carrier::Http2(Http2Stream::Target(stream)) => stream.poll_write_some(context, buffer),
            };
            self.sent(before.saturating_sub(buffer.len()));
            written
        })
        .await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| match &self.carrier {
            Carrier::Wire(wire) => wire.poll_writable(context),
            Carrier::Http2(Http2Stream::Client(stream)) => stream.poll_writable(context),
            Carrier::Http2(Http2Stream::Target(stream)) => stream.poll_writable(context),
        })
        .await
    }

    /// Ends the direction to the peer (half-close), under the write deadline. Reads are still possible.
    pub(crate) async fn finish_writing(&self) -> io::Result<()> {
        poll_fn(|context| match &self.carrier {
            Carrier::Wire(wire) => wire.poll_finish(context),
            Carrier::Http2(Http2Stream::Client(stream)) => Poll::Ready(stream.shutdown_write()),
            // The end of a request's body ends the stream.
            Carrier::Http2(Http2Stream::Target(_)) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        })
        .await
    }

    /// Makes the next close an abort, so that the peer cannot take what it has received for a complete message.
    pub(crate) fn abort_on_close(&self) {
        match &self.carrier {
            Carrier::Wire(wire) => wire.abort_on_close(),
            // The drop of a stream resets it if it has not ended.
            Carrier::Http2(_) => {}
        }
    }
}
