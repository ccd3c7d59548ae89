//! The system calls of a worker, as one trait.
//!
//! The executor, the reactor and everything above them are generic over it and also run in a simulated world. Dispatch
//! is static, so the real implementation has no overhead.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use model::TcpKeepalive;

use crate::datagrams::{Batch, Outgoing};

/// A file descriptor, real or simulated. The handle that owns it closes it with [`Sys::close`].
pub type Fd = i32;

/// What epoll reports about one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The token given to [`Sys::register`].
    pub token: u64,
    pub readable: bool,
    pub writable: bool,
    /// The peer has finished sending (EPOLLRDHUP).
    pub read_closed: bool,
    /// The connection is closed in both directions or has failed (EPOLLHUP, EPOLLERR).
    pub gone: bool,
}

/// The system calls of a worker. Each is non-blocking, except [`Sys::wait`]. Errors are the kernel's; `WouldBlock` is EAGAIN.
pub trait Sys: 'static {
    /// Monotonic time in nanoseconds.
    fn now(&self) -> u64;

    /// Wall time in microseconds since 1970, for log lines and the `Date` field only.
    fn wall(&self) -> u64 {
        self.now() / 1_000
    }

    /// Appends the events that are pending to `events`. If there are none, waits for one, at most for `timeout` (`None`:
    /// without limit).
    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()>;

    /// Registers a descriptor for all events, edge-triggered. Its current state is reported once. Closing unregisters it.
    fn register(&self, fd: Fd, token: u64) -> io::Result<()>;

    /// Unregisters a descriptor, if it is registered. Needed only if the socket stays open elsewhere.
    fn unregister(&self, fd: Fd);

    /// The same socket once more, to be handed to another process.
    fn duplicate(&self, fd: Fd) -> io::Result<OwnedFd>;

    /// A bell with which other threads end [`Sys::wait`]; the event has the token `token`.
    fn bell(&self, token: u64) -> io::Result<std::sync::Arc<dyn Bell>>;

    /// Whether the accept queue of a listener socket holds a connection.
    fn has_waiting(&self, fd: Fd) -> bool;

    fn accept(&self, fd: Fd) -> io::Result<(Fd, SocketAddr)>;

    /// Starts to connect. A write may be tried at once; it returns `WouldBlock` until the connection is established.
    fn connect(&self, address: SocketAddr) -> io::Result<Fd>;

    /// Sets the keepalive of a connection, or that which the connections of a listener socket inherit.
    fn set_keepalive(&self, fd: Fd, keepalive: Option<TcpKeepalive>) -> io::Result<()>;

    fn read(&self, fd: Fd, into: &mut [u8]) -> io::Result<usize>;

    fn write(&self, fd: Fd, bytes: &[u8]) -> io::Result<usize>;

    fn write_vectored(&self, fd: Fd, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sends FIN.
    fn shutdown_write(&self, fd: Fd) -> io::Result<()>;

    /// Shuts down both directions, which ends all waits on the connection.
    fn shutdown(&self, fd: Fd) -> io::Result<()>;

    /// Makes the next close a reset, so that the peer cannot take what it has received for a complete message.
    fn abort_on_close(&self, fd: Fd);

    /// How many bytes that were written the peer's kernel has not acknowledged yet; a FIN counts as one byte.
    fn unacknowledged(&self, fd: Fd) -> io::Result<u64>;

    /// The address on which a connection was accepted.
    fn local_address(&self, fd: Fd) -> io::Result<SocketAddr>;

    /// Takes the pending error of a socket, if there is one (SO_ERROR).
    fn take_error(&self, fd: Fd) -> Option<io::Error>;

    /// Opens a pipe for [`Sys::splice`]: (read end, write end, capacity in bytes).
    fn pipe(&self) -> io::Result<(Fd, Fd, usize)>;

    /// Moves up to `len` bytes between a socket and a pipe. `more`: more bytes follow at once, so the kernel may delay these.
    fn splice(&self, from: Fd, to: Fd, len: usize, more: bool) -> io::Result<usize>;

    /// Opens a UDP socket that exchanges datagrams with `address` only, so the kernel drops those of other senders and
    /// reports ICMP errors of this peer.
    fn connect_udp(&self, address: SocketAddr) -> io::Result<Fd>;

    /// Replaces the content of `batch` with datagrams that have arrived.
    fn receive_batch(&self, fd: Fd, batch: &mut Batch) -> io::Result<()>;

    /// Sends datagrams in their order, and returns how many the kernel took. An error is about the first one.
    fn send_batch(&self, fd: Fd, datagrams: &[Outgoing<'_>]) -> io::Result<usize>;

    fn close(&self, fd: Fd);
}

/// Ends a worker's wait from another thread.
pub trait Bell: Send + Sync {
    fn ring(&self);
    /// Resets the bell. The worker calls it before it takes the queue.
    fn silence(&self);
}
