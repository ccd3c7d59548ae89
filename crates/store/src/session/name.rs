//! Names under which sessions are stored, from which no client's address can be read.

use aws_lc_rs::hmac;

use crate::Key;

/// `evk:s:` and 16 bytes of an HMAC-SHA256 (RFC 2104 §5 permits to cut it) as hex digits. Without the secret an address
/// cannot be found by trying all of them. All nodes that share a store need the same secret.
pub fn store_key(secret: &[u8; 32], scope: u64, client: u128) -> Key {
    let mut message = [0; 24];
    message[..8].copy_from_slice(&scope.to_be_bytes());
    message[8..].copy_from_slice(&client.to_be_bytes());
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &message);
    let mut name = [0; PREFIX.len() + 2 * TAG_BYTES];
    name[..PREFIX.len()].copy_from_slice(PREFIX);
    let digits = tag.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    for (place, digit) in name[PREFIX.len()..].iter_mut().zip(digits) {
        *place = HEX[usize::from(digit)];
    }
    Key::plain(&name)
}

const PREFIX: &[u8] = b"evk:s:";
const TAG_BYTES: usize = 16;
const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_never_change() {
        // A store outlives versions: a change of these loses every session in it.
        let key = store_key(&[7; 32], 0x0102_0304_0506_0708, 0x2001_0db8 << 96);
        assert_eq!(std::str::from_utf8(key.as_bytes()).unwrap(), "evk:s:fca9a334c559ea6041bd9926420ecbdb");
        assert_eq!(Key::new(key.as_bytes()), Ok(key));
    }

    #[test]
    fn secret_scope_and_client_count() {
        let key = store_key(&[7; 32], 1, 2);
        assert_ne!(key, store_key(&[8; 32], 1, 2));
        assert_ne!(key, store_key(&[7; 32], 2, 2));
        assert_ne!(key, store_key(&[7; 32], 1, 1 << 127));
    }
}
