//! What the rules read of a request.

use std::net::IpAddr;

use super::cookies::cookie_values;

/// What the table reads of a request. Conditions are evaluated only if a rule whose host and path match has
/// some.
pub trait RequestView {
    /// The host name in any case, without port and trailing dot; empty if the request has none.
    fn host(&self) -> &[u8];
    /// Whether there is a host. A connection that names none matches no pattern, not even a regex for empty text.
    fn has_host(&self) -> bool {
        true
    }
    /// The normalised path, without the query.
    fn path(&self) -> &[u8];
    fn method(&self) -> &[u8];
    /// The query as sent, without `?`.
    fn query(&self) -> Option<&[u8]>;
    /// The client's address: the remote address, or the one that trusted proxies forwarded. `None` if it is
    /// unknown; no range contains it then.
    fn source(&self) -> Option<IpAddr>;
    /// Passes the value of each field line with this name to `each`, until that returns true; returns whether
    /// it did. `name` is lower case and is compared without regard to case; values have no white space around
    /// them.
    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool;

    /// Does the same for cookies with this name, in the order sent (RFC 6265 §4.2.1).
    fn cookie_values(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.header_values("cookie", &mut |line| cookie_values(line, name, each))
    }

    /// Passes the protocols that a connection offers by ALPN to `each`, until that returns true; returns whether it did.
    /// Requests have none.
    fn protocols(&self, _each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}
