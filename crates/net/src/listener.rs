//! Listening sockets: one for each worker on the same address (`SO_REUSEPORT`).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::task::{Context, Poll, ready};

use model::TcpKeepalive;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::keepalive;
use crate::reactor::{Direction, SourceId, State};
use crate::stream::TcpStream;
use crate::sys::{Fd, Sys};
use crate::worker::Worker;

/// A bound, listening socket on its way to its worker.
#[derive(Debug)]
pub struct ListenerSocket(OwnedFd);

/// Binds and listens. Several sockets of this process may share the address; keeping others away is what an
/// [`crate::AddressLock`] is for. `[::]` also takes IPv4.
pub fn bind(address: SocketAddr, keepalive: Option<TcpKeepalive>) -> io::Result<ListenerSocket> {
    let socket = tcp_socket(address)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    // Inherited by accepted connections, which saves a system call for each.
    sockopt::set_tcp_nodelay(&socket, true)?;
    // Inherited too. A client that reads slowly then costs the kernel this much and not the megabytes to which send
    // buffers grow; who reads fast has next to nothing that waits unsent.
    socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    keepalive::set(&socket, keepalive)?;
    if address.is_ipv6() {
        // Whatever the machine's default is.
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(ListenerSocket(socket))
}

pub(crate) fn tcp_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

impl ListenerSocket {
    /// The address with the port that the kernel chose where 0 was asked for.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let address = rustix::net::getsockname(self.0.as_fd())?;
        SocketAddr::try_from(address).map_err(io::Error::from)
    }
}

/// A listening socket on its worker. Dropping it closes it.
pub struct Listener<S: Sys> {
    worker: Worker<S>,
    fd: Fd,
    id: SourceId,
}

/// A connection just accepted.
#[derive(Debug)]
pub struct Accepted<S: Sys> {
    pub stream: TcpStream<S>,
    /// IPv4-mapped addresses in their IPv4 form.
    pub peer: SocketAddr,
    /// The descriptor's number: the kernel gives the lowest that is free, so a high one tells that they run out.
    pub descriptor: Fd,
}

impl<S: Sys> std::fmt::Debug for Listener<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("fd", &self.fd).finish_non_exhaustive()
    }
}

impl<S: Sys> Listener<S> {
    pub fn new(worker: &Worker<S>, socket: ListenerSocket) -> Self {
        Self::adopt(worker, socket.0.into_raw_fd())
    }

    pub(crate) fn adopt(worker: &Worker<S>, fd: Fd) -> Self {
        let id = worker.0.reactor.borrow_mut().insert(fd);
        Self { worker: worker.clone(), fd, id }
    }

    /// For connections from now on; those that stand keep what they have.
    pub fn set_keepalive(&self, keepalive: Option<TcpKeepalive>) -> io::Result<()> {
        self.worker.0.sys.set_keepalive(self.fd, keepalive)
    }

    /// The next connection.
    // cancel-safe: nothing is accepted before the poll that returns it.
    pub async fn accept(&self) -> io::Result<Accepted<S>> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// Waits until a connection may be waiting, and leaves it in the kernel's queue.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_readable(context)).await
    }

    /// See [`Self::readable`].
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = self.worker.0.reactor.borrow_mut().state(self.id, Direction::Read);
        if state == State::Ready {
            return if self.worker.may_transfer(context) { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let waker = context.waker().clone();
        let (old, register) = self.worker.0.reactor.borrow_mut().park(self.id, Direction::Read, waker);
        drop(old);
        if register && let Err(error) = self.worker.0.sys.register(self.fd, self.id.token()) {
            self.worker.0.reactor.borrow_mut().not_registered(self.id);
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }

    /// Whether a connection waits, asking the kernel: [`Self::readable`] only says that one may.
    pub fn has_waiting(&self) -> bool {
        let waits = self.worker.0.sys.has_waiting(self.fd);
        if !waits {
            self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Read);
        }
        waits
    }

    /// A connection that waits already, if there is one.
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
        self.worker.0.sys.close(self.fd);
    }
}

// limit: bytes that a connection's send buffer takes beyond what the client's window lets go out.
const UNSENT_BYTES_MAX: u32 = 128 * 1024;
// The kernel takes the smaller of this and net.core.somaxconn.
const BACKLOG: i32 = 4096;
