//! The items of one gateway: in a store, which is the truth, and as copies in a cache in front of it.
//!
//! A write goes to the truth first and then to the cache. A read that finds a copy does not ask the truth, so that sessions
//! can still be read while it is away. Within a process reads that fill the cache and writes of one key take turns; another
//! process may leave an old copy in a shared cache for [`CACHED_MILLISECONDS`].
//!
//! A store may hold items of others, so that flushing cannot empty it. Each value begins with the number of flushes before
//! it was written; items of an earlier number count as absent.

mod items;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use model::SessionGatewayName;
use proto::memcached::{Expiry, Outcome, Verb, numeric};
use store::{Clock, Item, Key, Put, Store, StoreError, Version, When};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use items::number_in;

/// See above.
pub(super) struct Shelf {
    prefix: Vec<u8>,
    /// Where the number of flushes stands.
    flushes_key: Option<Key>,
    truth: Arc<dyn Store>,
    cache: Option<Arc<dyn Store>>,
    clock: Clock,
    limit: Duration,
    flushes: AtomicU64,
    /// When the number was last read; 0: never.
    flushes_read: AtomicU64,
    /// limit: one flush in the future.
    planned_flush: std::sync::Mutex<Option<AbortHandle>>,
    turns: Vec<Mutex<()>>,
}

impl Shelf {
    /// `limit` is how long the stores may take for one command.
    pub(super) fn new(
        name: &SessionGatewayName,
        truth: Arc<dyn Store>,
        cache: Option<Arc<dyn Store>>,
        clock: Clock,
        limit: Duration,
    ) -> Self {
        Self {
            prefix: format!("evk:g:{name}:").into_bytes(),
            flushes_key: Key::new(format!("evk:f:{name}").as_bytes()).ok(),
            truth,
            cache,
            clock,
            limit,
            flushes: AtomicU64::new(0),
            flushes_read: AtomicU64::new(0),
            planned_flush: std::sync::Mutex::default(),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
        }
    }

    pub(super) const fn limit(&self) -> Duration {
        self.limit
    }

    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// With `is_versioned` always from the truth, as copies have versions of their own.
    pub(super) async fn get(&self, key: &[u8], is_versioned: bool) -> Result<Option<Item>, StoreError> {
        let key = self.key(key)?;
        let Some(cache) = self.cache.as_ref().filter(|_| !is_versioned) else {
            // After a write that is under way: clients need not wait for the reply of a `set` before they read.
            let _turn = self.turn(&key).await;
            return self.read(&key).await;
        };
        // What cannot be refreshed is used as it is. A truth that hangs must leave time for the copy.
        let _ = timeout(self.limit / 2, self.refresh()).await;
        if let Ok(Some(copy)) = cache.get(&key).await
            && let Some(copy) = self.open(copy)
        {
            return Ok(Some(copy));
        }
        let _turn = self.turn(&key).await;
        let item = self.read(&key).await?;
        if let Some(item) = &item {
            let _ = cache.put(&key, self.copy(item), When::Absent).await;
        }
        Ok(item)
    }

    pub(super) async fn read_and_touch(
        &self,
        key: &[u8],
        expires: Option<u64>,
    ) -> Result<Option<Item>, StoreError> {
        let key = self.key(key)?;
        let _turn = self.turn(&key).await;
        let Some(item) = self.read(&key).await? else { return Ok(None) };
        self.forget(&key).await;
        let is_there = self.truth.touch(&key, expires).await?;
        self.forget(&key).await;
        Ok(is_there.then_some(item))
    }

    pub(super) async fn put(
        &self,
        verb: Verb,
        key: &[u8],
        value: &[u8],
        flags: u32,
        expires: Option<u64>,
        version: u64,
    ) -> Outcome {
        let put = async {
            self.refresh().await?;
            let key = self.key(key)?;
            let _turn = self.turn(&key).await;
            let item = self.seal(value, flags, expires);
            // Before the write: one that fails here may take effect all the same.
            self.forget(&key).await;
            let put = match verb {
                Verb::Add => self.put_absent(&key, item.clone()).await?,
                Verb::Replace => self.put_present(&key, item.clone(), None).await?,
                Verb::Cas => self.put_present(&key, item.clone(), Some(Version(version))).await?,
                Verb::Set | Verb::Append | Verb::Prepend => {
                    self.truth.put(&key, item.clone(), When::Always).await?
                }
            };
            Ok(match put {
                Put::Done(version) => {
                    self.keep_copy(&key, &item).await;
                    Outcome::Stored(version.0)
                }
                Put::Refused(None) if verb == Verb::Cas => Outcome::NotFound,
                Put::Refused(Some(_)) if verb == Verb::Cas => Outcome::Exists,
                Put::Refused(_) => Outcome::NotStored,
            })
        };
        put.await.unwrap_or_else(|error| failed(&error))
    }

