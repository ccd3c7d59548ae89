//! The field names that a proxy decides by.

use super::{token, word};

macro_rules! names {
    ($($known:ident $name:literal,)*) => {
        /// A field name that this product has a reason to know; every other is [`Known::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            $($known,)*
            Other,
        }

        /// invariant: sorted by length, which [`STARTS`] relies on (checked when this is compiled).
        static NAMES: [Name; Known::Other as usize] = [$(Name::new($name, Known::$known)),*];
    };
}

names! {
    Te "te",
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
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        let Some([from, to]) = STARTS.get(name.len()..).and_then(|starts| starts.first_chunk::<2>()) else {
            return Self::Other;
        };
        let (first, last) = (word::first(name) | LOWER, word::last(name) | LOWER);
        for candidate in &NAMES[usize::from(*from)..usize::from(*to)] {
            if candidate.first == first && candidate.last == last && candidate.has_middle_of(name) {
                return candidate.known;
            }
        }
        Self::Other
    }

    /// Which name this is for a reader who takes `_` for `-`, as CGI and its heirs do; `None` where the name has
    /// no `_` or is no alias.
    pub fn alias_of(name: &[u8]) -> Option<Self> {
        let mut spelt = [0; NAME_BYTES_MAX];
        let spelt = spelt.get_mut(..name.len()).filter(|_| name.contains(&b'_'))?;
        for (to, from) in spelt.iter_mut().zip(name) {
            *to = if *from == b'_' { b'-' } else { *from };
        }
        Some(Self::of(spelt)).filter(|known| *known != Self::Other)
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

struct Name {
    text: &'static [u8],
    first: u64,
    last: u64,
    known: Known,
}

impl Name {
    const fn new(text: &'static str, known: Known) -> Self {
        let text = text.as_bytes();
        let from = text.len().saturating_sub(8);
        Self { text, first: read(text, 0), last: read(text, from), known }
    }

    /// Whether the bytes between the first and the last eight are equal too; the lengths are.
    #[inline]
    fn has_middle_of(&self, name: &[u8]) -> bool {
        let len = self.text.len();
        len <= 16 || token::eq_ignore_case(&self.text[8..len - 8], &name[8..len - 8])
    }
}

/// Up to eight bytes from `from`, as `word::first` reads them, in lower case.
const fn read(text: &[u8], from: usize) -> u64 {
    let mut word = 0;
    let mut at = 0;
    while at < 8 && from + at < text.len() {
        word |= (text[from + at] as u64) << (8 * at);
        at += 1;
    }
    word | LOWER
}

/// Sets the bit by which lower case differs from upper. Of the bytes that can stand in a field line only a letter
/// becomes a lower-case letter by it, and only `-` a `-`, so equal words mean equal names.
const LOWER: u64 = word::splat(0x20);

const NAME_BYTES_MAX: usize = 19;

/// `STARTS[n]` is where the names of `n` bytes begin in [`NAMES`].
static STARTS: [u8; NAME_BYTES_MAX + 2] = {
    let mut starts = [0; NAME_BYTES_MAX + 2];
    let mut place = 0;
    let mut len = 0;
    while len < starts.len() {
        while place < NAMES.len() && NAMES[place].text.len() < len {
            place += 1;
            assert!(place == NAMES.len() || NAMES[place - 1].text.len() <= NAMES[place].text.len());
        }
        starts[len] = place as u8;
        len += 1;
    }
    assert!(place == NAMES.len());
    assert!(NAMES.len() < 32);
    starts
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_is_known_in_any_case() {
        for name in &NAMES {
            assert_eq!(Known::of(name.text), name.known);
            assert_eq!(Known::of(&name.text.to_ascii_uppercase()), name.known);
        }
    }

    #[test]
    fn a_name_that_differs_in_one_byte_is_another() {
        for name in &NAMES {
            for place in 0..name.text.len() {
                for byte in (0..=255).filter(|byte| token::is_token_byte(*byte)) {
                    let mut other = name.text.to_vec();
                    other[place] = byte;
                    let expected = NAMES.iter().find(|name| name.text.eq_ignore_ascii_case(&other));
                    assert_eq!(Known::of(&other), expected.map_or(Known::Other, |name| name.known));
                }
            }
            assert_eq!(Known::of(&name.text[1..]), Known::Other);
            assert_eq!(Known::of(&[name.text, b"x"].concat()), Known::Other);
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
            ("X_Other", None),
            ("_", None),
            ("a_name_that_is_longer_than_every_known_one", None),
        ] {
            assert_eq!(Known::alias_of(name.as_bytes()), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_name(name in proptest::collection::vec(any::<u8>(), 0..24)) {
            let name: Vec<u8> = name.into_iter().filter(|byte| *byte >= 0x20).collect();
            let expected = NAMES.iter().find(|known| known.text.eq_ignore_ascii_case(&name));
            prop_assert_eq!(Known::of(&name), expected.map_or(Known::Other, |name| name.known));
        }
    }
}
