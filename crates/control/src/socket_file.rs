//! Files of Unix sockets: never open to more than their mode says, never taken from another process, removed by the process
//! that made them.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand;
use rustix::fs::{Mode, OFlags, fchmod};
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
    /// Listens at a file beside `path`.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn beside(path: &Path, mode: u32, backlog: i32) -> io::Result<Self> {
        let path = beside(path)?;
        let listener = listen(&path, mode, backlog)?;
        let identity = identity(&fs::symlink_metadata(&path)?);
        Ok(Self { listener: UnixListener::from_std(listener)?, path, identity })
    }

    /// Gives the file its name, in the place of a file that has it. The caller has the turn there.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn rename(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// Removes the file when it is this one's turn. A drop does not wait for the turn.
    pub(crate) async fn remove(self) {
        if let Ok(_turn) = turn(&self.path).await {
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
        if let Ok(Some(_turn)) = Turn::take(&self.path) {
            self.unlink();
        }
    }
}

pub(crate) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Lets one process at a time make or remove the file of a socket, so that none removes what another just made. Dropping it
/// ends the turn.
///
/// It is a lock of a file beside the socket that only this user can open. A lock of the directory could be taken by every
/// user who can read it.
#[derive(Debug)]
pub(crate) struct Turn {
    path: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

impl Turn {
    /// `None`: another process has it.
    fn take(path: &Path) -> io::Result<Option<Self>> {
        let path = lock_path(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let file = options.open(&path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        let about = file.metadata()?;
        if ![0, rustix::process::geteuid().as_raw()].contains(&about.uid()) {
            let message = format!("{} belongs to another user", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        let ours = identity(&about);
        match fs::symlink_metadata(&path) {
            Ok(there) if identity(&there) == ours => Ok(Some(Self { path, _file: file })),
            // The process that had the turn has removed it.
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // While it is locked: a process that opens it now finds out that it is not the file there any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// Waits for the turn, for a limited time.
///
/// # Errors
/// Those of the system, and if another process has the turn for too long.
pub(crate) async fn turn(path: &Path) -> io::Result<Turn> {
    let taken = async {
        loop {
            if let Some(turn) = Turn::take(path)? {
                return Ok(turn);
            }
            sleep(TURN_LOOK).await;
        }
    };
    let late = || {
        let message = format!("another process holds the lock {}", lock_path(path).display());
        Err(io::Error::other(message))
    };
    timeout(TURN_PATIENCE, taken).await.unwrap_or_else(|_| late())
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".lock");
    directory(path).join(name)
}

/// Where the socket is until it has its name: a short one, since the length of a path is limited. Process numbers repeat in
/// containers, which may share a directory.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 4];
    rand::fill(&mut random).map_err(|_| io::Error::other("the system gave no random bytes"))?;
    Ok(directory(path).join(format!(".{:08x}", u32::from_ne_bytes(random))))
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
