//! A named cookie in a `Cookie` line.
//!
//! A line is split as `balance::rules` splits it for conditions on cookies: at semicolons, the pair without the blanks
//! around it, the name up to the first `=` and not trimmed there, names with their case. A pair without `=` is a name
//! whose value is empty. The two crates cannot use each other, so the table of the tests stands in both.

use super::{Routed, split_pair};

/// The values of one cookie in a `Cookie` line (RFC 6265 §4.2.1). Quotes are part of the value.
pub fn values<'a>(line: &'a [u8], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    pairs(line).filter_map(move |pair| value_of(pair, name))
}

/// Writes the line to `out` without the pairs of one name. All others stay byte for byte; a pair goes with the semicolon
/// before it, and the first one with the semicolon and the blanks behind it.
///
/// Returns whether anything is left. If not, nothing was written, and the field should go as a whole.
pub fn remove(line: &[u8], name: &str, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let (mut is_first, mut has_removed, mut has_left) = (true, false, false);
    for pair in pairs(line) {
        if value_of(pair, name).is_some() {
            has_removed = true;
            continue;
        }
        if is_first {
            out.extend_from_slice(if has_removed { pair.trim_ascii_start() } else { pair });
        } else {
            out.push(b';');
            out.extend_from_slice(pair);
        }
        is_first = false;
        has_left |= !pair.trim_ascii().is_empty();
    }
    if !has_left {
        out.truncate(start);
    }
    has_left
}

/// Writes the line to `out` without the routes of `route_bytes` bytes behind the values of one name, so that the target
/// gets its own values. All else stays byte for byte. Returns whether there was a route.
pub fn remove_routes(line: &[u8], name: &str, route_bytes: usize, out: &mut Vec<u8>) -> bool {
    let mut has_removed = false;
    for (index, pair) in pairs(line).enumerate() {
        if index > 0 {
            out.push(b';');
        }
        let Some(routed) = value_of(pair, name).and_then(|value| Routed::new(value, route_bytes)) else {
            out.extend_from_slice(pair);
            continue;
        };
        has_removed = true;
        let blanks_before = pair.len() - pair.trim_ascii_start().len();
        let blanks_behind = pair.trim_ascii_end().len();
        // The name is not empty, and its `=` is there because the value is not empty.
        out.extend_from_slice(&pair[..blanks_before + name.len() + 1]);
        routed.write_own(out);
        out.extend_from_slice(&pair[blanks_behind..]);
    }
    has_removed
}

/// The pairs with the blanks around them. Joined with semicolons they are the line.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let (pair, behind) = match memchr::memchr(b';', line) {
            Some(at) => (&line[..at], Some(&line[at + 1..])),
            None => (line, None),
        };
        rest = behind;
        Some(pair)
    })
}

fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let pair = pair.trim_ascii();
    let (key, value) = split_pair(pair).unwrap_or((pair, &[]));
    (key == name.as_bytes()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_conditions_see() {
        for (line, name, expected) in [
            ("a=1", "a", vec!["1"]),
            ("a=1; b=2;a=3", "a", vec!["1", "3"]),
            ("  a = 1", "a", vec![]),
            ("a=\"1\"", "a", vec!["\"1\""]),
            ("a=x=y", "a", vec!["x=y"]),
            ("aa=1", "a", vec![]),
            ("A=1", "a", vec![]),
            ("a", "a", vec![""]),
            (";;", "a", vec![]),
            ("", "a", vec![]),
        ] {
            let seen: Vec<_> = values(line.as_bytes(), name).collect();
            assert_eq!(seen, expected.iter().map(|value| value.as_bytes()).collect::<Vec<_>>(), "{line}");
        }
    }

    /// (SP8)
    #[test]
    fn removing_a_cookie_leaves_the_others_as_they_are() {
        for (line, expected) in [
            ("a=1", None),
            ("a=1;", None),
            ("a", None),
            ("a=1; a=2", None),
            ("  a=1 ; ", None),
            ("", None),
            ("a=1; b=2", Some("b=2")),
            ("b=2; a=1", Some("b=2")),
            ("b=2; a=1; c=3", Some("b=2; c=3")),
            ("b=2;a=1;c=3", Some("b=2;c=3")),
            ("a=1; b=2; a=3", Some("b=2")),
            ("b=2 ;  c = 3;; d", Some("b=2 ;  c = 3;; d")),
            (" b=2; a=1", Some(" b=2")),
            ("aa=1; A=1; a =1; a=1", Some("aa=1; A=1; a =1")),
            ("b=\"x; a=1; c=y\"", Some("b=\"x; c=y\"")),
        ] {
            let mut out = b"before".to_vec();
            let is_left = remove(line.as_bytes(), "a", &mut out);
            assert_eq!(is_left, expected.is_some(), "{line}");
            assert_eq!(out, format!("before{}", expected.unwrap_or("")).as_bytes(), "{line}");
        }
    }

    #[test]
    fn a_route_behind_a_value_is_cut_off() {
        for (line, expected) in [
            ("a=own~ABCD", "a=own"),
            ("a=\"own~ABCD\"", "a=\"own\""),
            ("a=~ABCD", "a="),
            ("a=\"~ABCD\"", "a=\"\""),
            ("a=\"own~ABCD", "a=\"own"),
            ("a=x~ABCD~EFGH", "a=x~ABCD"),
            ("b=x~ABCD;  a=own~A-_D ;c=3;a=2~ABCD", "b=x~ABCD;  a=own ;c=3;a=2"),
        ] {
            let mut out = Vec::new();
            assert!(remove_routes(line.as_bytes(), "a", 4, &mut out), "{line}");
            assert_eq!(out, expected.as_bytes(), "{line}");
        }
        for line in ["a=own", "a=own~ABC", "a=own~ABCDE", "a=own~AB=D", "a", "a~ABCD", "~", ""] {
            let mut out = Vec::new();
            assert!(!remove_routes(line.as_bytes(), "a", 4, &mut out), "{line}");
            assert_eq!(out, line.as_bytes());
        }
    }
}
