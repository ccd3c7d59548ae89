//! Session persistence: how requests of one client find the target of the ones before (SP1–SP7).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{ClientPrefix, SessionStoreName};

/// By what a session is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Persistence {
    Cookie(CookiePersistence),
    SourceIp(SourceIpPersistence),
}

/// By a cookie (SP4–SP7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookiePersistence {
    pub mode: CookieMode,
    /// A token (RFC 6265 §4.1.1). Of our cookie, or of the target's.
    pub name: String,
    /// `None`: the session ends with the browser's, or, for a learned cookie, when it has not been used for
    /// [`Limits::LEARNED_SESSION_SECONDS`](crate::Limits::LEARNED_SESSION_SECONDS).
    pub ttl: Option<Duration>,
    pub attributes: CookieAttributes,
    /// Seals what the cookie says. A learned cookie says nothing of ours, and has none.
    pub key: Option<KeySource>,
    /// Takes our cookie off the request before the target gets it.
    pub hide: bool,
    /// Where learned cookies are kept. `None`: in this process.
    pub store: Option<SessionStoreName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieMode {
    /// A cookie of ours, added to responses.
    Insert,
    /// The target's cookie, with the route behind its value.
    Rewrite,
    /// The target's cookie, whose values are remembered.
    Learn,
}

/// The attributes of an inserted cookie (RFC 6265 §4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieAttributes {
    pub domain: Option<String>,
    /// Begins with `/`.
    pub path: String,
    pub http_only: bool,
    /// `None`: where the client's connection has TLS.
    pub secure: Option<bool>,
    pub same_site: Option<SameSite>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    Strict,
    Lax,
    /// Needs `Secure`.
    None,
}

impl SameSite {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// By the client's address (SP1–SP3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceIpPersistence {
    /// 1–86 400 s after the session's last request has ended.
    pub timeout: Duration,
    pub prefix: ClientPrefix,
    pub from: SourceFrom,
    /// Requests in flight at a target from which on a session's next request goes to another one.
    pub spill: Option<u32>,
    /// `None`: sessions are kept in this process.
    pub store: Option<SessionStoreName>,
}

/// Which address counts as the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFrom {
    /// The peer of the connection, or the client that its PROXY header names.
    Connection,
    /// The client behind trusted proxies, as for access lists.
    Forwarded,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    File {
        path: PathBuf,
        keys: SecretKeys,
    },
    /// A file beside the configuration that is made when it is missing.
    Generated {
        path: PathBuf,
        /// `None`: the file does not exist yet.
        keys: Option<SecretKeys>,
    },
}

/// Two secrets of 32 bytes, so that one can be replaced while what was made with it is still in use.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKeys {
    /// Seals and opens.
    pub current: [u8; 32],
    /// Opens only.
    pub previous: Option<[u8; 32]>,
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKeys(…)")
    }
}
