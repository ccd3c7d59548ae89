//! Session stores behind one trait: what outlives a process, or is shared between several (SP9, SP12).
//!
//! [`Store`] is what every kind of store can do: a map from short keys to small items that expire, with compare-and-set.
//! Two things stand on it: the sessions of the data plane, and the items of session gateways. Everything here runs on the
//! control plane's runtime; a worker only sends to it.

pub mod breaker;
pub mod file;
pub mod guard;
pub mod memcached;
pub mod memory;
pub mod open;
pub mod session;

mod behind;
mod clock;
mod error;
mod fresh;
mod item;
mod key;
mod redis;
mod secrets;
mod sql;

pub use clock::Clock;
pub use error::StoreError;
pub use file::FileStore;
pub use guard::{Figures, Guarded};
pub use item::{Item, MANY_VALUE_BYTES_MAX, Put, SMALL_VALUE_BYTES_MAX, VALUE_BYTES_MAX, Version, When};
pub use key::{InvalidKey, Key};
pub use memcached::MemcachedStore;
pub use memory::{MemoryLimits, MemoryStore};
pub use open::{OpenError, check, open};
pub use redis::RedisStore;
pub use secrets::InvalidUrl;
pub use sql::SqlStore;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What a store answers.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What a sweep has looked at, and how much of that it has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub seen: usize,
    pub removed: usize,
}

impl Swept {
    /// More is likely to have expired, so that the next sweep should not wait.
    pub const fn is_much(self) -> bool {
        self.removed > 0 && self.removed * 8 >= self.seen
    }
}

/// A map from keys to items that expire.
///
/// An expired item is absent, however long it takes until the store removes it. A store may lose items at any time: what
/// is stored is never needed for more than continuity. No call waits without a limit: the caller wraps each one in the
/// store's timeout, and dropping a reply must leave the store usable.
pub trait Store: Debug + Send + Sync + 'static {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>>;

    /// Writes an item under a condition, in one atomic step: of several writers with the same condition one succeeds.
    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put>;

    /// Sets the end of an item's life (milliseconds since 1970); false: there is none.
    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool>;

    /// False: there was none.
    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool>;

    /// Finds out whether it serves, as far as that costs little and changes nothing.
    fn check(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            // No item has this key, which every store takes.
            let Ok(key) = Key::new(PROBE_KEY) else { return Ok(()) };
            self.get(&key).await.map(drop)
        })
    }

    /// Removes every item that this program has put there.
    fn clear(&self) -> Reply<'_, ()>;

    /// Removes expired items that take room until someone does, for about `most`, and goes on from there in the next call.
    /// Stores that remove them by themselves do nothing.
    fn sweep(&self, _most: Duration) -> Reply<'_, Swept> {
        Box::pin(async { Ok(Swept::default()) })
    }

    /// Changes how many items are held at most. Only a store in memory limits that by itself.
    fn set_capacity(&self, _items: u64) {}

    /// Reads several items, in the order of the keys; one round trip where the store can. A store that is a server refuses
    /// values over [`MANY_VALUE_BYTES_MAX`], since it would have to hold all of them.
    fn read_many<'a>(&'a self, keys: &'a [Key]) -> Reply<'a, Vec<Option<Item>>> {
        Box::pin(async move {
            let mut items = Vec::with_capacity(keys.len());
            for key in keys {
                items.push(self.get(key).await?);
            }
            Ok(items)
        })
    }

    /// Sets the end of several items' lives; one round trip where the store can. Items that are absent stay so.
    fn touch_many<'a>(&'a self, ends: &'a [(Key, Option<u64>)]) -> Reply<'a, ()> {
        Box::pin(async move {
            for (key, expires) in ends {
                self.touch(key, *expires).await?;
            }
            Ok(())
        })
    }
}

/// Of no item but one that [`Guarded::probe`] writes.
const PROBE_KEY: &[u8] = b"evenkeel-probe";
