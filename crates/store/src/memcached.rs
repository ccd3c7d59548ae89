//! A group of memcached servers, over which keys are spread as libketama does it.
//!
//! A server that fails is ejected: its keys go to the next server on the ring until a probe is answered. What was written
//! before is then found again, unless the server has lost it, and may be older than what was written meanwhile elsewhere.
//!
//! memcached counts seconds, and its clock may lag by one. An end is therefore rounded up by one to two seconds: an item
//! never expires too early, and at most two seconds too late. Lives are sent as seconds from now, up to 30 days, so that the
//! clocks of the hosts need not agree; longer ones only as a time.

mod connection;
mod ring;
mod server;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use model::MemcachedServer;

use self::ring::Ring;
use self::server::{Pending, Server};
pub use self::wire::Protocol;
use self::wire::{Answer, Command};
use crate::{
    Clock, Item, Key, MANY_VALUE_BYTES_MAX, Put, Reply, Store, StoreError, VALUE_BYTES_MAX, Version, When,
};

pub struct MemcachedStore {
    ring: Ring,
    servers: Vec<Arc<Server>>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug)]
pub struct MemcachedSettings {
    /// How long a server may be silent while an answer, or the end of a connect, is due. Then it is ejected.
    pub patience: Duration,
    /// `None`: asks each server.
    pub protocol: Option<Protocol>,
}

impl MemcachedStore {
    /// Connects when it is first used.
    pub fn new(servers: &[MemcachedServer], settings: MemcachedSettings, clock: Clock) -> Self {
        let server = |server: &MemcachedServer| {
            Server::new(server.address.clone(), settings.protocol, settings.patience)
        };
        Self { ring: Ring::new(servers), servers: servers.iter().map(server).collect(), clock }
    }

    /// The first server of the key that is not ejected. If all are, its first one is tried all the same: there is no
    /// other, and what calls this store limits how often it is asked while it fails.
    fn server(&self, key: &Key) -> Result<&Arc<Server>, StoreError> {
        let mut order = self.ring.servers(key.as_bytes()).map(|at| &self.servers[at]).peekable();
        let first = order.peek().copied();
        order
            .find(|server| server.ejection().is_none())
            .or(first)
            .ok_or_else(|| StoreError::Away("the group has no server".to_owned()))
    }

    async fn send(&self, key: &Key, command: Command) -> Result<Pending, StoreError> {
        Ok(self.server(key)?.send(command).await)
    }

    async fn ask(&self, key: &Key, command: Command) -> Result<Answer, StoreError> {
        answer(self.send(key, command).await?).await
    }

    async fn read(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.found(self.ask(key, Command::Get(key.clone(), VALUE_BYTES_MAX)).await?)
    }

    fn found(&self, answer: Answer) -> Result<Option<Item>, StoreError> {
        match answer {
            Answer::Found { value, flags, left, version } => {
                let expires = left.map(|left| (self.clock)().saturating_add(left.saturating_mul(1_000)));
                Ok(Some(Item { value, flags, expires, version: Version(version) }))
            }
            Answer::Missing => Ok(None),
            _ => Err(misplaced()),
        }
    }

    async fn write(&self, key: &Key, item: &Item, when: When) -> Result<Put, StoreError> {
        if item.value.len() > VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        if when == When::Unchanged(Version::default()) {
            // Zero would mean to a server that there is no condition.
            return Ok(Put::Refused(self.read(key).await?));
        }
        let end = self.end(item.expires);
        for _ in 0..TRIES {
            let (value, flags) = (item.value.clone(), item.flags);
            let command = Command::Put { key: key.clone(), value, flags, end, when };
            match self.ask(key, command).await? {
                Answer::Stored(version) => return Ok(Put::Done(Version(version))),
                Answer::Refused => {}
                _ => return Err(misplaced()),
            }
            let found = self.read(key).await?;
            if found.is_some() || when != When::Absent {
                return Ok(Put::Refused(found));
            }
            // What was in the way has just expired.
        }
        Ok(Put::Refused(None))
    }

