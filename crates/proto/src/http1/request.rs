//! The head of a request (RFC 9112 §2–§7, §9).

use model::{Failure, HttpLimits};

use super::fields::{Fault, Fields, Framing, Refusal};
use super::host::Authority;
use super::lines::{LineFault, Lines};
use super::request_line::RequestLine;
use super::{Field, HeadError, Known, Method, Names, Progress, Span, TargetForm, Version, token};

/// How the body of a request ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    #[default]
    None,
    /// So many bytes, from `Content-Length`, which may be 0.
    Length(u64),
    Chunked,
}

/// The head of a request, parsed as it arrives. There is one per connection, which is reused: it does not allocate once
/// its list of fields has grown.
///
/// The accessors are only valid after [`Self::parse`] has returned [`Progress::Complete`].
#[derive(Debug, Default)]
pub struct RequestHead {
    state: State,
    lines: Lines,
    line: RequestLine,
    fields: Fields,
    body: BodyLength,
    host: Option<Host>,
    expect_continue: bool,
    te_trailers: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Start,
    RequestLine,
    Fields,
    Complete {
        head_bytes: usize,
    },
    Refused(HeadError),
}

#[derive(Clone, Copy, Debug)]
struct Host {
    span: Span,
    name: Span,
    port: Option<u16>,
}

impl RequestHead {
    pub fn new() -> Self {
        Self::default()
    }

    /// Resets it for the next message.
    pub fn clear(&mut self) {
        self.state = State::Start;
        self.lines = Lines::default();
        self.line = RequestLine::default();
        self.fields.clear();
        self.body = BodyLength::None;
        self.host = None;
        self.expect_continue = false;
        self.te_trailers = false;
    }

    /// Continues to parse `buf`, which starts at the start of the message and contains at least the bytes of the last
    /// call. Lines are read once; the total work is linear, however small the pieces.
    ///
    /// # Errors
    /// The first fault in byte order, then the faults of the head as a whole. It persists until [`Self::clear`].
    pub fn parse(&mut self, buf: &[u8], limits: &HttpLimits) -> Result<Progress, HeadError> {
        let step = self.step(buf, limits);
        match step {
            Ok(Progress::Complete { head_bytes }) => self.state = State::Complete { head_bytes },
            Ok(Progress::NeedMore) => {}
            Err(error) => self.state = State::Refused(error),
        }
        step
    }

    /// Length of the empty line before the request line, 0 or 2: one such line is accepted (RFC 9112 §2.2).
    pub fn message_start(&self) -> usize {
        self.line.method_span.start as usize
    }

    pub fn method(&self) -> Method {
        self.line.method
    }

    pub fn method_span(&self) -> Span {
        self.line.method_span
    }

    /// The request target as it was sent.
    pub fn target(&self) -> Span {
        self.line.target.span
    }

    pub fn target_form(&self) -> TargetForm {
        self.line.target.form
    }

    /// The path as it was sent; empty if an absolute target has none, which means `/`; `*` in asterisk-form.
    pub fn path(&self) -> Span {
        self.line.target.path
    }

    /// The query without the `?`.
    pub fn query(&self) -> Option<Span> {
        self.line.target.query
    }

