//! Sends a body on an HTTP/2 stream, from HTTP/1.1 text.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, SendStream};
use proto::http2::{BodyPieces, Framing};

use super::{invalid, to_io};

/// The sending half of a stream whose head was sent.
pub(super) struct Outgoing {
    stream: SendStream<Bytes>,
    pieces: BodyPieces,
    /// Bytes that may still be sent without reserving capacity in the windows.
    unreserved: usize,
    /// How many bytes the last write wanted to reserve.
    wanted: usize,
    /// END_STREAM was handed to `h2`.
    is_ended: bool,
}

impl Outgoing {
    /// `is_ended`: the stream ended with the head.
    pub(super) fn new(stream: SendStream<Bytes>, framing: Framing, is_ended: bool) -> Self {
        Self {
            stream,
            pieces: BodyPieces::new(framing),
            unreserved: UNRESERVED_BYTES_MAX,
            wanted: 1,
            is_ended,
        }
    }

    /// Whether the end of the stream was sent.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Writes as much of `text` as the windows allow; returns the number of bytes.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.is_ended && !text.is_empty() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut taken = 0;
        while taken < text.len() && !self.is_ended {
            let capacity = self.capacity(text.len() - taken);
            let piece = self.pieces.next(&text[taken..], capacity).map_err(invalid)?;
            if piece.consumed == 0 {
                break;
            }
            taken += piece.consumed;
            if !piece.data.is_empty() {
                // If the end of the body follows directly, it is sent with the same frame.
                taken += self.pieces.next(&text[taken..], 0).map_err(invalid)?.consumed;
            }
            self.send(piece.data)?;
        }
        Ok(taken)
    }

    /// Waits until the windows allow a write.
    pub(super) fn poll_capacity(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.capacity(self.wanted) > 0 {
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

    /// Waits until the peer has reset the stream or the connection is lost.
    pub(super) fn poll_reset(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(context).map(|_| ())
    }

    pub(super) fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Ends the stream of a body whose text has no end, as in a tunnel.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if !self.is_ended {
            self.stream.send_data(Bytes::new(), true).map_err(to_io)?;
            self.is_ended = true;
        }
        Ok(())
    }

    /// How many bytes may be sent now. Reserves capacity for `wanted` bytes if they need any.
    fn capacity(&mut self, wanted: usize) -> usize {
        if wanted <= self.unreserved {
            return wanted;
        }
        self.wanted = wanted.min(RESERVED_BYTES_MAX);
        self.stream.reserve_capacity(self.wanted);
        self.stream.capacity()
    }

    fn send(&mut self, data: &[u8]) -> io::Result<()> {
        self.unreserved = self.unreserved.saturating_sub(data.len());
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

/// limit: bytes that a stream hands to `h2` without reserving capacity, so that a small body needs no reservation. They
/// wait there if the window is closed.
const UNRESERVED_BYTES_MAX: usize = 4096;
/// limit: bytes that a stream reserves at a time in the connection's window, which all streams share.
const RESERVED_BYTES_MAX: usize = 64 * 1024;
