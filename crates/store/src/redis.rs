//! A store in Redis or Valkey (SP9).
//!
//! An item is one string: its version, flags and end stand in front of its value. Conditions are checked by scripts, which
//! run alone on the server. The server's own expiry only frees memory; whether an item has expired is decided by our clock.

mod address;
mod fault;
mod link;
mod record;
mod script;

use std::fmt;
use std::sync::Arc;

use ::redis::Value;

use crate::behind::Behind;
use crate::fresh::Versions;
use crate::secrets::{InvalidUrl, Secrets};
use crate::{
    Clock, Item, Key, MANY_VALUE_BYTES_MAX, Put, Reply, SMALL_VALUE_BYTES_MAX, Store, StoreError, When,
};
use fault::{Failed, meaning};
use link::{Connection, Link};
use record::Record;

/// Items in Redis or Valkey, over one connection that carries many commands at a time.
pub struct RedisStore {
    link: Arc<Link>,
    behind: Behind,
    versions: Versions,
    clock: Clock,
    secrets: Secrets,
}

impl RedisStore {
    /// Does not connect: that happens when the first command comes. `clock` tells milliseconds since 1970.
    ///
    /// URLs: `redis://user:password@host:port/database`, `rediss://` for TLS, `redis+unix:///path`; and all of them with
    /// `valkey` instead. With `?ssl-ca=/path`, the server's certificate must be signed by a CA in that file.
    /// `redis+sentinel://user:password@host:port,host:port/master/database` asks sentinels for the present master, without
    /// TLS and without a login at the sentinels.
    pub fn new(url: &str, clock: Clock) -> Result<Self, InvalidUrl> {
        let secrets = Secrets::in_url(url);
        let link = Link::new(url).map_err(|error| InvalidUrl(secrets.clean(&error.to_string())))?;
        Ok(Self {
            link: Arc::new(link),
            behind: Behind::new(),
            versions: Versions::default(),
            clock,
            secrets,
        })
    }

    /// Runs a command, on a new connection if an old one turns out to be broken: it may be run twice.
    async fn run<T, F>(
        &self,
        command: impl Fn(Connection) -> F + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failed>> + Send + 'static,
    {
        let link = Arc::clone(&self.link);
        let task = async move {
            for is_last in [false, true] {
                let (connection, is_new) = link.connection().await?;
                let error = match command(connection.clone()).await {
                    Ok(value) => return Ok(value),
                    Err(Failed(error)) => error,
                };
                let (error, is_broken) = meaning(&error);
                if is_broken {
                    link.drop_connection(&connection);
                }
                let may_run_again = is_broken && matches!(error, StoreError::Away(_));
                if !may_run_again || is_new || is_last {
                    return Err(error);
                }
            }
            Err(StoreError::Late)
        };
        self.behind.run(task).await.map_err(|error| self.secrets.clean_error(error))
    }

    async fn write(&self, key: &Key, item: Item, when: When) -> Result<Put, StoreError> {
        if item.value.len() > SMALL_VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        let version = self.versions.next();
        let now = (self.clock)();
        let end = record::time_to_live(item.expires, now);
        let record = Record::new(&item, version);
        let key = stored(key);
        let put = self.run(move |mut connection| {
            let (key, record) = (key.clone(), record.clone());
            async move {
                let call = script::put(&key, &record, when, now, end);
                Ok(call.query_async::<Value>(&mut connection).await?)
            }
        });
        match put.await? {
            Value::Int(_) => Ok(Put::Done(version)),
            other => Ok(match item_of(other, SMALL_VALUE_BYTES_MAX) {
                // An earlier try has written it, and the answer was lost.
                Some(there) if there.version == version => Put::Done(version),
                there => Put::Refused(there),
            }),
        }
    }

    /// Reads no more of a string than an item has: strings of others may be longer. What the server sends all the same is
    /// held by crate `redis`, which knows no limit.
    async fn read(&self, keys: &[Key], value_bytes_max: usize) -> Result<Vec<Option<Item>>, StoreError> {
        let now = (self.clock)();
        let keys: Vec<Vec<u8>> = keys.iter().map(stored).collect();
        let items = self.run(move |mut connection| {
            let keys = keys.clone();
            async move {
                let mut items = Vec::with_capacity(keys.len());
                for part in keys.chunks(KEYS_MAX) {
                    let mut reads = ::redis::pipe();
                    // Each answer is looked at by itself: a key of another type is no reason to fail the others.
                    reads.ignore_errors();
                    for key in part {
                        let last = record::HEADER_BYTES + value_bytes_max;
                        reads.cmd("GETRANGE").arg(key).arg(0).arg(last);
                    }
                    let answer: Vec<Value> = reads.query_async(&mut connection).await?;
                    for value in answer {
                        items.push(item_of(known(value)?, value_bytes_max));
                    }
                }
                Ok(items)
            }
        });
        let is_alive = |item: &Item| item.expires.is_none_or(|expires| expires > now);
        Ok(items.await?.into_iter().map(|item| item.filter(is_alive)).collect())
    }

    async fn set_ends(&self, ends: Vec<(Vec<u8>, Option<u64>)>) -> Result<u64, StoreError> {
        let now = (self.clock)();
        self.run(move |mut connection| {
            let ends = ends.clone();
            async move {
                let mut touched = 0;
                for part in ends.chunks(KEYS_MAX) {
                    touched += script::touch(part, now).query_async::<u64>(&mut connection).await?;
                }
                Ok(touched)
            }
        })
        .await
    }
}

impl Store for RedisStore {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        Box::pin(async move {
            Ok(self.read(std::slice::from_ref(key), SMALL_VALUE_BYTES_MAX).await?.pop().flatten())
        })
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        Box::pin(self.write(key, item, when))
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        Box::pin(async move { Ok(self.set_ends(vec![(stored(key), expires)]).await? > 0) })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        let (key, now) = (stored(key), (self.clock)());
        Box::pin(self.run(move |mut connection| {
            let call = script::delete(&key, now);
            async move { Ok(call.query_async::<bool>(&mut connection).await?) }
        }))
    }

