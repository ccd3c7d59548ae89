//! `Accept-Encoding` (RFC 9110 §12.5.3): which content coding a client gets.

use model::ContentCoding;

use crate::http1::token;

/// The coding that the client prefers; among equals, the first of `offered`. `None`: send the response unchanged. This
/// is also the answer if the field is malformed or absent, and if the client refuses every coding.
pub fn negotiate<'a>(
    fields: impl IntoIterator<Item = &'a [u8]>,
    offered: &[ContentCoding],
) -> Option<ContentCoding> {
    let mut wishes = Wishes::default();
    for field in fields {
        for element in token::list(field) {
            wishes.note(element)?;
        }
    }
    let mut best = None;
    let mut best_weight = wishes.identity.unwrap_or(0).max(1);
    for &coding in offered.iter().rev() {
        let weight = wishes.codings[coding.index()].or(wishes.any).unwrap_or(0);
        if weight >= best_weight {
            (best, best_weight) = (Some(coding), weight);
        }
    }
    best
}

/// Weights in thousandths; `None`: not named.
#[derive(Default)]
struct Wishes {
    codings: [Option<u16>; ContentCoding::ALL.len()],
    identity: Option<u16>,
    any: Option<u16>,
}

impl Wishes {
    /// `None`: malformed.
    fn note(&mut self, element: &[u8]) -> Option<()> {
        let (name, weight) = match element.iter().position(|&byte| byte == b';') {
            Some(end) => (token::trim(&element[..end]), weight(token::trim(&element[end + 1..]))?),
            None => (element, WEIGHT_MAX),
        };
        let is = |known: &str| token::eq_ignore_case(name, known.as_bytes());
        if name == b"*" {
            self.any = Some(weight);
        } else if !token::is_token(name) {
            return None;
        } else if is("identity") {
            self.identity = Some(weight);
        } else if let Some(coding) = ContentCoding::ALL.into_iter().find(|coding| is(coding.as_str())) {
            self.codings[coding.index()] = Some(weight);
        } else if is("x-gzip") {
            // RFC 9110 §8.4.1.3: `x-gzip` is the same coding.
            self.codings[ContentCoding::Gzip.index()].get_or_insert(weight);
        }
        Some(())
    }
}

/// `q=0.123` (RFC 9110 §12.4.2).
fn weight(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', whole @ (b'0' | b'1'), rest @ ..] = parameter else { return None };
    let digits = match rest {
        [] => &[],
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut weight = u16::from(*whole - b'0');
    for place in 0..3 {
        let digit = digits.get(place).copied().unwrap_or(b'0');
        weight = 10 * weight + u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    (weight <= WEIGHT_MAX).then_some(weight)
}

const WEIGHT_MAX: u16 = 1000;

#[cfg(test)]
mod tests {
    use model::ContentCoding::{Br, Gzip, Zstd};
    use proptest::prelude::*;

    use super::*;

    fn of(fields: &[&str]) -> Option<ContentCoding> {
        negotiate(fields.iter().map(|field| field.as_bytes()), &[Zstd, Br, Gzip])
    }

    #[test]
    fn the_preferred_coding_is_chosen_and_among_equals_our_first() {
        for (field, expected) in [
            ("gzip", Some(Gzip)),
            ("GZip", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip, deflate, br", Some(Br)),
            ("gzip;q=1.0, br;q=0.9", Some(Gzip)),
            ("gzip ; Q=0.8 , br\t;\tq=0.801", Some(Br)),
            ("zstd;q=0, *", Some(Br)),
            ("*", Some(Zstd)),
            ("*;q=0.001", Some(Zstd)),
            ("gzip, *;q=0.5", Some(Gzip)),
            (",, gzip ,,", Some(Gzip)),
            ("compress, gzip", Some(Gzip)),
            ("gzip;q=0, x-gzip", None),
            ("identity;q=0, gzip;q=0.1", Some(Gzip)),
            ("identity, gzip", Some(Gzip)),
        ] {
            assert_eq!(of(&[field]), expected, "{field}");
        }
        assert_eq!(of(&["deflate", "gzip"]), Some(Gzip), "several fields form one list");
    }

    #[test]
    fn identity_if_the_client_accepts_nothing_we_offer() {
        for field in [
            "",
            "identity",
            "deflate",
            "*;q=0",
            "gzip;q=0",
            "gzip;q=0.000",
            "zstd;q=0, br;q=0, gzip;q=0, *;q=1",
            "identity;q=1, gzip;q=0.5",
            "identity;q=0, *;q=0",
        ] {
            assert_eq!(of(&[field]), None, "{field}");
        }
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn malformed_means_identity() {
        for field in [
            "gzip;q=1.001",
            "gzip;q=2",
            "gzip;q=0.1234",
            "gzip;q=",
            "gzip;q=-1",
            "gzip;q=.5",
            "gzip;q=0,5",
            "gzip;q=1;x",
            "gzip;level=9",
            "gzip;",
            ";q=1",
            "gzip br",
            "gzip, br;q=x",
            "gz\"ip",
        ] {
            assert_eq!(of(&[field]), None, "{field}");
        }
        assert_eq!(of(&["gzip", "br;q=x"]), None, "one malformed element spoils the list");
    }

    #[test]
    fn only_an_offered_coding_is_chosen() {
        assert_eq!(negotiate([&b"br, zstd"[..]], &[Gzip]), None);
        assert_eq!(negotiate([&b"br, gzip"[..]], &[Gzip, Br]), Some(Gzip));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(field in proptest::collection::vec(any::<u8>(), 0..60)) {
            negotiate([field.as_slice()], &ContentCoding::ALL);
        }

        #[test]
        fn the_weight_decides(weights in [0u16..=1000, 0u16..=1000, 0u16..=1000]) {
            let text = |(coding, weight): (ContentCoding, u16)| {
                format!("{};q={}.{:03}", coding.as_str(), weight / 1000, weight % 1000)
            };
            let field: Vec<_> = ContentCoding::ALL.into_iter().zip(weights).map(text).collect();
            let taken = of(&[&field.join(", ")]);
            let best = weights.into_iter().max().unwrap();
            prop_assert_eq!(taken.map(|coding| weights[coding.index()]), (best > 0).then_some(best));
            let first = weights.iter().position(|weight| *weight == best);
            prop_assert_eq!(taken.map(ContentCoding::index), first.filter(|_| best > 0));
        }
    }
}
