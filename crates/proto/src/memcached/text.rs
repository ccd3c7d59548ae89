//! The text protocol.

use bytes::{Bytes, BytesMut};

use super::number::{signed, signed_32, unsigned};
use super::{Command, Expiry, Form, KEY_BYTES_MAX, Keys, Parser, Step, Verb};

/// A store command without its value.
#[derive(Debug)]
pub(super) struct Pending {
    /// `Store` or `Meta`, with an empty value.
    pub(super) command: Command,
    pub(super) length: usize,
}

impl Pending {
    /// Of the value and the end of its line.
    pub(super) fn bytes(&self) -> usize {
        self.length + 2
    }
}

impl Parser {
    pub(super) fn next_text(&mut self, input: &mut BytesMut) -> Step {
        if let Some(pending) = self.pending.take() {
            return self.value(pending, input);
        }
        let searched = self.searched.min(input.len());
        let Some(end) = memchr::memchr(b'\n', &input[searched..]).map(|at| at + searched) else {
            self.searched = input.len();
            return if is_endless(input) { Step::Close(Bytes::new()) } else { Step::Wait };
        };
        self.searched = 0;
        let mut line = input.split_to(end + 1).freeze();
        line.truncate(if end > 1 && line[end - 1] == b'\r' { end - 1 } else { end });
        if let Some(end) = memchr::memchr(0, &line) {
            line.truncate(end);
        }
        let (mut words, mut count) = ([&b""[..]; WORDS_MAX], 0);
        for (place, word) in words.iter_mut().zip(tokens(&line)) {
            *place = word;
            count += 1;
        }
        match self.command(&words[..count], &line) {
            Step::Wait => match self.pending.take() {
                Some(pending) => self.value(pending, input),
                None => Step::Wait,
            },
            step => step,
        }
    }

    fn value(&mut self, pending: Pending, input: &mut BytesMut) -> Step {
        if input.len() < pending.bytes() {
            self.pending = Some(pending);
            return Step::Wait;
        }
        let mut bytes = input.split_to(pending.bytes()).freeze();
        let Pending { mut command, length } = pending;
        if !bytes.ends_with(b"\r\n") {
            let form = match command {
                Command::Store { form, .. } => form,
                _ => Form::Text { is_versioned: false },
            };
            return refuse("CLIENT_ERROR bad data chunk\r\n", form);
        }
        bytes.truncate(length);
        match &mut command {
            Command::Store { value, .. } => *value = bytes,
            Command::Meta(meta) => meta.set_value(bytes),
            _ => {}
        }
        Step::Do(command)
    }

    fn command(&mut self, words: &[&[u8]], line: &Bytes) -> Step {
        let form = if words.len() > 1 && words.last() == Some(&&b"noreply"[..]) {
            Form::Silent
        } else {
            Form::Text { is_versioned: false }
        };
        let count = words.len();
        match (words.first().copied().unwrap_or(b""), count) {
            (name @ (b"get" | b"gets"), 2..) => get(line, name.len(), name == b"gets"),
            (name @ (b"gat" | b"gats"), 2..) => gat(words[1], line, name.len(), name == b"gats"),
            (b"set", 5 | 6) => self.store(Verb::Set, words, line, form),
            (b"add", 5 | 6) => self.store(Verb::Add, words, line, form),
            (b"replace", 5 | 6) => self.store(Verb::Replace, words, line, form),
            (b"append", 5 | 6) => self.store(Verb::Append, words, line, form),
            (b"prepend", 5 | 6) => self.store(Verb::Prepend, words, line, form),
            (b"cas", 6 | 7) => self.store(Verb::Cas, words, line, form),
            (name @ (b"incr" | b"decr"), 3 | 4) => add(words, name == b"decr", line, form),
            (b"touch", 3 | 4) => touch(words, line, form),
            (b"delete", 2..=4) => delete(words, line, form),
            (b"flush_all", 1..=3) => flush(words, form),
            (b"verbosity", 2 | 3) if count == 2 && form == Form::Silent => Step::Do(Command::Nothing(form)),
            (b"verbosity", 2 | 3) => match unsigned(words[1]) {
                Some(_) => Step::Do(Command::Nothing(form)),
                None => bad_line(form),
            },
            (b"version", _) => Step::Do(Command::Version(Form::Text { is_versioned: false })),
            (b"stats", 1) => stats(b"", line),
            (b"stats", 2) if STATS.contains(&words[1]) => stats(words[1], line),
            (b"stats", 2) if words[1] == b"reset" => Step::Refuse(Bytes::from_static(b"RESET\r\n")),
            (b"quit", _) => Step::Do(Command::Quit(Form::Silent)),
            (b"mn", _) => Step::Refuse(Bytes::from_static(b"MN\r\n")),
            (b"mg" | b"ms" | b"md" | b"ma" | b"me", 2..) => self.meta(words, line),
            // A browser was made to speak to us.
            _ if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") => Step::Close(Bytes::new()),
            _ => Step::Refuse(Bytes::from_static(b"ERROR\r\n")),
        }
    }

