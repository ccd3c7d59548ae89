//! The system calls that a worker makes, behind one trait, so that the executor, the reactor and everything on
//! them also run in a simulated world. Dispatch is static: the real one costs nothing.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use model::TcpKeepalive;

/// A file descriptor, or its simulated likeness. Whoever holds the owning handle closes it with [`Sys::close`].
pub type Fd = i32;

/// What epoll says about one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The token given to [`Sys::register`].
    pub token: u64,
    pub readable: bool,
    pub writable: bool,
    /// The peer has finished sending (EPOLLRDHUP).
    pub read_closed: bool,
    /// The connection is gone in both directions, or in error (EPOLLHUP, EPOLLERR).
    pub gone: bool,
}

/// Every call is non-blocking, except [`Sys::wait`]. Errors are the kernel's; `WouldBlock` is EAGAIN.
pub trait Sys: 'static {
    /// Monotonic time in nanoseconds.
    fn now(&self) -> u64;

    /// Wall time in microseconds since 1970, for log lines and the `Date` field only.
    fn wall(&self) -> u64 {
        self.now() / 1_000
    }

    /// Appends what is ready to `events`; waits at most `timeout` (`None`: without limit).
    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()>;

    /// Registers for all edge-triggered events; the present state is reported once. Closing unregisters.
    fn register(&self, fd: Fd, token: u64) -> io::Result<()>;

    /// A way for other threads to end [`Sys::wait`]: readable on registration token `token`.
    fn bell(&self, token: u64) -> io::Result<std::sync::Arc<dyn Bell>>;

    /// Whether a connection waits at a listening socket.
    fn has_waiting(&self, fd: Fd) -> bool;

    fn accept(&self, fd: Fd) -> io::Result<(Fd, SocketAddr)>;

    /// Begins to connect. The connection may be tried at once: `write` says `WouldBlock` until it stands.
    fn connect(&self, address: SocketAddr) -> io::Result<Fd>;

    /// Of a connection, or of those that a listening socket will accept: they inherit it.
    fn set_keepalive(&self, fd: Fd, keepalive: Option<TcpKeepalive>) -> io::Result<()>;

    fn read(&self, fd: Fd, into: &mut [u8]) -> io::Result<usize>;

    fn write(&self, fd: Fd, bytes: &[u8]) -> io::Result<usize>;

    fn write_vectored(&self, fd: Fd, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sends FIN.
    fn shutdown_write(&self, fd: Fd) -> io::Result<()>;

    /// Ends both directions: nothing more comes or goes, and whoever waits is told.
    fn shutdown(&self, fd: Fd) -> io::Result<()>;

    /// Makes the coming close a reset: what the peer got so far cannot be taken for the whole.
    fn abort_on_close(&self, fd: Fd);

    /// The pending error of a socket, where there is one (SO_ERROR).
    fn take_error(&self, fd: Fd) -> Option<io::Error>;

    /// A pipe for [`Sys::splice`]: (read end, write end, capacity in bytes).
    fn pipe(&self) -> io::Result<(Fd, Fd, usize)>;

    /// Moves up to `len` bytes between a socket and a pipe. `more`: further bytes follow soon.
    fn splice(&self, from: Fd, to: Fd, len: usize, more: bool) -> io::Result<usize>;

    fn close(&self, fd: Fd);
}

/// Rings at a worker from another thread.
pub trait Bell: Send + Sync {
    fn ring(&self);
    /// Called by the worker before it takes what was queued.
    fn silence(&self);
}
