//! The target's side of one connection, for scripts.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::frame::Frame;
use crate::message::Message;
use crate::stream::{Handshake, Stream};
use crate::wait::PATIENCE;
use crate::wire::Wire;

/// A connection as a target's script sees it. Errors are caused by the peer: a script returns them with `?` and
/// ends.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    requests: Arc<Mutex<Vec<Message>>>,
}

impl Connection {
    pub(crate) fn new(stream: Stream, requests: Arc<Mutex<Vec<Message>>>) -> Self {
        Self { wire: Wire::new(stream), requests }
    }

    /// Reads a request with its body.
    pub fn request(&mut self) -> io::Result<Message> {
        let mut request = self.wire.head()?;
        let framing = request.request_framing();
        self.wire.body(&mut request, framing)?;
        self.requests.lock().unwrap().push(request.clone());
        Ok(request)
    }

    /// Like [`Self::request`], but returns `None` if the first byte does not arrive within `patience`.
    pub fn request_within(&mut self, patience: Duration) -> io::Result<Option<Message>> {
        self.wire.stream.socket.set_read_timeout(Some(patience))?;
        let waited = self.wire.stream.socket.peek(&mut [0]);
        self.wire.stream.socket.set_read_timeout(Some(PATIENCE))?;
        if waited.is_err() { Ok(None) } else { self.request().map(Some) }
    }

    /// Reads the head of a request; its body is left unread.
    pub fn head(&mut self) -> io::Result<Message> {
        let head = self.wire.head()?;
        self.requests.lock().unwrap().push(head.clone());
        Ok(head)
    }

    /// Reads up to 64 KiB; empty at the end of the stream.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        self.wire.some(64 * 1024)
    }

    pub fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.wire.exactly(length, &mut bytes)?;
        Ok(bytes)
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.stream.write_all(bytes.as_ref())
    }

    /// Reads the next WebSocket frame.
    pub fn frame(&mut self) -> io::Result<Frame> {
        Frame::read(&mut self.wire)
    }

    /// Sends received bytes back until the end of the stream.
    pub fn echo(&mut self) -> io::Result<()> {
        loop {
            match self.read()? {
                bytes if bytes.is_empty() => return Ok(()),
                bytes => self.send(bytes)?,
            }
        }
    }

    /// Discards input until the peer closes or the target ends.
    pub fn stall(&mut self) -> io::Result<()> {
        self.closes_within(Duration::from_secs(3600));
        Ok(())
    }

    /// Like [`Self::stall`], but leaves the input unread.
    pub fn stall_unread(&mut self) {
        use rustix::event::{PollFd, PollFlags, poll};
        let _ = poll(&mut [PollFd::new(&self.wire.stream.socket, PollFlags::RDHUP)], None);
    }

    /// True if the peer closes or resets the connection in time.
    pub fn closes(&mut self) -> bool {
        self.closes_within(PATIENCE)
    }

    /// True if the peer closes or resets the connection within `patience`.
    pub fn closes_within(&mut self, patience: Duration) -> bool {
        self.wire.closes_within(patience)
    }

    /// Half-closes the connection and keeps reading.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.wire.stream.half_close()
    }

    /// Ends the connection with a reset.
    pub fn reset(self) -> io::Result<()> {
        self.wire.stream.reset();
        Ok(())
    }

    /// Ends the connection with a FIN but without `close_notify`, which TLS peers take for a truncation.
    pub fn cut(self) -> io::Result<()> {
        self.wire.stream.cut();
        Ok(())
    }

    /// The result of the handshake with the client, if the target has TLS.
    #[track_caller]
    pub fn handshake(&self) -> Handshake {
        self.wire.stream.handshake().expect("a target with TLS")
    }
}
