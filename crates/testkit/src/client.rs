//! A client that sends bytes exactly as given.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use rustls::AlertDescription;

use crate::frame::Frame;
use crate::message::Message;
use crate::stream::{Handshake, Stream, alert};
use crate::wait::PATIENCE;
use crate::wire::Wire;

#[derive(Debug)]
pub struct Client {
    wire: Wire,
    /// The last request was a HEAD, so its response has no body.
    asked_head: bool,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connect");
        Self::over(Stream::plain(stream))
    }

    pub(crate) fn over(stream: Stream) -> Self {
        Self { wire: Wire::new(stream), asked_head: false }
    }

    /// Connects from this source address, such as 127.0.0.7.
    pub fn connect_from(source: [u8; 4], address: SocketAddr) -> Self {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from((source, 0))).unwrap();
        connect(&socket, &address).unwrap();
        Self::over(Stream::plain(TcpStream::from(socket)))
    }

    pub fn address(&self) -> SocketAddr {
        self.wire.stream.socket.local_addr().unwrap()
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("send");
    }

    /// Sends, but does not panic: a balancer that has refused the request may have closed the connection.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        self.asked_head = bytes.starts_with(b"HEAD ");
        self.wire.stream.write_all(bytes)
    }

    /// Sends one byte at a time with a pause before each, until all are sent or the peer ends. Returns how many
    /// were sent.
    pub fn send_slowly(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> usize {
        for (sent, byte) in bytes.as_ref().iter().enumerate() {
            // Waits for the pause. Any input, even an end of stream, stops sending.
            let socket = &self.wire.stream.socket;
            socket.set_read_timeout(Some(pause)).unwrap();
            let is_silent =
                socket.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            if !is_silent || self.try_send([*byte]).is_err() {
                return sent;
            }
        }
        bytes.as_ref().len()
    }

    /// Sends in a background thread until the connection accepts no more. Not for TLS.
    pub fn send_endlessly(&self) {
        let mut stream = self.wire.stream.socket.try_clone().unwrap();
        thread::spawn(move || while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {});
    }

    /// Sends until the connection accepts no more for a while. Not for TLS.
    pub fn send_until_full(&self) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut stream = self.wire.stream.socket.try_clone().unwrap();
        stream.set_nonblocking(true).unwrap();
        let pause = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
        while poll(&mut [PollFd::new(&stream, PollFlags::OUT)], Some(&pause)).unwrap() > 0 {
            if let Err(error) = stream.write(&[b'x'; 64 * 1024]) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
            }
        }
    }

    /// Another handle to the connection, for a thread that reads while this one sends. Not for TLS.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::over(Stream::plain(self.wire.stream.socket.try_clone().unwrap()))
    }

    /// Sends `GET path` and reads the response.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Message {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n"));
        self.response()
    }

    /// Reads the next response, whole or cut off (see [`Message::is_complete`]). Panics if none arrives.
    #[track_caller]
    pub fn response(&mut self) -> Message {
        self.try_response().unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Reads the next response; `UnexpectedEof` or `ConnectionReset` if the connection ended instead.
    pub fn try_response(&mut self) -> io::Result<Message> {
        let mut response = self.head()?;
        let framing = response.response_framing(self.asked_head);
        self.wire.body(&mut response, framing)?;
        Ok(response)
    }

    /// Reads the head of the next response; its body is left unread.
    pub fn head(&mut self) -> io::Result<Message> {
        self.wire.head()
    }

    /// Reads up to 64 KiB; empty at the end of the stream.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        self.wire.some(64 * 1024)
    }

    #[track_caller]
    pub fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        self.try_read_exactly(length).expect("bytes")
    }

    pub fn try_read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.wire.exactly(length, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the next WebSocket frame.
    #[track_caller]
    pub fn frame(&mut self) -> Frame {
        Frame::read(&mut self.wire).expect("a frame")
    }

    /// Waits for the end of the connection. False if it does not come within the patience.
    pub fn is_closed(&mut self) -> bool {
        self.closes_within(PATIENCE)
    }

    pub fn closes_within(&mut self, patience: Duration) -> bool {
        self.wire.closes_within(patience)
    }

    /// True if nothing was received: neither bytes, nor an end, nor TLS tickets.
    pub fn is_open_and_silent(&self) -> bool {
        self.wire.stream.socket.set_nonblocking(true).unwrap();
        let peeked = self.wire.stream.socket.peek(&mut [0]);
        self.wire.stream.socket.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends `close_notify`, without a FIN behind it.
    #[track_caller]
    pub fn notify_close(&mut self) {
        self.wire.stream.notify_close().expect("close_notify");
    }

    /// Half-closes the connection and keeps reading. A balancer that refused the request may have closed it
    /// already.
    pub fn half_close(&mut self) {
        if let Err(error) = self.wire.stream.half_close() {
            assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{error}");
        }
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        self.wire.stream.reset();
    }

    /// The result of the TLS handshake.
    #[track_caller]
    pub fn handshake(&self) -> Handshake {
        self.wire.stream.handshake().expect("a client with TLS")
    }

    /// Reads until the end and returns the TLS alert that was received.
    pub fn alert(&mut self) -> Option<AlertDescription> {
        loop {
            match self.read() {
                Ok(bytes) if bytes.is_empty() => return None,
                Ok(_) => {}
                Err(error) => return alert(&error),
            }
        }
    }

    /// The alert that a server sends in the clear to a client without TLS, such as one that sent a hand-made
    /// ClientHello. `None` if the connection ends without one.
    pub fn plain_alert(&mut self) -> Option<AlertDescription> {
        let mut record = Vec::new();
        self.wire.exactly(7, &mut record).ok()?;
        (record[0] == 21 && record[3..5] == [0, 2]).then(|| AlertDescription::from(record[6]))
    }
}

/// Sends one `GET` on a new connection.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Message {
    Client::connect(address).get(path)
}

/// Sends these bytes on a new connection and reads one response.
#[track_caller]
pub fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Message {
    let mut client = Client::connect(address);
    client.send(bytes);
    client.response()
}
