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
        let is_websocket = |name: &[u8]| token::eq_ignore_case(name, b"websocket");
        let mut names =
            self.head.fields_of(Known::Upgrade).flat_map(|field| token::list(self.text(field.value)));
        self.head.upgrade()
            && self.head.method() == Method::Get
            && matches!(self.head.body(), BodyLength::None | BodyLength::Length(0))
            && names.next().is_some_and(is_websocket)
            && names.all(is_websocket)
    }

    /// How many more times the request may be forwarded. Only OPTIONS and TRACE are limited by it (RFC 9110 §7.6.2); `None`: no
    /// limit, or none that is a number.
    pub(crate) fn forwards_left(&self) -> Option<u64> {
        if !matches!(self.head.method(), Method::Options | Method::Trace) {
            return None;
        }
        let is_number = |value: &&[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = |value: &[u8]| str::from_utf8(value).ok()?.parse().ok();
        // A number too large for 64 bits is no limit.
        self.values(b"max-forwards").filter(is_number).map(|value| number(value).unwrap_or(u64::MAX)).min()
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

#[cfg(test)]
mod tests {
    use crate::fixture::Request;

    #[test]
    fn a_path_and_a_host_are_read_from_any_form_of_target() {
        for (head, path, host_name, host) in [
            ("GET /a/../b?q HTTP/1.1\nHost: A.example.:81", "/a/../b", "A.example", Some("A.example.:81")),
            ("GET http://a:81?q HTTP/1.1\nHost: a:81", "/", "a", Some("a:81")),
            ("GET http://A HTTP/1.1\nHost: a", "/", "A", Some("A")),
            ("OPTIONS * HTTP/1.1\nHost: [::1]:81", "*", "[::1]", Some("[::1]:81")),
            ("GET / HTTP/1.0", "/", "", None),
        ] {
            let request = Request::new(head);
            let text = request.text();
            let found = (text.path(), text.host_name(), text.host());
            assert_eq!(found, (path.as_bytes(), host_name.as_bytes(), host.map(str::as_bytes)), "{head}");
        }
    }

    #[test]
    fn a_websocket_is_asked_for_by_a_get_of_http_1_1_without_a_body() {
        let both = "Connection: keep-alive, upgrade\nUpgrade: WebSocket";
        for (line, fields, expected) in [
            ("GET / HTTP/1.1", both, true),
            ("GET / HTTP/1.1", "upgrade: websocket\nUpgrade:websocket\nconnection:UPGRADE", true),
            ("GET / HTTP/1.1", &format!("{both}\nContent-Length: 0"), true),
            ("GET / HTTP/1.1", &format!("{both}\nContent-Length: 1"), false),
            ("GET / HTTP/1.1", &format!("{both}\nTransfer-Encoding: chunked"), false),
            ("GET / HTTP/1.1", &format!("{both}\nUpgrade: h2c"), false),
            ("GET / HTTP/1.1", "Connection: upgrade\nUpgrade: websocket, h2c", false),
            ("GET / HTTP/1.1", "Connection: ,upgrade\nUpgrade: ,websocket ,", true),
            ("GET / HTTP/1.1", "Connection: upgrade\nUpgrade: ,", false),
            ("GET / HTTP/1.1", "Connection: upgrade\nUpgrade: h2c", false),
            ("GET / HTTP/1.1", "Connection: upgrade", false),
            ("GET / HTTP/1.1", "Upgrade: websocket", false),
            ("POST / HTTP/1.1", both, false),
            ("HEAD / HTTP/1.1", both, false),
            ("GET / HTTP/1.0", both, false),
        ] {
            let request = Request::new(&format!("{line}\nHost: a\n{fields}"));
            assert_eq!(request.text().asks_for_websocket(), expected, "{line} {fields}");
            assert_eq!(request.text().takes_chunks(), line.ends_with("1.1"));
        }
    }

    #[test]
    fn the_values_of_a_name_come_in_their_order() {
        let request = Request::new("GET / HTTP/1.1\nHost: a\nX-A: 1\nX_A: 2\nx-a:  3 \nX-AB: 4\nX-A:");
        let values: Vec<_> = request.text().values(b"x-A").collect();
        assert_eq!(values, [&b"1"[..], b"3", b""]);
        assert_eq!(request.text().values(b"x-b").next(), None);
    }
}
