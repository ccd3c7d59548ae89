//! The body that goes on a stream, from text.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, SendStream};
use proto::http2::{BodyPieces, Framing};

use super::{invalid, to_io};

pub(super) struct Outgoing {
    stream: SendStream<Bytes>,
    pieces: BodyPieces,
    /// What may go without asking whether there is room.
    unasked: usize,
    /// How much there was to be written when there was no room.
    wanted: usize,
    is_ended: bool,
}

impl Outgoing {
    /// `is_ended`: the head was all.
    pub(super) fn new(stream: SendStream<Bytes>, framing: Framing, is_ended: bool) -> Self {
        Self { stream, pieces: BodyPieces::new(framing), unasked: UNASKED_BYTES, wanted: 1, is_ended }
    }

    /// The end of the stream is on its way.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Takes as much of `text` as there is room for.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.is_ended && !text.is_empty() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut taken = 0;
        while taken < text.len() && !self.is_ended {
            let room = self.room(text.len() - taken);
            let piece = self.pieces.next(&text[taken..], room).map_err(invalid)?;
            if piece.consumed == 0 {
                break;
            }
            taken += piece.consumed;
            if !piece.data.is_empty() {
                // What ends the body right behind the data goes with it.
                taken += self.pieces.next(&text[taken..], 0).map_err(invalid)?.consumed;
            }
            self.send(piece.data)?;
        }
        Ok(taken)
    }

    /// Waits until there is room.
    pub(super) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.room(self.wanted) > 0 {
                return Poll::Ready(Ok(()));
            }
            match self.stream.poll_capacity(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(to_io(error))),
                Poll::Ready(None) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Waits until the peer has reset the stream, or the connection is gone.
    pub(super) fn poll_reset(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(context).map(|_| ())
    }

    pub(super) fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Ends what has no end of its own.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if !self.is_ended {
            self.stream.send_data(Bytes::new(), true).map_err(to_io)?;
            self.is_ended = true;
        }
        Ok(())
    }

    fn room(&mut self, wanted: usize) -> usize {
        if wanted <= self.unasked {
            return wanted;
        }
        self.wanted = wanted.min(ASKED_BYTES_MAX);
        self.stream.reserve_capacity(self.wanted);
        self.stream.capacity()
    }

    fn send(&mut self, data: &[u8]) -> io::Result<()> {
        self.unasked = self.unasked.saturating_sub(data.len());
        let is_complete = self.pieces.is_complete();
        let trailers = if is_complete { self.pieces.trailers().map_err(invalid)? } else { None };
        let ends = is_complete && trailers.is_none();
        if ends || !data.is_empty() {
            self.stream.send_data(Bytes::copy_from_slice(data), ends).map_err(to_io)?;
        }
        if let Some(trailers) = trailers {
            self.stream.send_trailers(trailers).map_err(to_io)?;
        }
        self.is_ended = is_complete;
        Ok(())
    }
}

/// limit: bytes of a stream that wait in the crate although its window is closed; what is small goes without a question.
const UNASKED_BYTES: usize = 4096;
/// limit: bytes for which a stream asks the others' common window at a time.
const ASKED_BYTES_MAX: usize = 64 * 1024;
