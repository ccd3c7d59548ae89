//! [`Sys`] on Linux, through `rustix`.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use model::TcpKeepalive;
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, PollFd, PollFlags, epoll, eventfd, poll};
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use rustix::pipe::{PipeFlags, SpliceFlags};
use rustix::time::{ClockId, Timespec};

use crate::datagrams::{self, Batch, Outgoing};
use crate::keepalive;
use crate::listener::tcp_socket;
use crate::sys::{Bell, Event, Fd, Sys};

/// The system calls of one worker, with its epoll instance (`man 7 epoll`).
pub struct Linux {
    epoll: OwnedFd,
    ready: RefCell<Vec<epoll::Event>>,
}

impl std::fmt::Debug for Linux {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linux").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}

impl Linux {
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, ready: RefCell::new(Vec::with_capacity(EVENTS_PER_WAIT)) })
    }
}

impl Sys for Linux {
    fn now(&self) -> u64 {
        let now = rustix::time::clock_gettime(ClockId::Monotonic);
        u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
    }

    fn wall(&self) -> u64 {
        let now = rustix::time::clock_gettime(ClockId::Realtime);
        u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000
    }

    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        // Whole milliseconds, rounded up: rustix then uses `epoll_wait`, which every sandbox allows, and not `epoll_pwait2`.
        let timeout = timeout.map(|t| {
            let millis = i64::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX).min(60_000);
            Timespec { tv_sec: millis / 1000, tv_nsec: (millis % 1000) * 1_000_000 }
        });
        let mut ready = self.ready.borrow_mut();
        ready.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut ready), timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        events.extend(ready.iter().map(|event| {
            let flags = event.flags;
            Event {
                token: event.data.u64(),
                readable: flags.contains(epoll::EventFlags::IN),
                writable: flags.contains(epoll::EventFlags::OUT),
                read_closed: flags.contains(epoll::EventFlags::RDHUP),
                gone: flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR),
            }
        }));
        Ok(())
    }

    fn register(&self, fd: Fd, token: u64) -> io::Result<()> {
        let interest =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        Ok(epoll::add(&self.epoll, borrow(fd), epoll::EventData::new_u64(token), interest)?)
    }

    fn unregister(&self, fd: Fd) {
        let _ = epoll::delete(&self.epoll, borrow(fd));
    }

    fn duplicate(&self, fd: Fd) -> io::Result<OwnedFd> {
        borrow(fd).try_clone_to_owned()
    }

    fn bell(&self, token: u64) -> io::Result<Arc<dyn Bell>> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&self.epoll, &fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
        Ok(Arc::new(EventFd(fd)))
    }

    fn has_waiting(&self, fd: Fd) -> bool {
        let fd = borrow(fd);
        let mut polled = [PollFd::new(&fd, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
    }

    fn accept(&self, fd: Fd) -> io::Result<(Fd, SocketAddr)> {
        let (stream, peer) =
            rustix::net::acceptfrom_with(borrow(fd), SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
        let peer = peer.and_then(|address| SocketAddr::try_from(address).ok()).unwrap_or(UNNAMED);
        Ok((stream.into_raw_fd(), peer))
    }

    fn connect(&self, address: SocketAddr) -> io::Result<Fd> {
        let socket = tcp_socket(address)?;
        rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket.into_raw_fd()),
            Err(error) => Err(error.into()),
        }
    }

    fn set_keepalive(&self, fd: Fd, keepalive: Option<TcpKeepalive>) -> io::Result<()> {
        keepalive::set(borrow(fd), keepalive)
    }

    fn read(&self, fd: Fd, into: &mut [u8]) -> io::Result<usize> {
        retry(|| rustix::net::recv(borrow(fd), &mut *into, RecvFlags::empty()).map(|(count, _)| count))
    }

    fn write(&self, fd: Fd, bytes: &[u8]) -> io::Result<usize> {
        retry(|| rustix::net::send(borrow(fd), bytes, SendFlags::NOSIGNAL))
    }

    fn write_vectored(&self, fd: Fd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        retry(|| rustix::io::writev(borrow(fd), slices))
    }

    fn shutdown_write(&self, fd: Fd) -> io::Result<()> {
        Ok(rustix::net::shutdown(borrow(fd), rustix::net::Shutdown::Write)?)
    }

    fn shutdown(&self, fd: Fd) -> io::Result<()> {
        Ok(rustix::net::shutdown(borrow(fd), rustix::net::Shutdown::Both)?)
    }

    fn abort_on_close(&self, fd: Fd) {
        // If it fails, the close is orderly; the peer still sees a message that is shorter than its declared length.
        let _ = rustix::net::sockopt::set_socket_linger(borrow(fd), Some(Duration::ZERO));
    }

    fn unacknowledged(&self, fd: Fd) -> io::Result<u64> {
        // SAFETY: SIOCOUTQ (`man 7 tcp`) stores one `int`, which is the type that is named here.
        let bytes = unsafe {
            let getter = rustix::ioctl::Getter::<SIOCOUTQ, core::ffi::c_int>::new();
            rustix::ioctl::ioctl(borrow(fd), getter)?
        };
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    fn local_address(&self, fd: Fd) -> io::Result<SocketAddr> {
        SocketAddr::try_from(rustix::net::getsockname(borrow(fd))?).map_err(io::Error::from)
    }

    fn take_error(&self, fd: Fd) -> Option<io::Error> {
        match rustix::net::sockopt::socket_error(borrow(fd)) {
            Ok(Ok(())) => None,
            Ok(Err(error)) | Err(error) => Some(error.into()),
        }
    }

    fn pipe(&self) -> io::Result<(Fd, Fd, usize)> {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // The kernel limits the pipe pages of an unprivileged user. If it refuses, the pipe keeps its default size.
        let size = rustix::pipe::fcntl_setpipe_size(&write, PIPE_BYTES)
            .or_else(|_| rustix::pipe::fcntl_getpipe_size(&write))?;
        Ok((read.into_raw_fd(), write.into_raw_fd(), size))
    }

    fn splice(&self, from: Fd, to: Fd, len: usize, more: bool) -> io::Result<usize> {
        let mut flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        flags.set(SpliceFlags::MORE, more);
        retry(|| rustix::pipe::splice(borrow(from), None, borrow(to), None, len, flags))
    }

    fn connect_udp(&self, address: SocketAddr) -> io::Result<Fd> {
        datagrams::connect(address).map(IntoRawFd::into_raw_fd)
    }

    fn receive_batch(&self, fd: Fd, batch: &mut Batch) -> io::Result<()> {
        datagrams::receive(borrow(fd), batch)
    }

    fn send_batch(&self, fd: Fd, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
        datagrams::send(borrow(fd), datagrams)
    }

    fn close(&self, fd: Fd) {
        // SAFETY: `fd` came from `into_raw_fd` above, and the one handle that owns it closes it here, once.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}

/// Raises the soft limit of open files to the hard limit; returns the limit that is now in force.
pub fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    // Without a limit: more than the kernel can open.
    now.current.unwrap_or(u64::from(u32::MAX / 4))
}

/// Monotonic time, for threads that run no worker.
pub fn monotonic_millis() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Disables transparent huge pages, so that an idle connection costs the memory that it uses and not 2 MiB pages.
pub fn forgo_huge_pages() {
    // A refusal only costs memory.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

struct EventFd(OwnedFd);

impl Bell for EventFd {
    fn ring(&self) {
        // The write fails only if the counter is full, and then the bell has been rung.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    fn silence(&self) {
        let _ = rustix::io::read(self.0.as_fd(), &mut [0u8; 8]);
    }
}

fn borrow<'a>(fd: Fd) -> BorrowedFd<'a> {
    // SAFETY: every caller is a method of `Sys`. It gets the descriptor from the handle that owns it; the handle is
    // borrowed during the call, and closes the descriptor only on drop.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}

/// The request code on all architectures whose codes are those of asm-generic: x86, ARM, RISC-V, LoongArch and s390.
const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
// limit: events taken by one call of `epoll_wait`; the rest stays queued in the kernel.
const EVENTS_PER_WAIT: usize = 256;
// Smaller pipes cost more wake-ups than splice saves (64 KiB: 1.5 to 1.9 times the CPU time per byte).
const PIPE_BYTES: usize = 512 * 1024;
const UNNAMED: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
