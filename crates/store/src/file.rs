//! A directory as a store, which several nodes may share over NFS.
//!
//! Each item is a file of mode 0600. A writer fills a file of its own and then gives it the item's name in one step, so
//! readers take no lock and see an item as a whole or not at all. What is guaranteed:
//!
//! - The first writer of an absent item wins: a hard link fails if the name is taken, also on NFS.
//! - All other writes of one item take turns by a lock file (`O_EXCL`), which is held from the comparison to the rename. A
//!   call that finds the lock taken tries again until its caller drops it.
//! - A node that dies with a lock blocks writes of that item for `LOCK_STALE_SECONDS`, then another one removes the lock.
//!   A node that was only slow notices before its rename, and gives up, unless the rename itself takes longer than that:
//!   only then can an update be lost.
//! - A file that is damaged, foreign, or of another format is counted and otherwise absent; the next write replaces it.
//! - `clear` takes no locks: what is written meanwhile may stay.
//! - Nothing is synchronised to the disk: after a loss of power the last items may be absent.
//!
//! NFS clients remember for some seconds that a name does not exist. Mount with `lookupcache=positive`, or another node's new
//! sessions are found late.

mod folder;
mod format;
mod item_file;
mod shared;
mod sweep;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::{Mutex, Semaphore};

use self::item_file::{ItemFile, Tried};
use self::shared::Shared;
use self::sweep::Cursor;
use crate::{Clock, Item, Key, Put, Reply, Store, StoreError, Swept, VALUE_BYTES_MAX, When};

pub struct FileStore {
    shared: Arc<Shared>,
    /// limit: threads that a file system which hangs can hold.
    threads: Arc<Semaphore>,
    /// Writers of this process take turns here and not by the lock file. Keys share them.
    turns: [Mutex<()>; TURNS],
    cursor: Arc<std::sync::Mutex<Cursor>>,
}

impl FileStore {
    /// The directory is made when something is written.
    pub fn new(root: PathBuf, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared { root, clock, damaged: 0.into() }),
            threads: Arc::new(Semaphore::new(THREADS)),
            turns: [const { Mutex::const_new(()) }; TURNS],
            cursor: Arc::default(),
        }
    }

    /// How often a file was read that is no item of ours.
    pub fn damaged(&self) -> u64 {
        self.shared.damaged.load(Ordering::Relaxed)
    }

    /// Writes until the lock is free.
    async fn change<T, F>(&self, key: &Key, attempt: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&ItemFile<'_>) -> Result<Tried<T>, Errno> + Clone + Send + 'static,
    {
        let turn = key.as_bytes().iter().fold(0_usize, |sum, &byte| sum.wrapping_mul(31) + usize::from(byte));
        let _turn = self.turns[turn % TURNS].lock().await;
        let mut pause = Duration::from_millis(1);
        loop {
            let (key, attempt) = (key.clone(), attempt.clone());
            match self.run(move |shared| attempt(&ItemFile::new(shared, &key))).await? {
                Tried::Done(result) => return Ok(result),
                Tried::Busy => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Runs `work` in a thread that may block. It goes on if the caller does not wait for it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, StoreError> {
        let ended = |_| StoreError::Away("the runtime is stopping".to_owned());
        let permit =
            Arc::clone(&self.threads).acquire_owned().await.map_err(|error| ended(error.to_string()))?;
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&shared).map_err(|error| shared.meaning(error));
            drop(permit);
            result
        });
        task.await.map_err(|error| ended(error.to_string()))?
    }
}

impl Store for FileStore {
    /// Removes what has expired, what dead writers have left, and what has an item's name but is none of ours and old.
    fn sweep(&self, most: Duration) -> Reply<'_, Swept> {
        Box::pin(async move {
            let cursor = Arc::clone(&self.cursor);
            self.run(move |shared| sweep::sweep(shared, &cursor, most)).await
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        let key = key.clone();
        Box::pin(self.run(move |shared| ItemFile::new(shared, &key).get()))
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        Box::pin(async move {
            if item.value.len() > VALUE_BYTES_MAX {
                return Err(StoreError::TooLarge);
            }
            self.change(key, move |file: &ItemFile<'_>| file.put(&item, when)).await
        })
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        Box::pin(self.change(key, move |file: &ItemFile<'_>| file.touch(expires)))
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        Box::pin(self.change(key, |file: &ItemFile<'_>| file.delete()))
    }

    /// A directory that is not there is made by the first write.
    fn check(&self) -> Reply<'_, ()> {
        Box::pin(self.run(Shared::check))
    }

    fn clear(&self) -> Reply<'_, ()> {
        Box::pin(self.run(sweep::clear))
    }

    /// In one thread, one after the other.
    fn read_many<'a>(&'a self, keys: &'a [Key]) -> Reply<'a, Vec<Option<Item>>> {
        let keys = keys.to_vec();
        Box::pin(self.run(move |shared| keys.iter().map(|key| ItemFile::new(shared, key).get()).collect()))
    }
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileStore({})", self.shared.root.display())
    }
}

const THREADS: usize = 16;
const TURNS: usize = 64;
/// The longest pause between two attempts to get a lock that another node has.
const PAUSE_MAX: Duration = Duration::from_millis(20);
