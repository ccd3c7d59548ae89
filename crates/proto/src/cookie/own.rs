//! Our own `Set-Cookie` (RFC 6265 §4.1).

use std::time::Duration;

use model::{CookieAttributes, SameSite};

/// Writes a field value: `name=value` and the attributes. `value` writes what is allowed in a cookie's value.
pub fn write(name: &str, value: impl FnOnce(&mut Vec<u8>), attributes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    value(out);
    out.extend_from_slice(attributes);
}

/// Writes the attributes, which begin with a semicolon. They are the same for all cookies of a listener, so they can be
/// made once.
///
/// The life is told by `Max-Age` alone: `Expires` depends on the client's clock, and the last browser that needed it,
/// Internet Explorer 8, is gone. Without `ttl` the cookie ends with the browser's session.
pub fn write_attributes(
    attributes: &CookieAttributes,
    ttl: Option<Duration>,
    is_tls: bool,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"; Path=");
    out.extend_from_slice(attributes.path.as_bytes());
    if let Some(domain) = &attributes.domain {
        out.extend_from_slice(b"; Domain=");
        out.extend_from_slice(domain.as_bytes());
    }
    if let Some(ttl) = ttl {
        out.extend_from_slice(b"; Max-Age=");
        out.extend_from_slice(ttl.as_secs().to_string().as_bytes());
    }
    if attributes.http_only {
        out.extend_from_slice(b"; HttpOnly");
    }
    if attributes.secure.unwrap_or(is_tls) {
        out.extend_from_slice(b"; Secure");
    }
    if let Some(same_site) = attributes.same_site {
        out.extend_from_slice(b"; SameSite=");
        out.extend_from_slice(SameSite::as_str(same_site).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(attributes: &CookieAttributes, ttl: Option<u64>, is_tls: bool) -> String {
        let (mut text, mut out) = (Vec::new(), Vec::new());
        write_attributes(attributes, ttl.map(Duration::from_secs), is_tls, &mut text);
        write("EKSESSION", |out| out.extend_from_slice(b"abc"), &text, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// (SP6)
    #[test]
    fn attributes_are_written_as_configured() {
        let plain = CookieAttributes {
            domain: None,
            path: "/".to_owned(),
            http_only: true,
            secure: None,
            same_site: None,
        };
        assert_eq!(written(&plain, None, false), "EKSESSION=abc; Path=/; HttpOnly");
        assert_eq!(written(&plain, None, true), "EKSESSION=abc; Path=/; HttpOnly; Secure");
        let insecure = CookieAttributes { secure: Some(false), ..plain };
        assert_eq!(written(&insecure, None, true), "EKSESSION=abc; Path=/; HttpOnly");
        let all = CookieAttributes {
            domain: Some("example.com".to_owned()),
            path: "/shop".to_owned(),
            http_only: false,
            secure: Some(true),
            same_site: Some(SameSite::Lax),
        };
        let expected = "EKSESSION=abc; Path=/shop; Domain=example.com; Max-Age=3600; Secure; SameSite=Lax";
        assert_eq!(written(&all, Some(3600), false), expected);
    }
}
