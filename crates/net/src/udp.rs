//! UDP sockets on a worker: those that listen, and those that are connected to one target.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::task::{Context, Poll, ready};

use crate::datagrams::{self, Batch, Outgoing};
use crate::reactor::{Direction, SourceId};
use crate::sys::{Fd, Sys};
use crate::worker::Worker;

/// A bound UDP socket that no worker has adopted yet.
#[derive(Debug)]
pub struct DatagramSocket(OwnedFd);

/// Binds a UDP socket. Several sockets of this process may share the address. `[::]` also takes IPv4.
pub fn bind_udp(address: SocketAddr) -> io::Result<DatagramSocket> {
    datagrams::bind(address).map(DatagramSocket)
}

impl DatagramSocket {
    /// The bound address. If port 0 was asked for, it has the port that the kernel chose.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        SocketAddr::try_from(rustix::net::getsockname(self.0.as_fd())?).map_err(io::Error::from)
    }
}

/// A UDP socket on its worker. Dropping it closes it.
pub struct UdpSocket<S: Sys> {
    worker: Worker<S>,
    fd: Fd,
    id: SourceId,
}

impl<S: Sys> std::fmt::Debug for UdpSocket<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpSocket").field("fd", &self.fd).finish_non_exhaustive()
    }
}

impl<S: Sys> UdpSocket<S> {
    pub fn new(worker: &Worker<S>, socket: DatagramSocket) -> Self {
        Self::adopt(worker, socket.0.into_raw_fd())
    }

    /// A socket that exchanges datagrams with `address` only. Errors: the descriptors have run out, or no route.
    pub fn connect(worker: &Worker<S>, address: SocketAddr) -> io::Result<Self> {
        Ok(Self::adopt(worker, worker.0.sys.connect_udp(address)?))
    }

    fn adopt(worker: &Worker<S>, fd: Fd) -> Self {
        let id = worker.0.reactor.borrow_mut().insert(fd);
        Self { worker: worker.clone(), fd, id }
    }

    /// Waits for datagrams, and replaces the content of `batch` with them. On a connected socket, `ConnectionRefused` says
    /// that nothing listens at the peer's port (ICMP port unreachable).
    // cancel-safe: datagrams are taken only in the poll that returns them.
    pub async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        poll_fn(|context| self.poll_receive(context, batch)).await
    }

    /// See [`Self::receive`].
    pub fn poll_receive(&self, context: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_readable(context))?;
            match self.worker.0.sys.receive_batch(self.fd, batch) {
                Ok(()) => {
                    self.worker.moved(batch.byte_count());
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.worker.0.reactor.borrow_mut().blocked(self.id, Direction::Read);
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends datagrams in their order without waiting, and returns how many the kernel took, at most
    /// [`crate::BATCH_MAX`]. The rest may be tried again or dropped, as networks do. An error is about the first one;
    /// `WouldBlock`: the send buffer is full. On a connected socket it may be an ICMP error of an earlier datagram.
    pub fn try_send(&self, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
        let sent = self.worker.0.sys.send_batch(self.fd, datagrams)?;
        self.worker.moved(datagrams.iter().take(sent).map(|datagram| datagram.bytes.len()).sum());
        Ok(sent)
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.worker.poll_readable(self.fd, self.id, context)
    }
}

impl<S: Sys> Drop for UdpSocket<S> {
    fn drop(&mut self) {
        let wakers = self.worker.0.reactor.borrow_mut().remove(self.id);
        drop(wakers);
        self.worker.0.sys.close(self.fd);
    }
}