    pub fn version(&self) -> Version {
        self.line.version
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

    /// The authority that counts, name and port: that of an absolute target, else `Host`. `None` only in HTTP/1.0.
    pub fn host(&self) -> Option<Span> {
        self.host.map(|host| host.span)
    }

    /// The name without the port; an IPv6 literal includes its brackets. Empty if `Host` is.
    pub fn host_name(&self) -> Option<Span> {
        self.host.map(|host| host.name)
    }

    /// The port in the authority.
    pub fn port(&self) -> Option<u16> {
        self.host.and_then(|host| host.port)
    }

    pub fn body(&self) -> BodyLength {
        self.body
    }

    /// `Connection` lists `close`.
    pub fn close(&self) -> bool {
        self.fields.connection().close
    }

    /// `Connection` lists `keep-alive`.
    pub fn keep_alive(&self) -> bool {
        self.fields.connection().keep_alive
    }

    /// Whether the client keeps the connection alive (RFC 9112 §9.3).
    pub fn persists(&self) -> bool {
        !self.close() && (self.version() == Version::Http11 || self.keep_alive())
    }

    /// The client asks for an upgrade: both `Connection` and `Upgrade` say so. HTTP/1.0 cannot ask for one.
    pub fn upgrade(&self) -> bool {
        self.version() == Version::Http11
            && self.fields.connection().upgrade
            && self.fields.has(Known::Upgrade)
    }

    /// The client waits for `100 Continue` before it sends the body. Not in HTTP/1.0.
    pub fn expect_continue(&self) -> bool {
        self.expect_continue
    }

    /// `Connection` lists a name that may be one of a trailer, which is then not for the next hop (RFC 9110 §7.6.1).
    pub fn lists_fields(&self) -> bool {
        self.fields.connection().lists_fields
    }

    /// The client accepts trailers (`TE: trailers`).
    pub fn te_trailers(&self) -> bool {
        self.te_trailers
    }

    fn step(&mut self, buf: &[u8], limits: &HttpLimits) -> Result<Progress, HeadError> {
        loop {
            match self.state {
                State::Start => {
                    let Some(start) = message_start(buf)? else { return Ok(Progress::NeedMore) };
                    self.lines.begin_at(start);
                    self.state = State::RequestLine;
                }
                State::RequestLine => {
                    let Some(line) = self.request_line(buf, limits)? else { return Ok(Progress::NeedMore) };
                    self.line.parse(buf, line)?;
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

    fn request_line(&mut self, buf: &[u8], limits: &HttpLimits) -> Result<Option<Span>, HeadError> {
        match self.lines.next(buf, limits.request_line_bytes as usize) {
            Ok(line) => Ok(line),
            Err(LineFault::TooLong) => {
                Err(HeadError::new(Failure::RequestLineTooLong, "request line too long"))
            }
            Err(LineFault::Malformed(detail)) => Err(HeadError::new(Failure::RequestMalformed, detail)),
        }
    }

    /// Checks what only the complete head shows.
    fn finish(&mut self, buf: &[u8]) -> Result<(), HeadError> {
        self.body = match self.fields.framing(buf).map_err(refused)? {
            Framing::Unsaid => BodyLength::None,
            Framing::Length(length) => BodyLength::Length(length),
            Framing::Chunked if self.version() == Version::Http10 => {
                return Err(HeadError::new(Failure::RequestFraming, "Transfer-Encoding in HTTP/1.0"));
            }
            Framing::Chunked => BodyLength::Chunked,
        };
        self.host = self.decide_host(buf).map_err(|detail| HeadError::new(Failure::RequestHost, detail))?;
        self.fields.apply_connection(buf).map_err(refused)?;
        if self.version() == Version::Http11 {
            let mut expectations = self.fields.all(Known::Expect).map(|field| field.value.of(buf)).peekable();
            self.expect_continue = expectations.peek().is_some();
            if expectations.any(|value| !token::eq_ignore_case(value, b"100-continue")) {
                return Err(HeadError::new(Failure::RequestExpectation, "unknown expectation"));
            }
        }
        let mut codings = self.fields.all(Known::Te).flat_map(|field| token::list(field.value.of(buf)));
        self.te_trailers = codings.any(|coding| token::eq_ignore_case(coding, b"trailers"));
        Ok(())
    }

    /// RFC 9112 §3.2 and §3.2.2.
    fn decide_host(&self, buf: &[u8]) -> Result<Option<Host>, &'static str> {
        let mut hosts = self.fields.all(Known::Host).map(|field| field.value);
        let field = hosts.next();
        if hosts.next().is_some() {
            return Err("several Host fields");
        }
        let span = match (field, self.line.target.authority) {
            (None, _) if self.version() == Version::Http11 => return Err("no Host"),
            (None, None) => return Ok(None),
            (Some(host), None) => host,
            (None, Some(authority)) => authority,
            (Some(host), Some(authority)) if token::eq_ignore_case(host.of(buf), authority.of(buf)) => {
                authority
            }
            (Some(host), Some(authority)) => {
                let default_port = self.line.target.default_port;
                if !Authority::is_same(host.of(buf), authority.of(buf), default_port)? {
                    return Err("Host contradicts the request target");
                }
                // The target gets the client's `Host`.
                host
            }
        };
        if span.is_empty() {
            return Err("empty Host");
        }
        let authority = Authority::parse(span.of(buf))?;
        Ok(Some(Host { span, name: span.part(0, authority.name_bytes), port: authority.port }))
    }
}

/// Where the request line starts; `None` if that is not known yet. Bytes that cannot be HTTP are refused at the first
/// byte, so that a TLS client does not wait.
fn message_start(buf: &[u8]) -> Result<Option<u32>, HeadError> {
    let start = if buf.starts_with(b"\r\n") { 2 } else { 0 };
    match buf.get(start) {
        None => Ok(None),
        Some(b'\r') if start == 0 && buf.len() == 1 => Ok(None),
        Some(byte) if token::is_token_byte(*byte) => Ok(Some(start as u32)),
        Some(b'\r' | b'\n') => Err(HeadError::new(Failure::RequestMalformed, "no request line")),
        Some(_) => Err(HeadError::new(Failure::RequestMalformed, "not HTTP")),
    }
}

#[cold]
fn refused((fault, detail): Refusal) -> HeadError {
    let failure = match fault {
        Fault::Malformed => Failure::RequestMalformed,
        Fault::TooLarge => Failure::RequestFieldsTooLarge,
        Fault::Framing => Failure::RequestFraming,
        Fault::Coding => Failure::RequestTransferCoding,
    };
    HeadError::new(failure, detail)
}
