//! The commands of a store as statements on its table.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::dialect::{self, Dialect, Row, Write};
use super::pool::{Command, Failed, Pool};
use crate::fresh::Versions;
use crate::secrets::Secrets;
use crate::{
    Clock, Item, Key, MANY_VALUE_BYTES_MAX, Put, Reply, SMALL_VALUE_BYTES_MAX, Store, StoreError, Version,
    When,
};

/// A store that keeps expired items until they are swept.
pub(super) trait Sweep: Store {
    fn sweep(&self, now: u64, most: u32) -> Reply<'_, u64>;
}

pub(super) struct Table<D: Dialect> {
    pool: Arc<Pool<D>>,
    clock: Clock,
    versions: Versions,
    /// When a write next sweeps; milliseconds since 1970.
    next_sweep: Arc<AtomicU64>,
}

impl<D: Dialect> Table<D> {
    pub(super) fn new(dialect: D, clock: Clock, secrets: Secrets) -> Self {
        Self {
            pool: Arc::new(Pool::new(dialect, secrets)),
            clock,
            versions: Versions::default(),
            next_sweep: Arc::default(),
        }
    }

    fn now(&self) -> i64 {
        dialect::time((self.clock)())
    }

    async fn write(&self, write: Write) -> Result<Put, StoreError> {
        if write.value.len() > SMALL_VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        let command: Command<D, Put> = Box::new(move |connection| {
            let write = write.clone();
            Box::pin(async move { put::<D>(connection, &write).await })
        });
        let put = self.pool.run(command).await;
        self.sweep_if_due();
        put
    }

    /// Removes expired rows behind the caller's back, a part at a time, and looks again after a while.
    fn sweep_if_due(&self) {
        let now = (self.clock)();
        let due = self.next_sweep.load(Ordering::Relaxed);
        // A clock that was ahead, and has been put right, stops no sweep.
        let is_due = now >= due || due - now > SWEEP_PAUSE;
        let claim = |next: &AtomicU64| {
            next.compare_exchange(due, now + SWEEP_PAUSE, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if !is_due || !claim(&self.next_sweep) {
            return;
        }
        let (pool, next) = (Arc::downgrade(&self.pool), Arc::clone(&self.next_sweep));
        let clock = Arc::clone(&self.clock);
        tokio::spawn(async move {
            while let Some(pool) = pool.upgrade() {
                let now = clock();
                // While this one goes on, no other one begins.
                next.store(now + SWEEP_PAUSE, Ordering::Relaxed);
                let swept = changed(&pool, move || D::sweep(dialect::time(now), SWEEP_ROWS)).await;
                if !swept.is_ok_and(|rows| rows >= SWEEP_ROWS.unsigned_abs()) {
                    return;
                }
                drop(pool);
                sleep(SWEEP_BREATH).await;
            }
        });
    }

    async fn set_ends(&self, mut ends: Vec<(Key, i64)>) -> Result<u64, StoreError> {
        let now = self.now();
        // The last one of a key counts, as if they were set one by one.
        ends.reverse();
        ends.sort_by(|(one, _), (other, _)| one.cmp(other));
        ends.dedup_by(|(later, _), (earlier, _)| later == earlier);
        let command: Command<D, u64> = Box::new(move |connection| {
            let ends = ends.clone();
            Box::pin(async move {
                let mut touched = 0;
                for part in ends.chunks(KEYS_MAX) {
                    touched += D::run(connection, D::touch(part, now)).await?.affected;
                }
                Ok(touched)
            })
        });
        self.pool.run(command).await
    }

    async fn read(
        &self,
        keys: Vec<Key>,
        value_bytes_max: usize,
    ) -> Result<HashMap<Vec<u8>, Item>, StoreError> {
        let now = self.now();
        let command: Command<D, HashMap<Vec<u8>, Item>> = Box::new(move |connection| {
            let keys = keys.clone();
            Box::pin(async move {
                let mut items = HashMap::with_capacity(keys.len());
                for part in keys.chunks(KEYS_MAX) {
                    for mut row in D::run(connection, D::get(part, now, value_bytes_max)).await?.rows {
                        let key = std::mem::take(&mut row.key);
                        items.extend(row.into_item().map(|item| (key, item)));
                    }
                }
                Ok(items)
            })
        });
        self.pool.run(command).await
    }
}

/// Returns how many rows a statement has changed.
async fn changed<D: Dialect>(
    pool: &Arc<Pool<D>>,
    statement: impl Fn() -> dialect::Statement + Send + Sync + 'static,
) -> Result<u64, StoreError> {
    let command: Command<D, u64> = Box::new(move |connection| {
        let statement = statement();
        Box::pin(async move { Ok(D::run(connection, statement).await?.affected) })
    });
    pool.run(command).await
}

impl<D: Dialect> Store for Table<D> {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        Box::pin(async move {
            Ok(self.read(vec![key.clone()], SMALL_VALUE_BYTES_MAX).await?.remove(key.as_bytes()))
        })
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        Box::pin(self.write(Write {
            key: key.clone(),
            value: item.value,
            flags: item.flags,
            expires: dialect::end(item.expires),
            version: self.versions.next(),
            when,
            now: self.now(),
        }))
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        let ends = vec![(key.clone(), dialect::end(expires))];
        Box::pin(async move { Ok(self.set_ends(ends).await? > 0) })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        let (key, now) = (key.clone(), self.now());
        Box::pin(async move { Ok(changed(&self.pool, move || D::delete(&key, now)).await? > 0) })
    }

    fn clear(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            while changed(&self.pool, || D::clear(CLEAR_ROWS)).await? >= CLEAR_ROWS.unsigned_abs() {}
            Ok(())
        })
    }

    fn read_many<'a>(&'a self, keys: &'a [Key]) -> Reply<'a, Vec<Option<Item>>> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let items = self.read(keys.to_vec(), MANY_VALUE_BYTES_MAX).await?;
            Ok(keys.iter().map(|key| items.get(key.as_bytes()).cloned()).collect())
        })
    }

    fn touch_many<'a>(&'a self, ends: &'a [(Key, Option<u64>)]) -> Reply<'a, ()> {
        Box::pin(async move {
            if ends.is_empty() {
                return Ok(());
            }
            let ends = ends.iter().map(|(key, expires)| (key.clone(), dialect::end(*expires))).collect();
            self.set_ends(ends).await.map(drop)
        })
    }
}

