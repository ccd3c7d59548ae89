//! The request line (RFC 9112 §3).

use model::Failure;

use super::{HeadError, Span, Version, token, word};

/// The method of a request (RFC 9110 §9, RFC 5789). Methods are case-sensitive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
    Trace,
    Connect,
    Other,
}

impl Method {
    pub fn of(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"PATCH" => Self::Patch,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }

    /// Its semantics anticipate content: without any, its length is said to be 0 (RFC 9110 §8.6). Of a method that is not
    /// known here this is not known.
    pub const fn expects_content(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }

    /// Safe: asks for no change (RFC 9110 §9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options | Self::Trace)
    }

    /// Idempotent: sending it twice has the effect of once (RFC 9110 §9.2.2).
    pub const fn is_idempotent(self) -> bool {
        self.is_safe() || matches!(self, Self::Put | Self::Delete)
    }
}

/// The form of the request target (RFC 9112 §3.2). Authority-form belongs to `CONNECT`, which is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetForm {
    #[default]
    Origin,
    Absolute,
    Asterisk,
}

/// A parsed request line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestLine {
    pub(super) method: Method,
    pub(super) method_span: Span,
    pub(super) target: Target,
    pub(super) version: Version,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Target {
    pub(super) span: Span,
    pub(super) form: TargetForm,
    /// In absolute-form only.
    pub(super) authority: Option<Span>,
    /// Of the scheme, in absolute-form only.
    pub(super) default_port: u16,
    /// Empty if an absolute-form ends with its authority.
    pub(super) path: Span,
    pub(super) query: Option<Span>,
}

impl RequestLine {
    /// Reads the line at `at`, which contains no control byte but HTAB.
    #[inline]
    pub(super) fn parse(&mut self, buf: &[u8], at: Span) -> Result<(), HeadError> {
        let line = at.of(buf);
        let Some(method_end) = word::find(line, |bytes| word::equal(bytes, b' ')) else {
            return Err(malformed("request line without a space"));
        };
        let name = &line[..method_end];
        let method = Method::of(name);
        if method == Method::Other {
            check_other(name)?;
        }
        let (rest, version) = split_version(line)?;
        if method == Method::Connect {
            return Err(HeadError::new(Failure::RequestMethod, "CONNECT"));
        }
        if rest.len() <= method_end + 1 {
            return Err(malformed("no request target"));
        }
        self.method = method;
        self.method_span = at.part(0, method_end);
        self.version = version;
        self.target.parse(buf, at.part(method_end + 1, rest.len()), method)
    }
}

impl Target {
    /// Reads the target at `at`. Every part is written in place as it is found: building a target and moving it costs
    /// more than reading it.
    #[inline]
    fn parse(&mut self, buf: &[u8], at: Span, method: Method) -> Result<(), HeadError> {
        let bytes = at.of(buf);
        let path_end = match word::find(bytes, ends_path) {
            None => bytes.len(),
            Some(end) if bytes[end] == b'?' => end,
            Some(end) => return Err(malformed(target_fault(bytes[end]))),
        };
        self.span = at;
        self.path = at.part(0, path_end);
        if path_end < bytes.len() {
            if let Some(fault) = word::find(&bytes[path_end..], unfit_in_target) {
                return Err(malformed(target_fault(bytes[path_end + fault])));
            }
            self.query = Some(at.part(path_end + 1, bytes.len()));
        }
        match bytes {
            [b'/', ..] => self.form = TargetForm::Origin,
            b"*" if method == Method::Options => self.form = TargetForm::Asterisk,
            b"*" => return Err(malformed("asterisk without OPTIONS")),
            _ => self.split_authority(buf)?,
        }
        Ok(())
    }

    /// Reads the absolute-form of a target that does not start with `/`.
    fn split_authority(&mut self, buf: &[u8]) -> Result<(), HeadError> {
        let before_query = self.path.of(buf);
        let (scheme_bytes, default_port) = [(&b"http://"[..], 80), (b"https://", 443)]
            .into_iter()
            .find(|(scheme, _)| {
                before_query.get(..scheme.len()).is_some_and(|start| token::eq_ignore_case(start, scheme))
            })
            .map(|(scheme, port)| (scheme.len(), port))
            .ok_or_else(|| malformed("request target of no known form"))?;
        let authority_bytes = before_query[scheme_bytes..].iter().position(|byte| *byte == b'/');
        let path_start = authority_bytes.map_or(before_query.len(), |bytes| scheme_bytes + bytes);
        if path_start == scheme_bytes {
            return Err(HeadError::new(Failure::RequestHost, "absolute target without a host"));
        }
        self.form = TargetForm::Absolute;
        self.default_port = default_port;
        self.authority = Some(self.path.part(scheme_bytes, path_start));
        self.path = self.path.part(path_start, before_query.len());
        Ok(())
    }
}

/// Reads a method that is not one of the known ones. Some targets take `get` for `GET`, so it could evade a rule for
/// `GET`.
fn check_other(name: &[u8]) -> Result<(), HeadError> {
    if !token::is_token(name) {
        return Err(malformed("method is not a token"));
    }
    if name.iter().any(u8::is_ascii_lowercase) {
        return Err(malformed("method in lower case"));
    }
    Ok(())
}

/// Splits the version and the single space before it off the end of the line.
fn split_version(line: &[u8]) -> Result<(&[u8], Version), HeadError> {
    let Some((rest, version)) = line.split_last_chunk::<9>() else {
        return Err(malformed("no HTTP version"));
    };
    match version {
        b" HTTP/1.1" => Ok((rest, Version::Http11)),
        b" HTTP/1.0" => Ok((rest, Version::Http10)),
        [b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(HeadError::new(Failure::RequestVersion, "not HTTP/1.0 or HTTP/1.1"))
        }
        _ => Err(malformed("no HTTP version")),
    }
}

/// Marks bytes that no target may contain: white space, non-ASCII bytes, and `#`, which clients must not send.
#[inline]
const fn unfit_in_target(bytes: u64) -> u64 {
    // As in `word::less` and `word::equal`, but without a mask for bytes with the top bit: they are marked themselves.
    let marks =
        bytes.wrapping_sub(word::splat(0x21)) | (bytes ^ word::splat(b'#')).wrapping_sub(word::splat(1));
    word::high(marks | bytes)
}

/// Marks the same bytes, and `?`.
#[inline]
const fn ends_path(bytes: u64) -> u64 {
    unfit_in_target(bytes) | word::high((bytes ^ word::splat(b'?')).wrapping_sub(word::splat(1)))
}

#[cold]
fn target_fault(byte: u8) -> &'static str {
    match byte {
        b'#' => "fragment in the request target",
        0x80.. => "request target is not ASCII",
        _ => "white space in the request line",
    }
}

const fn malformed(detail: &'static str) -> HeadError {
    HeadError::new(Failure::RequestMalformed, detail)
}
