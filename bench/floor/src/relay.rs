//! The event loop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::event::epoll;
use rustix::net::{SocketFlags, accept_with, listen, sockopt};

#[derive(Debug)]
pub(crate) struct Relay {
    epoll: OwnedFd,
    listener: TcpListener,
    target: SocketAddr,
    /// The pairs, by token / 2. `free` lists the unused indices.
    pairs: Vec<Option<Pair>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
}

/// A client connection and its target connection: `ends[CLIENT]` and `ends[TARGET]`.
#[derive(Debug)]
struct Pair {
    ends: [TcpStream; 2],
    /// Bytes that this end has not accepted yet. While there are some, the other end is not read.
    unsent: [Vec<u8>; 2],
    /// One end has closed. The pair is dropped when all bytes are sent.
    closing: bool,
}

impl Relay {
    pub(crate) fn bind(address: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        sockopt::set_tcp_nodelay(&listener, true)?;
        listen(&listener, BACKLOG)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let scratch = vec![0; SCRATCH_BYTES];
        Ok(Self { epoll, listener, target, pairs: Vec::new(), free: Vec::new(), scratch })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Relays until the process is killed.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result?,
            };
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    token => self.advance(token as usize, event.flags),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let client = match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(client) => TcpStream::from(client),
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            // On one machine, the kernel completes the handshake before this returns.
            let target = TcpStream::connect(self.target)?;
            target.set_nonblocking(true)?;
            target.set_nodelay(true)?;
            let place = self.free.pop().unwrap_or_else(|| {
                self.pairs.push(None);
                self.pairs.len() - 1
            });
            let pair = Pair { ends: [client, target], unsent: Default::default(), closing: false };
            self.register(place, &pair)?;
            self.pairs[place] = Some(pair);
        }
    }

    /// Registers both ends once: edge-triggered, both directions.
    fn register(&self, place: usize, pair: &Pair) -> io::Result<()> {
        for (end, stream) in pair.ends.iter().enumerate() {
            let token = (place * 2 + end) as u64;
            let flags = epoll::EventFlags::IN
                | epoll::EventFlags::OUT
                | epoll::EventFlags::RDHUP
                | epoll::EventFlags::ET;
            epoll::add(&self.epoll, stream, epoll::EventData::new_u64(token), flags)?;
        }
        Ok(())
    }

    /// Handles an event. If its pair ended earlier in the same batch, the event finds an empty slot or a newer
    /// pair, which gets a spurious wake-up.
    fn advance(&mut self, token: usize, flags: epoll::EventFlags) {
        let (place, end) = (token / 2, token % 2);
        let Some(pair) = self.pairs.get_mut(place).and_then(Option::as_mut) else { return };
        if pair.advance(end, flags, &mut self.scratch).is_err() {
            self.pairs[place] = None;
            self.free.push(place);
        }
    }
}

impl Pair {
    /// Any error ends the pair.
    fn advance(&mut self, end: usize, flags: epoll::EventFlags, scratch: &mut [u8]) -> io::Result<()> {
        if !self.unsent[end].is_empty() {
            self.flush(end)?;
            // Bytes that waited for this end.
            self.pump(1 - end, true, scratch)?;
        }
        let ended =
            flags.intersects(epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        if ended || flags.contains(epoll::EventFlags::IN) { self.pump(end, ended, scratch) } else { Ok(()) }
    }

    /// Copies from `end` to the other one. On an edge-triggered socket a short read means that it is drained,
    /// except when its end of stream is already known (`to_the_end`).
    fn pump(&mut self, end: usize, to_the_end: bool, scratch: &mut [u8]) -> io::Result<()> {
        let other = 1 - end;
        while self.unsent[other].is_empty() {
            let count = match self.ends[end].read(scratch) {
                Ok(0) => {
                    self.closing = true;
                    break;
                }
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let sent = write(&mut self.ends[other], &scratch[..count])?;
            self.unsent[other].extend_from_slice(&scratch[sent..count]);
            if count < scratch.len() && !to_the_end {
                break;
            }
        }
        self.end_when_sent()
    }

    fn flush(&mut self, end: usize) -> io::Result<()> {
        let sent = write(&mut self.ends[end], &self.unsent[end])?;
        self.unsent[end].drain(..sent);
        self.end_when_sent()
    }

    fn end_when_sent(&self) -> io::Result<()> {
        if self.closing && self.unsent.iter().all(Vec::is_empty) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// Writes once. If the socket would block, returns 0.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

const LISTENER: u64 = u64::MAX;
const BACKLOG: i32 = 4096;
const EVENTS: usize = 256;
const SCRATCH_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn relay_to(target: &TcpListener) -> SocketAddr {
        let mut relay = Relay::bind("127.0.0.1:0".parse().unwrap(), target.local_addr().unwrap()).unwrap();
        let address = relay.address().unwrap();
        std::thread::spawn(move || relay.run());
        address
    }

    #[test]
    fn copies_more_than_the_socket_buffers_hold_both_ways() {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(relay_to(&target)).unwrap();
        let (server, _) = target.accept().unwrap();
        let sent: Vec<u8> = (0..16 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
        for (mut from, mut to) in [(&client, &server), (&server, &client)] {
            std::thread::scope(|scope| {
                scope.spawn(|| from.write_all(&sent).unwrap());
                let mut received = vec![0; sent.len()];
                to.read_exact(&mut received).unwrap();
                assert!(received == sent);
            });
        }
    }

    #[test]
    fn the_end_of_one_end_closes_both_after_its_bytes() {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(relay_to(&target)).unwrap();
        let (mut server, _) = target.accept().unwrap();
        // Apart from the reader: how much the buffers of the sockets hold depends on the machine.
        std::thread::spawn(move || server.write_all(&vec![b'x'; 8 << 20]).unwrap());
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), 8 << 20);
    }
}
