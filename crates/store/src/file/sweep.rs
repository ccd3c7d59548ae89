//! Removes what has expired, and what writers have left that died.

use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

use super::folder::{Content, FOLDERS, Folder, is_item, lock_name};
use super::format::{self, HEAD_BYTES};
use super::item_file::{Lock, TEMPORARY};
use super::shared::Shared;

/// Where the next sweep begins: a folder, and how many of its names have been seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    folder: usize,
    names: usize,
}

/// Looks at folders from the cursor on, until `most` names have been seen or all folders once.
pub(super) fn sweep(shared: &Shared, cursor: &Mutex<Cursor>, most: usize) -> Result<usize, Errno> {
    let mut at = *cursor.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut seen, mut removed, mut result) = (0, 0, Ok(()));
    for _ in 0..FOLDERS {
        result = sweep_folder(shared, &mut at, most, &mut seen, &mut removed);
        if seen >= most && result.is_ok() {
            break;
        }
        // Also past a folder that fails, so that it does not keep the others from being swept.
        at = Cursor { folder: (at.folder + 1) % FOLDERS, names: 0 };
        if result.is_err() {
            break;
        }
    }
    *cursor.lock().unwrap_or_else(PoisonError::into_inner) = at;
    result.map(|()| removed)
}

fn sweep_folder(
    shared: &Shared,
    at: &mut Cursor,
    most: usize,
    seen: &mut usize,
    removed: &mut usize,
) -> Result<(), Errno> {
    let Some(folder) = Folder::open_number(&shared.root, at.folder)? else { return Ok(()) };
    for name in folder.names()?.iter().skip(at.names).take(most - *seen) {
        *seen += 1;
        // What is removed is not there when the names are counted again.
        match remove_if_due(shared, &folder, name)? {
            true => *removed += 1,
            false => at.names += 1,
        }
    }
    Ok(())
}

/// Removes all items, whether they have expired or not.
pub(super) fn clear(shared: &Shared) -> Result<(), Errno> {
    for number in 0..FOLDERS {
        let Some(folder) = Folder::open_number(&shared.root, number)? else { continue };
        for name in folder.names()?.iter().filter(|name| is_item(name)) {
            folder.remove(name)?;
        }
    }
    Ok(())
}

fn remove_if_due(shared: &Shared, folder: &Folder, name: &str) -> Result<bool, Errno> {
    if name.ends_with(TEMPORARY) {
        let now = i64::try_from((shared.clock)() / 1_000).unwrap_or(i64::MAX);
        let is_left = folder.identity(name).is_ok_and(|(_, written)| now - written > LEFT_SECONDS);
        return if is_left { folder.remove(name) } else { Ok(false) };
    }
    if !is_item(name) || !is_expired(shared, folder, name)? {
        return Ok(false);
    }
    // Under the lock, because another node may have just written it anew.
    let Some(_lock) = Lock::take(folder, lock_name(name))? else { return Ok(false) };
    if is_expired(shared, folder, name)? { folder.remove(name) } else { Ok(false) }
}

fn is_expired(shared: &Shared, folder: &Folder, name: &str) -> Result<bool, Errno> {
    let Content::Bytes(head) = folder.read(name, HEAD_BYTES as u64)? else { return Ok(false) };
    let end = format::end(&head).flatten();
    Ok(end.is_some_and(|end| end <= (shared.clock)()))
}

/// The age from which on a file that was never given an item's name counts as left behind.
const LEFT_SECONDS: i64 = 3_600;