    /// Adds bytes to an item's value. `version` 0 is any.
    pub(super) async fn extend(
        &self,
        key: &[u8],
        more: &[u8],
        in_front: bool,
        version: u64,
        limit: usize,
    ) -> Outcome {
        self.change(key, |item| {
            let Some(item) = item else { return Err(Outcome::NotStored) };
            if version != 0 && item.version.0 != version {
                return Err(Outcome::Exists);
            }
            if item.value.len() + more.len() > limit {
                return Err(Outcome::TooLarge);
            }
            let (first, second) = if in_front { (more, &*item.value) } else { (&*item.value, more) };
            let change = self.seal(&[first, second].concat(), item.flags, item.expires);
            Ok((change, Changed::Value))
        })
        .await
    }

    /// Adds to or subtracts from a number. It wraps at 64 bits, and does not go below 0. `end` changes that of its life.
    pub(super) async fn add(
        &self,
        key: &[u8],
        delta: u64,
        is_minus: bool,
        initial: Option<(u64, Option<u64>)>,
        version: u64,
        end: Option<Option<u64>>,
    ) -> Outcome {
        self.change(key, |item| {
            let Some(item) = item else {
                let (number, expires) = initial.ok_or(Outcome::NotFound)?;
                let change = self.seal(number.to_string().as_bytes(), 0, expires);
                return Ok((change, Changed::Number(number)));
            };
            if version != 0 && item.version.0 != version {
                return Err(Outcome::Exists);
            }
            let old = numeric(&item.value).ok_or(Outcome::NotANumber)?;
            let number = if is_minus { old.saturating_sub(delta) } else { old.wrapping_add(delta) };
            // As in memcached, a value does not become shorter.
            let mut text = number.to_string().into_bytes();
            text.resize(text.len().max(item.value.len()), b' ');
            Ok((self.seal(&text, item.flags, end.unwrap_or(item.expires)), Changed::Number(number)))
        })
        .await
    }

    pub(super) async fn touch(&self, key: &[u8], expires: Option<u64>) -> Outcome {
        match self.read_and_touch(key, expires).await {
            Ok(Some(_)) => Outcome::Touched,
            Ok(None) => Outcome::NotFound,
            Err(error) => failed(&error),
        }
    }

    /// `version` 0 is any.
    pub(super) async fn delete(&self, key: &[u8], version: u64) -> Outcome {
        let delete = async {
            self.refresh().await?;
            let key = self.key(key)?;
            let _turn = self.turn(&key).await;
            // Before the write: one that fails here may take effect all the same.
            self.forget(&key).await;
            let outcome = if version != 0 {
                // It ends at once: the one write that is conditional.
                let end = self.seal(b"", 0, Some(self.now()));
                match self.put_present(&key, end, Some(Version(version))).await? {
                    Put::Done(_) => Outcome::Deleted,
                    Put::Refused(Some(_)) => Outcome::Exists,
                    Put::Refused(None) => Outcome::NotFound,
                }
            } else if self.flushes.load(Ordering::Relaxed) > 0 && self.read(&key).await?.is_none() {
                Outcome::NotFound
            } else if self.truth.delete(&key).await? {
                Outcome::Deleted
            } else {
                Outcome::NotFound
            };
            self.forget(&key).await;
            Ok(outcome)
        };
        delete.await.unwrap_or_else(|error| failed(&error))
    }

    /// Makes every item absent, at once or later. As in memcached, it takes the place of a former one that is not due yet.
    /// A delayed flush is lost with the process.
    pub(super) async fn flush(shelf: &Arc<Self>, at: Expiry) -> Outcome {
        let now = shelf.now();
        let delay = at.at(now).map_or(0, |at| at.saturating_sub(now));
        if shelf.plan_flush(delay) {
            return Outcome::Done;
        }
        shelf.flush_now().await.map_or_else(|error| failed(&error), |()| Outcome::Done)
    }

