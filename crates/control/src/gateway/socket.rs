//! The listening socket of a gateway.

use std::fs;
use std::io::{self, ErrorKind};
use std::net;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;

use model::GatewayAddress;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::socket_file::{SocketFile, turn};

/// Dropping it removes the file of a Unix socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(SocketFile),
}

/// A connection that belongs to no runtime yet.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(net::TcpStream),
    Unix(StdStream),
}

/// A connection of an application.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Socket {
    /// # Errors
    /// Those of the system, and if another process answers at the address or the path is not that of a socket.
    pub(super) async fn bind(address: &GatewayAddress) -> io::Result<Self> {
        match address {
            GatewayAddress::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            GatewayAddress::Unix(path) => {
                let _turn = turn(path).await?;
                check_stale(path).await?;
                let mut file = SocketFile::beside(path, MODE, BACKLOG)?;
                file.rename(path)?;
                Ok(Self::Unix(file))
            }
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream.into_std()?))
            }
            Self::Unix(file) => Ok(Accepted::Unix(file.listener().accept().await?.0.into_std()?)),
        }
    }

    /// Takes no more connections, and removes the file of a Unix socket.
    pub(super) async fn close(self) {
        if let Self::Unix(file) = self {
            file.remove().await;
        }
    }

    /// The address that it has.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(|at| at.to_string()).unwrap_or_default(),
            Self::Unix(file) => format!("unix:{}", file.path().display()),
        }
    }
}

impl Accepted {
    /// Called on the thread that is to serve it.
    pub(super) fn open(self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(stream) => Box::new(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Box::new(UnixStream::from_std(stream)?),
        })
    }
}

/// The address as the configuration has it.
pub(crate) fn name_of(address: &GatewayAddress) -> String {
    match address {
        GatewayAddress::Tcp(address) => address.to_string(),
        GatewayAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Fails if the file is not that of a process that was killed.
async fn check_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "the path is not that of a socket"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // The accept queue is full, so another process is listening.
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(taken()),
        Ok(_) => Err(taken()),
        Err(error) => Err(error),
    }
}

fn taken() -> io::Error {
    io::Error::new(ErrorKind::AddrInUse, "another process answers there")
}

/// The owner and the group.
const MODE: u32 = 0o660;
const BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener as StdListener;

    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_the_group_and_goes_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        drop(StdListener::bind(&path).unwrap());
        let address = GatewayAddress::Unix(path.clone());
        let socket = Socket::bind(&address).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        let second = Socket::bind(&address).await.unwrap_err();
        assert_eq!(second.kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&path).await.unwrap();
        drop(socket);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "no file is left");
    }

    /// As any user can lock a directory that it can read.
    #[tokio::test]
    async fn a_lock_of_the_directory_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let directory = fs::File::open(dir.path()).unwrap();
        directory.lock().unwrap();
        let socket = Socket::bind(&GatewayAddress::Unix(path.clone())).await.unwrap();
        UnixStream::connect(&path).await.unwrap();
        socket.close().await;
        drop(Socket::bind(&GatewayAddress::Unix(path)).await.unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "no file is left");
    }

    /// A lock is a file of this user; a link is not followed, and what it leads to stays.
    #[tokio::test]
    async fn a_turn_is_taken_by_a_file_that_no_other_user_can_open() {
        let dir = tempfile::tempdir().unwrap();
        let (path, lock) = (dir.path().join("s.sock"), dir.path().join(".s.sock.lock"));
        let held = turn(&path).await.unwrap();
        assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o600);
        drop(held);
        assert!(!lock.exists());
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &lock).unwrap();
        Socket::bind(&GatewayAddress::Unix(path)).await.unwrap_err();
        assert!(!dir.path().join("elsewhere").exists());
    }

    #[tokio::test]
    async fn of_many_at_once_one_gets_the_address() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        drop(StdListener::bind(&path).unwrap());
        let mut binds = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let address = GatewayAddress::Unix(path.clone());
            binds.spawn(async move { Socket::bind(&address).await });
        }
        let all = binds.join_all().await;
        assert_eq!(all.iter().filter(|bound| bound.is_ok()).count(), 1, "{all:?}");
        UnixStream::connect(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_not_a_socket_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        fs::write(&path, "precious").unwrap();
        Socket::bind(&GatewayAddress::Unix(path.clone())).await.unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
