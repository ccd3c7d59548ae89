//! The chunked transfer coding, read (RFC 9112 §7.1).

use model::HttpLimits;

use super::trailers::Trailers;

/// Why a chunked body is refused: the connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkError {
    pub detail: &'static str,
}

/// What a call of [`Chunks::decode`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the input that were read. The rest belongs to the next message; there is one only when the body is
    /// complete.
    pub consumed: usize,
    /// Bytes of the body, which now stand at the start of the buffer.
    pub data: usize,
}

/// Decodes one chunked body as it arrives.
#[derive(Debug, Default)]
pub struct Chunks {
    /// Data bytes of this chunk still to come; while the size is read, the size so far.
    left: u64,
    trailers: Option<Box<Trailers>>,
    /// Bytes of extensions beyond what data has paid for.
    debt: u32,
    /// Bytes of extension in this line.
    extension: u16,
    digits: u8,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// White space behind the size: only an extension may follow it.
    Blank,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    LastLf,
    Complete,
}

impl Chunks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `buf`, the bytes that follow those of the last call, and moves the data in it to its start.
    ///
    /// # Errors
    /// The first fault in the order of the bytes. The decoder is of no use after it.
    pub fn decode(&mut self, buf: &mut [u8], limits: &HttpLimits) -> Result<Decoded, ChunkError> {
        let (mut at, mut data) = (0, 0);
        while at < buf.len() && self.state != State::Complete {
            match self.state {
                State::Data => {
                    let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len() - at);
                    if at != data {
                        buf.copy_within(at..at + here, data);
                    }
                    (at, data) = (at + here, data + here);
                    self.took_data(here);
                }
                State::Trailer => at += self.read_trailer(&buf[at..], limits)?,
                _ => {
                    if self.step(buf[at])? {
                        at += 1;
                    }
                }
            }
        }
        Ok(Decoded { consumed: at, data })
    }

    /// Reads what stands before the next data, or to the end of the body; returns how many bytes that is. Who uses this
    /// takes the data where it stands, and tells of it by [`Self::took_data`].
    ///
    /// # Errors
    /// As those of [`Self::decode`].
    pub(crate) fn read_framing(&mut self, bytes: &[u8], limits: &HttpLimits) -> Result<usize, ChunkError> {
        let mut at = 0;
        while at < bytes.len() && !matches!(self.state, State::Data | State::Complete) {
            if self.state == State::Trailer {
                at += self.read_trailer(&bytes[at..], limits)?;
            } else if self.step(bytes[at])? {
                at += 1;
            }
        }
        Ok(at)
    }

    /// Bytes of data that come next.
    pub(crate) fn data_left(&self) -> u64 {
        if self.state == State::Data { self.left } else { 0 }
    }

    /// The last chunk and the trailers behind it have been read.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// The trailer fields that may be passed on, as lines with CRLF, when the body is complete. Left out are those
    /// that only a head may carry (RFC 9110 §6.5.1) and those that are for the next hop.
    pub fn trailers(&self) -> &[u8] {
        self.trailers.as_ref().map_or(&[], |trailers| trailers.kept())
    }

    /// Counts data that was taken, no more than is left.
    pub(crate) fn took_data(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.left -= bytes as u64;
        self.debt = self.debt.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.left == 0 {
            self.state = State::DataCr;
        }
    }

    /// Takes one byte outside of data and trailers; `false` when it is the first of what comes next.
    #[inline]
    fn step(&mut self, byte: u8) -> Result<bool, ChunkError> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9') => return self.digit(byte - b'0'),
            (State::Size, b'a'..=b'f') => return self.digit(byte - b'a' + 10),
            (State::Size, b'A'..=b'F') => return self.digit(byte - b'A' + 10),
            (State::Size, _) if self.digits == 0 => return refuse("chunk without a size"),
            (State::Size, b'\r') => State::SizeLf,
            (State::Size | State::Blank, b';') => self.extend(State::Extension)?,
            (State::Size | State::Blank, b' ' | b'\t') => self.extend(State::Blank)?,
            (State::Size, _) => return refuse("chunk size is not hexadecimal"),
            (State::Blank, _) => return refuse("space after the chunk size"),
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\n') => return refuse("bare LF"),
            (State::Extension, b'\t' | 0x20..=0x7e | 0x80..) => self.extend(State::Extension)?,
            (State::Extension, _) => return refuse("control byte in a chunk extension"),
            (State::SizeLf, b'\n') => self.end_size_line(),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataCr, _) => return refuse("chunk longer than its size"),
            (State::DataLf, b'\n') => State::Size,
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::TrailerStart, _) => {
                self.state = State::Trailer;
                return Ok(false);
            }
            (State::LastLf, b'\n') => State::Complete,
            (State::SizeLf | State::DataLf | State::LastLf, _) => return refuse("bare CR"),
            (state @ (State::Data | State::Trailer | State::Complete), _) => state,
        };
        Ok(true)
    }

    fn digit(&mut self, digit: u8) -> Result<bool, ChunkError> {
        // invariant: sixteen digits fit into 64 bits, so the shift loses nothing
        if self.digits == SIZE_DIGITS_MAX {
            return refuse("chunk size too long");
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(true)
    }

    /// Counts one byte of an extension, which is read and dropped.
    fn extend(&mut self, state: State) -> Result<State, ChunkError> {
        self.extension += 1;
        self.debt += 1;
        if self.extension > EXTENSION_BYTES_MAX {
            return refuse("chunk extension too long");
        }
        if self.debt > EXTENSION_DEBT_MAX {
            return refuse("more chunk extensions than data");
        }
        Ok(state)
    }

    fn end_size_line(&mut self) -> State {
        self.digits = 0;
        self.extension = 0;
        if self.left == 0 { State::TrailerStart } else { State::Data }
    }

    fn read_trailer(&mut self, bytes: &[u8], limits: &HttpLimits) -> Result<usize, ChunkError> {
        let trailers = self.trailers.get_or_insert_default();
        let (taken, line_complete) = trailers.take(bytes, limits).map_err(|detail| ChunkError { detail })?;
        if line_complete {
            self.state = State::TrailerStart;
        }
        Ok(taken)
    }
}

const fn refuse<T>(detail: &'static str) -> Result<T, ChunkError> {
    Err(ChunkError { detail })
}

/// limit: digits of a chunk size.
const SIZE_DIGITS_MAX: u8 = 16;
/// limit: bytes of extensions and white space in one size line.
const EXTENSION_BYTES_MAX: u16 = 256;
/// limit: bytes of extensions that a body may be ahead of its data, so that none is made of them. A chunk of one
/// byte without extensions is legal and costs six.
const EXTENSION_DEBT_MAX: u32 = 16 * 1024;
