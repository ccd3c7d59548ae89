//! The file of the admin API's Unix socket: accessible to one user, never taken from another instance,
//! removed at the end.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::socket_file::{SocketFile, directory, turn};
use crate::{AdminAddress, Client, StatusView};

/// The listening socket. Dropping it removes the file.
#[derive(Debug)]
pub struct AdminSocket {
    address: AdminAddress,
    /// Beside the address until the process has started.
    file: SocketFile,
}

#[derive(Debug)]
pub enum SocketError {
    OtherInstance(AdminAddress),
    /// The path is a file that is not a socket.
    NotASocket(AdminAddress),
    /// The default directory belongs to another user, or others can write to it, so they control its content.
    NotOurs(PathBuf),
    Io {
        address: AdminAddress,
        error: io::Error,
    },
}

impl AdminSocket {
    /// Listens at a file beside `address`, which only this user can open (mode 0600), if no other instance serves `address`.
    /// The directory is created if it is the default one.
    pub async fn bind(address: &AdminAddress) -> Result<Self, SocketError> {
        let failed = |error| SocketError::Io { address: address.clone(), error };
        if *address == AdminAddress::default_place() {
            make_directory(address.path())?;
        }
        let _turn = turn(address.path()).await.map_err(failed)?;
        check_owner(address).await?;
        let file = SocketFile::beside(address.path(), 0o600, BACKLOG).map_err(failed)?;
        Ok(Self { address: address.clone(), file })
    }

    /// This process has started: it answers at the address from now on, instead of one that is stopping.
    ///
    /// # Errors
    /// If another instance has started there meanwhile.
    pub async fn started(&mut self) -> Result<(), SocketError> {
        let failed = |error| SocketError::Io { address: self.address.clone(), error };
        let _turn = turn(self.address.path()).await.map_err(failed)?;
        check_owner(&self.address).await?;
        self.file.rename(self.address.path()).map_err(failed)
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.file.listener().accept().await.map(|(stream, _)| stream)
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherInstance(address) => write!(
                f,
                "another evenkeel answers at the admin socket {address}\n  help: see `evenkeel status --admin {address}`; \
                 to run a second one, set another `bind` in `[admin]` or use --admin"
            ),
            Self::NotASocket(address) => write!(
                f,
                "the admin socket cannot be created: {address} is not a socket\n  help: remove it, or set \
                 another `bind` in `[admin]`"
            ),
            Self::NotOurs(path) => write!(
                f,
                "the admin socket's directory {} belongs to another user or is writable by others\n  help: remove it, or \
                 set `bind` in `[admin]`",
                path.display()
            ),
            Self::Io { address, error } => write!(
                f,
                "the admin socket {address} cannot be created: {error}\n  help: the directory must exist and be \
                 writable; `bind` in `[admin]` or --admin sets another path"
            ),
        }
    }
}

impl std::error::Error for SocketError {}

fn make_directory(path: &Path) -> Result<(), SocketError> {
    let directory = directory(path);
    let made = fs::DirBuilder::new().mode(0o700).recursive(true).create(directory);
    made.map_err(|error| SocketError::Io { address: path.to_owned().into(), error })?;
    let own = |metadata: &Metadata| {
        let safe = metadata.permissions().mode() & 0o022 == 0;
        metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() && safe
    };
    match fs::symlink_metadata(directory) {
        Ok(metadata) if own(&metadata) => Ok(()),
        _ => Err(SocketError::NotOurs(directory.to_owned())),
    }
}

/// Fails if the file is not that of an instance that is stopping, or of none.
async fn check_owner(address: &AdminAddress) -> Result<(), SocketError> {
    let failed = |error| SocketError::Io { address: address.clone(), error };
    match fs::symlink_metadata(address.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(SocketError::NotASocket(address.clone()));
        }
        Ok(_) => {}
    }
    for _ in 0..ATTEMPTS_MAX {
        match owner(address).await {
            Owner::None | Owner::Stopping => return Ok(()),
            Owner::Serving => return Err(SocketError::OtherInstance(address.clone())),
            Owner::Unknown(error) => return Err(failed(error)),
            Owner::Silent => {}
        }
    }
    Err(SocketError::OtherInstance(address.clone()))
}

/// The process that listens at a socket file.
#[derive(Debug)]
enum Owner {
    None,
    /// It finishes what is in flight, and leaves its addresses to the next process.
    Stopping,
    Serving,
    /// It closed the connection without an answer: it has just ended.
    Silent,
    Unknown(io::Error),
}

async fn owner(address: &AdminAddress) -> Owner {
    match UnixStream::connect(address.path()).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Owner::None,
        // The accept queue is full, so another process is listening.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Owner::Serving,
        // It has ended at this moment.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Owner::Silent,
        Err(error) => return Owner::Unknown(error),
    }
    let client = Client::new(address.clone());
    match timeout(OWNER_PATIENCE, client.read("/status")).await {
        Ok(Ok(reply)) => match client.decode::<StatusView>(&reply) {
            Ok(status) if status.stopping => Owner::Stopping,
            _ => Owner::Serving,
        },
        Ok(Err(_)) => Owner::Silent,
        Err(_) => Owner::Serving,
    }
}

const BACKLOG: i32 = 64;
// limit: looks at the owner of a socket file.
const ATTEMPTS_MAX: usize = 3;
/// How long the owner of a socket file may take to answer.
const OWNER_PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener as StdListener;

    use super::*;

    async fn serve(address: &AdminAddress) -> AdminSocket {
        let mut socket = AdminSocket::bind(address).await.unwrap();
        socket.started().await.unwrap();
        socket
    }

    fn place(dir: &tempfile::TempDir) -> AdminAddress {
        dir.path().join("admin.sock").into()
    }

    #[tokio::test]
    async fn only_this_user_can_open_it_and_drop_removes_it() {
        let dir = tempfile::tempdir().unwrap();
        let address = place(&dir);
        let socket = serve(&address).await;
        let mode = fs::metadata(address.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        UnixStream::connect(address.path()).await.unwrap();
        drop(socket);
        assert!(!address.path().exists());
    }

    #[tokio::test]
    async fn a_socket_that_is_in_use_is_refused_and_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let address = place(&dir);
        let _first = serve(&address).await;
        let error = AdminSocket::bind(&address).await.unwrap_err();
        assert!(matches!(&error, SocketError::OtherInstance(at) if *at == address), "{error}");
        UnixStream::connect(address.path()).await.unwrap();
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let address = place(&dir);
        drop(StdListener::bind(address.path()).unwrap());
        assert!(address.path().exists(), "the file of a killed process stays");
        serve(&address).await;
    }

    #[tokio::test]
    async fn a_file_that_is_not_a_socket_is_never_touched() {
        let dir = tempfile::tempdir().unwrap();
        let address = place(&dir);
        fs::write(address.path(), "precious").unwrap();
        let error = AdminSocket::bind(&address).await.unwrap_err();
        assert!(matches!(error, SocketError::NotASocket(_)), "{error}");
        assert_eq!(fs::read(address.path()).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn a_file_that_replaced_the_socket_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let address = place(&dir);
        let socket = serve(&address).await;
        fs::rename(address.path(), dir.path().join("moved")).unwrap();
        let _other = StdListener::bind(address.path()).unwrap();
        drop(socket);
        assert!(address.path().exists());
    }

    #[tokio::test]
    async fn a_missing_directory_is_an_error() {
        let address = AdminAddress::from(PathBuf::from("/nowhere/at/all/admin.sock"));
        let error = AdminSocket::bind(&address).await.unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all/admin.sock") && error.contains("help:"), "{error}");
    }
}
