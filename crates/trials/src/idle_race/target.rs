//! A target that closes idle connections after a time that it does not announce, at the far end of a simulated line.
//!
//! A request arrives one line delay after it was read, and a response or a FIN leaves the line one delay after it was sent.
//! As in a network, a request may be in flight while the FIN travels in the other direction.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use xtask::Outcome;

use super::tally::Tally;
use crate::exchange::Head;
use crate::lock::lock;

/// A running target. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    tally: Arc<Mutex<Tally>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How a target treats its connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How long a connection may be idle.
    pub(crate) idle: Duration,
    /// The delay of the line, one way.
    pub(crate) line: Duration,
}

impl Target {
    pub(crate) fn start(manner: Manner) -> Outcome<Self> {
        let failed = |error: io::Error| format!("target: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (tally, is_over) = (Arc::<Mutex<Tally>>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (tally, is_over) = (Arc::clone(&tally), Arc::clone(&is_over));
            move || {
                let mut turn = Turns { listener, manner, peers: Vec::new() };
                while !is_over.load(Ordering::Relaxed) {
                    turn.next(&tally);
                }
            }
        });
        Ok(Self { address, tally, is_over, thread: Some(thread) })
    }

    /// The counts so far.
    pub(crate) fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Turns {
    listener: TcpListener,
    manner: Manner,
    peers: Vec<Peer>,
}

/// One connection, with the messages in flight.
struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
    /// When the request in flight arrives.
    arrival: Option<Instant>,
    /// When the response in flight leaves the line.
    answer: Option<Instant>,
    /// When the last response was sent.
    idle_since: Option<Instant>,
    is_gone: bool,
}

impl Turns {
    /// Waits for events, reads, then does what is due.
    fn next(&mut self, tally: &Mutex<Tally>) {
        let wake = self.peers.iter().filter_map(|peer| peer.due(self.manner)).min();
        self.wait(wake);
        while let Ok((stream, _)) = self.listener.accept() {
            self.peers.extend(Peer::new(stream));
        }
        let now = Instant::now();
        for peer in &mut self.peers {
            peer.read(now + self.manner.line);
        }
        let mut tally = lock(tally);
        for number in 0..self.peers.len() {
            self.advance(number, now, &mut tally);
        }
        self.peers.retain(|peer| !peer.is_gone);
    }

    fn wait(&self, wake: Option<Instant>) {
        let patience = wake.map_or(LONGEST_WAIT, |wake| wake.saturating_duration_since(Instant::now()));
        let timeout = Timespec::try_from(patience.min(LONGEST_WAIT)).ok();
        let mut polled = vec![PollFd::new(&self.listener, PollFlags::IN)];
        polled.extend(self.peers.iter().map(|peer| PollFd::new(&peer.stream, PollFlags::IN)));
        // An error is a signal; the caller polls again.
        let _ = poll(&mut polled, timeout.as_ref());
    }

    fn advance(&mut self, number: usize, now: Instant, tally: &mut Tally) {
        let Manner { idle, line } = self.manner;
        if let Some(arrival) = self.peers[number].arrival.filter(|&arrival| arrival <= now) {
            let others = self.peers.iter().enumerate().filter(|(other, _)| *other != number);
            let spare = others.filter_map(|(_, peer)| peer.spare_for(arrival, line)).max();
            let peer = &mut self.peers[number];
            peer.arrival = None;
            let idle_for = peer.idle_since.map(|since| arrival.saturating_duration_since(since));
            match idle_for {
                Some(idle_for) if idle_for >= idle => {
                    tally.lost(now);
                    peer.reset();
                    return;
                }
                Some(idle_for) => tally.reused(idle_for),
                None => {
                    let unused = spare.map(|since| arrival.saturating_duration_since(since));
                    unused
                        .into_iter()
                        .filter(|&unused| unused < idle)
                        .for_each(|unused| tally.missed(unused));
                }
            }
            peer.idle_since = Some(arrival);
            peer.answer = Some(arrival + line);
        }
        let peer = &mut self.peers[number];
        if peer.answer.is_some_and(|answer| answer <= now) {
            peer.answer = None;
            peer.is_gone |= peer.stream.write_all(ANSWER).is_err();
        }
        let closes = peer.idle_since.map(|since| since + idle + line);
        if peer.arrival.is_none() && closes.is_some_and(|closes| closes <= now) && !peer.is_gone {
            tally.closed(now);
            peer.close();
        }
    }
}

impl Peer {
    fn new(stream: TcpStream) -> Option<Self> {
        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).ok()?;
        let (arrival, answer, idle_since) = (None, None, None);
        Some(Self { stream, input: Vec::new(), arrival, answer, idle_since, is_gone: false })
    }

    fn read(&mut self, arrival: Instant) {
        let mut block = [0; 4096];
        loop {
            match self.stream.read(&mut block) {
                Ok(0) => {
                    self.is_gone = true;
                    return;
                }
                Ok(count) => self.input.extend_from_slice(&block[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.is_gone = true;
                    return;
                }
            }
        }
        if let Some(length) = request_length(&self.input) {
            self.input.drain(..length);
            self.arrival = Some(arrival);
        }
    }

    /// When the next event of the connection is due.
    fn due(&self, manner: Manner) -> Option<Instant> {
        let closes = self.idle_since.map(|since| since + manner.idle + manner.line);
        let closes = closes.filter(|_| self.arrival.is_none());
        [self.arrival, self.answer, closes].into_iter().flatten().min()
    }

    /// Since when the connection has been idle, if the request that arrives at `arrival` could have been sent on it.
    fn spare_for(&self, arrival: Instant, line: Duration) -> Option<Instant> {
        let since = self.idle_since.filter(|_| self.arrival.is_none() && self.answer.is_none())?;
        (since + line * 2 < arrival && !self.is_gone).then_some(since)
    }

    /// Resets the connection, as the kernel does for a request that arrives after the close.
    fn reset(&mut self) {
        let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
        self.is_gone = true;
    }

    fn close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        // The kernel answers later requests with a reset.
        self.is_gone = true;
    }
}

/// The length of the first request, head and body; `None` while it is incomplete.
fn request_length(input: &[u8]) -> Option<usize> {
    let head = Head::parse(input)?;
    let length = head.length + head.content_length();
    (input.len() >= length).then_some(length)
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// The longest wait before the end of the target is noticed.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(stream: &mut TcpStream) -> usize {
        stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        stream.read(&mut [0; 512]).unwrap_or(0)
    }

    #[test]
    fn a_request_is_complete_with_its_body() {
        let whole = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiPOST";
        assert_eq!(request_length(whole), Some(whole.len() - 4));
        assert_eq!(request_length(&whole[..20]), None);
        assert_eq!(request_length(&whole[..whole.len() - 5]), None);
    }

    #[test]
    fn an_idle_connection_is_closed_after_its_limit_and_not_before() {
        let idle = Duration::from_millis(100);
        let target = Target::start(Manner { idle, line: Duration::from_millis(2) }).unwrap();
        let mut stream = TcpStream::connect(target.address).unwrap();
        assert!(exchange(&mut stream) > 0 && exchange(&mut stream) > 0);
        let began = Instant::now();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        assert!(began.elapsed() >= idle - Duration::from_millis(2), "{:?}", began.elapsed());
        let tally = target.tally();
        assert_eq!((tally.reused, tally.missed, tally.lost), (1, 0, 0));
        assert_eq!(tally.lessons.len(), 1);
    }
}
