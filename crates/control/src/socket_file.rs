//! Files of Unix sockets: never open to more than their mode says, never taken from another process, removed by the process
//! that made them.

use std::fs::{self, File, Metadata, Permissions, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::UnixListener;
use tokio::time::{sleep, timeout};

/// A listening socket. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct SocketFile {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, so that a file of the same name that another process made is not removed.
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens at a file beside `path`. The caller holds the lock of its directory.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn beside(path: &Path, mode: u32, backlog: i32) -> io::Result<Self> {
        let path = beside(path);
        fs::remove_file(&path).or_else(gone)?;
        let listener = listen(&path, mode, backlog)?;
        let identity = identity(&fs::symlink_metadata(&path)?);
        Ok(Self { listener: UnixListener::from_std(listener)?, path, identity })
    }

    /// Gives the file its name, in the place of a file that has it. The caller holds the lock of its directory.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn rename(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// Removes the file when it is this one's turn in the directory. A drop does not wait for the turn.
    pub(crate) async fn remove(self) {
        if let Ok(_turn) = lock_directory(&self.path).await {
            self.unlink();
        }
    }

    fn unlink(&self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }

    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The process that has the turn replaces the file.
        let turn = File::open(directory(&self.path)).map(|file| file.try_lock().map(|()| file));
        let Ok(Ok(_turn)) = turn else { return };
        self.unlink();
    }
}

pub(crate) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Serialises processes that make a file of this directory at the same time, so that neither removes the socket that the
/// other just made. Waits for a limited time: any user who can read the directory can hold the lock.
///
/// # Errors
/// Those of the system, and if the lock is held for too long.
pub(crate) async fn lock_directory(path: &Path) -> io::Result<File> {
    let file = File::open(directory(path))?;
    let locked = async {
        loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => sleep(TURN_LOOK).await,
                Err(TryLockError::Error(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    };
    timeout(TURN_PATIENCE, locked)
        .await
        .unwrap_or_else(|_| Err(io::Error::other("another process holds a lock of its directory")))?;
    Ok(file)
}

/// Where the socket is until it has its name: a short one, since the length of a path is limited.
fn beside(path: &Path) -> PathBuf {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    directory(path).join(format!(".{:x}.{number}", std::process::id()))
}

/// Its owner has removed it.
fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn listen(path: &Path, mode: u32, backlog: i32) -> io::Result<StdListener> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket: OwnedFd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The mode is set before `bind`: Linux creates the file with the mode of the socket, so it is never
    // accessible to others.
    fchmod(&socket, Mode::from_raw_mode(mode))?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    rustix::net::listen(&socket, backlog)?;
    Ok(StdListener::from(socket))
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// How long another process may take that has the turn: it may ask an owner, thrice.
const TURN_PATIENCE: Duration = Duration::from_secs(10);
const TURN_LOOK: Duration = Duration::from_millis(20);
