//! Receives the body of an HTTP/2 stream, as HTTP/1.1 text.

use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use h2::RecvStream;
use net::{Buffer, BufferFull};
use proto::http2::{BodyText, Framing, Malformed, ROOM_MIN};

use super::{invalid, to_io};

/// The receiving half of a stream.
pub(super) struct Incoming {
    stream: RecvStream,
    text: BodyText,
    /// DATA that is not yet converted to text.
    data: Bytes,
    /// Text that did not fit into the reader's buffer.
    pending_text: Bytes,
    phase: Phase,
}

/// The part of the body that is received next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Data,
    Trailers,
    Ended,
    /// Each further read returns this error.
    Malformed(Malformed),
}

impl Incoming {
    pub(super) fn new(stream: RecvStream, framing: Framing) -> Self {
        let phase =
            if framing == Framing::None && stream.is_end_stream() { Phase::Ended } else { Phase::Data };
        Self { stream, text: BodyText::new(framing), data: Bytes::new(), pending_text: Bytes::new(), phase }
    }

    /// As [`Self::new`], but the text starts with `head`.
    pub(super) fn with_head(head: Bytes, stream: RecvStream, framing: Framing) -> Self {
        Self { pending_text: head, ..Self::new(stream, framing) }
    }

    /// Whether the peer has ended the stream.
    pub(super) fn is_ended(&self) -> bool {
        self.phase == Phase::Ended || self.stream.is_end_stream()
    }

    /// Waits for the end of the stream after the end of its text.
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

    /// Behaves as [`net::TcpStream::poll_fill`]. After the end of a body whose text is delimited it never returns an end of
    /// stream: it waits, as on a connection that stays open.
    // cancel-safe: bytes taken from the stream are in the buffer or kept here.
    pub(super) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.len();
        loop {
            let moved = self.move_received(buffer, wanted)?;
            if !moved {
                return Poll::Ready(Ok(buffer.len() - before));
            }
            match self.poll_more(context) {
                Poll::Ready(Ok(true)) => {}
                // Any other result is returned by the next read.
                _ if buffer.len() > before => return Poll::Ready(Ok(buffer.len() - before)),
                Poll::Ready(Ok(false)) if self.text.is_delimited() => return Poll::Pending,
                Poll::Ready(Ok(false)) => return Poll::Ready(Ok(0)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Waits until a read would return bytes, the end of the stream or an error.
    pub(super) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.data.is_empty() && self.pending_text.is_empty() {
            match self.poll_more(context) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) if self.text.is_delimited() => return Poll::Pending,
                Poll::Ready(_) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// Reads what has already been received; `None`: nothing.
    pub(super) fn try_fill(&mut self, buffer: &mut Buffer, wanted: usize) -> Option<io::Result<usize>> {
        let before = buffer.len();
        if let Err(error) = self.move_received(buffer, wanted) {
            return Some(Err(error));
        }
        let count = buffer.len() - before;
        (count > 0).then_some(Ok(count))
    }

    /// Receives the next DATA or the trailers; `false`: the body has ended.
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
                        Ok(()) => (self.phase, self.pending_text) = (Phase::Ended, end.into()),
                        // `end` is dropped: it may hold a part of the trailers.
                        Err(malformed) => self.phase = Phase::Malformed(malformed),
                    }
                }
            },
            Phase::Ended => return Poll::Ready(Ok(false)),
            Phase::Malformed(malformed) => return Poll::Ready(Err(invalid(malformed))),
        }
        Poll::Ready(Ok(true))
    }

    /// Moves what has been received to `buffer`, as text; `false`: the buffer is full.
    fn move_received(&mut self, buffer: &mut Buffer, wanted: usize) -> io::Result<bool> {
        while !(self.pending_text.is_empty() && self.data.is_empty()) {
            if !buffer.is_empty() && buffer.len() == buffer.capacity() {
                return Ok(false);
            }
            if !self.pending_text.is_empty() {
                take_text(&mut self.pending_text, buffer, wanted)?;
                continue;
            }
            let free = buffer.spare(wanted).map_err(full)?;
            // With less free space the conversion could make no progress.
            let taken = if free.len() < ROOM_MIN {
                let mut text = [0; ROOM_MIN];
                let filled = self.text.fill(&self.data, &mut text).map_err(invalid)?;
                self.pending_text = Bytes::copy_from_slice(&text[..filled.written]);
                filled.taken
            } else {
                let filled = self.text.fill(&self.data, free).map_err(invalid)?;
                buffer.filled(filled.written);
                filled.taken
            };
            self.data.advance(taken);
            // Backpressure: the window opens only as the reader takes the bytes. The call fails if the stream has been reset.
            let _ = self.stream.flow_control().release_capacity(taken);
        }
        Ok(true)
    }
}

/// Moves as much of `text` to `buffer` as fits; returns the number of bytes.
pub(super) fn take_text(text: &mut Bytes, buffer: &mut Buffer, wanted: usize) -> io::Result<usize> {
    let free = buffer.spare(wanted).map_err(full)?;
    let count = text.len().min(free.len());
    free[..count].copy_from_slice(&text[..count]);
    text.advance(count);
    buffer.filled(count);
    Ok(count)
}

fn full(full: BufferFull) -> io::Error {
    match full {
        BufferFull::Largest => io::ErrorKind::FileTooLarge.into(),
        BufferFull::Budget => io::ErrorKind::OutOfMemory.into(),
    }
}
