//! What is answered, in the form of the command.

use bytes::{BufMut, BytesMut};

use super::binary::{self, Opcode, Status};
use super::number::put_decimal;

/// How a command wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text {
        is_versioned: bool,
    },
    /// `noreply`: not at all.
    Silent,
    Binary {
        opcode: Opcode,
        opaque: [u8; 4],
        is_quiet: bool,
        has_key: bool,
    },
}

/// The outcome of a command without an item in its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With the item's version.
    Stored(u64),
    NotStored,
    Exists,
    NotFound,
    Deleted,
    Touched,
    /// The number, and the item's version.
    Number(u64, u64),
    NotANumber,
    Done,
    TooLarge,
    /// The store cannot answer; with a word for why.
    Away(&'static str),
    /// Other clients write the item all the time.
    Busy,
    /// There is no memory for the reply.
    NoMemory,
}

/// Writes replies into a buffer.
#[derive(Debug)]
pub struct Reply<'o>(pub &'o mut BytesMut);

impl Reply<'_> {
    /// An item. Not the end of the reply: [`Reply::end`] is.
    pub fn item(&mut self, key: &[u8], flags: u32, value: &[u8], version: u64, form: Form) {
        self.0.reserve(ITEM_HEAD_BYTES_MAX + value.len());
        if self.item_head(key, flags, value.len(), version, form) {
            self.0.put_slice(value);
            self.item_tail(form);
        }
    }

    /// What stands in front of an item's value; false: neither the value nor [`Reply::item_tail`] follows. For a value
    /// that is not copied into the buffer.
    pub fn item_head(&mut self, key: &[u8], flags: u32, length: usize, version: u64, form: Form) -> bool {
        match form {
            Form::Silent => false,
            Form::Text { is_versioned } => {
                self.0.put_slice(b"VALUE ");
                self.0.put_slice(key);
                self.0.put_u8(b' ');
                put_decimal(self.0, flags.into());
                self.0.put_u8(b' ');
                put_decimal(self.0, length as u64);
                if is_versioned {
                    self.0.put_u8(b' ');
                    put_decimal(self.0, version);
                }
                self.0.put_slice(b"\r\n");
                true
            }
            Form::Binary { opcode, opaque, has_key, .. } => {
                let key = if has_key { key } else { b"" };
                let length = if opcode.is_touch() { 0 } else { length };
                let flags = flags.to_be_bytes();
                binary::write_head(self.0, opcode, Status::Ok, opaque, version, &flags, key, length);
                !opcode.is_touch()
            }
        }
    }

    /// What stands behind an item's value.
    pub fn item_tail(&mut self, form: Form) {
        if matches!(form, Form::Text { .. }) {
            self.0.put_slice(b"\r\n");
        }
    }

    /// The end of a `get`; `found`: whether there was an item, which is all that a binary reply says.
    pub fn end(&mut self, key: &[u8], found: bool, form: Form) {
        match form {
            Form::Text { .. } => self.0.put_slice(b"END\r\n"),
            Form::Binary { opcode, opaque, is_quiet: false, has_key } if !found => {
                let (key, text) = if has_key { (key, &b""[..]) } else { (&b""[..], &b"Not found"[..]) };
                binary::write(self.0, opcode, Status::NotFound, opaque, 0, &[], key, text);
            }
            Form::Silent | Form::Binary { .. } => {}
        }
    }

    pub fn outcome(&mut self, outcome: Outcome, form: Form) {
        match form {
            Form::Silent => {}
            Form::Text { .. } => self.text(outcome),
            Form::Binary { opcode, opaque, is_quiet, .. } => {
                binary::outcome(self.0, outcome, opcode, opaque, is_quiet);
            }
        }
    }

    pub fn version(&mut self, version: &str, form: Form) {
        match form {
            Form::Binary { opcode, opaque, .. } => {
                binary::write(self.0, opcode, Status::Ok, opaque, 0, &[], b"", version.as_bytes());
            }
            _ => {
                self.0.put_slice(b"VERSION ");
                self.0.put_slice(version.as_bytes());
                self.0.put_slice(b"\r\n");
            }
        }
    }

    /// Figures by name.
    pub fn stats<'s>(&mut self, figures: impl IntoIterator<Item = (&'s str, String)>, form: Form) {
        for (name, value) in figures {
            match form {
                Form::Binary { opcode, opaque, .. } => {
                    let (name, value) = (name.as_bytes(), value.as_bytes());
                    binary::write(self.0, opcode, Status::Ok, opaque, 0, &[], name, value);
                }
                _ => self.0.put_slice(format!("STAT {name} {value}\r\n").as_bytes()),
            }
        }
        match form {
            Form::Binary { opcode, opaque, .. } => {
                binary::write(self.0, opcode, Status::Ok, opaque, 0, &[], b"", b"");
            }
            _ => self.0.put_slice(b"END\r\n"),
        }
    }

    fn text(&mut self, outcome: Outcome) {
        let line = match outcome {
            Outcome::Stored(_) => "STORED",
            Outcome::NotStored => "NOT_STORED",
            Outcome::Exists => "EXISTS",
            Outcome::NotFound => "NOT_FOUND",
            Outcome::Deleted => "DELETED",
            Outcome::Touched => "TOUCHED",
            Outcome::NotANumber => "CLIENT_ERROR cannot increment or decrement non-numeric value",
            Outcome::Done => "OK",
            Outcome::TooLarge => "SERVER_ERROR object too large for cache",
            Outcome::Busy => "SERVER_ERROR the item changes too often",
            Outcome::NoMemory => "SERVER_ERROR out of memory writing get response",
            Outcome::Number(number, _) => {
                put_decimal(self.0, number);
                self.0.put_slice(b"\r\n");
                return;
            }
            Outcome::Away(reason) => {
                self.0.put_slice(b"SERVER_ERROR session store: ");
                self.0.put_slice(reason.as_bytes());
                self.0.put_slice(b"\r\n");
                return;
            }
        };
        self.0.put_slice(line.as_bytes());
        self.0.put_slice(b"\r\n");
    }

    /// The last reply of a connection, which the text protocol does not have.
    pub fn quit(&mut self, form: Form) {
        if matches!(form, Form::Binary { .. }) {
            self.outcome(Outcome::Done, form);
        }
    }
}

/// More than what stands around a value: a key of 250 bytes, words, numbers and ends of lines.
const ITEM_HEAD_BYTES_MAX: usize = 320;
