//! Meta commands: a verb, a key, and flags of one letter, some of which are answered.

use bytes::{BufMut, Bytes, BytesMut};

use super::number::{put_decimal, signed_32, unsigned, unsigned_32};
use super::reply::{Outcome, Reply};
use super::text::{LENGTH_MAX, Pending, bad_line, tokens};
use super::{Command, Expiry, Form, KEY_BYTES_MAX, Parser, Step, Verb, base64};

/// One meta command: `mg`, `ms`, `md`, `ma` or `me`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    pub verb: MetaVerb,
    /// Decoded, if it was sent in base64.
    pub key: Bytes,
    /// Flag `C`: only an item with this version.
    pub version: Option<u64>,
    /// Flag `T`: sets the end of the item's life.
    pub expiry: Option<Expiry>,
    /// The key as it was sent.
    sent: Bytes,
    /// The flags as they were sent.
    flags: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaVerb {
    Get,
    Store {
        verb: Verb,
        flags: u32,
        value: Bytes,
    },
    Delete,
    /// Adds to a number, or subtracts from it. `initial` is stored if there is no item.
    Add {
        delta: u64,
        is_minus: bool,
        initial: Option<(u64, Expiry)>,
    },
    Debug,
}

/// What is known of the item that a reply is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaItem<'i> {
    pub value: &'i [u8],
    pub flags: u32,
    pub version: u64,
    /// Seconds until the end of its life.
    pub seconds: Option<u64>,
}

impl Meta {
    /// Whether it has this flag.
    pub fn has(&self, flag: u8) -> bool {
        tokens(&self.flags).any(|word| word[0] == flag)
    }

    /// Whether the end of the item's life is asked for in front of the flag that changes it.
    pub fn tells_old_end(&self) -> bool {
        let at = |flag: u8| tokens(&self.flags).position(|word| word[0] == flag);
        matches!((at(b't'), at(b'T')), (Some(told), Some(changed)) if told < changed)
    }

    pub(super) fn set_value(&mut self, bytes: Bytes) {
        if let MetaVerb::Store { value, .. } = &mut self.verb {
            *value = bytes;
        }
    }
}

impl Parser {
    /// `words` has at least two words, of which the first is the command's name.
    pub(super) fn meta(&mut self, words: &[&[u8]], line: &Bytes) -> Step {
        let text = Form::Text { is_versioned: false };
        let (name, key) = (words[0], words[1]);
        if key.len() > KEY_BYTES_MAX {
            return bad_line(text);
        }
        if name == b"me" {
            return debug(words, line);
        }
        let is_store = name == b"ms";
        if is_store && words.len() < 3 {
            return bad_line(text);
        }
        if words.len() > WORDS_MAX {
            let are = if name == b"mg" { "are " } else { "" };
            return Step::Refuse(format!("CLIENT_ERROR options flags {are}too long\r\n").into());
        }
        let length = if is_store { signed_32(words[2]) } else { Some(0) };
        let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
            return bad_line(text);
        };
        if length > LENGTH_MAX {
            return bad_line(text);
        }
        let meta = match parse(name, line, &words[if is_store { 3 } else { 2 }..], line.slice_ref(key)) {
            Ok(meta) => meta,
            Err(reason) => {
                if is_store {
                    self.swallow = length as u64 + 2;
                }
                let reason = if matches!(name, b"md" | b"ma") { reason.of_others } else { reason.of_get };
                return Step::Refuse(format!("CLIENT_ERROR {reason}\r\n").into());
            }
        };
        if length > self.value_bytes_max {
            self.swallow = length as u64 + 2;
            let reply = Bytes::from_static(b"SERVER_ERROR object too large for cache\r\n");
            return Step::Unstored { key: meta.key, reply };
        }
        if is_store {
            self.pending = Some(Pending { command: Command::Meta(Box::new(meta)), length });
            return Step::Wait;
        }
        Step::Do(Command::Meta(Box::new(meta)))
    }
}

/// Why flags are refused: `md` and `ma` say less.
struct Reason {
    of_get: &'static str,
    of_others: &'static str,
}

const fn refused(of_get: &'static str) -> Reason {
    Reason { of_get, of_others: "invalid or duplicate flag" }
}

const fn everywhere(reason: &'static str) -> Reason {
    Reason { of_get: reason, of_others: reason }
}

/// What the flags of a command say.
struct Said {
    version: Option<u64>,
    expiry: Option<Expiry>,
    flags: u32,
    mode: u8,
    delta: u64,
    initial: u64,
    /// `N`: of an item that is made.
    made: Option<Expiry>,
}

