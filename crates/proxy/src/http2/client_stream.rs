//! An HTTP/2 stream of a client, used like a connection: the body of a request is read from it and a response is written
//! to it, both as HTTP/1.1 text.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use net::{Buffer, StreamKey, Sys, Ticks, Timer, Worker};
use proto::http1::Method;
use proto::http2::{ClientResponse, Framing, read_response};

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::shared::ConnectionShared;
use super::stream_write::StreamWrite;
use super::{invalid, to_io};

/// A stream of a client. The methods are those of [`net::TcpStream`] that are used for clients. The head of the request is
/// not read from it: the connection's task converts it to text.
pub(crate) struct ClientStream<S: Sys> {
    timer: Timer<S>,
    incoming: RefCell<Incoming>,
    response: RefCell<ResponseHalf>,
    shared: Rc<ConnectionShared>,
    request: RequestFacts,
    is_gone: Cell<bool>,
    /// The code with which the stream is reset if its response is not complete.
    reset_reason: Cell<Reason>,
}

/// The facts of the request that decide how the text of its response is parsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestFacts {
    pub(super) method: Method,
    pub(super) framing: Framing,
    /// For a WebSocket: the `Sec-WebSocket-Accept` that the response must have.
    pub(super) accept: Option<[u8; 28]>,
}

/// The direction to the client.
enum ResponseHalf {
    /// The final head was not sent. The bytes are the incomplete start of a head.
    NotSent(SendResponse<Bytes>, Vec<u8>),
    /// The head was sent, and perhaps the body.
    Sending(Outgoing),
}

impl<S: Sys> std::fmt::Debug for ClientStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientStream").field("request", &self.request).finish_non_exhaustive()
    }
}

impl<S: Sys> ClientStream<S> {
    pub(super) fn new(
        worker: &Worker<S>,
        shared: &Rc<ConnectionShared>,
        stream: RecvStream,
        respond: SendResponse<Bytes>,
        request: RequestFacts,
    ) -> Self {
        Self {
            timer: Timer::new(worker),
            incoming: RefCell::new(Incoming::new(stream, request.framing)),
            response: RefCell::new(ResponseHalf::NotSent(respond, Vec::new())),
            shared: Rc::clone(shared),
            request,
            is_gone: Cell::new(false),
            reset_reason: Cell::new(Reason::INTERNAL_ERROR),
        }
    }

    pub(crate) fn key(&self) -> StreamKey {
        self.timer.key()
    }

    pub(crate) fn set_read_deadline(&self, deadline: Ticks) {
        self.timer.set_read_deadline(deadline);
    }

    pub(crate) fn set_write_deadline(&self, deadline: Ticks) {
        self.timer.set_write_deadline(deadline);
    }