    fn store(&mut self, verb: Verb, words: &[&[u8]], line: &Bytes, form: Form) -> Step {
        let key = words[1];
        let version = if verb == Verb::Cas { unsigned(words[5]) } else { Some(0) };
        let numbers = (flags_of(words[2]), signed(words[3]), signed_32(words[4]), version);
        let (Some(flags), Some(expiry), Some(length), Some(version)) = numbers else { return bad_line(form) };
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= LENGTH_MAX) else {
            return bad_line(form);
        };
        if key.len() > KEY_BYTES_MAX {
            return bad_line(form);
        }
        let key = line.slice_ref(key);
        if length > self.value_bytes_max {
            self.swallow = length as u64 + 2;
            return match refuse("SERVER_ERROR object too large for cache\r\n", form) {
                Step::Refuse(reply) if verb == Verb::Set => Step::Unstored { key, reply },
                step => step,
            };
        }
        let (expiry, value) = (Expiry(expiry), Bytes::new());
        let command = Command::Store { verb, key, flags, expiry, value, version, form };
        self.pending = Some(Pending { command, length });
        Step::Wait
    }
}

/// The words of a line, which only spaces separate.
pub(super) fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b' ').filter(|word| !word.is_empty())
}

/// Whether a line can no longer end: only that of a `get` with many keys may be long.
fn is_endless(input: &[u8]) -> bool {
    let start = input.iter().take_while(|&&byte| byte == b' ').count();
    let is_get = input[start..].starts_with(b"get ") || input[start..].starts_with(b"gets ");
    let limit = if is_get && start <= 100 { LINE_BYTES_MAX } else { SHORT_LINE_BYTES_MAX };
    input.len() > limit
}

fn get(line: &Bytes, skipped: usize, is_versioned: bool) -> Step {
    let start = line.iter().take_while(|&&byte| byte == b' ').count();
    keys(line.slice(start + skipped..), None, is_versioned)
}

fn gat(expiry: &[u8], line: &Bytes, skipped: usize, is_versioned: bool) -> Step {
    let Some(number) = signed(expiry) else {
        return Step::Refuse(Bytes::from_static(b"CLIENT_ERROR invalid exptime argument\r\n"));
    };
    // The keys stand behind the second word.
    let base = line.as_ptr().addr();
    let end = expiry.as_ptr().addr().saturating_sub(base) + expiry.len();
    debug_assert!(end >= skipped && end <= line.len());
    keys(line.slice(end.min(line.len())..), Some(Expiry(number)), is_versioned)
}

fn keys(keys: Bytes, touch: Option<Expiry>, is_versioned: bool) -> Step {
    if tokens(&keys).any(|key| key.len() > KEY_BYTES_MAX) {
        return bad_line(Form::Text { is_versioned });
    }
    Step::Do(Command::Get { keys: Keys::Line(keys), touch, form: Form::Text { is_versioned } })
}

