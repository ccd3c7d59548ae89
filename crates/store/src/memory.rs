//! A store in this process, bounded in bytes and items.

mod lru;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use self::lru::{Lru, Place};
use crate::{Clock, Item, Key, Put, Reply, Store, StoreError, VALUE_BYTES_MAX, Version, When};

/// Evicts the least recently used item when it is full. What has expired is removed when it is read, or evicted.
///
/// It answers at once: no call waits for another one longer than an operation on a map takes.
pub struct MemoryStore {
    shards: Box<[Shard]>,
    hasher: RandomState,
    bytes_max: u64,
    items_max: AtomicU64,
    clock: Clock,
    versions: AtomicU64,
    /// Counts uses, so that the least recently used item of all shards can be found.
    uses: AtomicU64,
    bytes: AtomicU64,
    items: AtomicU64,
}

/// What a [`MemoryStore`] holds at most. The last item written stays even if a limit is less than one item needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Keys, values and what is needed to keep them.
    pub bytes: u64,
    pub items: u64,
}

struct Shard {
    /// When its least recently used item was used; `u64::MAX`: it is empty.
    oldest: AtomicU64,
    items: Mutex<Lru>,
}

impl MemoryStore {
    pub fn new(limits: MemoryLimits, clock: Clock) -> Self {
        let shard = || Shard { oldest: AtomicU64::new(u64::MAX), items: Mutex::new(Lru::default()) };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            bytes_max: limits.bytes,
            items_max: AtomicU64::new(limits.items),
            clock,
            versions: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            items: AtomicU64::new(0),
        }
    }

    /// Items that are held, expired ones among them.
    pub fn len(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that are held, by the measure of [`MemoryLimits::bytes`].
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn limits(&self) -> MemoryLimits {
        MemoryLimits { bytes: self.bytes_max, items: self.items_max.load(Ordering::Relaxed) }
    }

    fn read(&self, key: &Key) -> Option<Item> {
        self.with(key, |items| self.live(items, key).and_then(|place| items.item(place)).cloned())
    }

    fn write(&self, key: &Key, item: &Item, when: When) -> Result<Put, StoreError> {
        if item.value.len() > VALUE_BYTES_MAX || cost(key, item) > self.bytes_max {
            return Err(StoreError::TooLarge);
        }
        let put = self.with(key, |items| {
            let place = self.live(items, key);
            let present = place.and_then(|place| items.item(place));
            if !when.holds(present.as_ref().map(|item| item.version)) {
                return Put::Refused(present.cloned());
            }
            let version = Version(self.versions.fetch_add(1, Ordering::Relaxed) + 1);
            // The value may be a small part of a buffer that would be kept as a whole.
            let item = Item { value: Bytes::copy_from_slice(&item.value), version, ..*item };
            self.add(key, &item);
            match present {
                Some(present) => self.subtract(key, &std::mem::replace(present, item)),
                None => items.insert(key.clone(), item, self.use_now()),
            }
            Put::Done(version)
        });
        self.evict();
        Ok(put)
    }

    fn change_end(&self, key: &Key, expires: Option<u64>) -> bool {
        self.with(key, |items| {
            let item = self.live(items, key).and_then(|place| items.item(place));
            item.map(|item| item.expires = expires).is_some()
        })
    }

    fn remove(&self, key: &Key) -> bool {
        self.with(key, |items| {
            let is_there = self.live(items, key).is_some();
            if let Some(item) = items.remove(key) {
                self.subtract(key, &item);
            }
            is_there
        })
    }

    fn remove_all(&self) {
        for shard in &self.shards {
            let mut items = shard.lock();
            while let Some((key, item)) = items.pop_oldest() {
                self.subtract(&key, &item);
            }
            shard.note_oldest(&items);
        }
    }

    /// Where the item under a key is, as used now; removes it if it has expired.
    fn live(&self, items: &mut Lru, key: &Key) -> Option<Place> {
        let place = items.find(key)?;
        let is_expired = |item: &mut Item| item.expires.is_some() && item.is_expired((self.clock)());
        if items.item(place).is_some_and(is_expired) {
            if let Some(item) = items.remove(key) {
                self.subtract(key, &item);
            }
            return None;
        }
        items.touch(place, self.use_now());
        Some(place)
    }

    /// Removes the least recently used items until the limits are kept.
    fn evict(&self) {
        while self.bytes() > self.bytes_max || self.len() > self.limits().items.max(1) {
            let age = |shard: &&Shard| shard.oldest.load(Ordering::Relaxed);
            let Some(shard) = self.shards.iter().min_by_key(age) else { return };
            let mut items = shard.lock();
            let evicted = items.pop_oldest();
            shard.note_oldest(&items);
            drop(items);
            match evicted {
                Some((key, item)) => self.subtract(&key, &item),
                // Another writer has just evicted it.
                None if age(&shard) == u64::MAX && self.is_empty() => return,
                None => {}
            }
        }
    }

    /// `work` on the shard of a key, under its lock.
    fn with<T>(&self, key: &Key, work: impl FnOnce(&mut Lru) -> T) -> T {
        let hash = self.hasher.hash_one(key);
        let shard = &self.shards[hash as usize % self.shards.len()];
        let mut items = shard.lock();
        let result = work(&mut items);
        shard.note_oldest(&items);
        result
    }

    fn use_now(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    fn add(&self, key: &Key, item: &Item) {
        self.bytes.fetch_add(cost(key, item), Ordering::Relaxed);
        self.items.fetch_add(1, Ordering::Relaxed);
    }

    fn subtract(&self, key: &Key, item: &Item) {
        self.bytes.fetch_sub(cost(key, item), Ordering::Relaxed);
        self.items.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Lru> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called before the lock is released.
    fn note_oldest(&self, items: &Lru) {
        self.oldest.store(items.oldest_use().unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Store for MemoryStore {
    /// Evicts at once what is too much.
    fn set_capacity(&self, items: u64) {
        self.items_max.store(items, Ordering::Relaxed);
        self.evict();
    }

    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        Box::pin(async move { Ok(self.read(key)) })
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        Box::pin(async move { self.write(key, &item, when) })
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        Box::pin(async move { Ok(self.change_end(key, expires)) })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        Box::pin(async move { Ok(self.remove(key)) })
    }

    fn clear(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            self.remove_all();
            Ok(())
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (items, bytes) = (self.len(), self.bytes());
        write!(f, "MemoryStore({items} items, {bytes} bytes, {:?})", self.limits())
    }
}

/// What an item takes of [`MemoryLimits::bytes`]. The key is held twice, in the map and in the order of uses.
fn cost(key: &Key, item: &Item) -> u64 {
    (2 * key.as_bytes().len() + item.value.len() + OVERHEAD_BYTES) as u64
}

/// So many that two threads seldom want the same one.
const SHARDS: usize = 16;
/// What the maps and the allocator need for an item, rounded up.
const OVERHEAD_BYTES: usize = 224;
