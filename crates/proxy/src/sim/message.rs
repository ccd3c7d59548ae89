//! A reader of HTTP/1 messages, of the harness's own: what peers received is judged by other code than the proxy's.
//!
//! It knows what the scripts and the proxy write, and panics on anything else.

/// A message as far as it has come.
#[derive(Debug)]
pub(super) struct Message {
    /// The request line or the status line.
    pub(super) first_line: String,
    fields: Vec<(String, String)>,
    /// The body without its framing, as far as it has come.
    pub(super) body: Vec<u8>,
    /// Its framing says that all of it is here.
    pub(super) is_whole: bool,
    /// Bytes that it takes of what was received.
    pub(super) len: usize,
    /// With fewer bytes it cannot be whole.
    pub(super) needs: usize,
    length: Length,
    /// Bytes of what was received and of the body, up to the chunk that is not complete yet.
    chunks: (usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// Only the end of the connection ends the body.
    Unknown,
    Known(usize),
    Chunked,
}

impl Message {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let is_it = |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.fields.iter().find(is_it).map(|(_, value)| value.as_str())
    }

    pub(super) fn says_close(&self) -> bool {
        self.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    pub(super) fn is_until_close(&self) -> bool {
        self.length == Length::Unknown
    }

    /// Takes what more has come; `bytes` begin with the message's own.
    pub(super) fn read_on(&mut self, bytes: &[u8]) {
        match self.length {
            Length::Unknown => {
                self.body.extend(&bytes[self.len..]);
                self.len = bytes.len();
            }
            Length::Known(length) => {
                self.needs = self.len + length - self.body.len();
                let end = self.needs.min(bytes.len());
                self.body.extend(&bytes[self.len..end]);
                self.len = end;
                self.is_whole = end == self.needs;
            }
            Length::Chunked => self.read_chunks(bytes),
        }
    }

    fn read_chunks(&mut self, bytes: &[u8]) {
        self.body.truncate(self.chunks.1);
        self.len = bytes.len();
        while !self.is_whole {
            let rest = &bytes[self.chunks.0..];
            let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return };
            let size = std::str::from_utf8(&rest[..end]).ok();
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.unwrap_or_else(|| panic!("{:?} is not the size of a chunk", &rest[..end]));
            let data = &rest[end + 2..];
            self.body.extend(&data[..size.min(data.len())]);
            if data.len() < size + 2 {
                self.needs = self.chunks.0 + end + 2 + size + 2;
                return;
            }
            assert!(data[size..].starts_with(b"\r\n"), "a chunk does not end where it should");
            self.chunks = (self.chunks.0 + end + 2 + size + 2, self.body.len());
            self.is_whole = size == 0;
        }
        self.len = self.chunks.0;
    }

    fn told_length(&self) -> Option<Length> {
        match (self.field("content-length"), self.field("transfer-encoding")) {
            (None, None) => None,
            (Some(length), None) => Some(Length::Known(length.parse().unwrap())),
            (None, Some("chunked")) => Some(Length::Chunked),
            other => panic!("two ways to read a body: {other:?}"),
        }
    }

    /// Of a response.
    pub(super) fn status(&self) -> u16 {
        let status = self.first_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        status.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{:?}", self.first_line))
    }

    /// Of a request: its method and target.
    pub(super) fn method_and_target(&self) -> (&str, &str) {
        let mut words = self.first_line.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            panic!("{:?} is not a request line", self.first_line)
        };
        (method, target)
    }
}

/// The request at the beginning of `bytes`; `None`: its head is not complete.
pub(super) fn read_request(bytes: &[u8]) -> Option<Message> {
    let mut message = read_head(bytes)?;
    message.length = message.told_length().unwrap_or(Length::Known(0));
    message.read_on(bytes);
    Some(message)
}

/// The response at the beginning of `bytes` to a request with this method; `None`: its head is not complete.
pub(super) fn read_response(bytes: &[u8], method: &str) -> Option<Message> {
    let mut message = read_head(bytes)?;
    let status = message.status();
    let has_body = method != "HEAD" && status >= 200 && !matches!(status, 204 | 304);
    let length = if has_body { message.told_length() } else { Some(Length::Known(0)) };
    message.length = length.unwrap_or(Length::Unknown);
    message.read_on(bytes);
    Some(message)
}

fn read_head(bytes: &[u8]) -> Option<Message> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..end]).unwrap_or_else(|_| {
        panic!("this head is not text: {}", String::from_utf8_lossy(&bytes[..end.min(200)]))
    });
    let mut lines = text.split("\r\n").map(str::to_owned);
    let first_line = lines.next()?;
    let field = |line: String| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is not a field"));
        (name.to_owned(), value.to_owned())
    };
    Some(Message {
        first_line,
        fields: lines.map(field).collect(),
        body: Vec::new(),
        is_whole: false,
        len: end + 4,
        needs: 0,
        length: Length::Known(0),
        chunks: (end + 4, 0),
    })
}
