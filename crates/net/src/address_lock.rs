//! Prevents two instances from sharing an address.
//!
//! With `SO_REUSEPORT` alone, a second instance of the same user would bind without an error and receive a share of the
//! connections. So an instance holds a lock for each address: an abstract Unix socket (`man 7 unix`). It has the same
//! scope as the port, the network namespace, and the kernel removes it when the process ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::listener::tcp_socket;

/// The lock of one address. Hold it as long as the address is served.
#[derive(Debug)]
pub struct AddressLock {
    /// Bound to the name at which successors ask, so that no other process has it. It listens only when this process stops.
    /// `None`: another process still has the name. Closed before the lock, so that the next owner of the lock gets both.
    stopping: Option<OwnedFd>,
    socket: OwnedFd,
}

#[derive(Debug)]
pub enum LockError {
    /// Another instance of Evenkeel serves this address.
    OtherInstance,
    /// Another program listens there.
    InUse,
    /// A program that is no instance of this user holds the name at which a stopping instance answers, or does not answer.
    Occupied,
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
            return Ok(Self { stopping: None, socket });
        }
        let name = lock_name(address).map_err(LockError::Io)?;
        match rustix::net::bind(&socket, &name) {
            Ok(()) => {}
            Err(rustix::io::Errno::ADDRINUSE) => return Err(LockError::OtherInstance),
            Err(error) => return Err(LockError::Io(error.into())),
        }
        if !is_ours {
            probe(address)?;
        }
        let mut lock = Self { stopping: None, socket };
        lock.reserve(address);
        Ok(lock)
    }

    /// Binds the name at which successors ask, if it is free. A stopping process from which the lock was taken over keeps it
    /// for a while. True if this process has it.
    pub fn reserve(&mut self, address: SocketAddr) -> bool {
        if self.stopping.is_none() {
            self.stopping = bind_stopping(address).ok();
        }
        self.stopping.is_some()
    }

    /// Listens for successors.
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<UnixListener> {
        let socket = match &self.stopping {
            Some(socket) => socket.try_clone()?,
            None => bind_stopping(address)?,
        };
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(socket.into())
    }

    pub(crate) fn inherited(socket: OwnedFd) -> Self {
        Self { stopping: None, socket }
    }

    /// The same lock once more: it is held until both are dropped.
    pub fn try_clone(&self) -> io::Result<Self> {
        let stopping = self.stopping.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(Self { stopping, socket: self.socket.try_clone()? })
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Where a stopping process answers its successor.
pub(crate) fn stopping_name(address: SocketAddr) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new_abstract_name(format!("evenkeel/tcp/{address}/stopping").as_bytes())?)
}

fn lock_name(address: SocketAddr) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new_abstract_name(format!("evenkeel/tcp/{address}").as_bytes())?)
}

fn bind_stopping(address: SocketAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &stopping_name(address)?)?;
    Ok(socket)
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
            Self::Occupied => f.write_str(
                "another program holds the abstract Unix socket `evenkeel/tcp/ADDRESS/stopping`, at which a stopping \
                 instance of this user would answer",
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LockError {}

// limit: successors that wait for an answer.
const BACKLOG: i32 = 64;
