//! Named values in the two formats of a line.

use std::net::{IpAddr, SocketAddr};

use crate::escape::{push_address, push_ip, push_json, push_number, push_quoted, push_token};

macro_rules! key {
    ($name:literal) => {
        $crate::record::fields::Key {
            json: concat!(",\"", $name, "\":"),
            json_string: concat!(",\"", $name, "\":\""),
            text: concat!(" ", $name, "="),
            text_quoted: concat!(" ", $name, "=\""),
        }
    };
}

pub(super) use key;

/// A field's name with its punctuation in each format, built by `key!` at compile time. A field is then written
/// by one copy instead of three.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) json: &'static str,
    pub(super) json_string: &'static str,
    pub(super) text: &'static str,
    pub(super) text_quoted: &'static str,
}

/// Writes named values in one format. A value that is absent, empty or false is not written.
pub(super) trait Fields {
    fn number(&mut self, key: Key, value: u64);
    /// A value that rarely contains spaces.
    fn token(&mut self, key: Key, value: &[u8]);
    /// A value that is free text.
    fn quoted(&mut self, key: Key, value: &[u8]);
    fn ip(&mut self, key: Key, value: IpAddr);
    fn address(&mut self, key: Key, value: SocketAddr);
    fn flag(&mut self, key: Key, value: bool);

    fn number_if(&mut self, key: Key, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }
}

pub(super) struct Json<'o>(pub(super) &'o mut Vec<u8>);

impl Json<'_> {
    #[inline]
    fn string(&mut self, key: Key, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.extend_from_slice(key.json_string.as_bytes());
        write(self.0);
        self.0.push(b'"');
    }
}

impl Fields for Json<'_> {
    #[inline]
    fn number(&mut self, key: Key, value: u64) {
        self.0.extend_from_slice(key.json.as_bytes());
        push_number(self.0, value);
    }

    #[inline]
    fn token(&mut self, key: Key, value: &[u8]) {
        self.quoted(key, value);
    }

    #[inline]
    fn quoted(&mut self, key: Key, value: &[u8]) {
        if !value.is_empty() {
            self.string(key, |out| push_json(out, value));
        }
    }

    #[inline]
    fn ip(&mut self, key: Key, value: IpAddr) {
        self.string(key, |out| push_ip(out, value));
    }

    #[inline]
    fn address(&mut self, key: Key, value: SocketAddr) {
        self.string(key, |out| push_address(out, value));
    }

    #[inline]
    fn flag(&mut self, key: Key, value: bool) {
        if value {
            self.0.extend_from_slice(key.json.as_bytes());
            self.0.extend_from_slice(b"true");
        }
    }
}

pub(super) struct Text<'o>(pub(super) &'o mut Vec<u8>);

impl Fields for Text<'_> {
    #[inline]
    fn number(&mut self, key: Key, value: u64) {
        self.0.extend_from_slice(key.text.as_bytes());
        push_number(self.0, value);
    }

    #[inline]
    fn token(&mut self, key: Key, value: &[u8]) {
        if !value.is_empty() {
            self.0.extend_from_slice(key.text.as_bytes());
            push_token(self.0, value);
        }
    }

    #[inline]
    fn quoted(&mut self, key: Key, value: &[u8]) {
        if !value.is_empty() {
            self.0.extend_from_slice(key.text_quoted.as_bytes());
            push_quoted(self.0, value);
            self.0.push(b'"');
        }
    }

    #[inline]
    fn ip(&mut self, key: Key, value: IpAddr) {
        self.0.extend_from_slice(key.text.as_bytes());
        push_ip(self.0, value);
    }

    #[inline]
    fn address(&mut self, key: Key, value: SocketAddr) {
        self.0.extend_from_slice(key.text.as_bytes());
        push_address(self.0, value);
    }

    #[inline]
    fn flag(&mut self, key: Key, value: bool) {
        if value {
            self.0.extend_from_slice(key.text.as_bytes());
            self.0.push(b'1');
        }
    }
}
