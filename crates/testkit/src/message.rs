//! An HTTP/1 message as received: request or response.

use crate::wire::Framing;

/// A received message. It is not validated.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The bytes of the head, including the empty line.
    pub raw_head: Vec<u8>,
    /// Request line or status line.
    pub start: String,
    /// In the order and spelling received.
    pub fields: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
    /// The number of chunks of the body.
    pub chunks: usize,
    pub trailers: Vec<String>,
    /// The body ended as its framing says.
    pub is_complete: bool,
}

impl Message {
    pub(crate) fn from_head(raw_head: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&raw_head).into_owned();
        let mut lines = text.split("\r\n").map(str::to_owned);
        let start = lines.next().unwrap_or_default();
        let fields = lines
            .filter_map(|line| {
                line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            })
            .collect();
        Self { raw_head, start, fields, ..Self::default() }
    }

    /// The status of a response.
    #[track_caller]
    pub fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("not a status line: {:?}", self.start))
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The request target: path and query as sent.
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All fields of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The error type and the reason word of `Proxy-Status`.
    pub fn proxy_status(&self) -> Option<(String, String)> {
        let field = self.field("proxy-status")?;
        let error = field.split("error=").nth(1)?.split(';').next()?.trim();
        let reason = field.split("details=\"").nth(1)?.trim_end_matches('"');
        Some((error.to_owned(), reason.to_owned()))
    }

    /// The reason word in `Proxy-Status`; empty without one.
    pub fn reason(&self) -> String {
        self.proxy_status().map(|(_, reason)| reason).unwrap_or_default()
    }

    pub(crate) fn request_framing(&self) -> Framing {
        self.told_framing().unwrap_or(Framing::None)
    }

    pub(crate) fn response_framing(&self, to_head: bool) -> Framing {
        match self.status() {
            100..=199 | 204 | 304 => Framing::None,
            _ if to_head => Framing::None,
            _ => self.told_framing().unwrap_or(Framing::UntilClose),
        }
    }

    fn told_framing(&self) -> Option<Framing> {
        if self.all("transfer-encoding").iter().any(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Some(Framing::Chunked);
        }
        self.field("content-length")?.parse().ok().map(Framing::Length)
    }
}

/// The bytes of a 200 with this body.
pub fn ok(body: &str) -> Vec<u8> {
    response(200, "", body)
}

/// The bytes of a response. `fields` are whole lines, each with its CRLF.
pub fn response(status: u16, fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Because\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
