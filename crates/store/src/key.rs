//! The keys of items.

use std::fmt;

/// 1–250 bytes without spaces and control characters, as memcached takes them. Other stores take them, too.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Box<[u8]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

impl Key {
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let is_plain = bytes.iter().all(|&byte| byte > b' ' && byte != 0x7f);
        if is_plain && (1..=KEY_BYTES_MAX).contains(&bytes.len()) {
            Ok(Self(bytes.into()))
        } else {
            Err(InvalidKey)
        }
    }

    /// For bytes that are known to be valid.
    pub(crate) fn plain(bytes: &[u8; 38]) -> Self {
        Self(bytes.as_slice().into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key has 1 to 250 bytes, none of which is a space or a control character")
    }
}

impl std::error::Error for InvalidKey {}

// limit: of memcached's protocol.
const KEY_BYTES_MAX: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_memcached() {
        assert!(Key::new(b"a").is_ok() && Key::new(&[b'k'; 250]).is_ok() && Key::new("ü".as_bytes()).is_ok());
        for bad in [&b""[..], b"a b", b"a\n", b"a\0", b"\x7f", &[b'k'; 251]] {
            assert_eq!(Key::new(bad), Err(InvalidKey), "{}", bad.escape_ascii());
        }
    }
}
