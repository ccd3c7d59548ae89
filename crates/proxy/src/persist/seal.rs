//! Routes as clients carry them in cookies: sealed, so that a client can neither read nor make one (SP5).
//!
//! A sealed route is the base64url text, without padding, of
//!
//! | bytes | |
//! |---|---|
//! | 1 | version, 1 |
//! | 12 | nonce |
//! | 12 | target (8) and end (4), enciphered |
//! | 16 | tag |
//!
//! with AES-256-GCM-SIV (RFC 8452). Nodes that share a key draw nonces without knowing of each other. With this cipher
//! an equal nonce shows only whether two routes are equal too; with AES-GCM it would give the key of the tags away.
//! The name of the cookie is authenticated with it, so a route of one cookie is not one of another.

use std::io;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::SecretKeys;

use balance::session::TargetId;

/// What a sealed text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) target: TargetId,
    /// Unix seconds from which on the route is not valid. 0: none.
    pub(crate) expires: u32,
}

/// Why a text is as if it were absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsealed {
    /// Not of the form that this version writes.
    Malformed,
    /// Of the form, but sealed with no key of ours, for another cookie, or changed.
    Forged,
    Expired,
}

/// Seals and opens the routes of one cookie. `Debug` shows no key.
#[derive(Debug)]
pub(crate) struct Sealer {
    current: LessSafeKey,
    /// Opens only.
    previous: Option<LessSafeKey>,
    /// What is authenticated and not written.
    context: Vec<u8>,
}

impl Sealer {
    /// # Errors
    ///
    /// If the cipher does not take a key.
    pub(crate) fn new(keys: &SecretKeys, context: &[u8]) -> io::Result<Self> {
        Ok(Self {
            current: cipher(&keys.current)?,
            previous: keys.previous.as_ref().map(cipher).transpose()?,
            context: [CONTEXT, context].concat(),
        })
    }

    /// Appends a text of [`ROUTE_BYTES`] to `out`. Every call needs another nonce, though an equal one costs little.
    pub(crate) fn seal(&self, route: Route, nonce: [u8; NONCE_BYTES], out: &mut Vec<u8>) {
        let mut plain = [0; PLAIN_BYTES];
        plain[..8].copy_from_slice(&route.target.0.to_be_bytes());
        plain[8..].copy_from_slice(&route.expires.to_be_bytes());
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        let tag =
            self.current.seal_in_place_separate_tag(nonce_used, Aad::from(&self.context[..]), &mut plain);
        // It cannot fail on so few bytes. Nothing written is as good as no cookie.
        let Ok(tag) = tag else { return };
        let mut sealed = [0; SEALED_BYTES];
        sealed[0] = VERSION;
        sealed[NONCE_AT..PLAIN_AT].copy_from_slice(&nonce);
        sealed[PLAIN_AT..TAG_AT].copy_from_slice(&plain);
        sealed[TAG_AT..].copy_from_slice(tag.as_ref());
        let mut text = [0; ROUTE_BYTES];
        if URL_SAFE_NO_PAD.encode_slice(sealed, &mut text).is_ok() {
            out.extend_from_slice(&text);
        }
    }

    /// # Errors
    ///
    /// Why the text is as if it were absent. A text of another length costs nothing. `now` is in Unix seconds.
    pub(crate) fn open(&self, text: &[u8], now: u32) -> Result<Route, Unsealed> {
        let mut sealed = [0; SEALED_BYTES];
        let decoded = if text.len() == ROUTE_BYTES {
            URL_SAFE_NO_PAD.decode_slice(text, &mut sealed).ok()
        } else {
            None
        };
        if decoded != Some(SEALED_BYTES) || sealed[0] != VERSION {
            return Err(Unsealed::Malformed);
        }
        let plain = self.plain(&sealed).ok_or(Unsealed::Forged)?;
        let ([target @ .., _, _, _, _], [.., a, b, c, d]) = (plain, plain);
        let route =
            Route { target: TargetId(u64::from_be_bytes(target)), expires: u32::from_be_bytes([a, b, c, d]) };
        if route.expires != 0 && now >= route.expires {
            return Err(Unsealed::Expired);
        }
        Ok(route)
    }

    fn plain(&self, sealed: &[u8; SEALED_BYTES]) -> Option<[u8; PLAIN_BYTES]> {
        [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find_map(|key| {
            let mut nonce = [0; NONCE_BYTES];
            nonce.copy_from_slice(&sealed[NONCE_AT..PLAIN_AT]);
            let mut plain = [0; PLAIN_BYTES];
            plain.copy_from_slice(&sealed[PLAIN_AT..TAG_AT]);
            let nonce = Nonce::assume_unique_for_key(nonce);
            let context = Aad::from(&self.context[..]);
            key.open_in_place_separate_tag(nonce, context, &sealed[TAG_AT..], &mut plain).ok()?;
            Some(plain)
        })
    }
}

fn cipher(key: &[u8; 32]) -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM_SIV, key)
        .map_err(|_| io::Error::other("the cipher of session cookies cannot be set up"))?;
    Ok(LessSafeKey::new(key))
}

const CONTEXT: &[u8] = b"evenkeel cookie v1";
const VERSION: u8 = 1;
pub(crate) const NONCE_BYTES: usize = 12;
const PLAIN_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const NONCE_AT: usize = 1;
const PLAIN_AT: usize = NONCE_AT + NONCE_BYTES;
const TAG_AT: usize = PLAIN_AT + PLAIN_BYTES;
const SEALED_BYTES: usize = TAG_AT + TAG_BYTES;
/// Of every sealed route.
pub(crate) const ROUTE_BYTES: usize = (SEALED_BYTES * 4).div_ceil(3);

