//! Slow clients. One thread drives all of them, a byte per second each, and notes when each is cut off.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A head that never ends.
    Head,
    /// A body that begins and then stops.
    Body,
    /// A large response of which one byte per second is read.
    Reader,
}

/// The time until all are connected.
pub(crate) const GATHERING: Duration = Duration::from_secs(6);

impl Kind {
    pub(crate) const ALL: [(Self, usize); 3] = [(Self::Head, 100), (Self::Body, 100), (Self::Reader, 50)];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Head => "slow head",
            Self::Body => "slow body",
            Self::Reader => "slow reader",
        }
    }
}

/// How long slow clients lived, from the moment at which their timeout began.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    pub(crate) times: Vec<(Kind, Duration)>,
    /// Clients that were still connected long after their timeout.
    pub(crate) overdue: usize,
}

struct Slow {
    kind: Kind,
    stream: TcpStream,
    /// When its timeout began: at the first byte of a head, at the last byte of a body, at the request of a reader.
    since: Instant,
    bytes: usize,
    next: Instant,
}

/// Keeps all slow clients connected until `until`: one that is cut off connects again.
pub(crate) fn run(proxy: SocketAddr, until: Instant, timeout: Duration) -> io::Result<Cut> {
    let (mut crowd, mut cut) = (Vec::new(), Cut::default());
    for (kind, count) in Kind::ALL {
        for _ in 0..count {
            crowd.push(Slow::open(kind, proxy)?);
            std::thread::sleep(OPEN_PAUSE);
        }
    }
    while Instant::now() < until {
        for (place, is_gone) in ended(&crowd).into_iter().enumerate() {
            let slow = &mut crowd[place];
            if is_gone || slow.turn().is_err() {
                cut.times.push((slow.kind, slow.since.elapsed()));
                *slow = Slow::open(slow.kind, proxy)?;
            }
        }
    }
    let patience = timeout + OVERDUE;
    cut.overdue = crowd.iter().filter(|slow| slow.since.elapsed() > patience).count();
    Ok(cut)
}

/// Waits a moment, then says for each client whether it was cut off. A read would find unread bytes before the end; poll
/// reports the end at once.
fn ended(crowd: &[Slow]) -> Vec<bool> {
    let mut polled: Vec<_> = crowd.iter().map(|slow| PollFd::new(&slow.stream, PollFlags::RDHUP)).collect();
    let timeout = Timespec::try_from(LOOK_EVERY).ok();
    let _ = poll(&mut polled, timeout.as_ref());
    let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    polled.iter().map(|one| one.revents().intersects(gone)).collect()
}

impl Slow {
    fn open(kind: Kind, proxy: SocketAddr) -> io::Result<Self> {
        let mut stream = connect(proxy)?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let start: &[u8] = match kind {
            Kind::Head => b"G",
            Kind::Body => b"POST /small HTTP/1.1\r\nHost: slow.example\r\nContent-Length: 4000\r\n\r\n",
            Kind::Reader => b"GET /large HTTP/1.1\r\nHost: slow.example\r\n\r\n",
        };
        stream.write_all(start)?;
        let now = Instant::now();
        Ok(Self { kind, stream, since: now, bytes: 1, next: now + BYTE_EVERY })
    }

    fn turn(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        self.next += BYTE_EVERY;
        match self.kind {
            Kind::Head => self.stream.write_all(&HEAD[self.bytes..=self.bytes])?,
            Kind::Body if self.bytes <= BODY_BYTES => {
                self.stream.write_all(b"b")?;
                self.since = now;
            }
            Kind::Body => {}
            Kind::Reader => {
                // An error means that nothing has come yet.
                let _ = self.stream.read(&mut [0]);
            }
        }
        self.bytes = (self.bytes + 1).min(HEAD.len() - 1);
        Ok(())
    }
}

/// Connects with a small receive window. With a large one the kernel would read ahead, which the proxy would take for
/// progress.
fn connect(proxy: SocketAddr) -> io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    set_socket_recv_buffer_size(&socket, WINDOW)?;
    rustix::net::connect(&socket, &proxy)?;
    Ok(TcpStream::from(socket))
}

const WINDOW: usize = 16 << 10;
const HEAD: &[u8] =
    b"GET /small HTTP/1.1\r\nHost: slow.example\r\nX-Slow: abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrs";
const BODY_BYTES: usize = 5;
const BYTE_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);
// If all connected at once, the first megabytes of the readers would keep both cores busy and hide what the clients cost
// later.
const OPEN_PAUSE: Duration = Duration::from_millis(20);
const OVERDUE: Duration = Duration::from_secs(2);
