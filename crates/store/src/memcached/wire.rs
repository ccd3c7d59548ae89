//! The bytes of commands and answers: memcached's meta commands, and its text commands for servers without them
//! (memcached's `doc/protocol.txt`). Answers are those of a server that may be hostile.

#[cfg(test)]
mod tests;

use std::str::FromStr;

use bytes::{Buf, Bytes, BytesMut};

use crate::{Key, StoreError, When};

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Meta,
    Text,
}

/// One command to one server.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// With the length of value up to which the answer is read.
    Get(Key, usize),
    Put {
        key: Key,
        value: Bytes,
        flags: u32,
        end: i64,
        when: When,
    },
    Touch {
        key: Key,
        end: i64,
    },
    Delete(Key),
    Flush,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Found {
        value: Bytes,
        flags: u32,
        /// Seconds; `None`: it does not expire, or the server does not say.
        left: Option<u64>,
        version: u64,
    },
    Missing,
    /// With the version, or 0 where the server does not say it.
    Stored(u64),
    /// The condition does not hold.
    Refused,
    Done,
    /// The server is well, but does not do it.
    Failed(StoreError),
}

/// What the next answer must look like.
#[derive(Debug)]
pub(super) struct Expected {
    protocol: Protocol,
    /// The words of answers without a value.
    words: &'static [(&'static str, Word)],
    /// Of a text `gets`, which repeats it.
    key: Option<Key>,
    value_bytes_max: usize,
}

#[derive(Clone, Copy, Debug)]
enum Word {
    Value,
    Missing,
    Stored,
    Refused,
    Done,
}

impl Command {
    /// Appends the command to `out`.
    pub(super) fn write(&self, protocol: Protocol, out: &mut Vec<u8>) -> Expected {
        let words = match protocol {
            Protocol::Meta => self.write_meta(out),
            Protocol::Text => self.write_text(out),
        };
        let (key, value_bytes_max) = match self {
            Self::Get(key, value_bytes_max) => (Some(key.clone()), *value_bytes_max),
            _ => (None, 0),
        };
        Expected { protocol, words, key, value_bytes_max }
    }

    fn write_meta(&self, out: &mut Vec<u8>) -> &'static [(&'static str, Word)] {
        match self {
            Self::Get(key, _) => {
                line(out, &[b"mg ", key.as_bytes(), b" v f t c"]);
                &[("VA", Word::Value), ("EN", Word::Missing)]
            }
            Self::Put { key, value, flags, end, when } => {
                let condition = match when {
                    When::Always => String::new(),
                    When::Absent => " ME".to_owned(),
                    When::Present => " MR".to_owned(),
                    When::Unchanged(version) => format!(" C{}", version.0),
                };
                let rest = format!(" {} c F{flags} T{end}{condition}", value.len());
                line(out, &[b"ms ", key.as_bytes(), rest.as_bytes()]);
                line(out, &[value]);
                &[("HD", Word::Stored), ("NS", Word::Refused), ("EX", Word::Refused), ("NF", Word::Refused)]
            }
            Self::Touch { key, end } => {
                line(out, &[b"mg ", key.as_bytes(), format!(" T{end}").as_bytes()]);
                &[("HD", Word::Done), ("EN", Word::Missing)]
            }
            Self::Delete(key) => {
                line(out, &[b"md ", key.as_bytes()]);
                &[("HD", Word::Done), ("NF", Word::Missing)]
            }
            Self::Flush => self.write_text(out),
        }
    }

    fn write_text(&self, out: &mut Vec<u8>) -> &'static [(&'static str, Word)] {
        match self {
            Self::Get(key, _) => {
                line(out, &[b"gets ", key.as_bytes()]);
                &[("VALUE", Word::Value), ("END", Word::Missing)]
            }
            Self::Put { key, value, flags, end, when } => {
                let (verb, version) = match when {
                    When::Always => ("set ", String::new()),
                    When::Absent => ("add ", String::new()),
                    When::Present => ("replace ", String::new()),
                    When::Unchanged(version) => ("cas ", format!(" {}", version.0)),
                };
                let rest = format!(" {flags} {end} {}{version}", value.len());
                line(out, &[verb.as_bytes(), key.as_bytes(), rest.as_bytes()]);
                line(out, &[value]);
                &[
                    ("STORED", Word::Stored),
                    ("NOT_STORED", Word::Refused),
                    ("EXISTS", Word::Refused),
                    ("NOT_FOUND", Word::Refused),
                ]
            }
            Self::Touch { key, end } => {
                line(out, &[b"touch ", key.as_bytes(), format!(" {end}").as_bytes()]);
                &[("TOUCHED", Word::Done), ("NOT_FOUND", Word::Missing)]
            }
            Self::Delete(key) => {
                line(out, &[b"delete ", key.as_bytes()]);
                &[("DELETED", Word::Done), ("NOT_FOUND", Word::Missing)]
            }
            Self::Flush => {
                line(out, &[b"flush_all"]);
                &[("OK", Word::Done)]
            }
        }
    }
}

