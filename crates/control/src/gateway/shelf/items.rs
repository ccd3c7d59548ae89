//! How items stand in stores: their keys, and the number of flushes in front of their values.

use std::fmt::{self, Write};
use std::sync::atomic::Ordering;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::{BufMut, BytesMut};
use store::{Item, Key, Put, StoreError, Version, When};
use tokio::sync::MutexGuard;

use super::{ATTEMPTS_MAX, CACHED_MILLISECONDS, Shelf};

impl Shelf {
    /// The key in the store. A key that is too long for it, or has bytes that no store takes, is replaced by its hash.
    pub(super) fn key(&self, key: &[u8]) -> Result<Key, StoreError> {
        let (mut full, length) = ([0; KEY_BYTES_MAX], self.prefix.len() + key.len());
        if let Some(full) = full.get_mut(..length) {
            let (prefix, rest) = full.split_at_mut(self.prefix.len());
            prefix.copy_from_slice(&self.prefix);
            rest.copy_from_slice(key);
            if let Ok(key) = Key::new(full) {
                return Ok(key);
            }
        }
        let hash = digest(&SHA256, &[self.prefix.as_slice(), key].concat());
        let mut name = HASHED.to_owned();
        hash.as_ref().iter().for_each(|byte| {
            let _ = write!(name, "{byte:02x}");
        });
        Key::new(name.as_bytes()).map_err(|_| StoreError::TooLarge)
    }

    /// Reads from the truth.
    pub(super) async fn read(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.refresh().await?;
        Ok(self.truth.get(key).await?.and_then(|item| self.open(item)))
    }

    /// Takes the number of flushes off the value. `None`: it was written before the last one, or is none of ours.
    pub(super) fn open(&self, mut item: Item) -> Option<Item> {
        let (number, _) = item.value.split_at_checked(NUMBER_BYTES)?;
        // A higher one is of a flush that another process has made, and of which this one has not heard yet.
        if number_in(number) < self.flushes.load(Ordering::Relaxed) {
            return None;
        }
        item.value = item.value.slice(NUMBER_BYTES..);
        Some(item)
    }

    pub(super) fn seal(&self, value: &[u8], flags: u32, expires: Option<u64>) -> Item {
        let mut sealed = BytesMut::with_capacity(NUMBER_BYTES + value.len());
        sealed.put_u64(self.flushes.load(Ordering::Relaxed));
        sealed.put_slice(value);
        Item { value: sealed.freeze(), flags, expires, version: Version::default() }
    }

    /// Writes if there is no item. One from before a flush is replaced.
    pub(super) async fn put_absent(&self, key: &Key, item: Item) -> Result<Put, StoreError> {
        let mut when = When::Absent;
        for _ in 0..ATTEMPTS_MAX {
            match self.truth.put(key, item.clone(), when).await? {
                Put::Refused(Some(old)) if self.open(old.clone()).is_none() => {
                    when = When::Unchanged(old.version);
                }
                Put::Refused(None) => when = When::Absent,
                put => return Ok(put),
            }
        }
        Ok(Put::Refused(Some(item)))
    }

    /// Writes if there is an item, with this version. One from before a flush does not count.
    pub(super) async fn put_present(
        &self,
        key: &Key,
        item: Item,
        version: Option<Version>,
    ) -> Result<Put, StoreError> {
        if self.flushes.load(Ordering::Relaxed) > 0 && self.read(key).await?.is_none() {
            return Ok(Put::Refused(None));
        }
        self.truth.put(key, item, version.map_or(When::Present, When::Unchanged)).await
    }

    /// Puts what was written into the cache, whose failures change nothing: the copy that it has ends soon.
    pub(super) async fn keep_copy(&self, key: &Key, item: &Item) {
        if let Some(cache) = &self.cache
            && cache.put(key, self.limited(item.clone()), When::Always).await.is_err()
        {
            let _ = cache.delete(key).await;
        }
    }

    pub(super) async fn forget(&self, key: &Key) {
        if let Some(cache) = &self.cache {
            let _ = cache.delete(key).await;
        }
    }

    /// A copy of an item that was read.
    pub(super) fn copy(&self, item: &Item) -> Item {
        self.limited(self.seal(&item.value, item.flags, item.expires))
    }

    /// Until when this key belongs to one command.
    pub(super) async fn turn(&self, key: &Key) -> MutexGuard<'_, ()> {
        let at = balance::hash_bytes(key.as_bytes()) % self.turns.len() as u64;
        let at = usize::try_from(at).unwrap_or(0);
        // The index is less than the length.
        self.turns[at].lock().await
    }

    fn limited(&self, mut copy: Item) -> Item {
        let end = self.now().saturating_add(CACHED_MILLISECONDS);
        copy.expires = Some(copy.expires.map_or(end, |expires| expires.min(end)));
        copy
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("truth", &self.truth)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// The number at the front of a value; 0 if it is shorter.
pub(super) fn number_in(value: &[u8]) -> u64 {
    value.first_chunk::<NUMBER_BYTES>().copied().map_or(0, u64::from_be_bytes)
}

const NUMBER_BYTES: usize = 8;
/// The longest key that every store takes.
const KEY_BYTES_MAX: usize = 250;
/// In front of the hash of a key.
const HASHED: &str = "evk:h:";
