//! Watches directories with inotify. It reports only that something changed, not what, because a path can
//! lead through several names and links.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Display;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use observe::Event;
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

#[derive(Debug)]
pub(super) struct Inotify {
    descriptor: AsyncFd<OwnedFd>,
    watches: HashSet<i32>,
    is_short: bool,
}

impl Inotify {
    #[expect(deprecated, reason = "sound for a descriptor that we own; its replacement is `unsafe`")]
    pub(super) fn new() -> io::Result<Self> {
        let descriptor = AsyncFd::new(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?)?;
        Ok(Self { descriptor, watches: HashSet::new(), is_short: false })
    }

    /// Watches exactly these directories. A directory that was replaced is watched again under its name.
    pub(super) fn follow(&mut self, folders: &BTreeSet<PathBuf>) {
        let mut watches = HashSet::new();
        let mut refused = None;
        for folder in folders.iter().take(FOLDERS_MAX) {
            match add_watch(&self.descriptor, folder.as_path(), events()) {
                Ok(watch) => drop(watches.insert(watch)),
                // A missing directory is tried again once a minute.
                Err(Errno::NOENT) => {}
                Err(error) => refused = Some(error),
            }
        }
        for &old in self.watches.difference(&watches) {
            // The kernel removes watches of deleted directories itself.
            let _ = remove_watch(&self.descriptor, old);
        }
        self.watches = watches;
        if folders.len() > FOLDERS_MAX {
            refused = refused.or(Some(Errno::NOSPC));
        }
        if let Some(error) = refused.filter(|_| !self.is_short) {
            let fields: [(_, &dyn Display); 2] = [("error", &error), ("folders", &folders.len())];
            observe::event(Event::FoldersUnwatched, &fields);
        }
        self.is_short = refused.is_some();
    }

    /// Waits for a change, and then until there was none for [`QUIET`], but no longer than [`LATEST`].
    pub(super) async fn changes(&self) {
        self.read().await;
        let latest = Instant::now() + LATEST;
        loop {
            let quiet = Instant::now() + QUIET;
            if timeout_at(quiet.min(latest), self.read()).await.is_err() {
                return;
            }
        }
    }

    /// Waits for events and drains them all.
    async fn read(&self) {
        let mut buffer = [0; BUFFER_BYTES];
        loop {
            let Ok(mut ready) = self.descriptor.readable().await else { return std::future::pending().await };
            let mut is_any = false;
            loop {
                match rustix::io::read(&self.descriptor, &mut buffer) {
                    Ok(_) => is_any = true,
                    Err(Errno::INTR) => {}
                    Err(_) => break,
                }
            }
            ready.clear_ready();
            if is_any {
                return;
            }
        }
    }
}

/// The events to watch. A file is complete when its writer closes it or it is renamed; reads are not watched.
fn events() -> WatchFlags {
    WatchFlags::CLOSE_WRITE
        | WatchFlags::MOVE
        | WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR
}

// limit: watched directories; the kernel needs about a kilobyte for each.
const FOLDERS_MAX: usize = 16_384;
const BUFFER_BYTES: usize = 4096;
/// Long enough for a writer to replace a chain and then its key.
const QUIET: Duration = Duration::from_millis(500);
/// The longest wait, for directories that change all the time.
const LATEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn following(folders: &[&Path]) -> Inotify {
        let mut inotify = Inotify::new().unwrap();
        inotify.follow(&folders.iter().map(|&folder| folder.to_owned()).collect());
        inotify
    }

    async fn sees(inotify: &Inotify) {
        tokio::time::timeout(Duration::from_secs(20), inotify.changes()).await.unwrap();
    }

    #[tokio::test]
    async fn every_way_to_change_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("b"), "").unwrap();
        let inotify = following(&[folder.path()]);
        let changes: [&dyn Fn(); 4] = [
            &|| std::fs::write(path("a"), "1").unwrap(),
            &|| std::fs::rename(path("b"), path("a")).unwrap(),
            &|| std::os::unix::fs::symlink("a", path("c")).unwrap(),
            &|| std::fs::remove_file(path("a")).unwrap(),
        ];
        for change in changes {
            change();
            sees(&inotify).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_reported_in_a_folder_that_is_never_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let inotify = following(&[folder.path()]);
        let writes = async {
            loop {
                std::fs::write(folder.path().join("a"), "").unwrap();
                tokio::time::sleep(QUIET / 2).await;
            }
        };
        tokio::select! {
            () = inotify.changes() => {}
            () = writes => {}
        }
    }

    #[tokio::test]
    async fn folders_can_be_unwatched_and_missing_ones_are_no_error() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut inotify = following(&[one.path(), Path::new("/nowhere/at/all")]);
        assert_eq!((inotify.watches.len(), inotify.is_short), (1, false));
        inotify.follow(&[other.path().to_owned()].into());
        sees(&inotify).await;
        std::fs::write(one.path().join("a"), "").unwrap();
        let nothing = timeout_at(Instant::now() + QUIET, inotify.read()).await;
        assert!(nothing.is_err(), "the first folder is not watched any more");
        std::fs::write(other.path().join("a"), "").unwrap();
        sees(&inotify).await;
    }
}
