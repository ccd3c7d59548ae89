//! Evaluates the conditions of a rule.

use model::{Conditions, FieldCondition, NamedCondition, ValuePattern};

use super::cookies::split_pair;
use super::request_view::RequestView;

/// The first part of a rule that does not match a request. Conditions are named by their index in their list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mismatch {
    Host,
    Path,
    Method,
    Source,
    Header(usize),
    Query(usize),
    Cookie(usize),
    /// None of the protocols that a connection offers.
    Protocol,
}

/// True if all conditions hold. The cheap ones are tested first.
pub(super) fn hold<R: RequestView + ?Sized>(conditions: &Conditions, request: &R) -> bool {
    mismatch(conditions, request).is_none()
}

/// The first condition that does not hold.
pub(super) fn mismatch<R: RequestView + ?Sized>(conditions: &Conditions, request: &R) -> Option<Mismatch> {
    let method = || conditions.methods.iter().any(|method| method.as_bytes() == request.method());
    if !(conditions.methods.is_empty() || method()) {
        return Some(Mismatch::Method);
    }
    let is_from = |client| conditions.sources.iter().any(|range| range.contains(client));
    if !(conditions.sources.is_empty() || request.source().is_some_and(is_from)) {
        return Some(Mismatch::Source);
    }
    let header = |header: &FieldCondition| {
        request.header_values(&header.name, &mut |value| header.value.matches(value))
    };
    let query = |parameter: &NamedCondition| query_holds(parameter, request.query().unwrap_or_default());
    let cookie = |cookie: &NamedCondition| {
        request.cookie_values(&cookie.name, &mut |value| cookie.value.matches(value))
    };
    let headers = || first_miss(&conditions.headers, header).map(Mismatch::Header);
    let queries = || first_miss(&conditions.queries, query).map(Mismatch::Query);
    let cookies = || first_miss(&conditions.cookies, cookie).map(Mismatch::Cookie);
    let protocol = || {
        let is_wanted =
            |protocol: &[u8]| conditions.protocols.iter().any(|wanted| wanted.as_bytes() == protocol);
        let is_missing = !conditions.protocols.is_empty() && !request.protocols(&mut { is_wanted });
        is_missing.then_some(Mismatch::Protocol)
    };
    headers().or_else(queries).or_else(cookies).or_else(protocol)
}

fn first_miss<C>(conditions: &[C], holds: impl Fn(&C) -> bool) -> Option<usize> {
    conditions.iter().position(|condition| !holds(condition))
}

/// True if a parameter with this name has a matching value. Both are decoded before the comparison, as an
/// application would read them (`application/x-www-form-urlencoded`). Otherwise `%61dmin` would bypass a rule
/// for `admin`.
fn query_holds(parameter: &NamedCondition, query: &[u8]) -> bool {
    query.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).any(|pair| {
        let (name, value) = split_pair(pair);
        decode(name).eq(parameter.name.bytes()) && value_holds(&parameter.value, value)
    })
}

fn value_holds(pattern: &ValuePattern, raw: &[u8]) -> bool {
    match pattern {
        ValuePattern::Present => true,
        ValuePattern::Exact(expected) => decode(raw).eq(expected.bytes()),
        ValuePattern::Regex(_) if !raw.iter().any(|byte| matches!(byte, b'%' | b'+')) => pattern.matches(raw),
        // limit: a value longer than the scratch buffer is decoded on the heap; the request line bounds its
        // length.
        ValuePattern::Regex(_) if raw.len() > SCRATCH_BYTES => {
            pattern.matches(&decode(raw).collect::<Vec<_>>())
        }
        ValuePattern::Regex(_) => {
            let mut scratch = [0; SCRATCH_BYTES];
            let bytes = scratch.iter_mut().zip(decode(raw)).map(|(to, byte)| *to = byte).count();
            pattern.matches(&scratch[..bytes])
        }
    }
}

/// Decodes `%XX` and `+`. A `%` without two hex digits stays as it is.
fn decode(raw: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        let (byte, behind) = match rest {
            [b'%', high, low, behind @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, behind),
                _ => (b'%', &rest[1..]),
            },
            [b'+', behind @ ..] => (b' ', behind),
            [byte, behind @ ..] => (*byte, behind),
            [] => return None,
        };
        rest = behind;
        Some(byte)
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

const SCRATCH_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> Vec<u8> {
        decode(raw.as_bytes()).collect()
    }

    #[test]
    fn decodes_as_forms_do() {
        for (raw, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("a+b%20c", "a b c"),
            ("%61%62", "ab"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%%41", "%A"),
            ("%2B", "+"),
            ("%2541", "%41"),
        ] {
            assert_eq!(decoded(raw), expected.as_bytes(), "{raw}");
        }
    }

    #[test]
    fn a_query_parameter_holds_decoded() {
        let regex = |text: &str| ValuePattern::Regex(regex::bytes::Regex::new(text).unwrap());
        let exact = |text: &str| ValuePattern::Exact(text.to_owned());
        for (name, value, query, expected) in [
            ("a", ValuePattern::Present, "a", true),
            ("a", ValuePattern::Present, "b&a=", true),
            ("a", ValuePattern::Present, "b=a", false),
            ("a", ValuePattern::Present, "", false),
            ("", ValuePattern::Present, "", false),
            ("a", exact("1"), "a=1", true),
            ("a", exact("1"), "a=2&a=1", true),
            ("a", exact("1"), "a=%31", true),
            ("role", exact("admin"), "r%6Fle=%61dmin", true),
            ("a", exact("x y"), "a=x+y", true),
            ("a", exact("x=y"), "a=x=y", true),
            ("a", exact("1"), "A=1", false),
            ("a", regex("^[0-9]+$"), "a=12", true),
            ("a", regex("^[0-9]+$"), "a=%31%32", true),
            ("a", regex("^[0-9]+$"), "a=1%20", false),
        ] {
            let parameter = NamedCondition { name: name.to_owned(), value };
            assert_eq!(query_holds(&parameter, query.as_bytes()), expected, "{parameter:?} {query}");
        }
    }

    #[test]
    fn a_regex_sees_the_whole_of_a_long_value() {
        let pattern = ValuePattern::Regex(regex::bytes::Regex::new("^ x*END$").unwrap());
        for length in [0, SCRATCH_BYTES - 4, SCRATCH_BYTES - 3, SCRATCH_BYTES, 20_000] {
            let raw = format!("+{}END", "x".repeat(length));
            assert!(value_holds(&pattern, raw.as_bytes()), "{length}");
            assert!(!value_holds(&pattern, format!("{raw}+").as_bytes()), "{length}");
        }
    }
}
