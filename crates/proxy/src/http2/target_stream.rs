//! An HTTP/2 stream to a target, used like a connection: a request is written to it and a response is read from it, both
//! as HTTP/1.1 text.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use http::uri::Scheme;
use net::{Buffer, StreamKey, Sys, Ticks, Timer, Worker};
use proto::http1::{Method, RequestHead};
use proto::http2::{read_request, write_response};

use super::incoming::{Incoming, take_text};
use super::invalid;
use super::outgoing::Outgoing;
use super::stream_write::StreamWrite;
use super::target::StreamSlot;

/// A stream to a target. The methods are those of [`net::TcpStream`] that are used for targets. The head of the request
/// must be written in one call.
pub(crate) struct TargetStream<S: Sys> {
    timer: Timer<S>,
    request: RefCell<RequestHalf>,
    response: RefCell<ResponseHalf>,
    scheme: Scheme,
    method: Cell<Method>,
    state: Cell<StreamState>,
    /// The connection's count of reads when the stream was made. If it is the same at a timeout, the connection is dead.
    reads_at_start: u64,
    slot: StreamSlot,
}

/// The direction to the target.
enum RequestHalf {
    /// The head was not sent.
    NotSent(SendRequest<Bytes>),
    /// The head was sent, and perhaps the body.
    Sending(Outgoing),
}

/// The direction from the target.
enum ResponseHalf {
    /// The request was not sent.
    NotRequested,
    /// The final head has not arrived. The bytes are the text of an interim response that was not read yet.
    Awaited(ResponseFuture, Bytes),
    /// The final head has arrived, and perhaps the body.
    Receiving(Incoming),
}

/// The state of a stream, as far as it decides whether the request may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamState {
    Open,
    /// The target has not acted on the request (RFC 9113 §8.7).
    Refused,
    /// The target has reset the stream.
    Reset,
    /// The connection is lost.
    ConnectionLost,
}

