//! Prevents two instances from sharing an address.
//!
//! With `SO_REUSEPORT` alone, a second instance of the same user would bind without an error and receive a share of the
//! connections. So an instance holds a lock for each address: an abstract Unix socket (`man 7 unix`). It has the same
//! scope as the port, the network namespace, and the kernel removes it when the process ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::listener::tcp_socket;

/// The lock of one address. Hold it as long as the address is served.
#[derive(Debug)]
pub struct AddressLock {
    socket: OwnedFd,
}

#[derive(Debug)]
pub enum LockError {
    /// Another instance of Evenkeel serves this address.
    OtherInstance,
    /// Another program listens there.
    InUse,
    Io(io::Error),
}

impl AddressLock {
    /// Takes the lock and checks that no other program listens at `address`. With port 0 there is nothing to lock.
    /// `is_ours`: this instance already listens on an overlapping address, so only the lock is checked.
    pub fn take(address: SocketAddr, is_ours: bool) -> Result<Self, LockError> {
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
                .map_err(|error| LockError::Io(error.into()))?;
        if address.port() == 0 {
            return Ok(Self { socket });
        }
        let name = SocketAddrUnix::new_abstract_name(format!("evenkeel/tcp/{address}").as_bytes())
            .map_err(|error| LockError::Io(error.into()))?;
        match rustix::net::bind(&socket, &name) {
            Ok(()) => {}
            Err(rustix::io::Errno::ADDRINUSE) => return Err(LockError::OtherInstance),
            Err(error) => return Err(LockError::Io(error.into())),
        }
        if !is_ours {
            probe(address)?;
        }
        Ok(Self { socket })
    }

    pub(crate) fn inherited(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// The same lock once more: it is held until both are dropped.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()? })
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Fails if a program listens at `address`: then a bind without `SO_REUSEPORT` fails. `SO_REUSEADDR` ignores connections in
/// TIME_WAIT.
fn probe(address: SocketAddr) -> Result<(), LockError> {
    let attempt = || -> io::Result<()> {
        let socket = tcp_socket(address)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        Ok(rustix::net::bind(&socket, &address)?)
    };
    attempt().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => LockError::InUse,
        _ => LockError::Io(error),
    })
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherInstance => f.write_str("another instance of Evenkeel serves this address"),
            Self::InUse => f.write_str("another program listens at this address"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LockError {}
