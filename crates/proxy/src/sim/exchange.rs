//! What is to happen to one request, decided in advance by the seed: what its client sends, and how a target answers.

use std::time::Duration;

use net::sim::Rng;

/// A request and its answer. Its marker, a path of its own, tells it from all others of the seed.
pub(super) struct Exchange {
    pub(super) marker: String,
    pub(super) method: &'static str,
    pub(super) is_http10: bool,
    /// The client says that the request is its connection's last.
    pub(super) says_close: bool,
    pub(super) expects_continue: bool,
    pub(super) is_websocket: bool,
    pub(super) body: Vec<u8>,
    /// Said in a field, so that head and path can be seen to belong together.
    token: String,
    /// The body as it stands on the wire.
    wire_body: Vec<u8>,
    is_chunked: bool,
    pub(super) answer: Answer,
}

/// How a target answers.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) framing: Framing,
    pub(super) body: Vec<u8>,
    /// The body in chunks.
    pub(super) wire_body: Vec<u8>,
    /// Interim responses before it.
    pub(super) interim: usize,
    /// It answers before it has read the body.
    pub(super) is_early: bool,
    /// Between the pieces in which it goes.
    pub(super) pause: Duration,
    pub(super) pieces: usize,
    pub(super) fault: Fault,
    pub(super) after: After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// What goes wrong with an answer; `Within`: behind so many of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    ResetUnanswered,
    CloseUnanswered,
    StallUnanswered,
    ResetWithin(usize),
    CloseWithin(usize),
    StallWithin(usize),
}

/// What a target does with its connection behind a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    /// It closes, and has said so.
    Close,
    /// It closes after a while, as for idleness, whatever comes meanwhile.
    CloseUntold(Duration),
}

/// Which exchanges a family of seeds has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kinds {
    pub(super) target_faults: bool,
    pub(super) websockets: bool,
    pub(super) early_answers: bool,
    /// Early answers are such that only the end of the connection ends, and are broken off; else none is.
    pub(super) early_until_close: bool,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = if self.is_http10 { "1.0" } else { "1.1" };
        write!(f, "{} {} {version}, {} bytes", self.method, self.marker, self.body.len())?;
        let flags = [
            (self.is_chunked, "chunked"),
            (self.says_close, "close"),
            (self.expects_continue, "100-continue"),
            (self.is_websocket, "websocket"),
            (self.answer.is_early, "answered early"),
        ];
        flags.iter().filter(|(is, _)| *is).try_for_each(|(_, flag)| write!(f, ", {flag}"))?;
        let Answer { status, framing, body, interim, fault, after, .. } = &self.answer;
        write!(f, " → {status}, {interim} interim, {framing:?} {} bytes, {fault:?}, {after:?}", body.len())
    }
}

impl Exchange {
    pub(super) fn choose(rng: &mut Rng, marker: String, kinds: Kinds) -> Self {
        let is_websocket = kinds.websockets && rng.one_in(3);
        let method = ["GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE"][rng.size(7)];
        let method = if is_websocket { "GET" } else { method };
        let is_http10 = !is_websocket && rng.one_in(8);
        let has_body = matches!(method, "POST" | "PUT");
        let length = if has_body { size(rng) } else { 0 };
        let body = rng.bytes(length);
        let is_chunked = has_body && !is_http10 && rng.one_in(2);
        let wire_body = if is_chunked { chunks(rng, &body) } else { body.clone() };
        let mut answer =
            Answer::choose(rng, kinds, method, body.len() <= SHORT_BYTES || kinds.early_until_close);
        if is_websocket {
            (answer.status, answer.framing, answer.body) = (101, Framing::Length, rng.bytes(200));
        }
        Self {
            token: format!("{:016x}", rng.word()),
            says_close: !is_websocket && rng.one_in(12),
            expects_continue: has_body && !is_http10 && rng.one_in(5),
            marker,
            method,
            is_http10,
            is_websocket,
            body,
            wire_body,
            is_chunked,
            answer,
        }
    }

