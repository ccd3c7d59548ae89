//! A client that sends what it is told, byte for byte.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::connection::reset_on_close;
use crate::frame::Frame;
use crate::message::Message;
use crate::wait::PATIENCE;
use crate::wire::Wire;

#[derive(Debug)]
pub struct Client {
    wire: Wire,
    /// The last request was a HEAD: its response has no body.
    asked_head: bool,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connect");
        Self { wire: Wire::new(stream), asked_head: false }
    }

    /// Connects from this address, such as 127.0.0.7.
    pub fn connect_from(source: [u8; 4], address: SocketAddr) -> Self {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from((source, 0))).unwrap();
        connect(&socket, &address).unwrap();
        Self { wire: Wire::new(TcpStream::from(socket)), asked_head: false }
    }

    pub fn address(&self) -> SocketAddr {
        self.wire.stream.local_addr().unwrap()
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("send");
    }

    /// A balancer that has already refused the request may have closed.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        self.asked_head = bytes.starts_with(b"HEAD ");
        self.wire.stream.write_all(bytes)
    }

    /// Sends until the connection takes no more, however long that is, while this thread goes on.
    pub fn send_endlessly(&self) {
        let mut stream = self.wire.stream.try_clone().unwrap();
        thread::spawn(move || while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {});
    }

    /// Sends `GET path` and reads the response.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Message {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n"));
        self.response()
    }

    /// The next response, whole or cut off: see [`Message::is_complete`]. Panics when none comes.
    #[track_caller]
    pub fn response(&mut self) -> Message {
        self.try_response().unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// The next response; `UnexpectedEof` or `ConnectionReset` when the connection ended instead.
    pub fn try_response(&mut self) -> io::Result<Message> {
        let mut response = self.head()?;
        let framing = response.response_framing(self.asked_head);
        self.wire.body(&mut response, framing)?;
        Ok(response)
    }

    /// The head of the next response; its body is left to be read.
    pub fn head(&mut self) -> io::Result<Message> {
        self.wire.head()
    }

    /// Up to 64 KiB of what came; empty at the end.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        self.wire.some(64 * 1024)
    }

    #[track_caller]
    pub fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.wire.exactly(length, &mut bytes).expect("bytes");
        bytes
    }

    /// The next WebSocket frame.
    #[track_caller]
    pub fn frame(&mut self) -> Frame {
        Frame::read(&mut self.wire).expect("a frame")
    }

    /// Waits for the end and says whether it came.
    pub fn is_closed(&mut self) -> bool {
        self.closes_within(PATIENCE)
    }

    pub fn closes_within(&mut self, patience: Duration) -> bool {
        self.wire.closes_within(patience)
    }

    /// Whether nothing has come, neither bytes nor an end.
    pub fn is_open_and_silent(&self) -> bool {
        self.wire.stream.set_nonblocking(true).unwrap();
        let peeked = self.wire.stream.peek(&mut [0]);
        self.wire.stream.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends no more, but reads on. A balancer that refused the request may have closed already.
    pub fn half_close(&mut self) {
        if let Err(error) = self.wire.stream.shutdown(Shutdown::Write) {
            assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{error}");
        }
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        reset_on_close(&self.wire.stream);
    }
}

/// One `GET` on a connection of its own.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Message {
    Client::connect(address).get(path)
}

/// Sends these bytes on a connection of its own and reads one response.
#[track_caller]
pub fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Message {
    let mut client = Client::connect(address);
    client.send(bytes);
    client.response()
}
