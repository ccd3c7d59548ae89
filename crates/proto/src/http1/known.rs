//! The field names that affect the decisions of a proxy.

use super::token::plain;
use super::word;

macro_rules! names {
    ($($known:ident $name:literal,)*) => {
        /// A field name with a meaning for this product; every other name is [`Known::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            $($known,)*
            /// A proxy's claim about a request that we do not write: see [`Known::is_claim`].
            Claim,
            Other,
        }

        #[allow(non_upper_case_globals, reason = "they are named as the variants are")]
        mod keys {
            $(pub(super) const $known: super::Key = super::Key::new($name.as_bytes());)*
        }

        /// A table with every name at the index that its key hashes to; [`Known::Other`] in the free entries.
        static PLACES: [(Key, Known); PLACES_COUNT] = {
            let mut places = [(Key([0; 3]), Known::Other); PLACES_COUNT];
            $(
                let place = &mut places[keys::$known.place()];
                assert!(matches!(place.1, Known::Other), "two names collide: choose another `SPREAD`");
                *place = (keys::$known, Known::$known);
            )*
            places
        };

        #[cfg(test)]
        static NAMES: &[(&str, Known)] = &[$(($name, Known::$known)),*];
    };
}

names! {
    Te "te",
    Via "via",
    Host "host",
    Date "date",
    Accept "accept",
    Cookie "cookie",
    Expect "expect",
    Server "server",
    Trailer "trailer",
    Upgrade "upgrade",
    Referer "referer",
    Location "location",
    Forwarded "forwarded",
    Connection "connection",
    UserAgent "user-agent",
    SetCookie "set-cookie",
    KeepAlive "keep-alive",
    XRequestId "x-request-id",
    ContentLength "content-length",
    XForwardedFor "x-forwarded-for",
    XForwardedHost "x-forwarded-host",
    XForwardedPort "x-forwarded-port",
    ProxyConnection "proxy-connection",
    XForwardedProto "x-forwarded-proto",
    TransferEncoding "transfer-encoding",
    ProxyAuthenticate "proxy-authenticate",
    ProxyAuthorization "proxy-authorization",
}

impl Known {
    /// The name, compared without case.
    pub fn of(name: &[u8]) -> Self {
        let is_possible = name.len() <= KEY_BYTES && !name.contains(&b'\r');
        if is_possible { Key::new(name).known() } else { Self::Other }
    }

    /// Whether targets trust a field of this name (with `_` for `-` too) as a proxy's statement about the origin or
    /// target of a request. `name` is not one of the known names.
    #[inline]
    pub fn is_claim(name: &[u8]) -> bool {
        matches!(name, [b'x' | b'X', b'-' | b'_', ..]) && Self::is_claim_of_x(name)
    }

    fn is_claim_of_x(name: &[u8]) -> bool {
        let begins = |start: &[u8]| {
            name.len() >= start.len() && start.iter().zip(name).all(|(&byte, &other)| byte == plain(other))
        };
        match name.len() {
            9 => begins(b"x-real-ip"),
            13 if begins(b"x-rewrite-url") => true,
            14 if begins(b"x-original-url") => true,
            13.. => begins(b"x-forwarded-"),
            _ => false,
        }
    }

    /// The name for a reader that treats `_` as `-`, as CGI does. `None` if the name contains no `_` or is not an
    /// alias.
    pub fn alias_of(name: &[u8]) -> Option<Self> {
        if !name.contains(&b'_') {
            return None;
        }
        let mut spelt = [0; NAME_BYTES_MAX];
        let known = spelt.get_mut(..name.len()).map_or(Self::Other, |spelt| {
            spelt.iter_mut().zip(name).for_each(|(to, &from)| *to = plain(from));
            Self::of(spelt)
        });
        match known {
            Self::Other => Self::is_claim(name).then_some(Self::Claim),
            known => Some(known),
        }
    }

    /// Whether a field of this name is hop-by-hop even if `Connection` does not list it (RFC 9110 §7.6.1).
    pub const fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::ProxyAuthenticate
                | Self::ProxyAuthorization
                | Self::Te
                | Self::Trailer
                | Self::TransferEncoding
                | Self::Upgrade
        )
    }

    /// The name as a set with one member; sets of names are bit masks.
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of known names.
#[derive(Clone, Copy, Debug)]
pub struct Names(u32);

impl Names {
    pub const fn of(list: &[Known]) -> Self {
        let (mut names, mut place) = (0, 0);
        while place < list.len() {
            names |= list[place].bit();
            place += 1;
        }
        Self(names)
    }

    /// Whether it contains all of these bits.
    pub(super) const fn hold(self, bits: u32) -> bool {
        bits & !self.0 == 0
    }
}

/// A name of at most 24 bytes as numbers: in lower case and padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u64; KEY_BYTES / 8]);

impl Key {
    /// The key and the length of the name at the start of these bytes, which ends at a colon or CR. `None`: it is too
    /// long, or too near the end of the buffer to be read in whole words.
    #[inline(always)]
    pub(super) fn at_start(bytes: &[u8]) -> Option<(Self, usize)> {
        // Unrolled, because an array filled in a loop would go through memory.
        let (first, end) = word_of_name(bytes, 0)?;
        if let Some(len) = end {
            return Some((Self([first, 0, 0]), len));
        }
        let (middle, end) = word_of_name(bytes, 8)?;
        if let Some(len) = end {
            return Some((Self([first, middle, 0]), len));
        }
        let (last, end) = word_of_name(bytes, 16)?;
        end.map(|len| (Self([first, middle, last]), len))
    }

