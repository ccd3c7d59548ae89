//! The listening socket of a gateway.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use model::GatewayAddress;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Dropping it removes the file of a Unix socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        path: PathBuf,
        /// Device and inode, so that the file of another process is not removed.
        identity: (u64, u64),
    },
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
                remove_stale(path).await?;
                let listener = UnixListener::bind(path)?;
                let metadata = fs::symlink_metadata(path)?;
                let identity = (metadata.dev(), metadata.ino());
                let socket = Self::Unix { listener, path: path.clone(), identity };
                fs::set_permissions(path, Permissions::from_mode(MODE))?;
                Ok(socket)
            }
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix { listener, .. } => Ok(Box::new(listener.accept().await?.0)),
        }
    }

    /// The address that it has.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(|at| at.to_string()).unwrap_or_default(),
            Self::Unix { path, .. } => format!("unix:{}", path.display()),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Self::Unix { path, identity, .. } = self
            && fs::symlink_metadata(&*path).is_ok_and(|found| (found.dev(), found.ino()) == *identity)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// The address as the configuration has it.
pub(super) fn name_of(address: &GatewayAddress) -> String {
    match address {
        GatewayAddress::Tcp(address) => address.to_string(),
        GatewayAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Removes the socket of a process that was killed.
async fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "the path is not that of a socket"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "another process answers there")),
        Err(error) => Err(error),
    }
}

/// The owner and the group. Until it is set, the umask decides, under which others are most often excluded from writing,
/// without which no connection is possible.
const MODE: u32 = 0o660;
