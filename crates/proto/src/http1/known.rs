//! The field names that a proxy decides by.

use super::word;

macro_rules! names {
    ($($known:ident $name:literal,)*) => {
        /// A field name that this product has a reason to know; every other is [`Known::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            $($known,)*
            Other,
        }

        #[allow(non_upper_case_globals, reason = "they are named as the variants are")]
        mod keys {
            $(pub(super) const $known: super::Key = super::Key::new($name.as_bytes());)*
        }

        impl Key {
            /// A match on the length first: a jump and a comparison or two.
            #[inline]
            const fn known(self) -> Known {
                match self {
                    $(keys::$known => Known::$known,)*
                    _ => Known::Other,
                }
            }
        }

        #[cfg(test)]
        static NAMES: &[(&str, Known)] = &[$(($name, Known::$known)),*];
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
    /// Which name this is, in any case of its letters. `name` holds no CR.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        if name.len() > NAME_BYTES_MAX { Self::Other } else { Key::new(name).known() }
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

/// A name of at most 24 bytes as numbers, in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    len: usize,
    first: u64,
    /// The eight bytes behind `first`, of a name that `first` and `last` do not cover.
    middle: u64,
    last: u64,
}

impl Key {
    #[inline]
    const fn new(name: &[u8]) -> Self {
        let middle = if name.len() > 16 { word::first(name.split_at(8).1) | LOWER } else { 0 };
        Self { len: name.len(), first: word::first(name) | LOWER, middle, last: word::last(name) | LOWER }
    }
}

/// Sets the bit by which lower case differs from upper. Of the bytes that can stand in a field line only a letter
/// becomes a lower-case letter by it, and only `-` a `-`, so equal keys mean equal names.
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
        assert!(NAMES.len() < 32, "`Known::bit` has 32 of them");
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
            prop_assert_eq!(Known::of(&name), by_comparison(&name));
        }
    }
}
