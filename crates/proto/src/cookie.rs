//! Cookies, as far as sessions need them (RFC 6265): a named cookie in `Cookie` lines, the fields `Set-Cookie` of a
//! target, and one of our own. Whatever is not named stays as it is, byte for byte (SP8).
//!
//! A route can stand behind the value of a target's cookie: `value~route`, or `"value~route"`, so that a quoted value
//! stays quoted for everything that reads it on the way. The route has a fixed length.

mod date;
mod line;
mod own;
mod set_cookie;

pub use line::{remove, remove_routes, values};
pub use own::{write, write_attributes};
pub use set_cookie::SetCookie;

/// Between a target's own value and our route. Allowed in values (RFC 6265 §4.1.1), and no letter of base64url.
pub const SEPARATOR: u8 = b'~';

/// A value that ends with a route, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routed<'a> {
    /// The target's value, for a quoted one with its first quote only.
    own: &'a [u8],
    route: &'a [u8],
    /// The last quote of a quoted value, or nothing.
    close: &'a [u8],
}

impl<'a> Routed<'a> {
    /// `None` if no route of `route_bytes` bytes stands at the end of the value. What the route says is not looked at.
    pub fn new(value: &'a [u8], route_bytes: usize) -> Option<Self> {
        let (inner, close) = value.split_at(close_at(value));
        let at = inner.len().checked_sub(route_bytes)?;
        let (before, route) = inner.split_at(at);
        let own = before.strip_suffix(&[SEPARATOR])?;
        // The route is base64url: a quote or a semicolon within would be of something else.
        let is_text = route.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_text.then_some(Self { own, route, close })
    }

    pub fn route(&self) -> &'a [u8] {
        self.route
    }

    fn write_own(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.own);
        out.extend_from_slice(self.close);
    }
}

/// Where the last quote of a quoted value stands; the end of any other value.
fn close_at(value: &[u8]) -> usize {
    match value {
        [b'"', .., b'"'] => value.len() - 1,
        _ => value.len(),
    }
}

/// Splits `name=value` at the first `=`.
fn split_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', pair)?;
    Some((&pair[..at], &pair[at + 1..]))
}