    /// The head of the request as its client sends it.
    pub(super) fn head(&self) -> Vec<u8> {
        let version = if self.is_http10 { "1.0" } else { "1.1" };
        let mut head = format!("{} {} HTTP/{version}\r\nHost: a.test\r\n", self.method, self.marker);
        head += &format!("X-Token: {}\r\n", self.token);
        if self.is_chunked {
            head += "Transfer-Encoding: chunked\r\n";
        } else if !self.body.is_empty() || matches!(self.method, "POST" | "PUT") {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        if self.expects_continue {
            head += "Expect: 100-continue\r\n";
        }
        if self.is_websocket {
            head += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
            head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        } else if self.says_close {
            head += "Connection: close\r\n";
        } else if self.is_http10 {
            head += "Connection: keep-alive\r\n";
        }
        (head + "\r\n").into_bytes()
    }

    pub(super) fn wire_body(&self) -> &[u8] {
        &self.wire_body
    }

    /// All of it as it goes over the wire.
    pub(super) fn wire(&self) -> Vec<u8> {
        [self.head().as_slice(), &self.wire_body].concat()
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn is_idempotent(&self) -> bool {
        self.method != "POST"
    }

    /// The target breaks off within its response.
    pub(super) fn is_broken_off(&self) -> bool {
        let Answer { fault, framing, is_early, .. } = self.answer;
        // One that closes with unread bytes resets.
        (is_early && framing == Framing::UntilClose)
            || matches!(fault, Fault::ResetWithin(_) | Fault::CloseWithin(_) | Fault::StallWithin(_))
    }

    /// The body that the client gets.
    pub(super) fn response_body(&self) -> &[u8] {
        if self.method == "HEAD" || self.is_websocket || self.answer.status == 204 {
            return &[];
        }
        &self.answer.body
    }
}

impl Answer {
    fn choose(rng: &mut Rng, kinds: Kinds, method: &str, is_short: bool) -> Self {
        let framing = [Framing::Length, Framing::Length, Framing::Chunked, Framing::UntilClose][rng.size(4)];
        let length = size(rng);
        let is_early = kinds.early_answers && is_short && matches!(method, "POST" | "PUT") && rng.one_in(4);
        let body = rng.bytes(length);
        let mut answer = Self {
            status: [200, 200, 200, 204, 404, 503][rng.size(6)],
            framing,
            wire_body: chunks(rng, &body),
            body,
            interim: if rng.one_in(6) { rng.up_to(3) } else { 0 },
            is_early,
            pause: Duration::from_micros(rng.below(40_000)),
            pieces: rng.up_to(4),
            fault: Fault::None,
            after: if rng.one_in(8) { After::Close } else { After::Keep },
        };
        if is_early {
            answer.after = After::Keep;
            if kinds.early_until_close {
                answer.framing = Framing::UntilClose;
                answer.fault = Fault::ResetWithin(100 + rng.size(answer.body.len()));
            } else if answer.framing == Framing::UntilClose {
                answer.framing = Framing::Chunked;
            }
        } else if kinds.target_faults {
            answer.go_wrong(rng);
        }
        if answer.status == 204 {
            answer.framing = Framing::Length;
        }
        answer
    }

    fn go_wrong(&mut self, rng: &mut Rng) {
        // Within the head or the body, and never the whole.
        let within = if rng.one_in(2) { rng.up_to(40) } else { 60 + rng.size(self.body.len() + 100) };
        self.fault = match rng.size(18) {
            0 => Fault::ResetUnanswered,
            1 => Fault::CloseUnanswered,
            2 => Fault::StallUnanswered,
            3 => Fault::ResetWithin(within),
            4 => Fault::CloseWithin(within),
            5 => Fault::StallWithin(within),
            _ => Fault::None,
        };
        if rng.one_in(5) {
            self.after = After::CloseUntold(Duration::from_micros(rng.below(300_000)));
        }
    }
}

/// A body of which a client that is answered early has sent the rest before the proxy stops to read it.
const SHORT_BYTES: usize = 6_000;

/// Mostly small; some do not fit into one buffer of the proxy, or of the simulated sockets.
fn size(rng: &mut Rng) -> usize {
    match rng.size(8) {
        0 => 0,
        1..=4 => rng.size(300),
        5 | 6 => rng.size(6_000),
        // Worth a splice, where sockets have room for it.
        _ if rng.one_in(16) => (128 << 10) + rng.size(100_000),
        _ => rng.size(30_000),
    }
}

/// `body` in chunks.
fn chunks(rng: &mut Rng, body: &[u8]) -> Vec<u8> {
    let (mut wire, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rng.up_to(rest.len()));
        wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        wire.extend(chunk);
        wire.extend(b"\r\n");
        rest = after;
    }
    wire.extend(b"0\r\n\r\n");
    wire
}