#[cfg(test)]
mod tests {
    use balance::Rng;

    use super::*;

    const ROUTE: Route = Route { target: TargetId(0x0123_4567_89AB_CDEF), expires: 1_000 };
    const NONCE: [u8; NONCE_BYTES] = *b"twelve bytes";

    fn keys(current: u8, previous: Option<u8>) -> SecretKeys {
        SecretKeys { current: [current; 32], previous: previous.map(|byte| [byte; 32]) }
    }

    fn sealer(current: u8, previous: Option<u8>) -> Sealer {
        Sealer::new(&keys(current, previous), b"EKSESSION").unwrap()
    }

    fn sealed(sealer: &Sealer, route: Route) -> Vec<u8> {
        let mut text = Vec::new();
        sealer.seal(route, NONCE, &mut text);
        text
    }

    /// (SP5)
    #[test]
    fn a_sealed_route_is_opened_by_every_node_with_the_key() {
        for expires in [0, 1, 1_000, u32::MAX] {
            for target in [0, 1, u64::MAX] {
                let route = Route { target: TargetId(target), expires };
                let text = sealed(&sealer(1, None), route);
                assert_eq!(text.len(), ROUTE_BYTES);
                assert!(text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)));
                assert_eq!(sealer(1, None).open(&text, 0), Ok(route));
            }
        }
    }

    /// Nodes of other versions must read it. The text is the one that Python's `cryptography` (AESGCMSIV) makes.
    #[test]
    fn the_text_is_always_the_same() {
        let text = sealed(&sealer(1, None), ROUTE);
        assert_eq!(str::from_utf8(&text).unwrap(), "AXR3ZWx2ZSBieXRlcxW-D8MlLb9litglKd47IAorUr8fA6c4_KUZCEU");
    }

    #[test]
    fn the_target_is_not_in_the_text() {
        let text = sealed(&sealer(1, None), ROUTE);
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        assert!(!bytes.windows(4).any(|window| window == [0x01, 0x23, 0x45, 0x67]));
        let mut other = Vec::new();
        sealer(1, None).seal(ROUTE, *b"another one!", &mut other);
        assert_ne!(text, other);
        assert_ne!(text[18..], other[18..]);
    }

    #[test]
    fn keys_are_replaced_one_at_a_time() {
        let text = sealed(&sealer(1, None), ROUTE);
        assert_eq!(sealer(2, Some(1)).open(&text, 0), Ok(ROUTE));
        assert_eq!(sealer(2, None).open(&text, 0), Err(Unsealed::Forged));
        assert_eq!(sealer(3, Some(2)).open(&text, 0), Err(Unsealed::Forged));
        let of_new = sealed(&sealer(2, Some(1)), ROUTE);
        assert_eq!(sealer(2, None).open(&of_new, 0), Ok(ROUTE));
        assert_eq!(sealer(1, None).open(&of_new, 0), Err(Unsealed::Forged));
    }

    #[test]
    fn a_route_of_another_cookie_is_forged() {
        let text = sealed(&sealer(1, None), ROUTE);
        let other = Sealer::new(&keys(1, None), b"EKSESSIO").unwrap();
        assert_eq!(other.open(&text, 0), Err(Unsealed::Forged));
    }

    /// (SP6)
    #[test]
    fn a_route_ends_at_its_second() {
        let text = sealed(&sealer(1, None), ROUTE);
        assert_eq!(sealer(1, None).open(&text, 999), Ok(ROUTE));
        assert_eq!(sealer(1, None).open(&text, 1_000), Err(Unsealed::Expired));
        assert_eq!(sealer(1, None).open(&text, u32::MAX), Err(Unsealed::Expired));
        let endless = Route { expires: 0, ..ROUTE };
        assert_eq!(sealer(1, None).open(&sealed(&sealer(1, None), endless), u32::MAX), Ok(endless));
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let sealer = sealer(1, Some(2));
        let text = sealed(&sealer, ROUTE);
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 8 { Unsealed::Malformed } else { Unsealed::Forged };
            assert_eq!(sealer.open(URL_SAFE_NO_PAD.encode(bytes).as_bytes(), 0), Err(expected), "bit {bit}");
        }
        for bit in 0..text.len() * 8 {
            let mut text = text.clone();
            text[bit / 8] ^= 1 << (bit % 8);
            assert!(sealer.open(&text, 0).is_err(), "bit {bit} of the text");
        }
    }

    #[test]
    fn a_text_of_another_length_is_malformed() {
        let sealer = sealer(1, None);
        let text = sealed(&sealer, ROUTE);
        for len in 0..text.len() {
            assert_eq!(sealer.open(&text[..len], 0), Err(Unsealed::Malformed));
            assert_eq!(sealer.open(&text[len + 1..], 0), Err(Unsealed::Malformed));
        }
        assert_eq!(sealer.open(&[&text[..], b"="].concat(), 0), Err(Unsealed::Malformed));
        assert_eq!(sealer.open(&[b'A'; 8_192], 0), Err(Unsealed::Malformed));
    }

    #[test]
    fn no_random_text_opens() {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (sealer, mut rng) = (sealer(1, Some(2)), Rng::new(7));
        let genuine = sealed(&sealer, ROUTE);
        let mut forged = 0;
        for _ in 0..10_000 {
            let mut text = genuine.clone();
            // The version stays, so that most get as far as the cipher.
            text[2..].fill_with(|| LETTERS[rng.below(64) as usize]);
            let result = sealer.open(&text, 0);
            assert!(matches!(result, Err(Unsealed::Forged | Unsealed::Malformed)), "{result:?}");
            forged += usize::from(result == Err(Unsealed::Forged));
        }
        assert!(forged > 1_000, "{forged}");
    }
}
