//! The head of a response (RFC 9112 §4, §6.3, §9).

use model::{Failure, HttpLimits};

use super::fields::{Fault, Fields, Framing, Refusal};
use super::lines::{LineFault, Lines};
use super::{Field, HeadError, Known, Method, Names, Progress, Span, Version, token};

/// How the body of a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// No body, whatever the fields say.
    None,
    Length(u64),
    Chunked,
    /// The end of the connection ends the body.
    UntilClose,
}

/// The head of a response, parsed as it arrives; reused like [`super::RequestHead`].
#[derive(Debug)]
pub struct ResponseHead {
    state: State,
    lines: Lines,
    version: Version,
    status: u16,
    reason: Span,
    framing: Framing,
    /// Its fields announce a body that its status does not allow.
    is_misframed: bool,
    fields: Fields,
    keep_alive_timeout: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    StatusLine,
    Fields,
    Complete { head_bytes: usize },
    Refused(HeadError),
}

impl Default for ResponseHead {
    fn default() -> Self {
        Self {
            state: State::StatusLine,
            lines: Lines::default(),
            version: Version::Http11,
            status: 0,
            reason: Span::default(),
            framing: Framing::Unsaid,
            is_misframed: false,
            fields: Fields::default(),
            keep_alive_timeout: None,
        }
    }
}

impl ResponseHead {
    pub fn new() -> Self {
        Self::default()
    }

    /// Resets it for the next message.
    pub fn clear(&mut self) {
        self.state = State::StatusLine;
        self.lines = Lines::default();
        self.version = Version::Http11;
        self.status = 0;
        self.reason = Span::default();
        self.framing = Framing::Unsaid;
        self.is_misframed = false;
        self.fields.clear();
        self.keep_alive_timeout = None;
    }