impl<D: Dialect> Sweep for Table<D> {
    fn sweep(&self, now: u64, most: u32) -> Reply<'_, u64> {
        let now = dialect::time(now);
        Box::pin(changed(&self.pool, move || D::sweep(now, most.into())))
    }
}

impl<D: Dialect> fmt::Debug for Table<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

async fn put<D: Dialect>(connection: &mut D::Connection, write: &Write) -> Result<Put, Failed> {
    for _ in 0..TRIES_MAX {
        let mut answer = D::run(connection, D::put(write)).await?;
        let mut there = answer.rows.pop();
        if there.is_none() {
            if answer.affected > 0 && !answer.refused {
                return Ok(Put::Done(write.version));
            }
            let get = D::get(std::slice::from_ref(&write.key), write.now, SMALL_VALUE_BYTES_MAX);
            there = D::run(connection, get).await?.rows.pop();
        }
        let foreign = there.as_ref().map(|row| row.version);
        match there.and_then(Row::into_item) {
            Some(item) => return Ok(outcome(item, write)),
            // What was in the way has vanished, or counts as absent.
            None if write.when == When::Absent => {
                if let Some(version) = foreign
                    && replace::<D>(connection, write, version).await?
                {
                    return Ok(Put::Done(write.version));
                }
            }
            None => break,
        }
    }
    Ok(Put::Refused(None))
}

/// Writes over a row of another program, of this version if that is one of ours, so that one writer succeeds.
async fn replace<D: Dialect>(
    connection: &mut D::Connection,
    write: &Write,
    version: i64,
) -> Result<bool, Failed> {
    let when = u64::try_from(version).map_or(When::Always, |version| When::Unchanged(Version(version)));
    let answer = D::run(connection, D::put(&Write { when, ..write.clone() })).await?;
    Ok(answer.affected > 0 && !answer.refused)
}

/// What the item that is there now means: if it is ours, an earlier try has written it.
fn outcome(there: Item, write: &Write) -> Put {
    if there.version == write.version { Put::Done(write.version) } else { Put::Refused(Some(there)) }
}

// limit: keys of one statement.
const KEYS_MAX: usize = 512;
// limit: rows that one statement removes, so that no lock is held for long.
const CLEAR_ROWS: i64 = 1000;
// limit: expired rows that one statement of a sweep removes.
const SWEEP_ROWS: i64 = 500;
/// Between these statements, so that writers get their turn.
const SWEEP_BREATH: Duration = Duration::from_millis(10);
/// Milliseconds between sweeps.
const SWEEP_PAUSE: u64 = 60_000;
// limit: tries of a write whose obstacle vanishes each time.
const TRIES_MAX: usize = 3;