    // cancel-safe: what was read is in the buffer or kept by the stream.
    pub(crate) fn poll_fill(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        let filled = self.incoming.borrow_mut().poll_fill(context, buffer, wanted);
        match filled {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.note(self.on_read_error(error)))),
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(count)),
            Poll::Pending if self.timer.poll_read_late(context).is_ready() => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => {
                buffer.shrink();
                Poll::Pending
            }
        }
    }

    pub(crate) fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        let filled = self.incoming.borrow_mut().try_fill(buffer, wanted)?;
        Some(filled.map_err(|error| self.on_read_error(error)))
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.incoming.borrow_mut().poll_readable(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.timer.poll_read_late(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits until the client has reset the stream or its connection is lost.
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_gone.get() {
            return Poll::Ready(());
        }
        let reset = match &mut *self.response.borrow_mut() {
            ResponseHalf::NotSent(respond, _) => respond.poll_reset(context).map(|_| ()),
            ResponseHalf::Sending(outgoing) => outgoing.poll_reset(context),
        };
        if reset.is_ready() {
            self.is_gone.set(true);
        }
        reset
    }

    /// Whether the client is known to have reset the stream or lost its connection.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    /// Ends the direction to the client in a tunnel (half-close). For any other response it is not supported and not needed:
    /// the end of the body ends the stream, and the drop of the stream refuses the rest of the request.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match &mut *self.response.borrow_mut() {
            ResponseHalf::Sending(outgoing) if self.request.framing == Framing::Raw => outgoing.finish(),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Writes one head or a part of it, or as much of a body as the windows allow. Returns the number of bytes.
    fn write_part(&self, text: &[u8]) -> io::Result<usize> {
        let mut response = self.response.borrow_mut();
        let (respond, partial) = match &mut *response {
            ResponseHalf::Sending(outgoing) => return outgoing.write(text),
            ResponseHalf::NotSent(respond, partial) => (respond, partial),
        };
        let partial_bytes = partial.len();
        if partial_bytes > 0 {
            partial.extend_from_slice(text);
        }
        let Some(read) = self.read_head(if partial_bytes > 0 { partial } else { text })? else {
            if partial_bytes == 0 {
                partial.extend_from_slice(text);
            }
            return Ok(text.len());
        };
        let taken = read.head_bytes - partial_bytes;
        partial.clear();
        if read.response.status().is_informational() {
            respond.send_informational(read.response).map_err(to_io)?;
            return Ok(taken);
        }
        let is_ended = read.framing.is_empty();
        let stream = respond.send_response(read.response, is_ended).map_err(to_io)?;
        *response = ResponseHalf::Sending(Outgoing::new(stream, read.framing, is_ended));
        Ok(taken)
    }

    fn read_head(&self, bytes: &[u8]) -> io::Result<Option<ClientResponse>> {
        let mut head = self.shared.response_head.borrow_mut();
        let accept = self.request.accept.as_ref().map(<[u8; 28]>::as_slice);
        let read = read_response(&mut head, bytes, self.request.method, accept);
        if !matches!(read, Ok(Some(_))) {
            head.clear();
        }
        read.map_err(invalid)
    }

    /// Notes that the client is to blame if `error` is a malformed request.
    fn on_read_error(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::InvalidData {
            self.reset_reason.set(Reason::PROTOCOL_ERROR);
        }
        error
    }

    /// Counts a reset that the client has caused: such a client is as costly as one that resets its streams itself
    /// (CVE-2025-8671).
    fn count_reset(&self) {
        if self.reset_reason.get() == Reason::PROTOCOL_ERROR {
            let now_millis = self.timer.worker().now() / 1_000_000;
            let counted = self.shared.meter.borrow_mut().made_reset(now_millis);
            if let Err(fault) = counted {
                self.shared.fail(fault);
            }
        }
    }

    /// Marks the client as gone unless `error` has another cause.
    fn note(&self, error: io::Error) -> io::Error {
        use io::ErrorKind::{FileTooLarge, InvalidData, OutOfMemory};
        if !matches!(error.kind(), OutOfMemory | FileTooLarge | InvalidData) {
            self.is_gone.set(true);
        }
        error
    }
}

impl<S: Sys> StreamWrite<S> for ClientStream<S> {
    fn timer(&self) -> &Timer<S> {
        &self.timer
    }

    fn write(&self, text: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < text.len() {
            let count = self.write_part(&text[taken..]).map_err(|error| self.note(error))?;
            taken += count;
            if count == 0 {
                break;
            }
        }
        Ok(taken)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let writable = match &mut *self.response.borrow_mut() {
            ResponseHalf::NotSent(..) => Poll::Ready(Ok(())),
            ResponseHalf::Sending(outgoing) => outgoing.poll_capacity(context),
        };
        match writable {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.note(error))),
            Poll::Pending if self.timer.poll_write_late(context).is_ready() => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            writable => writable,
        }
    }
}

impl<S: Sys> Drop for ClientStream<S> {
    /// Resets the stream if the response is not complete, so that the client does not take it for complete. After a complete
    /// response `h2` refuses the rest of the request with NO_ERROR (RFC 9113 §8.1).
    fn drop(&mut self) {
        match self.response.get_mut() {
            ResponseHalf::Sending(outgoing) if outgoing.is_ended() => {
                self.shared.meter.borrow_mut().answered();
                return;
            }
            ResponseHalf::Sending(outgoing) => outgoing.reset(self.reset_reason.get()),
            ResponseHalf::NotSent(respond, _) => respond.send_reset(self.reset_reason.get()),
        }
        self.count_reset();
    }
}
