//! A `Set-Cookie` field value of a target, as browsers read it (RFC 6265 §5.2).

use std::ops::Range;

use super::{Routed, SEPARATOR, close_at, date, split_pair};

/// The cookie that a target sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie<'a> {
    field: &'a [u8],
    name: &'a [u8],
    /// Where the value stands in the field, without the blanks around it.
    value: Range<usize>,
}

impl<'a> SetCookie<'a> {
    /// `None` if the cookie has no name: RFC 6265 §5.2 ignores it, and browsers that keep it send no name either. Reads
    /// only as far as the value.
    pub fn parse(field: &'a [u8]) -> Option<Self> {
        let pair = &field[..memchr::memchr(b';', field).unwrap_or(field.len())];
        let (name, value) = split_pair(pair)?;
        let name = trim(name);
        if name.is_empty() {
            return None;
        }
        let behind = trim_start(value);
        let start = pair.len() - behind.len();
        Some(Self { field, name, value: start..start + trim_end(behind).len() })
    }

    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// With its quotes.
    pub fn value(&self) -> &'a [u8] {
        &self.field[self.value.clone()]
    }

    /// Seconds that the cookie lives: `Max-Age`, or else `Expires`, the last of each (RFC 6265 §5.3). 0: the target
    /// deletes it. `None`: as long as the browser's session. `now` is in seconds since 1970.
    pub fn seconds_left(&self, now: i64) -> Option<u64> {
        let attributes = &self.field[self.value.end..];
        let (mut max_age, mut expires) = (None, None);
        for attribute in attributes.split(|&byte| byte == b';').skip(1) {
            let Some((name, value)) = split_pair(attribute) else { continue };
            let (name, value) = (trim(name), trim(value));
            if name.eq_ignore_ascii_case(b"max-age") {
                max_age = seconds(value).or(max_age);
            } else if name.eq_ignore_ascii_case(b"expires") {
                expires = date::parse(value).or(expires);
            }
        }
        let left = max_age.or_else(|| expires.map(|at| at.saturating_sub(now)))?;
        Some(u64::try_from(left).unwrap_or(0))
    }

    pub fn is_deletion(&self, now: i64) -> bool {
        self.seconds_left(now) == Some(0)
    }

    /// Writes the field to `out` with a route behind the value, in place of one that may stand there: what
    /// [`remove_routes`](super::remove_routes) takes off again. All else stays byte for byte. `route` writes what is
    /// base64url and `route_bytes` long.
    pub fn write_routed(&self, route_bytes: usize, route: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        let value = self.value();
        let (own, close) = match Routed::new(value, route_bytes) {
            Some(routed) => (routed.own, routed.close),
            None => value.split_at(close_at(value)),
        };
        out.extend_from_slice(&self.field[..self.value.start]);
        out.extend_from_slice(own);
        out.push(SEPARATOR);
        route(out);
        out.extend_from_slice(close);
        out.extend_from_slice(&self.field[self.value.end..]);
    }
}

/// RFC 6265 §5.2.2. A number too large or too small is the largest or smallest one.
fn seconds(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if is_negative { -number } else { number })
}

fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text))
}

/// Without spaces and tabs (RFC 6265 §5.2, WSP).
fn trim_start(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    &text[blanks..]
}

fn trim_end(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| is_blank(**byte)).count();
    &text[..text.len() - blanks]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_value_are_those_that_browsers_see() {
        for (field, expected) in [
            ("a=1", Some(("a", "1"))),
            ("a=1; Path=/", Some(("a", "1"))),
            (" a =  1 \t; Path=/", Some(("a", "1"))),
            ("a=", Some(("a", ""))),
            ("a=  ; Path=/", Some(("a", ""))),
            ("a=\"x y\"; Path=/", Some(("a", "\"x y\""))),
            ("a=x=y", Some(("a", "x=y"))),
            ("a=1, b=2", Some(("a", "1, b=2"))),
            ("a", None),
            ("a; Path=/", None),
            ("=1", None),
            (" =1", None),
            ("", None),
            (";a=1", None),
        ] {
            let seen = SetCookie::parse(field.as_bytes());
            let seen = seen.as_ref().map(|cookie| (cookie.name(), cookie.value()));
            assert_eq!(seen, expected.map(|(name, value)| (name.as_bytes(), value.as_bytes())), "{field}");
        }
    }

    #[test]
    fn the_life_of_a_cookie_is_the_one_that_browsers_give_it() {
        for (attributes, expected) in [
            ("", None),
            ("; Path=/; HttpOnly", None),
            ("; Max-Age=60", Some(60)),
            ("; max-AGE = 60 ", Some(60)),
            ("; Max-Age=0", Some(0)),
            ("; Max-Age=-1", Some(0)),
            ("; Max-Age=-99999999999999999999999", Some(0)),
            ("; Max-Age=99999999999999999999999", Some(i64::MAX.unsigned_abs())),
            ("; Max-Age=", None),
            ("; Max-Age", None),
            ("; Max-Age=-", None),
            ("; Max-Age=+5", None),
            ("; Max-Age=6 0", None),
            ("; Max-Age=60; Max-Age=0", Some(0)),
            ("; Max-Age=0; Max-Age=x", Some(0)),
            ("; Max-Age=0; Max-Age=60", Some(60)),
            ("; Expires=Thu, 01 Jan 1970 00:00:01 GMT", Some(0)),
            ("; Expires=Thu, 01 Jan 1970 00:16:40 GMT", Some(0)),
            ("; Expires=Thu, 01 Jan 1970 00:16:41 GMT", Some(1)),
            ("; Expires=never", None),
            ("; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:01 GMT", Some(60)),
            ("; Expires=Thu, 01 Jan 2170 00:00:01 GMT; Max-Age=0", Some(0)),
            (";;; Max-Age=0;", Some(0)),
        ] {
            let field = format!("a=Max-Age=7{attributes}");
            let cookie = SetCookie::parse(field.as_bytes()).unwrap();
            assert_eq!(cookie.seconds_left(1_000), expected, "{field}");
            assert_eq!(cookie.is_deletion(1_000), expected == Some(0), "{field}");
        }
    }

    /// (SP7) (SP8)
    #[test]
    fn a_route_is_written_behind_the_value_and_nowhere_else() {
        for (field, expected) in [
            ("a=1", "a=1~WXYZ"),
            ("a = 1 ; Path=/;secure", "a = 1~WXYZ ; Path=/;secure"),
            ("a=; Path=/", "a=~WXYZ; Path=/"),
            ("a=\"1\"; Path=/", "a=\"1~WXYZ\"; Path=/"),
            ("a=\"\"", "a=\"~WXYZ\""),
            ("a=\"", "a=\"~WXYZ"),
            ("a=1~ABCD; Path=/", "a=1~WXYZ; Path=/"),
            ("a=\"1~ABCD\"", "a=\"1~WXYZ\""),
        ] {
            let mut out = b"before".to_vec();
            let cookie = SetCookie::parse(field.as_bytes()).unwrap();
            cookie.write_routed(4, |out| out.extend_from_slice(b"WXYZ"), &mut out);
            assert_eq!(out, format!("before{expected}").as_bytes(), "{field}");
        }
    }
}