    /// Gives up the former flush, and plans one after so many milliseconds; false: it is to be made at once.
    fn plan_flush(self: &Arc<Self>, delay: u64) -> bool {
        let mut planned = self.planned_flush.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = planned.take() {
            former.abort();
        }
        if delay == 0 {
            return false;
        }
        let shelf = Arc::downgrade(self);
        let flush = async move {
            sleep(Duration::from_millis(delay)).await;
            for _ in 0..PLANNED_TRIES_MAX {
                let Some(shelf) = shelf.upgrade() else { return };
                if shelf.flush_now().await.is_ok() {
                    return;
                }
                // The store is away.
                sleep(PLANNED_PAUSE).await;
            }
        };
        *planned = Some(tokio::spawn(flush).abort_handle());
        true
    }

    async fn flush_now(&self) -> Result<(), StoreError> {
        let key = self.flushes_key.as_ref().ok_or(StoreError::TooLarge)?;
        for _ in 0..ATTEMPTS_MAX {
            let old = self.truth.get(key).await?;
            let stored = old.as_ref().map_or(0, |item| number_in(&item.value));
            let number = stored.max(self.flushes.load(Ordering::Relaxed)).saturating_add(1);
            let value = Bytes::copy_from_slice(&number.to_be_bytes());
            let item = Item { value, flags: 0, expires: None, version: Version::default() };
            let when = old.map_or(When::Absent, |old| When::Unchanged(old.version));
            if let Put::Done(_) = self.truth.put(key, item, when).await? {
                self.flushes.fetch_max(number, Ordering::Relaxed);
                return Ok(());
            }
        }
        // Others flush all the time.
        Ok(())
    }

    /// Reads the number of flushes if that was long ago. A number that was read before is used while the truth is away.
    async fn refresh(&self) -> Result<(), StoreError> {
        let (now, last) = (self.now(), self.flushes_read.load(Ordering::Relaxed));
        if last != 0 && now.saturating_sub(last) < FLUSHES_MILLISECONDS && now >= last {
            return Ok(());
        }
        let key = self.flushes_key.as_ref().ok_or(StoreError::TooLarge)?;
        // Others use the old number meanwhile.
        if last != 0 {
            self.flushes_read.store(now, Ordering::Relaxed);
        }
        match self.truth.get(key).await {
            Ok(item) => {
                let number = item.map_or(0, |item| number_in(&item.value));
                let known = self.flushes.fetch_max(number, Ordering::Relaxed);
                if known > number {
                    // The store has lost it. Other processes, and this one after a restart, need the same number.
                    let value = Bytes::copy_from_slice(&known.to_be_bytes());
                    let item = Item { value, flags: 0, expires: None, version: Version::default() };
                    let _ = self.truth.put(key, item, When::Always).await;
                }
                self.flushes_read.store(now, Ordering::Relaxed);
                Ok(())
            }
            Err(error) if last == 0 => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Reads, changes and writes an item, until no other write comes between.
    async fn change(
        &self,
        key: &[u8],
        edit: impl Fn(Option<Item>) -> Result<(Item, Changed), Outcome>,
    ) -> Outcome {
        let change = async {
            self.refresh().await?;
            let key = self.key(key)?;
            let _turn = self.turn(&key).await;
            for _ in 0..ATTEMPTS_MAX {
                let stored = self.truth.get(&key).await?;
                let when = stored.as_ref().map_or(When::Absent, |item| When::Unchanged(item.version));
                let (item, changed) = match edit(stored.and_then(|item| self.open(item))) {
                    Ok(change) => change,
                    Err(outcome) => return Ok(outcome),
                };
                if let Put::Done(version) = self.truth.put(&key, item.clone(), when).await? {
                    self.keep_copy(&key, &item).await;
                    return Ok(match changed {
                        Changed::Value => Outcome::Stored(version.0),
                        Changed::Number(number) => Outcome::Number(number, version.0),
                    });
                }
            }
            Ok(Outcome::Busy)
        };
        change.await.unwrap_or_else(|error| failed(&error))
    }
}

/// What an edit has made.
#[derive(Clone, Copy, Debug)]
enum Changed {
    Value,
    Number(u64),
}

fn failed(error: &StoreError) -> Outcome {
    match error {
        StoreError::TooLarge => Outcome::TooLarge,
        error => Outcome::Away(error.reason()),
    }
}

// limit: of reads and writes of one change while others write the same item.
const ATTEMPTS_MAX: usize = 16;
// limit: of tries of a planned flush, until the store is back.
const PLANNED_TRIES_MAX: usize = 60;
const PLANNED_PAUSE: Duration = Duration::from_secs(1);
/// How long a flush of another process may go unnoticed.
const FLUSHES_MILLISECONDS: u64 = 1_000;
/// How long a copy is used at most.
const CACHED_MILLISECONDS: u64 = 60_000;
/// Keys share turns.
const TURNS: usize = 64;