    #[inline(always)]
    pub(super) fn known(self) -> Known {
        let (key, known) = PLACES[self.place()];
        if key == self { known } else { Known::Other }
    }

    /// The index of the name in [`PLACES`], if it is there.
    #[inline(always)]
    const fn place(self) -> usize {
        let [first, middle, last] = self.0;
        ((first ^ middle.rotate_left(16) ^ last.rotate_left(32)).wrapping_mul(SPREAD) >> PLACES_SHIFT)
            as usize
    }

    /// `name` has at most [`KEY_BYTES`] bytes.
    const fn new(name: &[u8]) -> Self {
        let mut words = [0; 3];
        let mut place = 0;
        while place < name.len() {
            words[place / 8] |= ((name[place] | 0x20) as u64) << (8 * (place % 8));
            place += 1;
        }
        Self(words)
    }
}

/// The word of a key at `place`, and the length of the name if it ends in this word.
#[inline(always)]
fn word_of_name(bytes: &[u8], place: usize) -> Option<(u64, Option<usize>)> {
    let read = word::at(bytes, place)?;
    // No name continues after a CR, and `LOWER` would turn a CR into `-`.
    let ends = word::equal(read, b':') | word::equal(read, b'\r');
    if ends == 0 {
        return Some((read | LOWER, None));
    }
    Some(((read | LOWER) & word::below(ends), Some(place + word::lowest(ends))))
}

const KEY_BYTES: usize = 24;

/// Hashes keys to table indexes without collisions. Found by trial; checked where [`PLACES`] is built.
const SPREAD: u64 = 0xb25e_2867_78ec_a501;
const PLACES_COUNT: usize = 64;
const PLACES_SHIFT: u32 = 64 - PLACES_COUNT.ilog2();

/// Sets the bit that distinguishes lower case from upper case. Among the bytes that a field line may contain, only
/// letters become lower-case letters, only `-` becomes `-`, and none becomes zero: equal keys mean equal names.
const LOWER: u64 = word::splat(0x20);

const NAME_BYTES_MAX: usize = 19;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http1::token;

    fn by_comparison(name: &[u8]) -> Known {
        let equal = |(known, _): &&(&str, Known)| token::eq_ignore_case(known.as_bytes(), name);
        NAMES.iter().find(equal).map_or(Known::Other, |(_, known)| *known)
    }

    #[test]
    fn every_name_is_recognised_in_any_case() {
        for (name, known) in NAMES {
            assert_eq!(Known::of(name.as_bytes()), *known);
            assert_eq!(Known::of(name.to_ascii_uppercase().as_bytes()), *known);
        }
        assert_eq!(NAMES.iter().map(|(name, _)| name.len()).max(), Some(NAME_BYTES_MAX));
        assert!(Known::Other as u8 <= 32, "`Known::bit` has 32 of them");
    }

    #[test]
    fn a_name_with_one_byte_changed_is_not_recognised() {
        for (name, _) in NAMES {
            let name = name.as_bytes();
            for place in 0..name.len() {
                for byte in (0..=255).filter(|byte| token::is_token_byte(*byte)) {
                    let mut other = name.to_vec();
                    other[place] = byte;
                    assert_eq!(Known::of(&other), by_comparison(&other));
                }
            }
            assert_eq!(Known::of(&name[1..]), Known::Other);
            assert_eq!(Known::of(&[name, b"x"].concat()), Known::Other);
        }
        assert_eq!(Known::of(b""), Known::Other);
        assert_eq!(Known::of(&[b'x'; 100]), Known::Other);
    }

    #[test]
    fn an_alias_has_underscores_for_hyphens() {
        for (name, expected) in [
            ("X_Forwarded_For", Some(Known::XForwardedFor)),
            ("x-forwarded_proto", Some(Known::XForwardedProto)),
            ("CONTENT_LENGTH", Some(Known::ContentLength)),
            ("Transfer_Encoding", Some(Known::TransferEncoding)),
            ("X-Forwarded-For", None),
            ("X_Real_IP", Some(Known::Claim)),
            ("x_forwarded_user", Some(Known::Claim)),
            ("X-Forwarded_Client_Cert_And_More", Some(Known::Claim)),
            ("X_Other", None),
            ("_", None),
            ("a_name_that_is_longer_than_every_known_one", None),
        ] {
            assert_eq!(Known::alias_of(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn fields_that_targets_trust_are_claims() {
        for (name, expected) in [
            ("X-Real-IP", true),
            ("x-real_ip", true),
            ("X-Forwarded-User", true),
            ("x-forwarded-client-cert-and-more", true),
            ("X-Original-URL", true),
            ("x-rewrite-url", true),
            ("X-Real-IPs", false),
            ("X-Forwarded-", false),
            ("X-Forwarded", false),
            ("X-Original-URI", false),
            ("X-Forwarder-Id", false),
            ("", false),
        ] {
            assert_eq!(Known::is_claim(name.as_bytes()), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_name(name in proptest::collection::vec(any::<u8>(), 0..24)) {
            let name: Vec<u8> = name.into_iter().filter(|byte| *byte >= 0x20).collect();
            prop_assert_eq!(Known::of(&name), by_comparison(&name));
        }
    }
}