fn parse(name: &[u8], line: &Bytes, words: &[&[u8]], sent: Bytes) -> Result<Meta, Reason> {
    let mut said = Said { version: None, expiry: None, flags: 0, mode: 0, delta: 1, initial: 0, made: None };
    let (mut seen, mut error, mut key) = (0_u128, None, Some(sent.clone()));
    for word in words {
        let (flag, rest) = (word[0], &word[1..]);
        if flag >= 127 || seen >> flag & 1 == 1 {
            return Err(refused("duplicate flag"));
        }
        seen |= 1 << flag;
        let mut taken = said.take(name, flag, rest);
        if flag == b'b' {
            key = base64::decode(&sent).map(Bytes::from);
            taken = key.as_ref().map(|_| ()).ok_or(refused("error decoding key"));
        }
        match taken {
            Err(reason) if reason.of_get == UNKNOWN => return Err(reason),
            // As in memcached, the last one is told, but that of `F` only if it is alone.
            Err(reason) if flag != b'F' || error.is_none() => error = Some(reason),
            _ => {}
        }
    }
    let key = match (error, key) {
        (Some(reason), _) => return Err(reason),
        (None, key) => key.unwrap_or_default(),
    };
    if words.iter().any(|word| word[0] == b'O' && word.len() > OPAQUE_BYTES_MAX) {
        return Err(everywhere("opaque token too long"));
    }
    let flags = match (words.first(), words.last()) {
        (Some(first), Some(last)) => {
            let start = first.as_ptr().addr() - line.as_ptr().addr();
            let end = last.as_ptr().addr() - line.as_ptr().addr() + last.len();
            line.slice(start..end)
        }
        _ => Bytes::new(),
    };
    let verb = said.verb(name)?;
    Ok(Meta { verb, key, version: said.version, expiry: said.expiry, sent, flags })
}

impl Said {
    fn take(&mut self, name: &[u8], flag: u8, rest: &[u8]) -> Result<(), Reason> {
        let expiry = || signed_32(rest).map(|seconds| Expiry(seconds.into())).ok_or(refused(BAD_TOKEN));
        match flag {
            // What a reply has, or what has no meaning here.
            b'b' | b'O' | b'P' | b'L' | b'k' | b's' | b't' | b'c' | b'f' | b'v' | b'u' | b'q' => {}
            b'T' => {
                self.expiry = Some(expiry()?);
                // Of two ends the later word counts.
                self.made = self.made.and(self.expiry);
            }
            b'N' if name == b"ma" => self.made = Some(expiry()?),
            b'N' if name == b"md" => drop(expiry()?),
            b'F' => self.flags = unsigned_32(rest).ok_or(refused("bad command line format"))?,
            b'C' => self.version = Some(unsigned(rest).ok_or(refused(BAD_TOKEN))?),
            b'M' => match rest {
                [mode] => self.mode = *mode,
                _ => return Err(refused("incorrect length for M token")),
            },
            b'J' => self.initial = unsigned(rest).ok_or(refused("invalid numeric initial value"))?,
            b'D' => self.delta = unsigned(rest).ok_or(refused("invalid numeric delta value"))?,
            // `h`, `l`: stores do not know when items were read. `N`, `R`, `I`: nor that one is being refreshed.
            _ => return Err(refused(UNKNOWN)),
        }
        Ok(())
    }

    fn verb(&self, name: &[u8]) -> Result<MetaVerb, Reason> {
        Ok(match name {
            b"mg" => MetaVerb::Get,
            b"md" => MetaVerb::Delete,
            b"ma" => {
                let is_minus = match self.mode {
                    0 | b'I' | b'+' => false,
                    b'D' | b'-' => true,
                    _ => return Err(everywhere("invalid mode for ma M token")),
                };
                let initial = self.made.map(|end| (self.initial, end));
                MetaVerb::Add { delta: self.delta, is_minus, initial }
            }
            _ => {
                let verb = match self.mode {
                    // A version makes a condition of them.
                    0 | b'S' | b'R' if self.version.is_some() => Verb::Cas,
                    0 | b'S' => Verb::Set,
                    b'R' => Verb::Replace,
                    b'E' => Verb::Add,
                    b'A' => Verb::Append,
                    b'P' => Verb::Prepend,
                    _ => return Err(everywhere("invalid mode for ms M token")),
                };
                MetaVerb::Store { verb, flags: self.flags, value: Bytes::new() }
            }
        })
    }
}

fn debug(words: &[&[u8]], line: &Bytes) -> Step {
    let sent = line.slice_ref(words[1]);
    let is_binary = words.get(2) == Some(&&b"b"[..]);
    let key = if is_binary { base64::decode(&sent).map(Bytes::from) } else { Some(sent.clone()) };
    let Some(key) = key else { return bad_line(Form::Text { is_versioned: false }) };
    let meta = Meta { verb: MetaVerb::Debug, key, version: None, expiry: None, sent, flags: Bytes::new() };
    Step::Do(Command::Meta(Box::new(meta)))
}

