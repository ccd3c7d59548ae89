//! The server's side of memcached's protocol (`protocol.txt` of memcached 1.6): text and binary.
//!
//! [`Parser`] takes bytes and gives one command at a time; [`Reply`] gives the bytes of what is answered. Malformed input
//! is answered as memcached answers it. A connection speaks the protocol of its first byte.

mod base64;
mod binary;
mod meta;
mod number;
mod reply;
mod text;

use bytes::{Bytes, BytesMut};

pub use binary::{Opcode, Status};
pub use meta::{Meta, MetaItem, MetaVerb};
pub use number::numeric;
pub use reply::{Form, Outcome, Reply};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Reads items. Each key has 1–250 bytes. With `touch` it also sets the end of their lives.
    Get {
        keys: Keys,
        touch: Option<Expiry>,
        form: Form,
    },
    Store {
        verb: Verb,
        key: Bytes,
        flags: u32,
        expiry: Expiry,
        value: Bytes,
        version: u64,
        form: Form,
    },
    Delete {
        key: Bytes,
        version: u64,
        form: Form,
    },
    /// Adds to, or subtracts from, a decimal number. `initial` is stored if there is no item.
    Add {
        key: Bytes,
        delta: u64,
        is_minus: bool,
        initial: Option<(u64, Expiry)>,
        version: u64,
        form: Form,
    },
    Touch {
        key: Bytes,
        expiry: Expiry,
        form: Form,
    },
    /// Removes everything, at a time; 0 is at once.
    Flush {
        at: Expiry,
        form: Form,
    },
    /// Has one fixed answer.
    Version(Form),
    /// The argument, which selects a page of figures.
    Stats(Bytes, Form),
    /// A command without effect that is answered as done: `verbosity` and `noop`.
    Nothing(Form),
    Meta(Box<Meta>),
    /// Closes the connection.
    Quit(Form),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    /// Only if the item still has the version.
    Cas,
}

/// The end of an item's life as a client writes it: 0 is none, negative is at once, up to 30 days is relative to now in
/// seconds, and more is seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(pub i64);

impl Expiry {
    /// Milliseconds since 1970; `None`: no end.
    pub fn at(self, now: u64) -> Option<u64> {
        match self.0 {
            0 => None,
            ..0 => Some(now),
            relative if relative <= RELATIVE_MAX => Some(now.saturating_add(relative.unsigned_abs() * 1000)),
            absolute => Some(absolute.unsigned_abs().saturating_mul(1000)),
        }
    }
}

/// The keys of a `get`, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    One(Bytes),
    /// Separated by spaces, so that a line with many keys needs no list of them.
    Line(Bytes),
}

impl Keys {
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let (one, line) = match self {
            Self::One(key) => (Some(&key[..]), &b""[..]),
            Self::Line(line) => (None, &line[..]),
        };
        one.into_iter().chain(text::tokens(line))
    }
}

/// What the parser found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes are needed.
    Wait,
    Do(Command),
    /// A command that is refused; the reply may be empty.
    Refuse(Bytes),
    /// Nothing after this can be understood: the reply, which may be empty, and the end of the connection.
    Close(Bytes),
    /// A value that is not stored: it is larger than the limit, or there is no memory for it. The item that stands under
    /// its key must go, so that nothing stale is read.
    Unstored {
        key: Bytes,
        reply: Bytes,
    },
}

/// Splits a stream into commands.
#[derive(Debug)]
pub struct Parser {
    value_bytes_max: usize,
    protocol: Option<Protocol>,
    /// Bytes of a refused value that are still to be dropped.
    swallow: u64,
    /// How many bytes have been searched for the end of a line.
    searched: usize,
    /// A store command that waits for its value.
    pending: Option<text::Pending>,
    /// Bytes of the binary frame that it waits for; 0: it does not know them.
    frame_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Text,
    Binary,
}

impl Parser {
    pub fn new(value_bytes_max: usize) -> Self {
        Self { value_bytes_max, protocol: None, swallow: 0, searched: 0, pending: None, frame_bytes: 0 }
    }

    /// Takes the next command from the front of `input`.
    pub fn next(&mut self, input: &mut BytesMut) -> Step {
        let dropped = usize::try_from(self.swallow).unwrap_or(usize::MAX).min(input.len());
        let _ = input.split_to(dropped);
        self.swallow -= dropped as u64;
        if self.swallow > 0 {
            return Step::Wait;
        }
        let Some(&first) = input.first() else { return Step::Wait };
        let first = if first == binary::REQUEST { Protocol::Binary } else { Protocol::Text };
        match *self.protocol.get_or_insert(first) {
            Protocol::Text => self.next_text(input),
            Protocol::Binary => self.next_binary(input),
        }
    }

    /// How many bytes the command that it waits for needs at least, so that a large value is read at once.
    pub fn wanted(&self) -> usize {
        self.pending.as_ref().map_or(self.frame_bytes, text::Pending::bytes)
    }

    /// Whether a command has begun whose rest has not come. `input` is what [`Self::next`] has left.
    pub fn is_within_command(&self, input: &[u8]) -> bool {
        self.swallow > 0 || self.pending.is_some() || !input.is_empty()
    }

    /// Refuses the command that it waits for, because there is no memory for it. Its value is dropped as it arrives.
    pub fn refuse(&mut self, input: &mut BytesMut) -> Step {
        if let Some(pending) = self.pending.take() {
            self.swallow = pending.bytes() as u64;
            return text::no_memory(pending.command);
        }
        match self.protocol {
            Some(Protocol::Binary) => self.refuse_frame(input),
            _ => Step::Close(Bytes::from_static(b"SERVER_ERROR out of memory reading request\r\n")),
        }
    }

    /// limit: bytes of input that are held while one command is incomplete.
    pub const fn input_bytes_max(&self) -> usize {
        self.value_bytes_max + text::LINE_BYTES_MAX
    }
}

/// limit: bytes of a key.
pub const KEY_BYTES_MAX: usize = 250;
const RELATIVE_MAX: i64 = 60 * 60 * 24 * 30;
