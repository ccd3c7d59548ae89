//! A stream of a target's connection, in the place of a connection: a request is written to it and a response read from
//! it, both as HTTP/1.1.

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

use super::incoming::{Incoming, take_carried};
use super::invalid;
use super::outgoing::Outgoing;
use super::target::Lane;
use super::writes::Writes;

/// The methods are those of [`net::TcpStream`], as far as the story uses them for a target. The head of the request is
/// written to it in one piece.
pub(crate) struct TargetStream<S: Sys> {
    timer: Timer<S>,
    request: RefCell<Request>,
    answer: RefCell<Answer>,
    scheme: Scheme,
    method: Cell<Method>,
    fate: Cell<Fate>,
    /// What its connection had read when it began.
    reads: u64,
    lane: Lane,
}

enum Request {
    Awaited(SendRequest<Bytes>),
    Going(Outgoing),
}

enum Answer {
    /// No request, no answer.
    Unasked,
    /// With what of an interim response has found no room yet.
    Awaited(ResponseFuture, Bytes),
    Going(Incoming),
}

/// What became of a stream, as far as it decides about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Going,
    /// The target has not acted on the request (RFC 9113 §8.7).
    Refused,
    /// The target has ended the stream.
    Reset,
    /// The connection is gone.
    Lost,
}

impl<S: Sys> std::fmt::Debug for TargetStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetStream").field("fate", &self.fate).finish_non_exhaustive()
    }
}

impl<S: Sys> TargetStream<S> {
    pub(crate) fn new(worker: &Worker<S>, lane: Lane, requests: SendRequest<Bytes>, scheme: Scheme) -> Self {
        Self {
            timer: Timer::new(worker),
            request: RefCell::new(Request::Awaited(requests)),
            answer: RefCell::new(Answer::Unasked),
            scheme,
            method: Cell::new(Method::Get),
            fate: Cell::new(Fate::Going),
            reads: lane.reads(),
            lane,
        }
    }

    /// Its connection was there before it.
    pub(crate) fn is_reused(&self) -> bool {
        !self.lane.is_new
    }

    /// The request has not been acted on, whatever it was.
    pub(crate) fn is_refused(&self) -> bool {
        self.fate.get() == Fate::Refused
    }

