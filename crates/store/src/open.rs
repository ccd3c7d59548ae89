//! From the configuration to a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::{SessionStore, StoreKind};

use crate::memcached::{MemcachedSettings, MemcachedStore};
use crate::{Clock, FileStore, InvalidUrl, MemoryLimits, MemoryStore, RedisStore, SqlStore, Store};

/// Why a store cannot be opened. That it is away is no reason: each call finds that out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    Url(InvalidUrl),
}

impl From<InvalidUrl> for OpenError {
    fn from(error: InvalidUrl) -> Self {
        Self::Url(error)
    }
}

/// Makes the client of a store, or the store itself. Never waits: connections are made when they are first used. A call has
/// no timeout yet; see [`Guarded`](crate::Guarded).
///
/// `memory_bytes` limits a store in memory beside its number of items. Needs the runtime only when the store is used.
pub fn open(settings: &SessionStore, clock: Clock, memory_bytes: u64) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match &settings.kind {
        StoreKind::Memory => {
            let limits = MemoryLimits { bytes: memory_bytes, items: settings.capacity.into() };
            Arc::new(MemoryStore::new(limits, clock))
        }
        StoreKind::File { path } => Arc::new(FileStore::new(path.clone(), clock)),
        StoreKind::Memcached { servers } => {
            let patience = patience(settings.timeout);
            Arc::new(MemcachedStore::new(servers, MemcachedSettings { patience, protocol: None }, clock))
        }
        StoreKind::Sql { dialect, url } => Arc::new(SqlStore::new(*dialect, &url.0, clock)?),
        StoreKind::Redis { url } => Arc::new(RedisStore::new(&url.0, clock)?),
    })
}

/// Finds what is wrong with a URL, without a connection.
///
/// # Errors
/// Those of [`open`].
pub fn check(kind: &StoreKind) -> Result<(), OpenError> {
    let clock: Clock = Arc::new(|| 0);
    match kind {
        StoreKind::Sql { dialect, url } => drop(SqlStore::new(*dialect, &url.0, clock)?),
        StoreKind::Redis { url } => drop(RedisStore::new(&url.0, clock)?),
        StoreKind::Memory | StoreKind::File { .. } | StoreKind::Memcached { .. } => {}
    }
    Ok(())
}

/// After what silence a server of a group is ejected. Longer than a call waits, so that a single slow answer ejects none;
/// short, so that a server that hangs delays few calls.
fn patience(timeout: Duration) -> Duration {
    timeout.saturating_mul(10).clamp(Duration::from_millis(100), Duration::from_secs(2))
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => write!(f, "invalid URL: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

#[cfg(test)]
mod tests {
    use model::{MemcachedAddress, MemcachedServer, SecretUrl, SessionStoreName, SqlDialect};

    use super::*;
    use crate::Key;

    #[tokio::test]
    async fn every_kind_is_opened_without_waiting_for_it() {
        let address = MemcachedAddress::Unix("/nonexistent/socket".into());
        let table = [
            (StoreKind::Memory, "MemoryStore", true),
            (StoreKind::File { path: "/nonexistent/sessions".into() }, "FileStore", true),
            (
                StoreKind::Memcached { servers: vec![MemcachedServer { address, weight: 1 }] },
                "MemcachedStore",
                false,
            ),
            (
                StoreKind::Redis { url: SecretUrl("redis+unix:///nonexistent/socket".to_owned()) },
                "RedisStore",
                false,
            ),
            (
                StoreKind::Sql {
                    dialect: SqlDialect::Postgres,
                    url: SecretUrl("postgres:///?host=/nonexistent".to_owned()),
                },
                "SqlStore",
                false,
            ),
        ];
        for (kind, name, is_there) in table {
            let store = open(&settings(kind), Arc::new(|| 0), 1 << 20).unwrap();
            assert!(format!("{store:?}").starts_with(name), "{store:?}");
            assert_eq!(store.get(&Key::new(b"key").unwrap()).await.is_ok(), is_there, "{name}");
        }
        let redis = |url: &str| StoreKind::Redis { url: SecretUrl(url.to_owned()) };
        let wrong = redis("redis://:secret@host/x");
        let error = open(&settings(wrong.clone()), Arc::new(|| 0), 1 << 20).unwrap_err();
        assert_eq!(check(&wrong), Err(error.clone()));
        assert!(
            error.to_string().starts_with("invalid URL") && !error.to_string().contains("secret"),
            "{error}"
        );
    }

    #[test]
    fn patience_follows_the_timeout() {
        let table = [(1, 100), (10, 100), (50, 500), (1_000, 2_000)];
        for (timeout, expected) in table {
            assert_eq!(patience(Duration::from_millis(timeout)), Duration::from_millis(expected));
        }
    }

    fn settings(kind: StoreKind) -> SessionStore {
        let name = SessionStoreName::new("sessions");
        SessionStore { name, kind, timeout: Duration::from_millis(10), capacity: 100, key: None }
    }
}