impl Expected {
    /// Takes one answer out of `input`; `None`: it has not come completely. After an error nothing that follows can be
    /// trusted.
    pub(super) fn read(&self, input: &mut BytesMut) -> Result<Option<Answer>, StoreError> {
        let Some(end) = line_end(input)? else { return Ok(None) };
        let text = &input[..end];
        let first = tokens(text).next().unwrap_or_default();
        let word = self.words.iter().find(|(word, _)| word.as_bytes() == first).map(|&(_, word)| word);
        let answer = match word {
            Some(Word::Value) => return self.read_value(end, input),
            Some(Word::Stored) => Answer::Stored(flag(tokens(text).skip(1), b'c').unwrap_or(0)),
            Some(Word::Missing) => Answer::Missing,
            Some(Word::Refused) => Answer::Refused,
            Some(Word::Done) => Answer::Done,
            None if first == b"SERVER_ERROR" => Answer::Failed(server_error(text)),
            None => return Err(garbage(text)),
        };
        input.advance(end + LINE_END.len());
        Ok(Some(answer))
    }

    fn read_value(&self, end: usize, input: &mut BytesMut) -> Result<Option<Answer>, StoreError> {
        let text = &input[..end];
        let head = match self.protocol {
            Protocol::Meta => meta_head(text),
            Protocol::Text => self.text_head(text),
        };
        let head = head.filter(|head| head.bytes <= self.value_bytes_max).ok_or_else(|| garbage(text))?;
        let trailer: &[u8] = if self.protocol == Protocol::Meta { b"\r\n" } else { b"\r\nEND\r\n" };
        let start = end + LINE_END.len();
        let total = start + head.bytes + trailer.len();
        if input.len() < total {
            return Ok(None);
        }
        if input[start + head.bytes..total] != *trailer {
            return Err(StoreError::Garbage("a value is longer or shorter than announced".to_owned()));
        }
        let mut answer = input.split_to(total).freeze();
        answer.advance(start);
        answer.truncate(head.bytes);
        Ok(Some(Answer::Found { value: answer, flags: head.flags, left: head.left, version: head.version }))
    }

    /// `VALUE <key> <flags> <bytes> <version>`. The key need not be text.
    fn text_head(&self, text: &[u8]) -> Option<Head> {
        let mut tokens = text.split(|&byte| byte == b' ').skip(1);
        let key = tokens.next()?;
        let flags = number(tokens.next()?)?;
        let bytes = number(tokens.next()?)?;
        let version = number(tokens.next()?)?;
        let is_ours = self.key.as_ref().is_some_and(|ours| ours.as_bytes() == key);
        (is_ours && tokens.next().is_none()).then_some(Head { bytes, flags, left: None, version })
    }
}

/// What precedes a value.
#[derive(Debug)]
struct Head {
    bytes: usize,
    flags: u32,
    left: Option<u64>,
    version: u64,
}

/// `VA <bytes> f<flags> t<seconds left, or -1> c<version>`
fn meta_head(text: &[u8]) -> Option<Head> {
    let mut tokens = tokens(text).skip(1);
    let bytes = number(tokens.next()?)?;
    let flags = u32::try_from(flag(tokens.clone(), b'f')?).ok()?;
    let left = flag(tokens.clone(), b't');
    Some(Head { bytes, flags, left, version: flag(tokens, b'c')? })
}

fn flag<'a>(mut tokens: impl Iterator<Item = &'a [u8]>, name: u8) -> Option<u64> {
    tokens.find_map(|token| token.strip_prefix(&[name])).and_then(number)
}

fn number<T: FromStr>(token: &[u8]) -> Option<T> {
    std::str::from_utf8(token).ok()?.parse().ok()
}

fn tokens(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    text.split(u8::is_ascii_whitespace).filter(|token| !token.is_empty())
}

/// Where the first line ends. Lines end with CR LF.
fn line_end(input: &[u8]) -> Result<Option<usize>, StoreError> {
    let seen = &input[..input.len().min(LINE_BYTES_MAX)];
    match seen.windows(2).position(|pair| pair == LINE_END) {
        Some(end) => Ok(Some(end)),
        None if input.len() >= LINE_BYTES_MAX => Err(garbage(input)),
        None => Ok(None),
    }
}

fn server_error(text: &[u8]) -> StoreError {
    let words = plain(text);
    if words.contains("too large") {
        StoreError::TooLarge
    } else if words.contains("out of memory") {
        StoreError::Full(words)
    } else {
        StoreError::Away(words)
    }
}

/// Shows the first word only: what follows may be a key, which is a secret of its client.
fn garbage(text: &[u8]) -> StoreError {
    let word = tokens(text).next().unwrap_or_default();
    StoreError::Garbage(format!("unexpected answer `{}`", plain(word)))
}

/// What can stand in a log.
fn plain(text: &[u8]) -> String {
    text.iter().take(SHOWN_BYTES).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(LINE_END);
}

const LINE_END: &[u8] = b"\r\n";
/// limit: of an answer's line. A line with a key of 250 bytes and numbers needs less than 400.
const LINE_BYTES_MAX: usize = 1_024;
const SHOWN_BYTES: usize = 60;
