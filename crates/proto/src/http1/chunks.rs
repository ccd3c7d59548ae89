//! Decoder for the chunked transfer coding (RFC 9112 §7.1).

use model::HttpLimits;

use super::token;
use super::trailers::Trailers;

/// Why a chunked body is refused. The connection must close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkError {
    pub detail: &'static str,
}

/// The result of a call of [`Chunks::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the input that were consumed. The rest belongs to the next message, and is only non-empty if the body
    /// is complete.
    pub consumed: usize,
    /// Bytes of the body, which are now at the start of the buffer.
    pub data: usize,
}

/// Decodes one chunked body as it arrives.
#[derive(Debug, Default)]
pub struct Chunks {
    /// Data bytes left in this chunk; while the size line is read, the size so far.
    left: u64,
    trailers: Option<Box<Trailers>>,
    /// Extension bytes in excess of what the data allows.
    debt: u32,
    /// Extension bytes in this line.
    extension: u16,
    digits: u8,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// White space after the size: only an extension may follow.
    Blank,
    Extension(Extension),
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    LastLf,
    Complete,
}

/// A place in `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )` (RFC 9112 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    /// Behind `;`, and white space.
    Start,
    Name,
    /// White space behind a name.
    NameEnd,
    /// Behind `=`, and white space.
    ValueStart,
    Token,
    Quoted,
    /// Behind a backslash in a quoted string.
    Escaped,
    /// Behind a quoted string.
    QuotedEnd,
    /// White space behind a value.
    ValueEnd,
}

impl Extension {
    /// The place behind this byte; `None`: it cannot stand here.
    fn next(self, byte: u8) -> Option<Self> {
        let is_blank = matches!(byte, b' ' | b'\t');
        Some(match (self, byte) {
            (Self::Quoted, b'"') => Self::QuotedEnd,
            (Self::Quoted, b'\\') => Self::Escaped,
            (Self::Quoted | Self::Escaped, b'\t' | 0x20..=0x7e | 0x80..) => Self::Quoted,
            (Self::Start | Self::ValueStart, _) if is_blank => self,
            (Self::Start | Self::Name, _) if token::is_token_byte(byte) => Self::Name,
            (Self::Name | Self::NameEnd, b'=') => Self::ValueStart,
            (Self::Name | Self::NameEnd, _) if is_blank => Self::NameEnd,
            (Self::ValueStart, b'"') => Self::Quoted,
            (Self::ValueStart | Self::Token, _) if token::is_token_byte(byte) => Self::Token,
            (Self::Token | Self::QuotedEnd | Self::ValueEnd, _) if is_blank => Self::ValueEnd,
            (Self::Name | Self::NameEnd | Self::Token | Self::QuotedEnd | Self::ValueEnd, b';') => {
                Self::Start
            }
            _ => return None,
        })
    }

    /// Whether the line may end here: not behind white space, which only stands before `;` and around `=`.
    const fn may_end(self) -> bool {
        matches!(self, Self::Name | Self::Token | Self::QuotedEnd)
    }
}

impl Chunks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes `buf`, which continues the bytes of the last call, and moves the data to the start of `buf`.
    ///
    /// # Errors
    /// The first fault in byte order. The decoder cannot be used after an error.
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

    /// Reads up to the next data or to the end of the body; returns how many bytes that is. The caller takes the data
    /// where it is and reports it with [`Self::took_data`].
    ///
    /// # Errors
    /// The same as for [`Self::decode`].
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

    /// Bytes of data that follow now.
    pub(crate) fn data_left(&self) -> u64 {
        if self.state == State::Data { self.left } else { 0 }
    }

    /// True after the last chunk and the trailers.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// The trailer fields that may be forwarded, as lines with CRLF, once the body is complete. Fields that are only
    /// valid in a head (RFC 9110 §6.5.1) and hop-by-hop fields are left out.
    pub fn trailers(&self) -> &[u8] {
        self.trailers.as_ref().map_or(&[], |trailers| trailers.kept())
    }

    /// Counts data that the caller took, at most what is left.
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

    /// Consumes one byte outside data and trailers; `false` if it is the first byte of the next part.
    #[inline]
    fn step(&mut self, byte: u8) -> Result<bool, ChunkError> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9') => return self.digit(byte - b'0'),
            (State::Size, b'a'..=b'f') => return self.digit(byte - b'a' + 10),
            (State::Size, b'A'..=b'F') => return self.digit(byte - b'A' + 10),
            (State::Size, _) if self.digits == 0 => return refuse("chunk without a size"),
            (State::Size, b'\r') => State::SizeLf,
            (State::Size | State::Blank, b';') => self.extend(State::Extension(Extension::Start))?,
            (State::Size | State::Blank, b' ' | b'\t') => self.extend(State::Blank)?,
            (State::Size, _) => return refuse("chunk size is not hexadecimal"),
            (State::Blank, _) => return refuse("space after the chunk size"),
            (State::Extension(place), b'\r') if place.may_end() => State::SizeLf,
            (State::Extension(_), b'\n') => return refuse("bare LF"),
            (State::Extension(place), byte) => match place.next(byte) {
                Some(place) => self.extend(State::Extension(place))?,
                None => return refuse("malformed chunk extension"),
            },
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
        // invariant: sixteen digits fit into 64 bits, so the shift loses no bits
        if self.digits == SIZE_DIGITS_MAX {
            return refuse("chunk size too long");
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(true)
    }

    /// Counts one extension byte, which is dropped.
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
/// limit: extension bytes in excess of the data, so that a body cannot consist of extensions only. A chunk of one byte
/// without extensions is legal and costs six bytes.
const EXTENSION_DEBT_MAX: u32 = 16 * 1024;
