//! Background tasks: the rotation of ticket keys (TLS3), and the watch on certificate files (CH3).

mod inotify;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use balance::session::LOAD_WINDOW_MS;
use observe::Event;
use proxy::Engine;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use self::inotify::Inotify;
use super::Control;
use super::certificates::{expired, expiring};
use super::recent::{INTERVAL, LOSSES_PER_TOTALS};
use crate::prepared::seconds;

impl Control {
    pub(super) fn begin_chores(self: &Arc<Self>) {
        let mut chores = self.chores.lock().unwrap_or_else(PoisonError::into_inner);
        chores.spawn(rotate_tickets(Arc::downgrade(self)));
        chores.spawn(sample(Arc::downgrade(self)));
        chores.spawn(sweep_sessions(Arc::downgrade(self)));
        chores.spawn(reserve_names(Arc::downgrade(self)));
        chores.spawn(watch_files(Arc::downgrade(self), Arc::clone(&self.adopted)));
    }

    /// Logs what has expired and what soon will, each file once until it is renewed.
    fn tell_ends(&self, told: &mut Ends) {
        let (serving, now) = (Arc::clone(&self.state().serving), seconds((self.wall)()));
        let ends = Ends {
            expired: expired(&serving, now).into_iter().collect(),
            soon: expiring(&serving, now).into_iter().collect(),
        };
        for line in ends.expired.difference(&told.expired) {
            observe::event(Event::FileExpired, &[("file", line)]);
        }
        for line in ends.soon.difference(&told.soon) {
            observe::event(Event::FileExpiresSoon, &[("file", line)]);
        }
        *told = ends;
    }

    pub(super) fn end_chores(&self) {
        self.chores.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

/// The files that have expired or soon will, as lines.
#[derive(Debug, Default)]
struct Ends {
    expired: BTreeSet<String>,
    soon: BTreeSet<String>,
}

async fn rotate_tickets(control: Weak<Control>) {
    loop {
        sleep(ROTATION_LOOK).await;
        let Some(control) = control.upgrade() else { return };
        control.tickets.rotate(seconds((control.wall)()));
    }
}

/// Frees the memory of sessions that have expired, and looks at each minute's load when it is over.
async fn sweep_sessions(control: Weak<Control>) {
    let mut told = 0;
    loop {
        sleep(SESSIONS_LOOK).await;
        let Some(control) = control.upgrade() else { return };
        let now_millis = net::monotonic_millis();
        let window = now_millis / LOAD_WINDOW_MS;
        if std::mem::replace(&mut told, window) < window {
            control.tell_uneven_sessions();
        }
        for (_, table) in control.live.session_tables() {
            table.sweep(now_millis, SWEPT_AT_ONCE);
        }
    }
}

/// Remembers the totals of the last minutes.
async fn sample(control: Weak<Control>) {
    for sample in (1..=LOSSES_PER_TOTALS).cycle() {
        sleep(INTERVAL).await;
        let Some(control) = control.upgrade() else { return };
        let losses = control.losses();
        control.recent().add_losses(losses);
        if sample == LOSSES_PER_TOTALS {
            let totals = control.totals();
            control.recent().add(totals);
        }
    }
}

/// A stopping process keeps its names until its addresses are closed; then no other program may have them.
async fn reserve_names(control: Weak<Control>) {
    loop {
        sleep(RESERVE_EVERY).await;
        let Some(control) = control.upgrade() else { return };
        if let Ok(engine) = control.engine.try_read() {
            engine.iter().for_each(Engine::reserve_names);
        }
    }
}

/// Checks the files when their directories change, when another configuration is served, and once a minute.
async fn watch_files(control: Weak<Control>, adopted: Arc<Notify>) {
    let mut watched = Watched::Nothing;
    let mut told = Ends::default();
    loop {
        let Some(strong) = control.upgrade() else { return };
        // The watch starts before the check, so that no change is missed in between.
        let serving = Arc::clone(&strong.state().serving);
        let folders = spawn_blocking(move || folders(serving.contents.paths())).await;
        watched.follow(&folders.unwrap_or_default());
        // The result is in the log and in status.
        let _ = strong.swap_certificates(false).await;
        strong.tell_ends(&mut told);
        drop(strong);
        tokio::select! {
            () = watched.changes() => {}
            () = adopted.notified() => {}
            () = sleep(FILES_LOOK) => {}
        }
    }
}

#[derive(Debug)]
enum Watched {
    /// No inotify descriptor: the configuration has no TLS.
    Nothing,
    Folders(Inotify),
    /// The kernel refused an inotify descriptor.
    Refused,
}

impl Watched {
    fn follow(&mut self, folders: &BTreeSet<PathBuf>) {
        if matches!(self, Self::Nothing) && !folders.is_empty() {
            *self = Inotify::new().map_or_else(
                |error| {
                    observe::event(Event::FilesUnwatched, &[("error", &error)]);
                    Self::Refused
                },
                Self::Folders,
            );
        }
        if let Self::Folders(inotify) = self {
            inotify.follow(folders);
        }
    }

    async fn changes(&self) {
        match self {
            Self::Folders(inotify) => inotify.changes().await,
            Self::Nothing | Self::Refused => std::future::pending().await,
        }
    }
}

/// The directories of the paths, and those of the files that links point to.
fn folders<'p>(paths: impl Iterator<Item = &'p Path>) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for path in paths {
        folders.extend(folder(path));
        folders.extend(path.canonicalize().ok().as_deref().and_then(folder));
    }
    folders
}

fn folder(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

const SESSIONS_LOOK: Duration = Duration::from_secs(1);
// limit: sessions of one shard that are looked at under its lock.
const SWEPT_AT_ONCE: u32 = 512;
/// How often it is checked whether a key rotation is due.
const ROTATION_LOOK: Duration = Duration::from_secs(600);
/// The interval of checks without an event, for file systems without inotify and for links in the middle of a
/// path.
const RESERVE_EVERY: Duration = Duration::from_millis(200);
const FILES_LOOK: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_paths_and_of_link_targets_are_watched() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().canonicalize().unwrap().join(name);
        for name in ["live", "archive"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("archive/1.pem"), "").unwrap();
        std::os::unix::fs::symlink(at("archive/1.pem"), at("live/a.pem")).unwrap();
        let named = [at("live/a.pem"), at("gone/b.pem"), PathBuf::from("c.pem")];
        let expected = [at("archive"), at("gone"), at("live"), PathBuf::from(".")];
        assert_eq!(folders(named.iter().map(PathBuf::as_path)).into_iter().collect::<Vec<_>>(), expected);
    }
}