impl<S: Sys> std::fmt::Debug for TargetStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetStream").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<S: Sys> TargetStream<S> {
    pub(crate) fn new(
        worker: &Worker<S>,
        slot: StreamSlot,
        requests: SendRequest<Bytes>,
        scheme: Scheme,
    ) -> Self {
        Self {
            timer: Timer::new(worker),
            request: RefCell::new(RequestHalf::NotSent(requests)),
            response: RefCell::new(ResponseHalf::NotRequested),
            scheme,
            method: Cell::new(Method::Get),
            state: Cell::new(StreamState::Open),
            reads_at_start: slot.reads(),
            slot,
        }
    }

    /// Whether the connection existed before this stream.
    pub(crate) fn is_reused(&self) -> bool {
        !self.slot.is_new
    }

    /// Whether the target has not acted on the request: any request may be sent again.
    pub(crate) fn is_refused(&self) -> bool {
        self.state.get() == StreamState::Refused
    }

    /// Whether the target has reset this stream, but not the connection.
    pub(crate) fn is_reset(&self) -> bool {
        self.state.get() == StreamState::Reset
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
        match self.poll_text(context, buffer, wanted) {
            Poll::Pending if self.timer.poll_read_late(context).is_ready() => {
                Poll::Ready(Err(self.on_timeout()))
            }
            Poll::Pending => {
                buffer.shrink();
                Poll::Pending
            }
            filled => filled,
        }
    }

    pub(crate) fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        match &mut *self.response.borrow_mut() {
            ResponseHalf::Receiving(incoming) => incoming.try_fill(buffer, wanted),
            ResponseHalf::NotRequested | ResponseHalf::Awaited(..) => None,
        }
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut response = self.response.borrow_mut();
        let readable = match &mut *response {
            ResponseHalf::Receiving(incoming) => incoming.poll_readable(context),
            ResponseHalf::NotRequested => Poll::Pending,
            ResponseHalf::Awaited(..) => self.poll_head(context, &mut response).map(drop),
        };
        if readable.is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.timer.poll_read_late(context).map(|()| Err(self.on_timeout()))
    }

    /// Waits until the target has reset the stream or the connection is lost.
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        match &mut *self.request.borrow_mut() {
            RequestHalf::NotSent(_) => Poll::Pending,
            RequestHalf::Sending(outgoing) => outgoing.poll_reset(context),
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.state.get() != StreamState::Open
    }

    /// Whether the target has ended the stream. Called after the end of the response's text, since END_STREAM may come in a
    /// later frame. If the stream is dropped earlier, it is reset, which the target takes for an abort.
    pub(crate) fn has_ended(&self) -> bool {
        self.poll_end(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Waits for the target to end the stream, for at most [`END_TIMEOUT`].
    pub(crate) async fn wait_for_end(&self) {
        self.timer.set_read_deadline(self.timer.worker().after(END_TIMEOUT));
        poll_fn(|context| self.poll_end(context)).await;
    }

    fn poll_end(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut response = self.response.borrow_mut();
        let ResponseHalf::Receiving(incoming) = &mut *response else { return Poll::Ready(()) };
        match incoming.poll_end(context) {
            Poll::Pending => self.timer.poll_read_late(context),
            Poll::Ready(()) => Poll::Ready(()),
        }
    }

    fn poll_text(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        let mut response = self.response.borrow_mut();
        loop {
            match &mut *response {
                ResponseHalf::NotRequested => return Poll::Pending,
                ResponseHalf::Receiving(incoming) => return incoming.poll_fill(context, buffer, wanted),
                ResponseHalf::Awaited(_, interim) if !interim.is_empty() => {
                    return Poll::Ready(take_text(interim, buffer, wanted));
                }
                ResponseHalf::Awaited(..) => ready!(self.poll_head(context, &mut response))?,
            }
        }
    }

    /// Waits for the next head, interim or final, and keeps its text.
    fn poll_head(&self, context: &mut Context<'_>, state: &mut ResponseHalf) -> Poll<io::Result<()>> {
        let ResponseHalf::Awaited(response, interim) = state else { return Poll::Ready(Ok(())) };
        let mut text = Vec::new();
        if let Some(head) = ready!(response.poll_informational(context)) {
            let head = head.map_err(|error| self.on_error(&error))?.into_parts().0;
            write_response(&head, false, self.method.get(), &mut text).map_err(invalid)?;
            *interim = text.into();
            return Poll::Ready(Ok(()));
        }
        let response = ready!(Pin::new(response).poll(context));
        let (head, body) = response.map_err(|error| self.on_error(&error))?.into_parts();
        let ends = body.is_end_stream();
        let framing = write_response(&head, ends, self.method.get(), &mut text).map_err(invalid)?;
        *state = ResponseHalf::Receiving(Incoming::with_head(text.into(), body, framing));
        Poll::Ready(Ok(()))
    }

    /// Sends the head if it was not sent; returns the length of its text.
    fn send_head(&self, request: &mut RequestHalf, text: &[u8]) -> io::Result<usize> {
        let RequestHalf::NotSent(requests) = request else { return Ok(0) };
        let mut head = RequestHead::default();
        let (parsed, framing, head_bytes) =
            read_request(&mut head, text, self.scheme.clone()).map_err(invalid)?;
        self.method.set(Method::of(parsed.method().as_str().as_bytes()));
        let ends = framing.is_empty();
        let (response, stream) =
            requests.send_request(parsed, ends).map_err(|error| self.on_error(&error))?;
        *request = RequestHalf::Sending(Outgoing::new(stream, framing, ends));
        *self.response.borrow_mut() = ResponseHalf::Awaited(response, Bytes::new());
        Ok(head_bytes)
    }

    fn on_error(&self, error: &h2::Error) -> io::Error {
        let is_refused =
            error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
        self.state.set(match error {
            _ if is_refused => StreamState::Refused,
            error if error.is_reset() => StreamState::Reset,
            _ => StreamState::ConnectionLost,
        });
        match error {
            error if error.is_reset() && error.is_library() => io::ErrorKind::InvalidData.into(),
            error if error.is_reset() => io::ErrorKind::ConnectionReset.into(),
            error => match error.get_io() {
                // The number shows whether the peer has vanished.
                Some(error) => {
                    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
                }
                None => io::ErrorKind::ConnectionAborted.into(),
            },
        }
    }

    /// The error of a timeout. If nothing at all has arrived on the connection since the stream was made, it is taken for
    /// dead and takes no more requests.
    fn on_timeout(&self) -> io::Error {
        if self.slot.reads() == self.reads_at_start {
            self.slot.close_to_requests();
        }
        io::ErrorKind::TimedOut.into()
    }
}

impl<S: Sys> StreamWrite<S> for TargetStream<S> {
    fn timer(&self) -> &Timer<S> {
        &self.timer
    }

    fn write(&self, text: &[u8]) -> io::Result<usize> {
        let mut request = self.request.borrow_mut();
        let mut head_bytes = 0;
        if !text.is_empty() {
            head_bytes = self.send_head(&mut request, text)?;
        }
        match &mut *request {
            RequestHalf::Sending(outgoing) => Ok(head_bytes + outgoing.write(&text[head_bytes..])?),
            RequestHalf::NotSent(_) => Ok(0),
        }
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let writable = match &mut *self.request.borrow_mut() {
            RequestHalf::NotSent(_) => Poll::Ready(Ok(())),
            RequestHalf::Sending(outgoing) => outgoing.poll_capacity(context),
        };
        match writable {
            Poll::Pending if self.timer.poll_write_late(context).is_ready() => {
                Poll::Ready(Err(self.on_timeout()))
            }
            writable => writable,
        }
    }
}

impl<S: Sys> Drop for TargetStream<S> {
    /// Resets the stream unless both directions have ended.
    fn drop(&mut self) {
        let is_read = match self.response.get_mut() {
            ResponseHalf::NotRequested => true,
            ResponseHalf::Awaited(..) => false,
            ResponseHalf::Receiving(incoming) => incoming.is_ended(),
        };
        if let RequestHalf::Sending(outgoing) = self.request.get_mut()
            && !(is_read && outgoing.is_ended())
        {
            outgoing.reset(Reason::CANCEL);
        }
    }
}

/// How long to wait for the end of a stream after the end of its response.
const END_TIMEOUT: Duration = Duration::from_secs(1);
