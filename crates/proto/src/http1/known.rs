//! The field names that a proxy decides by.

use super::token::plain;
use super::word;

macro_rules! names {
    ($($known:ident $name:literal,)*) => {
        /// A field name that this product has a reason to know; every other is [`Known::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            $($known,)*
            /// What a proxy in front claims of a request and we do not write: see [`Known::is_claim`].
            Claim,
            Other,
        }

        #[allow(non_upper_case_globals, reason = "they are named as the variants are")]
        mod keys {
            $(pub(super) const $known: super::Key = super::Key::new($name.as_bytes());)*
        }

        /// Every name at the place that its key says; [`Known::Other`] where there is none.
        static PLACES: [(Key, Known); PLACES_COUNT] = {
            let mut places = [(Key([0; 3]), Known::Other); PLACES_COUNT];
            $(
                let place = &mut places[keys::$known.place()];
                assert!(matches!(place.1, Known::Other), "two names at one place: take another `SPREAD`");
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
    /// Which name this is, in any case of its letters.
    pub fn of(name: &[u8]) -> Self {
        let is_possible = name.len() <= KEY_BYTES && !name.contains(&b'\r');
        if is_possible { Key::new(name).known() } else { Self::Other }
    }

    /// Whether targets believe a field of this name, with `_` for `-` too, to be a proxy's word on where a request came
    /// from or what it asked for. `name` is none of the known ones.
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

    /// Which name this is for a reader who takes `_` for `-`, as CGI and its heirs do; `None` where the name has
    /// no `_` or is no alias.
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

    /// Whether a field of this name is meant for the next hop only, named by `Connection` or not
    /// (RFC 9110 §7.6.1).
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

    /// A set of one, for sets of names as bits.
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of names that are known.
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

    /// Whether it holds all of these bits.
    pub(super) const fn hold(self, bits: u32) -> bool {
        bits & !self.0 == 0
    }
}

/// A name of at most 24 bytes as numbers: in lower case, with zeros behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u64; KEY_BYTES / 8]);

impl Key {
    /// The key and the length of the name at the start of these bytes, which a colon or a CR ends. `None`: it is too
    /// long or too near the end to be read in words.
    #[inline(always)]
    pub(super) fn at_start(bytes: &[u8]) -> Option<(Self, usize)> {
        // Written out, because an array that a loop fills goes through memory.
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

    /// Where the name stands in [`PLACES`] if it stands there.
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

/// The word of a key that stands at `place`, and the name's length if it ends among these bytes.
#[inline(always)]
fn word_of_name(bytes: &[u8], place: usize) -> Option<(u64, Option<usize>)> {
    let read = word::at(bytes, place)?;
    // No name goes on behind a CR, and `LOWER` would make a `-` of it.
    let ends = word::equal(read, b':') | word::equal(read, b'\r');
    if ends == 0 {
        return Some((read | LOWER, None));
    }
    Some(((read | LOWER) & word::below(ends), Some(place + word::lowest(ends))))
}

const KEY_BYTES: usize = 24;

/// Spreads keys over places so that no two names meet; found by trying, checked where [`PLACES`] is made.
const SPREAD: u64 = 0xb25e_2867_78ec_a501;
const PLACES_COUNT: usize = 64;
const PLACES_SHIFT: u32 = 64 - PLACES_COUNT.ilog2();

/// Sets the bit by which lower case differs from upper. Of the bytes that can stand in a field line only a letter
/// becomes a lower-case letter by it, only `-` a `-`, and none a zero: equal keys mean equal names.
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
    fn every_name_is_known_in_any_case() {
        for (name, known) in NAMES {
            assert_eq!(Known::of(name.as_bytes()), *known);
            assert_eq!(Known::of(name.to_ascii_uppercase().as_bytes()), *known);
        }
        assert_eq!(NAMES.iter().map(|(name, _)| name.len()).max(), Some(NAME_BYTES_MAX));
        assert!(Known::Other as u8 <= 32, "`Known::bit` has 32 of them");
    }

    #[test]
    fn a_name_that_differs_in_one_byte_is_another() {
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
    fn a_claim_is_what_targets_believe() {
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
