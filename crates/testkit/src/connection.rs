//! A target's side of one connection, for scripts.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::frame::Frame;
use crate::message::Message;
use crate::stream::{Handshake, Stream};
use crate::wait::PATIENCE;
use crate::wire::Wire;

/// What a script does to one connection. Its errors are the peer's doing: a script passes them on with `?` and ends.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    requests: Arc<Mutex<Vec<Message>>>,
}

impl Connection {
    pub(crate) fn new(stream: Stream, requests: Arc<Mutex<Vec<Message>>>) -> Self {
        Self { wire: Wire::new(stream), requests }
    }

    /// A request with its body.
    pub fn request(&mut self) -> io::Result<Message> {
        let mut request = self.wire.head()?;
        let framing = request.request_framing();
        self.wire.body(&mut request, framing)?;
        self.requests.lock().unwrap().push(request.clone());
        Ok(request)
    }

    /// As [`Self::request`], if its first byte comes within `patience`; `None` otherwise.
    pub fn request_within(&mut self, patience: Duration) -> io::Result<Option<Message>> {
        self.wire.stream.socket.set_read_timeout(Some(patience))?;
        let waited = self.wire.stream.socket.peek(&mut [0]);
        self.wire.stream.socket.set_read_timeout(Some(PATIENCE))?;
        if waited.is_err() { Ok(None) } else { self.request().map(Some) }
    }

    /// The head of a request; its body is left to be read.
    pub fn head(&mut self) -> io::Result<Message> {
        let head = self.wire.head()?;
        self.requests.lock().unwrap().push(head.clone());
        Ok(head)
    }

    /// Up to 64 KiB of what came; empty at the end.
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

    /// The next WebSocket frame.
    pub fn frame(&mut self) -> io::Result<Frame> {
        Frame::read(&mut self.wire)
    }

    /// Sends what comes back until its end.
    pub fn echo(&mut self) -> io::Result<()> {
        loop {
            match self.read()? {
                bytes if bytes.is_empty() => return Ok(()),
                bytes => self.send(bytes)?,
            }
        }
    }

    /// Does nothing until the peer closes or the target ends.
    pub fn stall(&mut self) -> io::Result<()> {
        self.closes_within(Duration::from_secs(3600));
        Ok(())
    }

    /// As [`Self::stall`], without reading what comes.
    pub fn stall_unread(&mut self) {
        use rustix::event::{PollFd, PollFlags, poll};
        let _ = poll(&mut [PollFd::new(&self.wire.stream.socket, PollFlags::RDHUP)], None);
    }

    /// Whether the peer closes or resets in time.
    pub fn closes(&mut self) -> bool {
        self.closes_within(PATIENCE)
    }

    /// Whether the peer closes or resets within `patience`.
    pub fn closes_within(&mut self, patience: Duration) -> bool {
        self.wire.closes_within(patience)
    }

    /// Sends no more, but reads on.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.wire.stream.half_close()
    }

    /// Ends the connection with a reset.
    pub fn reset(self) -> io::Result<()> {
        self.wire.stream.reset();
        Ok(())
    }

    /// Ends the connection with a bare end, which under TLS means that something is missing.
    pub fn cut(self) -> io::Result<()> {
        self.wire.stream.cut();
        Ok(())
    }

    /// What the client's handshake came to, where the target has TLS.
    #[track_caller]
    pub fn handshake(&self) -> Handshake {
        self.wire.stream.handshake().expect("a target with TLS")
    }
}
