//! The prepared responses: head and body as sent on the wire.

/// Every response in two forms: keep-alive and closing.
#[derive(Debug)]
pub(crate) struct Responses {
    small: Response,
    kib_10: Response,
    text: Response,
    mib_1: Response,
    unknown: Response,
}

/// `close` carries `Connection: close`.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) keep: Vec<u8>,
    pub(crate) close: Vec<u8>,
}

impl Responses {
    pub(crate) fn new() -> Self {
        Self {
            small: Response::new("200 OK", b"Hello, world!"),
            kib_10: Response::new("200 OK", &[b'k'; 10 * 1024]),
            text: Response::new("200 OK", &text(10 * 1024)),
            mib_1: Response::new("200 OK", &vec![b'm'; 1024 * 1024]),
            unknown: Response::new("404 Not Found", b"no such path"),
        }
    }

    /// `head` begins with the request line.
    pub(crate) fn find(&self, head: &[u8]) -> &Response {
        let path = head.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        match path {
            b"/small" => &self.small,
            b"/10k" => &self.kib_10,
            b"/text" => &self.text,
            b"/1m" => &self.mib_1,
            _ => &self.unknown,
        }
    }
}

impl Response {
    fn new(status: &str, body: &[u8]) -> Self {
        let build = |connection: &str| {
            let head = format!(
                "HTTP/1.1 {status}\r\nServer: bench-target\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
                 Content-Type: text/plain\r\nCache-Control: max-age=60\r\nContent-Length: {}\r\n{connection}\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        Self { keep: build(""), close: build("Connection: close\r\n") }
    }
}

/// Text like that of a web page, always the same.
fn text(length: usize) -> Vec<u8> {
    const WORDS: [&str; 32] = [
        "the",
        "balancer",
        "listener",
        "of",
        "a",
        "request",
        "target",
        "and",
        "connection",
        "is",
        "to",
        "when",
        "time",
        "response",
        "in",
        "worker",
        "that",
        "which",
        "header",
        "body",
        "for",
        "with",
        "client",
        "limit",
        "it",
        "second",
        "between",
        "closed",
        "address",
        "weight",
        "group",
        "rule",
    ];
    let mut state = 1_u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut text = Vec::with_capacity(length + 64);
    while text.len() < length {
        let word = WORDS[(number() % WORDS.len() as u64) as usize];
        let piece = match number() % 12 {
            0 => format!("<li class=\"item\">{word} {}</li>\n", number() % 100_000),
            1 => format!("{word}.\n"),
            _ => format!("{word} "),
        };
        text.extend_from_slice(piece.as_bytes());
    }
    text.truncate(length);
    text
}

/// True if the head contains `Connection: close`. Names and values are compared without regard to case.
pub(crate) fn asks_for_close(head: &[u8]) -> bool {
    head.split(|&byte| byte == b'\n').skip(1).any(|line| {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return false };
        let (name, value) = line.split_at(colon);
        name.eq_ignore_ascii_case(b"connection") && value[1..].trim_ascii().eq_ignore_ascii_case(b"close")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_chooses_the_body() {
        let responses = Responses::new();
        for (path, length) in
            [("/small", 13), ("/10k", 10_240), ("/text", 10_240), ("/1m", 1_048_576), ("/other", 12)]
        {
            let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            let response = &responses.find(head.as_bytes()).keep;
            let end = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            let text = String::from_utf8(response[..end].to_vec()).unwrap();
            assert!(text.contains(&format!("Content-Length: {length}\r\n")), "{text}");
            assert_eq!(response.len() - end, length, "{path}");
        }
    }

    #[test]
    fn an_invalid_head_gets_a_404() {
        let responses = Responses::new();
        assert!(responses.find(b"\r\n\r\n").keep.starts_with(b"HTTP/1.1 404 "));
    }

    #[test]
    fn close_is_read_without_case() {
        for (field, expected) in [
            ("Connection: close", true),
            ("connection:CLOSE", true),
            ("Connection: keep-alive", false),
            ("X-Connection: close", false),
            ("no colon", false),
        ] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
            assert_eq!(asks_for_close(head.as_bytes()), expected, "{field}");
        }
    }
}
