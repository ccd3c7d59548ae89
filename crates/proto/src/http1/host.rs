//! `Host` and the authority of a target (RFC 9110 §7.2, RFC 3986 §3.2).

use std::net::Ipv6Addr;
use std::str;

/// The parts of `uri-host [ ":" port ]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    /// Length of the name, which comes first; an IPv6 literal includes its brackets.
    pub(super) name_bytes: usize,
    /// `None` also if the port is empty.
    pub(super) port: Option<u16>,
}

/// Whether both are valid and name the same host, where a port that is missing is the scheme's default (RFC 9110 §4.2.3).
pub(crate) fn is_same_host(one: &[u8], other: &[u8], default_port: u16) -> bool {
    Authority::is_same(one, other, default_port) == Ok(true)
}

impl Authority {
    /// Percent-encoding is refused although RFC 3986 §3.2.2 allows it: no DNS name needs it, and it could be used to
    /// evade rules.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let name_bytes = match bytes.strip_prefix(b"[") {
            Some(literal) => ipv6_bytes(literal)?,
            None => bytes.iter().position(|byte| !NAME_BYTE[usize::from(*byte)]).unwrap_or(bytes.len()),
        };
        let port = match &bytes[name_bytes..] {
            [] => None,
            [b':', ..] if name_bytes == 0 => return Err("host without a name"),
            [b':', digits @ ..] => port(digits)?,
            rest if rest.contains(&b'@') => return Err("userinfo in the host"),
            _ => return Err("invalid byte in the host"),
        };
        Ok(Self { name_bytes, port })
    }

    /// See [`is_same_host`].
    pub(super) fn is_same(one: &[u8], other: &[u8], default_port: u16) -> Result<bool, &'static str> {
        let (first, second) = (Self::parse(one)?, Self::parse(other)?);
        let names = (&one[..first.name_bytes], &other[..second.name_bytes]);
        let port = |authority: Self| authority.port.unwrap_or(default_port);
        Ok(super::token::eq_ignore_case(names.0, names.1) && port(first) == port(second))
    }
}

/// Length of the literal with both brackets; `literal` starts after the first bracket.
fn ipv6_bytes(literal: &[u8]) -> Result<usize, &'static str> {
    let end = literal.iter().take(IPV6_BYTES_MAX + 1).position(|byte| *byte == b']');
    let address = end.and_then(|end| str::from_utf8(&literal[..end]).ok());
    match (end, address.map(str::parse::<Ipv6Addr>)) {
        (Some(end), Some(Ok(_))) => Ok(end + 2),
        _ => Err("invalid IPv6 address in the host"),
    }
}

fn port(digits: &[u8]) -> Result<Option<u16>, &'static str> {
    const INVALID: &str = "invalid port in the host";
    if digits.len() > 5 {
        return Err(INVALID);
    }
    if digits.is_empty() {
        return Ok(None);
    }
    let port = super::token::number(digits).ok_or(INVALID)?;
    u16::try_from(port).map(Some).map_err(|_| INVALID)
}

/// The longest text form of an address: six groups and a dotted quad.
const IPV6_BYTES_MAX: usize = 45;

/// `unreserved` and `sub-delims` (RFC 3986 §2).
static NAME_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~')
            || matches!(
                byte as u8,
                b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
            );
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_an_optional_port() {
        for (text, name, port) in [
            ("example.com", "example.com", None),
            ("example.com.", "example.com.", None),
            ("example.com:8080", "example.com", Some(8080)),
            ("example.com:", "example.com", None),
            ("a_b.example:0", "a_b.example", Some(0)),
            ("127.0.0.1:00080", "127.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1.2.3.4]:65535", "[2001:db8::1.2.3.4]", Some(65535)),
            ("", "", None),
        ] {
            let authority = Authority::parse(text.as_bytes());
            assert_eq!(authority, Ok(Authority { name_bytes: name.len(), port }), "{text}");
        }
    }

    #[test]
    fn a_missing_port_is_the_default_one() {
        for (one, other, default_port, expected) in [
            ("a", "A:80", 80, true),
            ("a:", "a:080", 80, true),
            ("a:443", "a", 443, true),
            ("[::1]", "[::1]:80", 80, true),
            ("a", "a:80", 443, false),
            ("a:81", "a", 80, false),
            ("a:81", "a:82", 80, false),
            ("a", "b:80", 80, false),
            ("", "a", 80, false),
        ] {
            let found = Authority::is_same(one.as_bytes(), other.as_bytes(), default_port);
            assert_eq!(found, Ok(expected), "{one} {other}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, detail) in [
            (":80", "host without a name"),
            ("user@example.com", "userinfo in the host"),
            ("user:1@example.com", "invalid port in the host"),
            ("exa mple.com", "invalid byte in the host"),
            ("example.com/x", "invalid byte in the host"),
            ("example.com#", "invalid byte in the host"),
            ("ex%61mple.com", "invalid byte in the host"),
            ("ex\u{e4}mple.com", "invalid byte in the host"),
            ("a\tb", "invalid byte in the host"),
            ("example.com:65536", "invalid port in the host"),
            ("example.com:000080", "invalid port in the host"),
            ("example.com:8a", "invalid port in the host"),
            ("example.com:80:80", "invalid port in the host"),
            ("example.com:+80", "invalid port in the host"),
            ("[::1", "invalid IPv6 address in the host"),
            ("[]", "invalid IPv6 address in the host"),
            ("[fe80::1%eth0]", "invalid IPv6 address in the host"),
            ("[v1.x]", "invalid IPv6 address in the host"),
            ("[1.2.3.4]", "invalid IPv6 address in the host"),
            ("[::1]x", "invalid byte in the host"),
            ("::1", "host without a name"),
        ] {
            assert_eq!(Authority::parse(text.as_bytes()), Err(detail), "{text}");
        }
        assert!(Authority::parse(&[b'['; 100_000]).is_err());
    }
}