    /// The target has ended this stream, and not its connection.
    pub(crate) fn is_reset(&self) -> bool {
        self.fate.get() == Fate::Reset
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

    // cancel-safe: what was read is in the buffer or kept.
    pub(crate) fn poll_fill(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        match self.poll_text(context, buffer, wanted) {
            Poll::Pending if self.timer.poll_read_late(context).is_ready() => Poll::Ready(Err(self.late())),
            Poll::Pending => {
                buffer.shrink();
                Poll::Pending
            }
            filled => filled,
        }
    }

    pub(crate) fn try_fill(&self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        match &mut *self.answer.borrow_mut() {
            Answer::Going(incoming) => incoming.try_fill(buffer, wanted),
            Answer::Unasked | Answer::Awaited(..) => None,
        }
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut answer = self.answer.borrow_mut();
        let readable = match &mut *answer {
            Answer::Going(incoming) => incoming.poll_readable(context),
            Answer::Unasked => Poll::Pending,
            Answer::Awaited(..) => self.poll_answer(context, &mut answer).map(drop),
        };
        if readable.is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.timer.poll_read_late(context).map(|()| Err(self.late()))
    }

    /// Waits until the target has reset the stream, or its connection is gone.
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        match &mut *self.request.borrow_mut() {
            Request::Awaited(_) => Poll::Pending,
            Request::Going(outgoing) => outgoing.poll_reset(context),
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.fate.get() != Fate::Going
    }

    /// After the response has ended for the story: whether the stream has, too. Its end may stand in a frame of its own,
    /// and without it the target would be told that nobody wanted the response.
    pub(crate) fn is_over(&self) -> bool {
        self.poll_end(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Waits for a moment for that end.
    pub(crate) async fn ended(&self) {
        self.timer.set_read_deadline(self.timer.worker().after(END_PATIENCE));
        poll_fn(|context| self.poll_end(context)).await;
    }

    fn poll_end(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut answer = self.answer.borrow_mut();
        let Answer::Going(incoming) = &mut *answer else { return Poll::Ready(()) };
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
        let mut answer = self.answer.borrow_mut();
        loop {
            match &mut *answer {
                Answer::Unasked => return Poll::Pending,
                Answer::Going(incoming) => return incoming.poll_fill(context, buffer, wanted),
                Answer::Awaited(_, interim) if !interim.is_empty() => {
                    return Poll::Ready(take_carried(interim, buffer, wanted));
                }
                Answer::Awaited(..) => ready!(self.poll_answer(context, &mut answer))?,
            }
        }
    }

    /// Waits for the next head, and keeps its text.
    fn poll_answer(&self, context: &mut Context<'_>, answer: &mut Answer) -> Poll<io::Result<()>> {
        let Answer::Awaited(response, interim) = answer else { return Poll::Ready(Ok(())) };
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
        *answer = Answer::Going(Incoming::behind(text.into(), body, framing));
        Poll::Ready(Ok(()))
    }

    /// Sends the head, where that is still to be done; returns where the body begins.
    fn ask(&self, request: &mut Request, text: &[u8]) -> io::Result<usize> {
        let Request::Awaited(requests) = request else { return Ok(0) };
        let mut head = RequestHead::default();
        let (asked, framing, head_bytes) =
            read_request(&mut head, text, self.scheme.clone()).map_err(invalid)?;
        self.method.set(Method::of(asked.method().as_str().as_bytes()));
        let ends = framing.is_empty();
        let (response, stream) = requests.send_request(asked, ends).map_err(|error| self.on_error(&error))?;
        *request = Request::Going(Outgoing::new(stream, framing, ends));
        *self.answer.borrow_mut() = Answer::Awaited(response, Bytes::new());
        Ok(head_bytes)
    }

    fn on_error(&self, error: &h2::Error) -> io::Error {
        let is_refused =
            error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
        self.fate.set(match error {
            _ if is_refused => Fate::Refused,
            error if error.is_reset() => Fate::Reset,
            _ => Fate::Lost,
        });
        match error {
            error if error.is_reset() && error.is_library() => io::ErrorKind::InvalidData.into(),
            error if error.is_reset() => io::ErrorKind::ConnectionReset.into(),
            error => match error.get_io() {
                // The number tells of a peer that has vanished.
                Some(error) => {
                    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
                }
                None => io::ErrorKind::ConnectionAborted.into(),
            },
        }
    }

    fn late(&self) -> io::Error {
        if self.lane.reads() == self.reads {
            self.lane.forsake();
        }
        io::ErrorKind::TimedOut.into()
    }
}

impl<S: Sys> Writes<S> for TargetStream<S> {
    fn timer(&self) -> &Timer<S> {
        &self.timer
    }

    fn write(&self, text: &[u8]) -> io::Result<usize> {
        let mut request = self.request.borrow_mut();
        let mut head_bytes = 0;
        if !text.is_empty() {
            head_bytes = self.ask(&mut request, text)?;
        }
        match &mut *request {
            Request::Going(outgoing) => Ok(head_bytes + outgoing.write(&text[head_bytes..])?),
            Request::Awaited(_) => Ok(0),
        }
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let room = match &mut *self.request.borrow_mut() {
            Request::Awaited(_) => Poll::Ready(Ok(())),
            Request::Going(outgoing) => outgoing.poll_room(context),
        };
        match room {
            Poll::Pending if self.timer.poll_write_late(context).is_ready() => Poll::Ready(Err(self.late())),
            room => room,
        }
    }
}

impl<S: Sys> Drop for TargetStream<S> {
    /// Tells the target that nobody waits any more.
    fn drop(&mut self) {
        let is_read = match self.answer.get_mut() {
            Answer::Unasked => true,
            Answer::Awaited(..) => false,
            Answer::Going(incoming) => incoming.is_ended(),
        };
        if let Request::Going(outgoing) = self.request.get_mut()
            && !(is_read && outgoing.is_ended())
        {
            outgoing.reset(Reason::CANCEL);
        }
    }
}

/// For the end of a stream whose response has ended.
const END_PATIENCE: Duration = Duration::from_secs(1);
