//! Origins of web pages (RFC 6454), which decide whether a page may open a WebSocket.

/// An origin, or all origins under a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// `null`: pages that have no origin of their own, such as files and sandboxed frames.
    Null,
    /// `https://example.com:8443`
    Exact(Origin),
    /// `https://*.example.com`: one or more labels in front of the host.
    Under(Origin),
}

/// Scheme, host and port; two origins are the same when all three are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    /// `None`: the scheme has no default port and none was given.
    port: Option<u16>,
}

/// The text is not a serialized origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOrigin;

impl OriginPattern {
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        if text == "null" {
            return Ok(Self::Null);
        }
        let whole = text.replacen("://*.", "://", 1);
        let parts = Parts::of(whole.as_bytes()).ok_or(InvalidOrigin)?;
        let lower = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_ascii_lowercase();
        let origin = Origin { scheme: lower(parts.scheme), host: lower(parts.host), port: parts.port };
        Ok(if whole == text { Self::Exact(origin) } else { Self::Under(origin) })
    }

    /// Whether this is the value of one `Origin` field. Scheme and host compare without case, and the
    /// scheme's default port equals no port.
    pub fn matches(&self, value: &[u8]) -> bool {
        let (Self::Exact(origin) | Self::Under(origin)) = self else { return value == b"null" };
        let Some(parts) = Parts::of(value) else { return false };
        let is_host = |host: &[u8]| host.eq_ignore_ascii_case(origin.host.as_bytes());
        let is_same_host = match self {
            Self::Under(_) => {
                let front = parts.host.len().saturating_sub(origin.host.len());
                let (front, host) = parts.host.split_at(front);
                front.ends_with(b".") && is_host(host)
            }
            Self::Null | Self::Exact(_) => is_host(parts.host),
        };
        is_same_host
            && parts.port == origin.port
            && parts.scheme.eq_ignore_ascii_case(origin.scheme.as_bytes())
    }
}

/// The parts of a serialized origin (RFC 6454 §6.2).
struct Parts<'a> {
    scheme: &'a [u8],
    host: &'a [u8],
    port: Option<u16>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a [u8]) -> Option<Self> {
        let colon = text.windows(3).position(|three| three == b"://")?;
        let (scheme, rest) = (&text[..colon], &text[colon + 3..]);
        let end = match rest.first()? {
            b'[' => rest.iter().position(|&byte| byte == b']')? + 1,
            _ => rest.iter().position(|&byte| byte == b':').unwrap_or(rest.len()),
        };
        let (host, port) = rest.split_at(end);
        if !is_scheme(scheme) || !is_host(host) {
            return None;
        }
        let port = match port {
            [] => default_port(scheme),
            [b':', digits @ ..] => Some(number(digits)?),
            _ => return None,
        };
        Some(Self { scheme, host, port })
    }
}

/// Whether the text is a scheme (RFC 3986 §3.1).
fn is_scheme(text: &[u8]) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(inner)
}

/// Whether the text is a list of non-empty labels, or an IPv6 address in brackets.
fn is_host(text: &[u8]) -> bool {
    if let [b'[', address @ .., b']'] = text {
        return std::str::from_utf8(address).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    text.split(|&byte| byte == b'.').all(|label| !label.is_empty() && label.iter().all(inner))
}

fn default_port(scheme: &[u8]) -> Option<u16> {
    if scheme.eq_ignore_ascii_case(b"https") {
        Some(443)
    } else {
        scheme.eq_ignore_ascii_case(b"http").then_some(80)
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (pattern, yes, no) in [
            (
                "https://Shop.example.com",
                &["https://shop.example.com", "HTTPS://SHOP.EXAMPLE.COM:443"][..],
                &[
                    "http://shop.example.com",
                    "https://shop.example.com:8443",
                    "https://x.shop.example.com",
                    "https://example.com",
                    "https://shop.example.com.",
                    "https://shop.example.com/",
                    "https://shop.example.com ",
                    " https://shop.example.com",
                    "https://shop.example.com https://evil.example",
                    "https://evil.example@shop.example.com",
                    "https://shop.example.com.evil.example",
                    "https://shop.example.com:",
                    "https://shop.example.com:+443",
                    "https://shop.example.com:443443",
                    "shop.example.com",
                    "null",
                    "",
                ][..],
            ),
            ("http://a:80", &["http://a"], &["https://a:80", "http://a:443"]),
            (
                "https://*.example.com",
                &["https://a.example.com", "https://a.b.Example.com"],
                &[
                    "https://example.com",
                    "https://.example.com",
                    "https://..example.com",
                    "https://notexample.com",
                    "https://a.example.com:1",
                    "https://*.example.com",
                ],
            ),
            (
                "https://[2001:DB8::1]:9",
                &["https://[2001:db8::1]:9"],
                &["https://[2001:db8::1]", "https://[::1:9"],
            ),
            ("app+x://localhost", &["app+x://localhost"], &["app+x://localhost:80"]),
            ("null", &["null"], &["NULL", "null null", "https://null"]),
        ] {
            let pattern = OriginPattern::parse(pattern).unwrap();
            for value in yes {
                assert!(pattern.matches(value.as_bytes()), "{pattern:?} {value}");
            }
            for value in no {
                assert!(!pattern.matches(value.as_bytes()), "{pattern:?} {value}");
            }
        }
    }

    #[test]
    fn invalid_origins_are_refused() {
        for text in [
            "",
            "*",
            "a",
            "://a",
            "https://",
            "https://*",
            "https://a.*",
            "https://*.*.a",
            "https://a/",
            "https://a?",
            "1http://a",
            "https://a:x",
            "https://ä.example",
            "https://[::g]",
            "https://a b",
            "Null",
        ] {
            assert_eq!(OriginPattern::parse(text), Err(InvalidOrigin), "{text}");
        }
    }
}
