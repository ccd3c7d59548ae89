//! Removes what has expired, what writers have left that died, and old files that have an item's name and are none of ours.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;

use super::folder::{Content, FOLDERS, Folder, is_item, is_lock, lock_name};
use super::format::{self, HEAD_BYTES};
use super::item_file::{Lock, TEMPORARY, remove_if_stale};
use super::shared::Shared;
use crate::Swept;

/// Where the next sweep begins: a folder, and how many of its names have been seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    folder: usize,
    names: usize,
}

/// How a sweep found a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Needed,
    Expired,
    /// It is damaged, or no item.
    Foreign,
}

/// Looks at folders from the cursor on, until `most` has passed or all folders have been seen once. Each call gets on, even
/// without time.
pub(super) fn sweep(shared: &Shared, cursor: &Mutex<Cursor>, most: Duration) -> Result<Swept, Errno> {
    let began = Instant::now();
    let mut at = *cursor.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut swept, mut result) = (Swept::default(), Ok(true));
    for _ in 0..FOLDERS {
        result = sweep_folder(shared, &mut at, &mut swept, || began.elapsed() >= most);
        if result == Ok(false) {
            break;
        }
        // Also past a folder that fails, so that it does not keep the others from being swept.
        at = Cursor { folder: (at.folder + 1) % FOLDERS, names: 0 };
        if result.is_err() {
            break;
        }
    }
    *cursor.lock().unwrap_or_else(PoisonError::into_inner) = at;
    result.map(|_| swept)
}

/// False: the time has passed before the end of the folder.
fn sweep_folder(
    shared: &Shared,
    at: &mut Cursor,
    swept: &mut Swept,
    is_over: impl Fn() -> bool,
) -> Result<bool, Errno> {
    let Some(folder) = Folder::open_number(&shared.root, at.folder)? else { return Ok(true) };
    for name in folder.names()?.iter().skip(at.names) {
        if swept.seen > 0 && is_over() {
            return Ok(false);
        }
        swept.seen += 1;
        // What is removed is not there when the names are counted again.
        match remove_if_due(shared, &folder, name) {
            Ok(true) => swept.removed += 1,
            // A file of another user must not keep those behind it.
            Ok(false) | Err(Errno::ACCESS | Errno::PERM) => at.names += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(true)
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
        return if is_older(shared, folder, name, LEFT_SECONDS) { folder.remove(name) } else { Ok(false) };
    }
    if is_lock(name) {
        // Carefully, because another node may take it for stale at this moment.
        let is_left = is_older(shared, folder, name, LEFT_SECONDS);
        return if is_left { remove_if_stale(folder, name) } else { Ok(false) };
    }
    if !is_item(name) || !is_due(shared, folder, name)? {
        return Ok(false);
    }
    // Under the lock, because another node may have just written it anew.
    let Some(_lock) = Lock::take(folder, lock_name(name))? else { return Ok(false) };
    if !is_due(shared, folder, name)? {
        return Ok(false);
    }
    match folder.remove(name) {
        // A folder with an item's name.
        Err(Errno::ISDIR | Errno::PERM) => Ok(false),
        removed => removed,
    }
}

fn is_due(shared: &Shared, folder: &Folder, name: &str) -> Result<bool, Errno> {
    Ok(match state(shared, folder, name)? {
        State::Needed => false,
        State::Expired => true,
        State::Foreign => is_older(shared, folder, name, FOREIGN_SECONDS),
    })
}

fn state(shared: &Shared, folder: &Folder, name: &str) -> Result<State, Errno> {
    let head = match folder.read(name, HEAD_BYTES as u64)? {
        Content::Missing => return Ok(State::Needed),
        Content::Foreign => return Ok(State::Foreign),
        Content::Bytes(head) => head,
    };
    Ok(match format::end(&head) {
        None => State::Foreign,
        Some(Some(end)) if end <= (shared.clock)() => State::Expired,
        Some(_) => State::Needed,
    })
}

fn is_older(shared: &Shared, folder: &Folder, name: &str, seconds: i64) -> bool {
    let now = i64::try_from((shared.clock)() / 1_000).unwrap_or(i64::MAX);
    folder.identity(name).is_ok_and(|(_, written)| now.saturating_sub(written) > seconds)
}

/// The age from which on a lock, or a file that was never given an item's name, counts as left behind.
const LEFT_SECONDS: i64 = 3_600;
/// The age from which on a file counts as of no use to the program that has written it.
const FOREIGN_SECONDS: i64 = 6 * 3_600;
