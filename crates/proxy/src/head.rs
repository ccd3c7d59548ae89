//! Parsed heads together with their bytes.

use proto::http1::{BodyLength, Field, Known, Method, RequestHead, ResponseHead, Span, Version, token};

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestText<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) bytes: &'a [u8],
}

impl<'a> RequestText<'a> {
    pub(crate) fn text(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }

    /// The value of the first field of this name.
    pub(crate) fn field(&self, known: Known) -> Option<&'a [u8]> {
        self.head.fields_of(known).next().map(|field| self.text(field.value))
    }

    /// The values of all fields of this name, in their order. `name` compares without case.
    pub(crate) fn values(&self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        values(self.head.fields(), self.bytes, name)
    }

    /// The path as sent; `/` where an absolute target has none.
    pub(crate) fn path(&self) -> &'a [u8] {
        match self.text(self.head.path()) {
            [] => b"/",
            path => path,
        }
    }

    /// The host's name without port and final dot; empty without one.
    pub(crate) fn host_name(&self) -> &'a [u8] {
        let name = self.head.host_name().map_or(&[][..], |span| self.text(span));
        name.strip_suffix(b".").unwrap_or(name)
    }

    /// The host with its port; `None` where it is missing or empty.
    pub(crate) fn host(&self) -> Option<&'a [u8]> {
        self.head.host().map(|span| self.text(span)).filter(|host| !host.is_empty())
    }

    /// Whether the client asks for a WebSocket, the one protocol that may be switched to: another, such as `h2c`, would
    /// bypass rules, limits and logs. It is asked for by a GET without a body (RFC 6455 §4.1): a body would be the
    /// tunnel's first bytes to a target that switches without reading it.
    pub(crate) fn asks_for_websocket(&self) -> bool {
        let is_websocket = |field: &Field| token::eq_ignore_case(self.text(field.value), b"websocket");
        self.head.upgrade()
            && self.head.method() == Method::Get
            && matches!(self.head.body(), BodyLength::None | BodyLength::Length(0))
            && self.head.fields_of(Known::Upgrade).all(is_websocket)
    }

    /// Whether a response to this request may be chunked.
    pub(crate) fn takes_chunks(&self) -> bool {
        self.head.version() == Version::Http11
    }
}

/// The head of a target's response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseText<'a> {
    pub(crate) head: &'a ResponseHead,
    pub(crate) bytes: &'a [u8],
}

impl<'a> ResponseText<'a> {
    pub(crate) fn text(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }

    /// The values of all fields of this name, in their order. `name` compares without case.
    pub(crate) fn values(&self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        values(self.head.fields(), self.bytes, name)
    }
}

fn values<'a>(
    fields: &'a [Field],
    bytes: &'a [u8],
    name: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let named = move |field: &&Field| token::eq_ignore_case(field.name.of(bytes), name);
    fields.iter().filter(named).map(|field| field.value.of(bytes))
}
