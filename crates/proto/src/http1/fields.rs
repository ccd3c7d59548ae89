//! The fields of a head, and what they say about the connection and the length of the body. Shared by requests and
//! responses, which map a fault to their own failure.

use model::HttpLimits;

use super::lines::{LineFault, Lines};
use super::{Field, Known, Names, Span, token};

/// The field lines read so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    list: Vec<Field>,
    /// Bytes of the lines, without CRLF.
    bytes: usize,
    /// The known names that occur, as bits. Aliases are not included.
    seen: u32,
    has_alias: bool,
    content_length: Option<u64>,
    /// The value as it was sent.
    length_value: Span,
    transfer_encoding: Option<Span>,
    connection: Connection,
}

/// The content of the `Connection` fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connection {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    /// It lists a name that may be one of a field.
    pub(super) lists_fields: bool,
}

/// How the body ends, according to the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Unsaid,
    Length(u64),
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Malformed,
    TooLarge,
    /// The end of the body is ambiguous.
    Framing,
    /// A transfer coding that we do not know.
    Coding,
}

/// A fault and its exact cause.
pub(super) type Refusal = (Fault, &'static str);

impl Fields {
    /// Removes the fields and keeps their memory.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.bytes = 0;
        self.seen = 0;
        self.has_alias = false;
        self.length_value = Span::default();
        self.content_length = None;
        self.transfer_encoding = None;
        self.connection = Connection::default();
    }

    pub(super) fn list(&self) -> &[Field] {
        &self.list
    }

    pub(super) fn connection(&self) -> Connection {
        self.connection
    }

    pub(super) const fn has(&self, known: Known) -> bool {
        self.seen & known.bit() != 0
    }

    /// All field lines as one span, if every known name in the head is one of `names` and no field is an alias.
    pub(super) fn together(&self, names: Names) -> Option<Span> {
        let (first, last) = (self.list.first()?, self.list.last()?);
        let all = Span { start: first.line.start, end: last.line.end };
        (names.hold(self.seen) && !self.has_alias).then_some(all)
    }

    /// The value of `Content-Length` as it was sent; empty without one.
    pub(super) const fn length_value(&self) -> Span {
        self.length_value
    }

    /// The fields of this name, in order.
    pub(super) fn all(&self, known: Known) -> impl Iterator<Item = &Field> {
        // The bit avoids the walk in the common case that there is none.
        let list = if self.has(known) { self.list.as_slice() } else { &[] };
        list.iter().filter(move |field| field.is(known))
    }

    /// Reads the lines that have arrived; `true` once the empty line at the end of the head is read.
    pub(super) fn read(
        &mut self,
        lines: &mut Lines,
        buf: &[u8],
        limits: &HttpLimits,
    ) -> Result<bool, Refusal> {
        loop {
            if self.read_ordinary(lines, buf, limits)? {
                return Ok(true);
            }
            match buf.get(lines.start()) {
                None => return Ok(false),
                Some(b'\r') => {}
                Some(_) if self.list.len() >= usize::from(limits.fields_count) => {
                    return Err((Fault::TooLarge, "too many fields"));
                }
                Some(_) => {}
            }
            let line = match lines.next(buf, self.room(limits)) {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(false),
                Err(LineFault::Malformed(detail)) => return Err((Fault::Malformed, detail)),
                Err(LineFault::TooLong) if self.room(limits) < limits.field_bytes as usize => {
                    return Err((Fault::TooLarge, "fields too large together"));
                }
                Err(LineFault::TooLong) => return Err((Fault::TooLarge, "field too large")),
            };
            if line.is_empty() {
                return Ok(true);
            }
            let field = Field::parse(buf, line).map_err(|detail| (Fault::Malformed, detail))?;
            self.add(buf, field)?;
        }
    }

    /// Reads lines while they are ordinary; `true` once the empty line is read.
    #[inline]
    fn read_ordinary(&mut self, lines: &mut Lines, buf: &[u8], limits: &HttpLimits) -> Result<bool, Refusal> {
        // invariant: only lines that were not scanned before, so that no line is scanned more than twice.
        while lines.is_fresh() {
            let start = lines.start();
            if buf.get(start..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
                lines.begin_at(start as u32 + 2);
                return Ok(true);
            }
            if self.list.len() >= usize::from(limits.fields_count) {
                break;
            }
            let Some(field) = Field::ordinary(buf, start, self.room(limits)) else { break };
            lines.begin_at(field.line.end);
            self.add(buf, field)?;
        }
        Ok(false)
    }

    /// The maximum length of the next line.
    fn room(&self, limits: &HttpLimits) -> usize {
        (limits.fields_bytes as usize).saturating_sub(self.bytes).min(limits.field_bytes as usize)
    }

    #[inline]
    fn add(&mut self, buf: &[u8], field: Field) -> Result<(), Refusal> {
        self.bytes += field.line.len() - 2;
        self.note(buf, &field)?;
        self.list.push(field);
        Ok(())
    }

    /// Reads `Connection` once all fields are there, and marks the fields that it lists.
    pub(super) fn apply_connection(&mut self, buf: &[u8]) -> Result<(), Refusal> {
        if !self.has(Known::Connection) {
            return Ok(());
        }
        let mut options = 0;
        for place in 0..self.list.len() {
            let field = self.list[place];
            if !field.is(Known::Connection) {
                continue;
            }
            let value = field.value.of(buf);
            // The value that nearly every client sends lists no field, unless there is a `Keep-Alive`.
            if token::eq_ignore_case(value, b"keep-alive") && !self.has(Known::KeepAlive) {
                self.connection.keep_alive = true;
                continue;
            }
            for option in token::list(value) {
                options += 1;
                // limit: every option is compared with every field
                if options > CONNECTION_OPTIONS_MAX {
                    return Err((Fault::TooLarge, "too many Connection options"));
                }
                self.apply_option(buf, option);
            }
        }
        Ok(())
    }

    /// Where the body ends, according to the fields alone (RFC 9112 §6.3).
    pub(super) fn framing(&self, buf: &[u8]) -> Result<Framing, Refusal> {
        match (self.transfer_encoding, self.content_length) {
            (None, None) => Ok(Framing::Unsaid),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (Some(_), Some(_)) => Err((Fault::Framing, "Content-Length with Transfer-Encoding")),
            (Some(coding), None) => check_coding(coding.of(buf)).map(|()| Framing::Chunked),
        }
    }

    /// Stores what decides the framing. A repeated framing field is refused, even if the values are equal.
    #[inline]
    fn note(&mut self, buf: &[u8], field: &Field) -> Result<(), Refusal> {
        if field.known == Known::Other || field.alias {
            self.has_alias |= field.alias;
            return Ok(());
        }
        let repeated = self.has(field.known);
        self.seen |= field.known.bit();
        match field.known {
            Known::ContentLength if repeated => Err((Fault::Framing, "several Content-Length fields")),
            Known::ContentLength => {
                self.length_value = field.value;
                let length = token::number(field.value.of(buf)).filter(|length| *length <= LENGTH_MAX);
                self.content_length =
                    Some(length.ok_or((Fault::Framing, "Content-Length is not a number below 2^63"))?);
                Ok(())
            }
            Known::TransferEncoding if repeated => Err((Fault::Framing, "several Transfer-Encoding fields")),
            Known::TransferEncoding => {
                self.transfer_encoding = Some(field.value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn apply_option(&mut self, buf: &[u8], option: &[u8]) {
        let known = Known::of(option);
        match known {
            Known::KeepAlive => self.connection.keep_alive = true,
            Known::Upgrade => self.connection.upgrade = true,
            Known::Other if token::eq_ignore_case(option, b"close") => {
                self.connection.close = true;
                return;
            }
            _ => {}
        }
        self.connection.lists_fields |= known == Known::Other && !is_end_to_end(known, option);
        if (known != Known::Other && !self.has(known)) || is_end_to_end(known, option) {
            return;
        }
        for field in &mut self.list {
            let named = if known == Known::Other {
                field.name.len() == option.len() && token::eq_ignore_case(field.name.of(buf), option)
            } else {
                field.is(known)
            };
            field.named_by_connection |= named;
        }
    }
}

/// Fields that `Connection` cannot make hop-by-hop (KA4): without them the message would change its meaning or its
/// length, or lack what the other side judges it by.
fn is_end_to_end(known: Known, name: &[u8]) -> bool {
    match known {
        Known::Host
        | Known::ContentLength
        | Known::TransferEncoding
        | Known::Expect
        | Known::Cookie
        | Known::SetCookie
        | Known::Location
        | Known::Date => true,
        Known::Other => {
            let is = |kept: &[u8]| token::eq_ignore_case(kept, name);
            let begins =
                |start: &[u8]| name.get(..start.len()).is_some_and(|own| token::eq_ignore_case(start, own));
            [&b"authorization"[..], b"cache-control", b"origin"].into_iter().any(is)
                || [&b"content-"[..], b"sec-websocket-"].into_iter().any(begins)
        }
        _ => false,
    }
}

/// Refuses every Transfer-Encoding except a single `chunked` without parameters (RFC 9112 §6.1).
fn check_coding(value: &[u8]) -> Result<(), Refusal> {
    if token::eq_ignore_case(value, b"chunked") {
        return Ok(());
    }
    let (mut chunked, mut unknown) = (false, false);
    for coding in token::list(value) {
        if chunked || !token::is_token(coding) {
            return Err((Fault::Framing, "invalid Transfer-Encoding"));
        }
        chunked = token::eq_ignore_case(coding, b"chunked");
        unknown |= !chunked;
    }
    if unknown {
        Err((Fault::Coding, "unknown transfer coding"))
    } else {
        Err((Fault::Framing, "invalid Transfer-Encoding"))
    }
}

/// limit: a larger length would be negative for a reader that stores it as a signed number.
const LENGTH_MAX: u64 = i64::MAX as u64;
/// limit: options in all `Connection` fields of a head.
const CONNECTION_OPTIONS_MAX: usize = 64;
