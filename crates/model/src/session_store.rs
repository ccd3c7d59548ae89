//! Session stores and session gateways (SP9, SP12).

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::{KeySource, SessionGatewayName, SessionStoreName};

/// Where sessions are kept beside this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStore {
    pub name: SessionStoreName,
    pub kind: StoreKind,
    /// How long a request, or a command of a gateway, waits for the store.
    pub timeout: Duration,
    /// Sessions that this process keeps of its own, in front of the store. For a memory store: all there are.
    pub capacity: u32,
    /// Hashes the names of sessions, so that no client's address stands in the store. All processes that share a store
    /// need the same key. `None`: a memory store.
    pub key: Option<KeySource>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// This process.
    Memory,
    /// A directory, which may be on NFS.
    File {
        path: PathBuf,
    },
    Sql {
        dialect: SqlDialect,
        url: SecretUrl,
    },
    /// A group of servers over which keys are spread; never empty.
    Memcached {
        servers: Vec<MemcachedServer>,
    },
    Redis {
        url: SecretUrl,
    },
}

impl StoreKind {
    /// Its `type` in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File { .. } => "file",
            Self::Sql { .. } => "sql",
            Self::Memcached { .. } => "memcached",
            Self::Redis { .. } => "redis",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlDialect {
    Sqlite,
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

/// A memcached server as written in the configuration, which is also its name in the hash ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemcachedServer {
    pub address: MemcachedAddress,
    /// 1 or more.
    pub weight: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemcachedAddress {
    /// Host and port; the host may be a name.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

/// A URL that may hold a password. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(pub String);

/// A memcached endpoint for applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionGateway {
    pub name: SessionGatewayName,
    pub bind: GatewayAddress,
    /// The truth.
    pub store: SessionStoreName,
    /// Holds copies in front of the truth.
    pub cache: Option<SessionStoreName>,
    /// Bytes of the largest value.
    pub item_bytes_max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayAddress {
    Unix(PathBuf),
    /// On loopback: the protocol has no authentication.
    Tcp(SocketAddr),
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}