    fn clear(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            let mut cursor = 0;
            loop {
                let step = self.run(move |connection| clear_some(connection, cursor));
                cursor = step.await?;
                if cursor == 0 {
                    return Ok(());
                }
            }
        })
    }

    fn read_many<'a>(&'a self, keys: &'a [Key]) -> Reply<'a, Vec<Option<Item>>> {
        Box::pin(async move {
            if keys.is_empty() { Ok(Vec::new()) } else { self.read(keys, MANY_VALUE_BYTES_MAX).await }
        })
    }

    fn touch_many<'a>(&'a self, ends: &'a [(Key, Option<u64>)]) -> Reply<'a, ()> {
        let ends: Vec<_> = ends.iter().map(|(key, expires)| (stored(key), *expires)).collect();
        Box::pin(async move { if ends.is_empty() { Ok(()) } else { self.set_ends(ends).await.map(drop) } })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

/// A key with the prefix by which [`Store::clear`] knows what is ours. The keys of sessions and gateways have it already.
fn stored(key: &Key) -> Vec<u8> {
    let prefix = if key.as_bytes().starts_with(PREFIX) { &[] } else { PREFIX };
    [prefix, key.as_bytes()].concat()
}

/// The answer of one read; a key that holds something else than a string has no item.
fn known(value: Value) -> Result<Value, Failed> {
    match value {
        Value::ServerError(error) if error.code() == WRONG_TYPE => Ok(Value::Nil),
        Value::ServerError(error) => Err(Failed(error.into())),
        value => Ok(value),
    }
}

/// `None`: there is none. What others have written counts as none.
fn item_of(value: Value, value_bytes_max: usize) -> Option<Item> {
    match value {
        Value::BulkString(bytes) if bytes.len() <= record::HEADER_BYTES + value_bytes_max => {
            record::item(bytes)
        }
        _ => None,
    }
}

/// Removes what is ours on one page of the server's keys, and returns where the next one begins.
async fn clear_some(mut connection: Connection, cursor: u64) -> Result<u64, Failed> {
    let pattern = [PREFIX, b"*"].concat();
    let mut scan = ::redis::cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(KEYS_MAX);
    let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await?;
    if !keys.is_empty() {
        () = ::redis::cmd("UNLINK").arg(keys).query_async(&mut connection).await?;
    }
    Ok(next)
}

/// Of keys on the server.
const PREFIX: &[u8] = b"evk:";
/// How the server's error begins if a key holds no string.
const WRONG_TYPE: &str = "WRONGTYPE";
// limit: keys of one command, so that the server is not blocked for long.
const KEYS_MAX: usize = 512;
