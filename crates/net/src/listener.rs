//! Listener sockets: one for each worker on the same address (`SO_REUSEPORT`).

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::task::{Context, Poll, ready};

use model::TcpKeepalive;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::keepalive;
use crate::reactor::{Direction, SourceId};
use crate::stream::TcpStream;
use crate::sys::{Fd, Sys};
use crate::worker::Worker;

/// A listener socket that no worker has adopted yet.
#[derive(Debug)]
pub struct ListenerSocket(Socket);

#[derive(Debug)]
enum Socket {
    Kernel(OwnedFd),
    /// Its descriptor in the simulated world, and its address.
    #[cfg(any(test, feature = "sim"))]
    Simulated(Fd, SocketAddr),
}

/// Binds a listener socket. Several sockets of this process may share the address; an [`crate::AddressLock`] keeps other
/// processes off it. `[::]` also accepts IPv4.
pub fn bind(address: SocketAddr, keepalive: Option<TcpKeepalive>) -> io::Result<ListenerSocket> {
    let socket = tcp_socket(address)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    // Accepted connections inherit this, which saves a system call for each.
    sockopt::set_tcp_nodelay(&socket, true)?;
    // Inherited too. It bounds the kernel memory of a client that reads slowly, instead of the megabytes to which a send
    // buffer grows. A client that reads fast has hardly any unsent bytes.
    socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    keepalive::set(&socket, keepalive)?;
    if address.is_ipv6() {
        // The default depends on the machine.
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(ListenerSocket(Socket::Kernel(socket)))
}

pub(crate) fn tcp_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

impl ListenerSocket {
    /// The bound address. If port 0 was asked for, it has the port that the kernel chose.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Socket::Kernel(socket) => {
                SocketAddr::try_from(rustix::net::getsockname(socket.as_fd())?).map_err(io::Error::from)
            }
            #[cfg(any(test, feature = "sim"))]
            Socket::Simulated(_, address) => Ok(*address),
        }
    }

    /// A socket of [`bind`] that another process has handed over.
    pub(crate) fn inherited(socket: OwnedFd) -> Self {
        Self(Socket::Kernel(socket))
    }

    /// Another handle to a socket that this process accepts from, to be handed over.
    pub fn lent(socket: impl AsFd) -> io::Result<Self> {
        Ok(Self::inherited(socket.as_fd().try_clone_to_owned()?))
    }

    /// For a runtime other than a worker.
    pub fn into_std(self) -> io::Result<TcpListener> {
        match self.0 {
            Socket::Kernel(socket) => Ok(socket.into()),
            #[cfg(any(test, feature = "sim"))]
            Socket::Simulated(..) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Sets the keepalive of connections that are accepted from now on.
    pub fn set_keepalive(&self, keepalive: Option<TcpKeepalive>) -> io::Result<()> {
        self.kernel().map_or(Ok(()), |socket| keepalive::set(socket, keepalive))
    }

    /// `None` if it is simulated.
    pub(crate) fn kernel(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Socket::Kernel(socket) => Some(socket.as_fd()),
            #[cfg(any(test, feature = "sim"))]
            Socket::Simulated(..) => None,
        }
    }

    /// Another handle of the same socket, which stays open as long as one of them is. `None`: in a simulated world.
    pub fn duplicate(&self) -> io::Result<Option<Self>> {
        match &self.0 {
            Socket::Kernel(socket) => Ok(Some(Self(Socket::Kernel(socket.try_clone()?)))),
            #[cfg(any(test, feature = "sim"))]
            Socket::Simulated(..) => Ok(None),
        }
    }

    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn simulated(fd: Fd, address: SocketAddr) -> Self {
        Self(Socket::Simulated(fd, address))
    }

    fn into_fd(self) -> Fd {
        match self.0 {
            Socket::Kernel(socket) => socket.into_raw_fd(),
            #[cfg(any(test, feature = "sim"))]
            Socket::Simulated(fd, _) => fd,
        }
    }
}

/// A listener socket on its worker. Dropping it closes it.
pub struct Listener<S: Sys> {
    worker: Worker<S>,
    fd: Fd,
    id: SourceId,
}

/// A connection that was just accepted.
#[derive(Debug)]
pub struct Accepted<S: Sys> {
    pub stream: TcpStream<S>,
    /// The client's address; an IPv4-mapped one in its IPv4 form.
    pub peer: SocketAddr,
    /// The number of the descriptor. The kernel gives the lowest free one, so a high number means that they run out.
    pub descriptor: Fd,
}

impl<S: Sys> std::fmt::Debug for Listener<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("fd", &self.fd).finish_non_exhaustive()
    }
}

impl<S: Sys> Listener<S> {
    pub fn new(worker: &Worker<S>, socket: ListenerSocket) -> Self {
        Self::adopt(worker, socket.into_fd())
    }

    pub(crate) fn adopt(worker: &Worker<S>, fd: Fd) -> Self {
        let id = worker.0.reactor.borrow_mut().insert(fd);
        Self { worker: worker.clone(), fd, id }
    }

    /// Sets the keepalive of connections that are accepted from now on.
    pub fn set_keepalive(&self, keepalive: Option<TcpKeepalive>) -> io::Result<()> {
        self.worker.0.sys.set_keepalive(self.fd, keepalive)
    }

    /// The same socket once more, for another process. It accepts connections until all are closed.
    pub fn lend(&self) -> io::Result<ListenerSocket> {
        self.worker.0.sys.duplicate(self.fd).map(ListenerSocket::inherited)
    }

    /// Waits for the next connection.
    // cancel-safe: a connection is accepted only in the poll that returns it.
    pub async fn accept(&self) -> io::Result<Accepted<S>> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// Waits until the accept queue may hold a connection, which stays there.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_readable(context)).await
    }

    /// See [`Self::readable`].
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.worker.poll_readable(self.fd, self.id, context)
    }

    /// Asks the kernel whether the accept queue holds a connection; [`Self::readable`] only says that it may.
    pub fn has_waiting(&self) -> bool {
        let has_waiting = self.worker.0.sys.has_waiting(self.fd);
        if !has_waiting {
            self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Read);
        }
        has_waiting
    }

    /// Accepts without waiting; `None`: the accept queue is empty.
    pub fn try_accept(&self) -> Option<io::Result<Accepted<S>>> {
        match self.worker.0.sys.accept(self.fd) {
            Ok((fd, peer)) => {
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                Some(Ok(Accepted { stream: TcpStream::adopt(&self.worker, fd), peer, descriptor: fd }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Read);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted<S>>> {
        loop {
            ready!(self.poll_readable(context))?;
            if let Some(result) = self.try_accept() {
                return Poll::Ready(result);
            }
        }
    }
}

impl<S: Sys> Drop for Listener<S> {
    fn drop(&mut self) {
        let wakers = self.worker.0.reactor.borrow_mut().remove(self.id);
        drop(wakers);
        // Closing does not unregister a socket that another process has, too.
        self.worker.0.sys.unregister(self.fd);
        self.worker.0.sys.close(self.fd);
    }
}

// limit: unsent bytes in the send buffer of a connection, beyond what the client's window admits.
const UNSENT_BYTES_MAX: u32 = 128 * 1024;
// limit: length of the accept queue. The kernel takes the smaller of this and net.core.somaxconn.
const BACKLOG: i32 = 4096;