impl Reply<'_> {
    /// The reply to a meta command. `item` is that which was read, or as it was written.
    pub fn meta(&mut self, meta: &Meta, outcome: Outcome, item: Option<MetaItem<'_>>) {
        if self.meta_head(meta, outcome, item)
            && let Some(item) = item
        {
            self.0.put_slice(item.value);
            self.0.put_slice(b"\r\n");
        }
    }

    /// The same up to the value of the item; true: the value and the end of a line follow.
    pub fn meta_head(&mut self, meta: &Meta, outcome: Outcome, item: Option<MetaItem<'_>>) -> bool {
        let status: &[u8; 2] = match (&meta.verb, outcome) {
            (MetaVerb::Get | MetaVerb::Debug, Outcome::NotFound) => b"EN",
            (_, Outcome::NotFound) => b"NF",
            (_, Outcome::Exists) => b"EX",
            (_, Outcome::NotStored) => b"NS",
            (
                _,
                Outcome::NotANumber
                | Outcome::TooLarge
                | Outcome::Away(_)
                | Outcome::Busy
                | Outcome::NoMemory,
            ) => {
                self.outcome(outcome, Form::Text { is_versioned: false });
                return false;
            }
            _ => b"HD",
        };
        if meta.has(b'q')
            && matches!((&meta.verb, status), (MetaVerb::Get, b"EN") | (_, b"HD"))
            && !(meta.verb == MetaVerb::Get && status == b"HD")
        {
            return false;
        }
        if meta.verb == MetaVerb::Debug {
            self.debug(meta, item);
            return false;
        }
        let value = item
            .filter(|_| status == b"HD" && meta.has(b'v') && !matches!(meta.verb, MetaVerb::Store { .. }));
        match value {
            Some(item) => {
                self.0.put_slice(b"VA ");
                put_decimal(self.0, item.value.len() as u64);
            }
            None => self.0.put_slice(status),
        }
        for word in tokens(&meta.flags) {
            flag(self.0, meta, word, item);
        }
        self.0.put_slice(b"\r\n");
        value.is_some()
    }

    fn debug(&mut self, meta: &Meta, item: Option<MetaItem<'_>>) {
        let Some(item) = item else { return self.0.put_slice(b"EN\r\n") };
        self.0.put_slice(b"ME ");
        self.0.put_slice(&meta.sent);
        self.0.put_slice(b" exp=");
        put_seconds(self.0, item);
        put_named(self.0, b" cas=", item.version);
        put_named(self.0, b" size=", item.value.len() as u64);
        self.0.put_slice(b"\r\n");
    }
}

/// Adds what is answered to one flag, if it is answered.
fn flag(out: &mut BytesMut, meta: &Meta, word: &[u8], item: Option<MetaItem<'_>>) {
    let (is_get, is_delete) = (meta.verb == MetaVerb::Get, meta.verb == MetaVerb::Delete);
    let is_store = matches!(meta.verb, MetaVerb::Store { .. });
    match (word[0], item) {
        (b'O', _) => {
            out.put_u8(b' ');
            out.put_slice(word);
        }
        (b'k', _) => {
            out.put_slice(b" k");
            out.put_slice(&meta.sent);
            if meta.has(b'b') {
                out.put_slice(b" b");
            }
        }
        (b'c', Some(item)) if !is_delete => put_named(out, b" c", item.version),
        (b'f', Some(item)) if is_get => put_named(out, b" f", item.flags.into()),
        (b's', Some(item)) if is_get => put_named(out, b" s", item.value.len() as u64),
        (b't', Some(item)) if !is_store && !is_delete => {
            out.put_slice(b" t");
            put_seconds(out, item);
        }
        _ => {}
    }
}

fn put_named(out: &mut BytesMut, name: &[u8], number: u64) {
    out.put_slice(name);
    put_decimal(out, number);
}

/// -1: it does not end.
fn put_seconds(out: &mut BytesMut, item: MetaItem<'_>) {
    match item.seconds {
        Some(seconds) => put_decimal(out, seconds),
        None => out.put_slice(b"-1"),
    }
}

const UNKNOWN: &str = "invalid flag";
const BAD_TOKEN: &str = "bad token in command line format";
/// limit: words of one command.
const WORDS_MAX: usize = 19;
/// limit: bytes of the flag `O`, with its letter.
const OPAQUE_BYTES_MAX: usize = 32;
