//! Reads the response to a probe as `proxy` reads that to a request: by the same parser, the same limits and the same
//! framing, so that a target is healthy only if requests to it would succeed.

use balance::InterimBudget;
use model::HttpLimits;
use proto::http1::{ChunkError, Chunks, HeadError, Method, Progress, ResponseBody, ResponseHead};

/// A response, read as it arrives.
#[derive(Debug)]
pub(super) struct Answer {
    limits: HttpLimits,
    head: ResponseHead,
    /// What has arrived and was not read.
    input: Vec<u8>,
    part: Part,
    interim: InterimBudget,
    /// limit: bytes of the body that are read. A longer body is as good as a complete one.
    body_left: usize,
}

#[derive(Debug)]
enum Part {
    Head,
    Length(u64),
    Chunked(Chunks),
    UntilClose,
    Complete,
}

impl Answer {
    pub(super) fn new(limits: HttpLimits) -> Self {
        Self {
            limits,
            head: ResponseHead::new(),
            input: Vec::new(),
            part: Part::Head,
            interim: InterimBudget::new(0),
            body_left: BODY_BYTES_MAX,
        }
    }

    /// Takes bytes that have arrived `nanos` after the request was sent. Returns the status once the response is complete.
    ///
    /// # Errors
    /// What is wrong with the response, for operators.
    pub(super) fn take(&mut self, bytes: &[u8], nanos: u64) -> Result<Option<u16>, String> {
        self.input.extend_from_slice(bytes);
        while matches!(self.part, Part::Head) {
            let parsed = self.head.parse(&self.input, &self.limits).map_err(|error| malformed(&error))?;
            let Progress::Complete { head_bytes } = parsed else { return Ok(None) };
            self.input.drain(..head_bytes);
            match self.head.status() {
                101 => return Err("101 to a request that asked for no other protocol".to_owned()),
                100..=199 if !self.interim.take(nanos, head_bytes) => {
                    return Err("too many interim responses".to_owned());
                }
                100..=199 => self.head.clear(),
                _ => self.part = Part::of(self.head.body_length(Method::Get)),
            }
        }
        self.take_body()?;
        Ok(matches!(self.part, Part::Complete).then(|| self.head.status()))
    }

    /// The target has closed: the status, if that ends the response.
    ///
    /// # Errors
    /// The response is not complete.
    pub(super) fn end(&self) -> Result<u16, String> {
        let within = match self.part {
            Part::UntilClose | Part::Complete => return Ok(self.head.status()),
            Part::Head if self.input.is_empty() => "before its response",
            Part::Head => "within the response's head",
            Part::Length(_) | Part::Chunked(_) => "within the response's body",
        };
        Err(format!("closed {within}"))
    }

    fn take_body(&mut self) -> Result<(), String> {
        let read = self.input.len();
        let is_complete = match &mut self.part {
            Part::Head | Part::UntilClose => false,
            Part::Complete => true,
            Part::Length(left) => {
                *left = left.saturating_sub(read as u64);
                *left == 0
            }
            Part::Chunked(chunks) => {
                let refused = |error: ChunkError| format!("malformed body: {}", error.detail);
                chunks.decode(&mut self.input, &self.limits).map_err(refused)?;
                chunks.is_complete()
            }
        };
        self.input.clear();
        self.body_left = self.body_left.saturating_sub(read);
        if is_complete || self.body_left == 0 {
            self.part = Part::Complete;
        }
        Ok(())
    }
}

impl Part {
    fn of(body: ResponseBody) -> Self {
        match body {
            ResponseBody::None | ResponseBody::Length(0) => Self::Complete,
            ResponseBody::Length(length) => Self::Length(length),
            ResponseBody::Chunked => Self::Chunked(Chunks::new()),
            ResponseBody::UntilClose => Self::UntilClose,
        }
    }
}

/// With the reason word that a request would fail with.
fn malformed(error: &HeadError) -> String {
    format!("{}: {}", error.failure.outcome().reason, error.detail)
}

pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` in pieces of `size` bytes, then the end.
    fn read(text: &[u8], size: usize) -> Result<u16, String> {
        let mut answer = Answer::new(HttpLimits { fields_count: 4, ..HttpLimits::default() });
        for piece in text.chunks(size) {
            if let Some(status) = answer.take(piece, 0)? {
                return Ok(status);
            }
        }
        answer.end()
    }

    #[test]
    fn a_response_succeeds_where_that_to_a_request_would() {
        let endless =
            [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".as_slice(), &[b'x'; 70_000]].concat();
        let head_too_long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; 70_000]].concat();
        let interims = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(17);
        let cases: [(&[u8], Result<u16, &str>); 22] = [
            (b"HTTP/1.1 204 No\r\n\r\n", Ok(204)),
            (b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", Ok(304)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Ok(200)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more", Ok(200)),
            (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n", Ok(503)),
            (b"HTTP/1.0 200 OK\r\n\r\nuntil it closes", Ok(200)),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Ok(200)),
            (b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n", Ok(200)),
            (&endless, Ok(200)),
            (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", Ok(204)),
            (b"", Err("closed before its response")),
            (b"HTTP/1.1 200 OK\r\n", Err("closed within the response's head")),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Err("closed within the response's body")),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                Err("malformed body: chunk without a size"),
            ),
            (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                Err("101 to a request that asked for no other protocol"),
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                Err("target_response_framing: several Content-Length fields"),
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                Err("target_response_framing: Content-Length with Transfer-Encoding"),
            ),
            (
                b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n\r\n",
                Err("target_response_fields_too_large: too many fields"),
            ),
            (&head_too_long, Err("target_response_fields_too_large: field too large")),
            (&interims, Err("too many interim responses")),
            (
                b"\0\0\x12\x04\0\0\0\0\0",
                Err(
                    "target_response_malformed: a frame of HTTP/2: the target expects HTTP/2; `protocol` of its group says HTTP/1",
                ),
            ),
            (
                b"\x15\x03\x01\x00\x02\x02\x46",
                Err(
                    "target_response_malformed: a TLS alert: the target expects TLS; `protocol` of its group says plain HTTP",
                ),
            ),
        ];
        for (text, expected) in cases {
            for size in [1, 7, 100_000] {
                let expected = expected.map_err(str::to_owned);
                assert_eq!(read(text, size), expected, "{} in {size}", text.escape_ascii());
            }
        }
    }
}
