//! What is answered, in the form of the command.

use bytes::{BufMut, BytesMut};

use super::binary::{self, Opcode, Status};

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
}

/// Writes replies into a buffer.
#[derive(Debug)]
pub struct Reply<'o>(pub &'o mut BytesMut);

impl Reply<'_> {
    /// An item. Not the end of the reply: [`Reply::end`] is.
    pub fn item(&mut self, key: &[u8], flags: u32, value: &[u8], version: u64, form: Form) {
        match form {
            Form::Silent => {}
            Form::Text { is_versioned } => {
                self.0.put_slice(b"VALUE ");
                self.0.put_slice(key);
                let tail = if is_versioned {
                    format!(" {flags} {} {version}\r\n", value.len())
                } else {
                    format!(" {flags} {}\r\n", value.len())
                };
                self.0.put_slice(tail.as_bytes());
                self.0.put_slice(value);
                self.0.put_slice(b"\r\n");
            }
            Form::Binary { opcode, opaque, has_key, .. } => {
                let key = if has_key { key } else { b"" };
                let value = if opcode.is_touch() { b"" } else { value };
                binary::write(self.0, opcode, Status::Ok, opaque, version, &flags.to_be_bytes(), key, value);
            }
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
            Outcome::Number(number, _) => {
                self.0.put_slice(format!("{number}\r\n").as_bytes());
                return;
            }
            Outcome::Away(reason) => {
                self.0.put_slice(format!("SERVER_ERROR session store: {reason}\r\n").as_bytes());
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