fn stats(argument: &[u8], line: &Bytes) -> Step {
    let argument = if argument.is_empty() { Bytes::new() } else { line.slice_ref(argument) };
    Step::Do(Command::Stats(argument, Form::Text { is_versioned: false }))
}

fn add(words: &[&[u8]], is_minus: bool, line: &Bytes, form: Form) -> Step {
    if words[1].len() > KEY_BYTES_MAX {
        return bad_line(form);
    }
    match unsigned(words[2]) {
        Some(delta) => Step::Do(Command::Add {
            key: line.slice_ref(words[1]),
            delta,
            is_minus,
            initial: None,
            version: 0,
            form,
        }),
        None => refuse("CLIENT_ERROR invalid numeric delta argument\r\n", form),
    }
}

fn touch(words: &[&[u8]], line: &Bytes, form: Form) -> Step {
    if words[1].len() > KEY_BYTES_MAX {
        return bad_line(form);
    }
    match signed(words[2]) {
        Some(expiry) => {
            Step::Do(Command::Touch { key: line.slice_ref(words[1]), expiry: Expiry(expiry), form })
        }
        None => refuse("CLIENT_ERROR invalid exptime argument\r\n", form),
    }
}

fn delete(words: &[&[u8]], line: &Bytes, form: Form) -> Step {
    // A time of 0 is what old clients send.
    let rest_is_known = match &words[2..] {
        [] => true,
        [one] => *one == b"0" || form == Form::Silent,
        [zero, _] => *zero == b"0" && form == Form::Silent,
        _ => false,
    };
    if !rest_is_known {
        return refuse("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n", form);
    }
    if words[1].len() > KEY_BYTES_MAX {
        return bad_line(form);
    }
    Step::Do(Command::Delete { key: line.slice_ref(words[1]), version: 0, form })
}

fn flush(words: &[&[u8]], form: Form) -> Step {
    let arguments = if form == Form::Silent { words.len() - 2 } else { words.len() - 1 };
    let delay = match arguments {
        0 => Some(0),
        _ => signed(words[1]),
    };
    match delay {
        Some(delay) => Step::Do(Command::Flush { at: Expiry(delay), form }),
        None => refuse("CLIENT_ERROR invalid exptime argument\r\n", form),
    }
}

/// As in memcached, larger numbers lose their upper bits.
fn flags_of(word: &[u8]) -> Option<u32> {
    unsigned(word).and_then(|number| u32::try_from(number & u64::from(u32::MAX)).ok())
}

pub(super) fn bad_line(form: Form) -> Step {
    refuse("CLIENT_ERROR bad command line format\r\n", form)
}

/// The refusal of a store command whose value does not fit into memory.
pub(super) fn no_memory(command: Command) -> Step {
    let reply = "SERVER_ERROR out of memory storing object\r\n";
    match command {
        Command::Store { verb, key, form, .. } => match refuse(reply, form) {
            Step::Refuse(reply) if verb == Verb::Set => Step::Unstored { key, reply },
            step => step,
        },
        Command::Meta(meta) => Step::Unstored { key: meta.key, reply: Bytes::from_static(reply.as_bytes()) },
        _ => Step::Refuse(Bytes::new()),
    }
}

/// With `noreply` errors are not answered either.
fn refuse(reply: &'static str, form: Form) -> Step {
    let reply = if form == Form::Silent { "" } else { reply };
    Step::Refuse(Bytes::from_static(reply.as_bytes()))
}

/// Pages of figures that memcached has.
const STATS: &[&[u8]] = &[b"settings", b"items", b"slabs", b"sizes", b"conns"];
/// limit: bytes of a line with many keys. memcached has no limit.
pub(super) const LINE_BYTES_MAX: usize = 256 * 1024;
/// limit: bytes of every other line, as in memcached.
const SHORT_LINE_BYTES_MAX: usize = 2048;
/// limit: words of a line that are looked at, but for keys.
const WORDS_MAX: usize = 24;
/// `INT_MAX - 2`.
pub(super) const LENGTH_MAX: usize = 0x7fff_fffd;
