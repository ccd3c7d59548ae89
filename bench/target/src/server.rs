//! The event loop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use memchr::memmem;
use rustix::event::epoll;
use rustix::net::{SocketFlags, accept_with, listen, sockopt};

use crate::responses::{Response, Responses, asks_for_close};

#[derive(Debug)]
pub(crate) struct Server {
    epoll: OwnedFd,
    listener: TcpListener,
    /// The connections, by token. `free` lists the unused indices.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    responses: Responses,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The received part of an incomplete head.
    partial: Vec<u8>,
    /// Bytes that the socket has not accepted yet.
    unsent: Vec<u8>,
    closing: bool,
}

impl Server {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        sockopt::set_tcp_nodelay(&listener, true)?;
        listen(&listener, BACKLOG)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            responses: Responses::new(),
            scratch: vec![0; SCRATCH_BYTES],
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the process is killed.
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
                    token => self.advance(token as usize),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(stream) => TcpStream::from(stream),
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let token = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let flags = epoll::EventFlags::IN
                | epoll::EventFlags::OUT
                | epoll::EventFlags::RDHUP
                | epoll::EventFlags::ET;
            epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(token as u64), flags)?;
            self.connections[token] =
                Some(Connection { stream, partial: Vec::new(), unsent: Vec::new(), closing: false });
        }
    }

    /// Does all that the socket allows now. If the connection ended earlier in the same batch, the event finds
    /// an empty slot or a newer connection, which gets a spurious wake-up.
    fn advance(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(token).and_then(Option::as_mut) else { return };
        if connection.advance(&mut self.scratch, &self.responses).is_err() {
            self.connections[token] = None;
            self.free.push(token);
        }
    }
}

impl Connection {
    /// Any error ends the connection.
    fn advance(&mut self, scratch: &mut [u8], responses: &Responses) -> io::Result<()> {
        self.flush()?;
        while self.unsent.is_empty() {
            let count = match self.stream.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if self.partial.is_empty() {
                let used = self.answer(&scratch[..count], responses)?;
                self.partial.extend_from_slice(&scratch[used..count]);
            } else {
                let mut input = std::mem::take(&mut self.partial);
                input.extend_from_slice(&scratch[..count]);
                let used = self.answer(&input, responses)?;
                input.drain(..used);
                self.partial = input;
            }
            // limit: the bench sends no head longer than this.
            if self.partial.len() > SCRATCH_BYTES {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }

    /// Answers every complete head of `input`; returns the number of bytes used.
    fn answer(&mut self, input: &[u8], responses: &Responses) -> io::Result<usize> {
        let mut used = 0;
        while let Some(length) = memmem::find(&input[used..], b"\r\n\r\n") {
            let head = &input[used..used + length + 4];
            used += head.len();
            let Response { keep, close } = responses.find(head);
            self.closing = asks_for_close(head);
            self.send(if self.closing { close } else { keep })?;
        }
        Ok(used)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = if self.unsent.is_empty() { write(&mut self.stream, bytes)? } else { 0 };
        self.unsent.extend_from_slice(&bytes[sent..]);
        self.end_when_sent()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let sent = write(&mut self.stream, &self.unsent)?;
        self.unsent.drain(..sent);
        self.end_when_sent()
    }

    fn end_when_sent(&self) -> io::Result<()> {
        if self.closing && self.unsent.is_empty() { Err(ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
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

    fn serve() -> SocketAddr {
        let mut server = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = server.address().unwrap();
        std::thread::spawn(move || server.run());
        address
    }

    fn body_length(stream: &mut TcpStream) -> usize {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        body.len()
    }

    #[test]
    fn answers_in_order_on_one_connection() {
        let mut stream = TcpStream::connect(serve()).unwrap();
        stream.write_all(b"GET /small HTTP/1.1\r\n\r\nGET /1m HTTP/1.1\r\n\r\nGET /10k HT").unwrap();
        assert_eq!(body_length(&mut stream), 13);
        assert_eq!(body_length(&mut stream), 1_048_576);
        stream.write_all(b"TP/1.1\r\n\r\n").unwrap();
        assert_eq!(body_length(&mut stream), 10_240);
    }

    #[test]
    fn closes_after_the_whole_answer_when_asked() {
        let mut stream = TcpStream::connect(serve()).unwrap();
        stream.write_all(b"GET /1m HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.len() > 1_048_576, "{}", answer.len());
    }

    #[test]
    fn slots_are_reused() {
        let address = serve();
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /small HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
            assert_eq!(body_length(&mut stream), 13);
        }
    }
}
