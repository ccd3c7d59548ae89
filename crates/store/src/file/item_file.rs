//! One item as a file: reading it, and changing it under its lock.

use std::sync::atomic::Ordering;

use aws_lc_rs::rand;
use rustix::io::Errno;

use super::folder::{Content, Folder, Place, hex};
use super::format::{self, FILE_BYTES_MAX};
use super::shared::Shared;
use crate::{Item, Key, Put, Version, When};

pub(super) struct ItemFile<'a> {
    shared: &'a Shared,
    key: &'a Key,
    place: Place,
}

pub(super) enum Tried<T> {
    Done(T),
    /// Another node has the lock.
    Busy,
}

impl<'a> ItemFile<'a> {
    pub(super) fn new(shared: &'a Shared, key: &'a Key) -> Self {
        Self { shared, key, place: Place::new(key) }
    }

    pub(super) fn get(&self) -> Result<Option<Item>, Errno> {
        let Some(folder) = self.folder(false)? else { return Ok(None) };
        self.read(&folder)
    }

    pub(super) fn put(&self, item: &Item, when: When) -> Result<Tried<Put>, Errno> {
        if when != When::Always {
            // Without a lock: most conditions that do not hold do not hold now.
            let present = self.get()?;
            if !when.holds(present.as_ref().map(|item| item.version)) {
                return Ok(Tried::Done(Put::Refused(present)));
            }
        }
        let Some(folder) = self.folder(true)? else { return Err(Errno::NOENT) };
        let item = Item { version: Version(random()? | 1), ..item.clone() };
        self.with_new_file(&folder, &item, |new| {
            if when == When::Absent {
                match folder.link(new, self.place.file()) {
                    Ok(()) => return Ok(Tried::Done(Put::Done(item.version))),
                    // An item, or a file that counts as absent: only the lock tells.
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
            }
            self.locked(&folder, |lock| {
                let present = if when == When::Always { None } else { self.read(&folder)? };
                if when != When::Always && !when.holds(present.as_ref().map(|item| item.version)) {
                    return Ok(Put::Refused(present));
                }
                self.replace(&folder, lock, new)?;
                Ok(Put::Done(item.version))
            })
        })
    }

    pub(super) fn touch(&self, expires: Option<u64>) -> Result<Tried<bool>, Errno> {
        let Some(folder) = self.folder(false)? else { return Ok(Tried::Done(false)) };
        if self.read(&folder)?.is_none() {
            return Ok(Tried::Done(false));
        }
        self.locked(&folder, |lock| {
            let Some(item) = self.read(&folder)? else { return Ok(false) };
            let item = Item { expires, ..item };
            self.with_new_file(&folder, &item, |new| self.replace(&folder, lock, new))?;
            Ok(true)
        })
    }

    pub(super) fn delete(&self) -> Result<Tried<bool>, Errno> {
        let Some(folder) = self.folder(false)? else { return Ok(Tried::Done(false)) };
        if self.read(&folder)?.is_none() {
            return Ok(Tried::Done(false));
        }
        self.locked(&folder, |_| {
            let is_there = self.read(&folder)?.is_some();
            folder.remove(self.place.file())?;
            Ok(is_there)
        })
    }

    /// `None`: there is none, it has expired, or it is damaged.
    fn read(&self, folder: &Folder) -> Result<Option<Item>, Errno> {
        let item = match folder.read(self.place.file(), FILE_BYTES_MAX)? {
            Content::Missing => return Ok(None),
            Content::Bytes(bytes) => format::decode(self.key, bytes),
            Content::Foreign => None,
        };
        if item.is_none() {
            self.shared.damaged.fetch_add(1, Ordering::Relaxed);
        }
        let now = (self.shared.clock)();
        Ok(item.filter(|item| !item.is_expired(now)))
    }

    fn folder(&self, is_made: bool) -> Result<Option<Folder>, Errno> {
        Folder::open(&self.shared.root, &self.place, is_made)
    }

    /// Gives a new file the item's name.
    fn replace(&self, folder: &Folder, lock: &Lock<'_>, new: &str) -> Result<(), Errno> {
        if !lock.is_ours()? {
            // This process was so slow that another node has taken it for dead.
            return Err(Errno::TIMEDOUT);
        }
        folder.rename(new, self.place.file())
    }

    /// `work` with a file that holds the item under a name of its own, which is gone afterwards.
    fn with_new_file<T>(
        &self,
        folder: &Folder,
        item: &Item,
        work: impl FnOnce(&str) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let name = temporary_name()?;
        folder.write_new(&name, &format::encode(self.key, item))?;
        let result = work(&name);
        let _ = folder.remove(&name);
        result
    }

    fn locked<T>(
        &self,
        folder: &Folder,
        work: impl FnOnce(&Lock<'_>) -> Result<T, Errno>,
    ) -> Result<Tried<T>, Errno> {
        match Lock::take(folder, self.place.lock())? {
            Some(lock) => work(&lock).map(Tried::Done),
            None => Ok(Tried::Busy),
        }
    }
}

/// A lock file that this call has made; it is removed with this value.
pub(super) struct Lock<'a> {
    folder: &'a Folder,
    name: String,
    inode: u64,
}

impl<'a> Lock<'a> {
    /// `None`: another node has it. Removes a lock that is too old to be in use.
    pub(super) fn take(folder: &'a Folder, name: String) -> Result<Option<Self>, Errno> {
        match folder.write_new(&name, b"") {
            Ok(()) => {
                let (inode, _) = folder.identity(&name)?;
                Ok(Some(Self { folder, name, inode }))
            }
            Err(Errno::EXIST) => {
                remove_if_stale(folder, &name)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn is_ours(&self) -> Result<bool, Errno> {
        match self.folder.identity(&self.name) {
            Ok((inode, _)) => Ok(inode == self.inode),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        if self.is_ours().unwrap_or(false) {
            let _ = self.folder.remove(&self.name);
        }
    }
}

/// The age is measured by the clock of the file system: against a file that is made now. False: it stays.
pub(super) fn remove_if_stale(folder: &Folder, name: &str) -> Result<bool, Errno> {
    let Ok((inode, written)) = folder.identity(name) else { return Ok(false) };
    let probe = temporary_name()?;
    folder.write_new(&probe, b"")?;
    let now = folder.identity(&probe);
    let _ = folder.remove(&probe);
    if now?.1 - written <= LOCK_STALE_SECONDS {
        return Ok(false);
    }
    // Of several nodes that find it stale one moves it away. If that was a fresh lock by now, it is put back.
    let away = temporary_name()?;
    match folder.rename(name, &away) {
        Err(Errno::NOENT) => return Ok(false),
        moved => moved?,
    }
    let is_stale = folder.identity(&away)?.0 == inode;
    if !is_stale {
        let _ = folder.link(&away, name);
    }
    folder.remove(&away)?;
    Ok(is_stale)
}

fn temporary_name() -> Result<String, Errno> {
    Ok(format!("{}{TEMPORARY}", hex(&random()?.to_be_bytes())))
}

fn random() -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| Errno::AGAIN)?;
    Ok(u64::from_be_bytes(bytes))
}

/// How the names of files end that only their writers know.
pub(super) const TEMPORARY: &str = ".new";
/// Far longer than a comparison and a rename take.
pub(super) const LOCK_STALE_SECONDS: i64 = 3;
