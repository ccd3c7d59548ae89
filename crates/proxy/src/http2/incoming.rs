//! The body that comes on a stream, as text.

use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use h2::RecvStream;
use net::{Buffer, BufferFull};
use proto::http2::{BodyText, Framing, Malformed, ROOM_MIN};

use super::{invalid, to_io};

pub(super) struct Incoming {
    stream: RecvStream,
    text: BodyText,
    /// DATA that is not yet text.
    data: Bytes,
    /// Text that found no room.
    carry: Bytes,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Data,
    Trailers,
    Ended,
    /// It shows with every read from now on.
    Malformed(Malformed),
}

impl Incoming {
    pub(super) fn new(stream: RecvStream, framing: Framing) -> Self {
        let phase =
            if framing == Framing::None && stream.is_end_stream() { Phase::Ended } else { Phase::Data };
        Self { stream, text: BodyText::new(framing), data: Bytes::new(), carry: Bytes::new(), phase }
    }

    /// The same behind a head.
    pub(super) fn behind(head: Bytes, stream: RecvStream, framing: Framing) -> Self {
        Self { carry: head, ..Self::new(stream, framing) }
    }

    /// All of the stream has come.
    pub(super) fn is_ended(&self) -> bool {
        self.phase == Phase::Ended || self.stream.is_end_stream()
    }

    /// Waits for the end of a stream whose text has ended.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.data.is_empty() && !self.is_ended() {
            match self.poll_more(context) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// As [`net::TcpStream::poll_fill`]. Behind the end of a body that has one of its own nothing comes any more.
    // cancel-safe: what was taken from the stream is in the buffer or kept.
    pub(super) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.len();
        loop {
            let moved = self.move_what_is_here(buffer, wanted)?;
            if !moved {
                return Poll::Ready(Ok(buffer.len() - before));
            }
            match self.poll_more(context) {
                Poll::Ready(Ok(true)) => {}
                // It shows again with the next read.
                _ if buffer.len() > before => return Poll::Ready(Ok(buffer.len() - before)),
                Poll::Ready(Ok(false)) if self.text.is_delimited() => return Poll::Pending,
                Poll::Ready(Ok(false)) => return Poll::Ready(Ok(0)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Waits until a read would say something.
    pub(super) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.data.is_empty() && self.carry.is_empty() {
            match self.poll_more(context) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) if self.text.is_delimited() => return Poll::Pending,
                Poll::Ready(_) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// One read of what is here already.
    pub(super) fn try_fill(&mut self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        let before = buffer.len();
        if let Err(error) = self.move_what_is_here(buffer, wanted) {
            return Some(Err(error));
        }
        let count = buffer.len() - before;
        (count > 0).then_some(Ok(count))
    }

    /// Takes the next piece from the stream; `false`: there is none any more.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match self.phase {
            Phase::Data => match self.stream.poll_data(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(data))) => self.data = data,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(to_io(error))),
                Poll::Ready(None) => self.phase = Phase::Trailers,
            },
            Phase::Trailers => match self.stream.poll_trailers(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(to_io(error))),
                Poll::Ready(Ok(trailers)) => {
                    let mut end = Vec::new();
                    match self.text.end(trailers.as_ref(), &mut end) {
                        Ok(()) => (self.phase, self.carry) = (Phase::Ended, end.into()),
                        // What was written before the fault says nothing.
                        Err(malformed) => self.phase = Phase::Malformed(malformed),
                    }
                }
            },
            Phase::Ended => return Poll::Ready(Ok(false)),
            Phase::Malformed(malformed) => return Poll::Ready(Err(invalid(malformed))),
        }
        Poll::Ready(Ok(true))
    }

    /// `false`: the buffer is full.
    fn move_what_is_here(&mut self, buffer: &mut Buffer, wanted: usize) -> io::Result<bool> {
        while !(self.carry.is_empty() && self.data.is_empty()) {
            if !buffer.is_empty() && buffer.len() == buffer.capacity() {
                return Ok(false);
            }
            if !self.carry.is_empty() {
                take_carried(&mut self.carry, buffer, wanted)?;
                continue;
            }
            let room = buffer.spare(wanted).map_err(full)?;
            let taken = if room.len() < ROOM_MIN {
                let mut text = [0; ROOM_MIN];
                let filled = self.text.fill(&self.data, &mut text).map_err(invalid)?;
                self.carry = Bytes::copy_from_slice(&text[..filled.written]);
                filled.taken
            } else {
                let filled = self.text.fill(&self.data, room).map_err(invalid)?;
                buffer.filled(filled.written);
                filled.taken
            };
            self.data.advance(taken);
            // The window opens as the story takes what came. Of a stream that is gone, there is none.
            let _ = self.stream.flow_control().release_capacity(taken);
        }
        Ok(true)
    }
}

/// Moves as much of `carry` as there is room for.
pub(super) fn take_carried(carry: &mut Bytes, buffer: &mut Buffer, wanted: usize) -> io::Result<usize> {
    let room = buffer.spare(wanted).map_err(full)?;
    let count = carry.len().min(room.len());
    room[..count].copy_from_slice(&carry[..count]);
    carry.advance(count);
    buffer.filled(count);
    Ok(count)
}

fn full(full: BufferFull) -> io::Error {
    match full {
        BufferFull::Largest => io::ErrorKind::FileTooLarge.into(),
        BufferFull::Budget => io::ErrorKind::OutOfMemory.into(),
    }
}
