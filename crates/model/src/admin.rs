//! Where the admin API answers, and which requests.

use std::fmt;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// The Unix sockets of the whole API; none is the default one.
    pub sockets: Vec<PathBuf>,
    /// TCP addresses, on which it only reports.
    pub addresses: Vec<SocketAddr>,
    /// What a request must have that does not come to a loopback address.
    pub token: Option<AdminToken>,
}

/// A bearer token (RFC 6750). It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(String);

impl AdminToken {
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// Compares in a time that depends on the length of `offered` alone.
    pub fn is(&self, offered: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let mut differs = own.len() ^ offered.len();
        for (index, byte) in offered.iter().enumerate() {
            let own = own.get(index % own.len().max(1)).copied().unwrap_or_default();
            differs = black_box(differs | usize::from(own ^ byte));
        }
        differs == 0 && !own.is_empty()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_is_it() {
        let token = AdminToken::new("0123456789abcdef".to_owned());
        for (offered, expected) in [
            ("0123456789abcdef", true),
            ("", false),
            ("0123456789abcdeF", false),
            ("0123456789abcde", false),
            ("0123456789abcdef0123456789abcdef", false),
        ] {
            assert_eq!(token.is(offered.as_bytes()), expected, "{offered}");
        }
        assert_eq!(format!("{token:?}"), "AdminToken");
    }
}