    /// Continues to parse `buf`, as [`super::RequestHead::parse`] does. The status line counts as a field for the
    /// limits.
    ///
    /// # Errors
    /// `TargetResponseMalformed`, `TargetResponseFraming` or `TargetResponseFieldsTooLarge`.
    pub fn parse(&mut self, buf: &[u8], limits: &HttpLimits) -> Result<Progress, HeadError> {
        let step = self.step(buf, limits);
        match step {
            Ok(Progress::Complete { head_bytes }) => self.state = State::Complete { head_bytes },
            Ok(Progress::NeedMore) => {}
            Err(error) => self.state = State::Refused(error),
        }
        step
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// 100 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase; often empty.
    pub fn reason(&self) -> Span {
        self.reason
    }

    pub fn fields(&self) -> &[Field] {
        self.fields.list()
    }

    /// All field lines as one span, if every [`Known`] name in the head is one of `names` and no field is an alias. If
    /// [`Known::Connection`] is not one of them, no field is listed by a `Connection` field.
    pub fn fields_together(&self, names: Names) -> Option<Span> {
        self.fields.together(names)
    }

    /// The value of `Content-Length` as it was sent; empty without one.
    pub fn length_value(&self) -> Span {
        self.fields.length_value()
    }

    /// The fields of this name, spelt correctly, in order.
    pub fn fields_of(&self, known: Known) -> impl Iterator<Item = &Field> {
        self.fields.all(known)
    }

    /// `Connection` lists `close`.
    pub fn close(&self) -> bool {
        self.fields.connection().close
    }

    /// `Connection` lists `keep-alive`.
    pub fn keep_alive(&self) -> bool {
        self.fields.connection().keep_alive
    }

    /// `Connection` lists a name that may be one of a trailer, which is then not for the next hop (RFC 9110 §7.6.1).
    pub fn lists_fields(&self) -> bool {
        self.fields.connection().lists_fields
    }

    /// Whether the target keeps the connection alive after the end of the body (RFC 9112 §9.3). After a body that its status
    /// does not allow it cannot be trusted to know where that is.
    pub fn persists(&self) -> bool {
        !self.close() && !self.is_misframed && (self.version == Version::Http11 || self.keep_alive())
    }

    /// The seconds for which the target keeps an idle connection, from `Keep-Alive: timeout=`.
    pub fn keep_alive_timeout(&self) -> Option<u32> {
        self.keep_alive_timeout
    }

    /// The target names the protocol that it switches to: both `Connection` and `Upgrade` say so.
    pub fn upgrade(&self) -> bool {
        self.fields.connection().upgrade && self.fields.has(Known::Upgrade)
    }

    /// How the body ends, in a response to this method (RFC 9112 §6.3).
    pub fn body_length(&self, request_method: Method) -> ResponseBody {
        if request_method == Method::Head || has_no_body(self.status) || self.status == 304 {
            return ResponseBody::None;
        }
        match self.framing {
            Framing::Unsaid => ResponseBody::UntilClose,
            Framing::Length(length) => ResponseBody::Length(length),
            Framing::Chunked => ResponseBody::Chunked,
        }
    }

    fn step(&mut self, buf: &[u8], limits: &HttpLimits) -> Result<Progress, HeadError> {
        loop {
            match self.state {
                State::StatusLine if may_be_another_protocol(buf) => return Ok(Progress::NeedMore),
                State::StatusLine => {
                    check_start(buf)?;
                    let line =
                        self.lines.next(buf, limits.field_bytes as usize).map_err(|fault| match fault {
                            LineFault::TooLong => refused((Fault::TooLarge, "status line too long")),
                            LineFault::Malformed(detail) => malformed(detail),
                        })?;
                    let Some(line) = line else { return Ok(Progress::NeedMore) };
                    self.read_status_line(buf, line)?;
                    self.state = State::Fields;
                }
                State::Fields => {
                    if !self.fields.read(&mut self.lines, buf, limits).map_err(refused)? {
                        return Ok(Progress::NeedMore);
                    }
                    self.finish(buf)?;
                    return Ok(Progress::Complete { head_bytes: self.lines.start() });
                }
                State::Complete { head_bytes } => return Ok(Progress::Complete { head_bytes }),
                State::Refused(error) => return Err(error),
            }
        }
    }

    fn read_status_line(&mut self, buf: &[u8], at: Span) -> Result<(), HeadError> {
        let line = at.of(buf);
        let Some((version, rest)) = line.split_first_chunk::<9>() else { return Err(malformed(NOT_HTTP)) };
        self.version = match version {
            b"HTTP/1.1 " => Version::Http11,
            b"HTTP/1.0 " => Version::Http10,
            _ => return Err(malformed(NOT_HTTP)),
        };
        // The space after the status is required (RFC 9112 §4), but servers that send no reason often omit it.
        let (status, reason_start) = match rest {
            [a, b, c] => ([a, b, c], 12),
            [a, b, c, b' ', ..] => ([a, b, c], 13),
            _ => return Err(malformed("status is not three digits")),
        };
        if !status.iter().all(|digit| digit.is_ascii_digit()) {
            return Err(malformed("status is not three digits"));
        }
        self.status = status.iter().fold(0, |sum, digit| sum * 10 + u16::from(**digit - b'0'));
        if !(100..600).contains(&self.status) {
            return Err(malformed("status beyond 100 to 599"));
        }
        self.reason = at.part(reason_start, line.len());
        Ok(())
    }

    fn finish(&mut self, buf: &[u8]) -> Result<(), HeadError> {
        self.framing = self.fields.framing(buf).map_err(refused)?;
        let announces_body = !matches!(self.framing, Framing::Unsaid | Framing::Length(0));
        if has_no_body(self.status) && announces_body {
            // Other readers take bytes after an interim head for a body, and the responses after it would be shifted.
            if !matches!(self.status, 101 | 204) {
                return Err(refused((Fault::Framing, "a body where the status allows none")));
            }
            // Some servers send these by mistake. They end with the head, whatever the fields say (RFC 9112 §6.3).
            (self.framing, self.is_misframed) = (Framing::Unsaid, true);
        }
        if self.framing == Framing::Chunked && self.version == Version::Http10 {
            return Err(refused((Fault::Framing, "Transfer-Encoding in HTTP/1.0")));
        }
        self.fields.apply_connection(buf).map_err(refused)?;
        self.keep_alive_timeout = self
            .fields
            .all(Known::KeepAlive)
            .flat_map(|field| token::list(field.value.of(buf)))
            .find_map(|parameter| {
                let (name, value) = parameter.split_at_checked("timeout=".len())?;
                token::eq_ignore_case(name, b"timeout=").then(|| token::number(value))?
            })
            .map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
        Ok(())
    }
}

/// Refuses bytes that cannot become a status line before the line is complete.
fn check_start(buf: &[u8]) -> Result<(), HeadError> {
    if buf.starts_with(&[TLS_ALERT, 3]) {
        return Err(malformed(EXPECTS_TLS));
    }
    if is_settings(buf) && buf.len() >= SETTINGS_BYTES_MIN {
        return Err(malformed(EXPECTS_HTTP2));
    }
    let expected = b"HTTP/1.";
    let seen = buf.len().min(expected.len());
    if buf[..seen] == expected[..seen] { Ok(()) } else { Err(malformed(NOT_HTTP)) }
}

/// Whether these first bytes are too few to tell that the target speaks TLS or HTTP/2.
fn may_be_another_protocol(buf: &[u8]) -> bool {
    buf == [TLS_ALERT] || !buf.is_empty() && buf.len() < SETTINGS_BYTES_MIN && is_settings(buf)
}

/// Whether it begins as a short frame of the type SETTINGS, as far as it goes: the length, then the type.
fn is_settings(buf: &[u8]) -> bool {
    let is_as = |place: usize, byte: u8| buf.get(place).is_none_or(|&have| have == byte);
    is_as(0, 0) && is_as(1, 0) && is_as(3, SETTINGS)
}

/// 304 is not one of these: its fields describe the body that a 200 would have had.
const fn has_no_body(status: u16) -> bool {
    matches!(status, 100..200 | 204)
}

#[cold]
fn refused((fault, detail): Refusal) -> HeadError {
    let failure = match fault {
        Fault::Malformed => Failure::TargetResponseMalformed,
        Fault::TooLarge => Failure::TargetResponseFieldsTooLarge,
        Fault::Framing | Fault::Coding => Failure::TargetResponseFraming,
    };
    HeadError::new(failure, detail)
}

const fn malformed(detail: &'static str) -> HeadError {
    HeadError::new(Failure::TargetResponseMalformed, detail)
}

const NOT_HTTP: &str = "not an HTTP/1 status line";
/// A server with TLS answers plain HTTP with an alert (RFC 8446 §5.1): this type, then the version of a record, 3.x.
const TLS_ALERT: u8 = 21;
const EXPECTS_TLS: &str = "a TLS alert: the target expects TLS; `protocol` of its group says plain HTTP";
/// A server with HTTP/2 alone sends its preface first: a frame of this type (RFC 9113 §3.4, §6.5).
const SETTINGS: u8 = 4;
/// The length and the type of a frame.
const SETTINGS_BYTES_MIN: usize = 4;
const EXPECTS_HTTP2: &str =
    "a frame of HTTP/2: the target expects HTTP/2; `protocol` of its group says HTTP/1";
