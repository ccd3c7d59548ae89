//! Translates bodies between DATA frames and HTTP/1.1 text.

use http::HeaderMap;
use model::HttpLimits;

use super::{Framing, Malformed, OWN_LIMITS, malformed, read_trailers, write_trailers};
use crate::http1::{Chunks, encode};

/// Converts a body from DATA frames to text.
#[derive(Clone, Copy, Debug)]
pub struct BodyText {
    framing: Framing,
}

/// The result of a call of [`BodyText::fill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Bytes of the data that were consumed.
    pub taken: usize,
    /// Bytes of the output that were written.
    pub written: usize,
}

impl BodyText {
    pub const fn new(framing: Framing) -> Self {
        Self { framing }
    }

    /// Writes as much of `data` as fits. With less than [`ROOM_MIN`] bytes of output it may write nothing.
    ///
    /// # Errors
    /// More data than the head announced.
    pub fn fill(&mut self, data: &[u8], room: &mut [u8]) -> Result<Filled, Malformed> {
        match &mut self.framing {
            _ if data.is_empty() => Ok(Filled { taken: 0, written: 0 }),
            Framing::None => malformed("data where no body was announced"),
            Framing::Length(left) if *left < data.len() as u64 => malformed("more data than content-length"),
            Framing::Length(left) => {
                let count = copy(data, room);
                *left -= count as u64;
                Ok(Filled { taken: count, written: count })
            }
            Framing::Raw => {
                let count = copy(data, room);
                Ok(Filled { taken: count, written: count })
            }
            Framing::Chunked => Ok(fill_chunk(data, room)),
        }
    }

    /// Appends the end of the body. Trailers are dropped if the framing has no place for them.
    ///
    /// # Errors
    /// Less data than the head announced, or invalid trailers.
    pub fn end(&mut self, trailers: Option<&HeaderMap>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        // The text of a tunnel has no end of its own, even when it is over: the end of the stream ends it.
        if self.framing == Framing::Raw {
            return Ok(());
        }
        match std::mem::take(&mut self.framing) {
            Framing::Length(left) if left > 0 => return malformed("less data than content-length"),
            Framing::Chunked => {
                encode::write_last_chunk(out, &[]);
                if let Some(trailers) = trailers {
                    // The trailers go before the empty line.
                    out.truncate(out.len() - 2);
                    write_trailers(trailers, out)?;
                    out.extend_from_slice(b"\r\n");
                }
            }
            Framing::None | Framing::Length(_) | Framing::Raw => {}
        }
        Ok(())
    }

    /// Whether the text is self-delimiting: a reader knows its end without the end of the stream.
    pub const fn is_delimited(&self) -> bool {
        !matches!(self.framing, Framing::Raw)
    }
}

fn copy(data: &[u8], room: &mut [u8]) -> usize {
    let count = data.len().min(room.len());
    room[..count].copy_from_slice(&data[..count]);
    count
}

/// Writes one chunk, as long as fits.
fn fill_chunk(data: &[u8], room: &mut [u8]) -> Filled {
    let none = Filled { taken: 0, written: 0 };
    let Some(space) = room.len().checked_sub(CHUNK_FRAMING_BYTES).filter(|&space| space > 0) else {
        return none;
    };
    let taken = data.len().min(space).min(CHUNK_BYTES_MAX);
    let mut size = [0; SIZE_DIGITS];
    let digits = hexadecimal(taken, &mut size);
    let mut written = 0;
    for part in [digits, b"\r\n", &data[..taken], b"\r\n"] {
        room[written..written + part.len()].copy_from_slice(part);
        written += part.len();
    }
    Filled { taken, written }
}

/// `number` is at most [`CHUNK_BYTES_MAX`].
fn hexadecimal(mut number: usize, text: &mut [u8; SIZE_DIGITS]) -> &[u8] {
    let mut start = SIZE_DIGITS;
    while start > 0 && (number > 0 || start == SIZE_DIGITS) {
        start -= 1;
        text[start] = b"0123456789abcdef"[number & 15];
        number >>= 4;
    }
    &text[start..]
}

/// Converts a body that `proxy` has written as text to pieces of data.
#[derive(Debug)]
pub struct BodyPieces(Pieces);

#[derive(Debug)]
enum Pieces {
    Complete,
    Length(u64),
    Chunked(Chunks),
    Raw,
}

/// The result of a call of [`BodyPieces::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Bytes of the text that were consumed.
    pub consumed: usize,
    /// The data among them.
    pub data: &'a [u8],
}

impl BodyPieces {
    pub fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::None | Framing::Length(0) => Pieces::Complete,
            Framing::Length(length) => Pieces::Length(length),
            Framing::Chunked => Pieces::Chunked(Chunks::new()),
            Framing::Raw => Pieces::Raw,
        })
    }

    /// The body is complete. An unframed one only ends with its stream.
    pub fn is_complete(&self) -> bool {
        match &self.0 {
            Pieces::Complete => true,
            Pieces::Chunked(chunks) => chunks.is_complete(),
            Pieces::Length(_) | Pieces::Raw => false,
        }
    }

    /// The next piece of `text`, with at most `data_max` bytes of data. Consumes nothing if only data follows and
    /// `data_max` is 0, or if the body is complete.
    ///
    /// # Errors
    /// Invalid chunks: a bug of ours.
    pub fn next<'a>(&mut self, text: &'a [u8], data_max: usize) -> Result<Piece<'a>, Malformed> {
        let mut framing = 0;
        let data_max = match &mut self.0 {
            Pieces::Complete => 0,
            Pieces::Raw => data_max,
            Pieces::Length(left) => at_most(*left, data_max),
            Pieces::Chunked(chunks) => {
                let read = chunks.read_framing(text, &LIMITS);
                framing = read.map_err(|error| Malformed { detail: error.detail })?;
                at_most(chunks.data_left(), data_max)
            }
        };
        let data = &text[framing..];
        let data = &data[..data.len().min(data_max)];
        match &mut self.0 {
            Pieces::Chunked(chunks) => chunks.took_data(data.len()),
            Pieces::Length(left) => {
                *left -= data.len() as u64;
                if *left == 0 {
                    self.0 = Pieces::Complete;
                }
            }
            Pieces::Complete | Pieces::Raw => {}
        }
        Ok(Piece { consumed: framing + data.len(), data })
    }

    /// The trailers of a complete body, if it has any.
    ///
    /// # Errors
    /// See [`read_trailers`].
    pub fn trailers(&self) -> Result<Option<HeaderMap>, Malformed> {
        match &self.0 {
            Pieces::Chunked(chunks) if !chunks.trailers().is_empty() => {
                read_trailers(chunks.trailers()).map(Some)
            }
            _ => Ok(None),
        }
    }
}

fn at_most(left: u64, data_max: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(data_max)
}

const LIMITS: HttpLimits = OWN_LIMITS;
/// Output of this size always allows progress.
pub const ROOM_MIN: usize = 64;
/// limit: bytes of one chunk that we write.
const CHUNK_BYTES_MAX: usize = 0xf_ffff;
const SIZE_DIGITS: usize = 5;
const CHUNK_FRAMING_BYTES: usize = SIZE_DIGITS + 4;