    /// As memcached takes it: 0 never, -1 at once, seconds from now up to 30 days, above that seconds since 1970.
    fn end(&self, expires: Option<u64>) -> i64 {
        let Some(expires) = expires else { return 0 };
        let now = (self.clock)();
        if expires <= now {
            return -1;
        }
        let seconds = (expires - now).div_ceil(1_000) + 1;
        let end = if seconds <= RELATIVE_MAX { seconds } else { now / 1_000 + seconds };
        // limit: memcached computes with 32 bits.
        i64::try_from(end).unwrap_or(i64::MAX).min(i64::from(i32::MAX))
    }

    fn touch_command(&self, key: &Key, expires: Option<u64>) -> Command {
        match self.end(expires) {
            -1 => Command::Delete(key.clone()),
            end => Command::Touch { key: key.clone(), end },
        }
    }
}

impl Store for MemcachedStore {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        Box::pin(self.read(key))
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        Box::pin(async move { self.write(key, &item, when).await })
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        Box::pin(async move { was_there(&self.ask(key, self.touch_command(key, expires)).await?) })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        Box::pin(async move { was_there(&self.ask(key, Command::Delete(key.clone())).await?) })
    }

    /// Empties all servers, of the items of other programs, too: memcached cannot tell them apart.
    fn clear(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            let mut result = Ok(());
            for server in &self.servers {
                let flushed = match server.ejection() {
                    None => answer(server.send(Command::Flush).await).await,
                    Some(error) => Err(error),
                };
                // The others are emptied all the same.
                result = result.and(flushed.and_then(|answer| match answer {
                    Answer::Done => Ok(()),
                    _ => Err(misplaced()),
                }));
            }
            result
        })
    }

    fn read_many<'a>(&'a self, keys: &'a [Key]) -> Reply<'a, Vec<Option<Item>>> {
        Box::pin(async move {
            let mut items = Vec::with_capacity(keys.len());
            for batch in keys.chunks(BATCH) {
                let mut pending = Vec::with_capacity(batch.len());
                for key in batch {
                    pending.push(self.send(key, Command::Get(key.clone(), MANY_VALUE_BYTES_MAX)).await?);
                }
                for pending in pending {
                    items.push(self.found(answer(pending).await?)?);
                }
            }
            Ok(items)
        })
    }

    fn touch_many<'a>(&'a self, ends: &'a [(Key, Option<u64>)]) -> Reply<'a, ()> {
        Box::pin(async move {
            for batch in ends.chunks(BATCH) {
                let mut pending = Vec::with_capacity(batch.len());
                for (key, expires) in batch {
                    pending.push(self.send(key, self.touch_command(key, *expires)).await?);
                }
                for pending in pending {
                    was_there(&answer(pending).await?)?;
                }
            }
            Ok(())
        })
    }
}

impl std::fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemcachedStore").field("servers", &self.servers).finish_non_exhaustive()
    }
}

async fn answer(pending: Pending) -> Result<Answer, StoreError> {
    match pending.await {
        Ok(Ok(Answer::Failed(error))) => Err(error),
        Ok(result) => result,
        Err(_) => Err(StoreError::Away("the connection ended".to_owned())),
    }
}

fn was_there(answer: &Answer) -> Result<bool, StoreError> {
    match answer {
        Answer::Done => Ok(true),
        Answer::Missing => Ok(false),
        _ => Err(misplaced()),
    }
}

/// The parser gives each command only answers that fit it.
fn misplaced() -> StoreError {
    StoreError::Garbage("the answer is that of another command".to_owned())
}

/// limit: commands that are sent before their answers are awaited, so that answers of a large batch do not pile up.
const BATCH: usize = 256;
/// Writes of an item that something stood in the way of which then had expired.
const TRIES: usize = 3;
/// Seconds up to which memcached takes a number for a time from now.
const RELATIVE_MAX: u64 = 30 * 86_400;
