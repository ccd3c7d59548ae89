//! A client's stream, in the place of its connection: a request is read from it and a response written to it, both as
//! HTTP/1.1.

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
use super::link::Link;
use super::outgoing::Outgoing;
use super::writes::Writes;
use super::{invalid, to_io};

/// The methods are those of [`net::TcpStream`], as far as the story uses them for a client. The head of the request is
/// not read from it: its text was made when the stream came.
pub(crate) struct ClientStream<S: Sys> {
    timer: Timer<S>,
    incoming: RefCell<Incoming>,
    answer: RefCell<Answer>,
    link: Rc<Link>,
    request: Asked,
    is_gone: Cell<bool>,
    /// What the client is told if its response does not end.
    reason: Cell<Reason>,
}

/// What of the request decides how its response is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) framing: Framing,
    /// Of a WebSocket.
    pub(super) accept: Option<[u8; 28]>,
}

enum Answer {
    /// With what there is of its head, where it came in parts.
    Awaited(SendResponse<Bytes>, Vec<u8>),
    Going(Outgoing),
}

impl<S: Sys> std::fmt::Debug for ClientStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientStream").field("request", &self.request).finish_non_exhaustive()
    }
}

impl<S: Sys> ClientStream<S> {
    pub(super) fn new(
        worker: &Worker<S>,
        link: &Rc<Link>,
        stream: RecvStream,
        respond: SendResponse<Bytes>,
        request: Asked,
    ) -> Self {
        Self {
            timer: Timer::new(worker),
            incoming: RefCell::new(Incoming::new(stream, request.framing)),
            answer: RefCell::new(Answer::Awaited(respond, Vec::new())),
            link: Rc::clone(link),
            request,
            is_gone: Cell::new(false),
            reason: Cell::new(Reason::INTERNAL_ERROR),
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

    // cancel-safe: what was read is in the buffer or kept.
    pub(crate) fn poll_fill(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        let filled = self.incoming.borrow_mut().poll_fill(context, buffer, wanted);
        match filled {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.note(self.on_read(error)))),
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
        Some(filled.map_err(|error| self.on_read(error)))
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.incoming.borrow_mut().poll_readable(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.timer.poll_read_late(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits until the client has reset the stream, or its connection is gone.
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_gone.get() {
            return Poll::Ready(());
        }
        let reset = match &mut *self.answer.borrow_mut() {
            Answer::Awaited(respond, _) => respond.poll_reset(context).map(|_| ()),
            Answer::Going(outgoing) => outgoing.poll_reset(context),
        };
        if reset.is_ready() {
            self.is_gone.set(true);
        }
        reset
    }

    /// Whether a wait has shown that the client has gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    /// Ends a tunnel's direction. A response has its own end, and what of the request is still to come is refused with
    /// the drop: there is nothing to linger for.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match &mut *self.answer.borrow_mut() {
            Answer::Going(outgoing) if self.request.framing == Framing::Raw => outgoing.finish(),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// A head as far as it is there, or what of a body there is room for.
    fn write_part(&self, text: &[u8]) -> io::Result<usize> {
        let mut answer = self.answer.borrow_mut();
        let (respond, held) = match &mut *answer {
            Answer::Going(outgoing) => return outgoing.write(text),
            Answer::Awaited(respond, held) => (respond, held),
        };
        let held_bytes = held.len();
        if held_bytes > 0 {
            held.extend_from_slice(text);
        }
        let Some(read) = self.read_head(if held_bytes > 0 { held } else { text })? else {
            if held_bytes == 0 {
                held.extend_from_slice(text);
            }
            return Ok(text.len());
        };
        let taken = read.head_bytes - held_bytes;
        held.clear();
        if read.response.status().is_informational() {
            respond.send_informational(read.response).map_err(to_io)?;
            return Ok(taken);
        }
        let is_ended = read.framing.is_empty();
        let stream = respond.send_response(read.response, is_ended).map_err(to_io)?;
        *answer = Answer::Going(Outgoing::new(stream, read.framing, is_ended));
        Ok(taken)
    }

    fn read_head(&self, bytes: &[u8]) -> io::Result<Option<ClientResponse>> {
        let mut head = self.link.head.borrow_mut();
        let accept = self.request.accept.as_ref().map(<[u8; 28]>::as_slice);
        let read = read_response(&mut head, bytes, self.request.method, accept);
        if !matches!(read, Ok(Some(_))) {
            head.clear();
        }
        read.map_err(invalid)
    }

    /// What is malformed in a request is the client's doing.
    fn on_read(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::InvalidData {
            self.reason.set(Reason::PROTOCOL_ERROR);
        }
        error
    }

    /// A client that has us reset its streams is as costly as one that resets them (CVE-2025-8671).
    fn count_reset(&self) {
        if self.reason.get() == Reason::PROTOCOL_ERROR {
            let now_millis = self.timer.worker().now() / 1_000_000;
            let counted = self.link.meter.borrow_mut().made_reset(now_millis);
            if let Err(fault) = counted {
                self.link.fail(fault);
            }
        }
    }

    fn note(&self, error: io::Error) -> io::Error {
        use io::ErrorKind::{FileTooLarge, InvalidData, OutOfMemory};
        if !matches!(error.kind(), OutOfMemory | FileTooLarge | InvalidData) {
            self.is_gone.set(true);
        }
        error
    }
}

impl<S: Sys> Writes<S> for ClientStream<S> {
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
        let room = match &mut *self.answer.borrow_mut() {
            Answer::Awaited(..) => Poll::Ready(Ok(())),
            Answer::Going(outgoing) => outgoing.poll_room(context),
        };
        match room {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.note(error))),
            Poll::Pending if self.timer.poll_write_late(context).is_ready() => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            room => room,
        }
    }
}

impl<S: Sys> Drop for ClientStream<S> {
    /// A response that has not ended must not look as if it had. What of the request is still to come, the crate refuses
    /// with NO_ERROR behind a response that has (RFC 9113 §8.1).
    fn drop(&mut self) {
        match self.answer.get_mut() {
            Answer::Going(outgoing) if outgoing.is_ended() => {
                self.link.meter.borrow_mut().answered();
                return;
            }
            Answer::Going(outgoing) => outgoing.reset(self.reason.get()),
            Answer::Awaited(respond, _) => respond.send_reset(self.reason.get()),
        }
        self.count_reset();
    }
}
