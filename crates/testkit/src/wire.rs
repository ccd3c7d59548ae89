//! Reads HTTP/1 messages from a socket leniently: tests need to see malformed messages too.

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use crate::message::Message;
use crate::stream::{Stream, alert};
use crate::wait::PATIENCE;

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: Stream,
    /// Bytes that were read but not used yet.
    buffer: Vec<u8>,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Reads a head; `UnexpectedEof` if the connection ends before or within it.
    pub(crate) fn head(&mut self) -> io::Result<Message> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        };
        Ok(Message::from_head(self.take(end)))
    }

    /// Reads the body into `message`. `is_complete` tells whether its end was received.
    pub(crate) fn body(&mut self, message: &mut Message, framing: Framing) -> io::Result<()> {
        let read = match framing {
            Framing::None => Ok(()),
            Framing::Length(length) => self.exactly(length, &mut message.body),
            Framing::Chunked => self.chunks(message),
            Framing::UntilClose => self.until_close(&mut message.body),
        };
        match read {
            Ok(()) => message.is_complete = true,
            Err(error) if is_end(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads up to `length` bytes, at least one; empty at the end of the stream.
    pub(crate) fn some(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill()?;
        }
        Ok(self.take(length.min(self.buffer.len())))
    }

    pub(crate) fn exactly(&mut self, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let end = into.len() + length;
        while into.len() < end {
            let some = self.some(end - into.len())?;
            if some.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            into.extend(some);
        }
        Ok(())
    }

    /// Waits until the peer has closed or reset, and discards what it sends before. False if `patience` ends
    /// first.
    pub(crate) fn closes_within(&mut self, patience: Duration) -> bool {
        self.stream.socket.set_read_timeout(Some(patience)).unwrap();
        let closed = loop {
            match self.some(usize::MAX) {
                Ok(some) if some.is_empty() => break true,
                Ok(_) => {}
                Err(error) => break is_end(&error) || alert(&error).is_some(),
            }
        };
        self.stream.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        closed
    }

    fn chunks(&mut self, message: &mut Message) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData)?;
            if size == 0 {
                break;
            }
            self.exactly(size, &mut message.body)?;
            message.chunks += 1;
            if !self.line()?.is_empty() {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        loop {
            match self.line()? {
                line if line.is_empty() => return Ok(()),
                line => message.trailers.push(line),
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let end = loop {
            if let Some(at) = self.buffer.windows(2).position(|bytes| bytes == b"\r\n") {
                break at;
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        };
        let line = self.take(end + 2);
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    /// Reads until the connection is closed. A reset is an error.
    fn until_close(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        loop {
            into.append(&mut self.buffer);
            if self.fill()? == 0 {
                return Ok(());
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut block = [0; 64 * 1024];
        let count = loop {
            match self.stream.read(&mut block) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.buffer.extend_from_slice(&block[..count]);
        Ok(count)
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count);
        std::mem::replace(&mut self.buffer, rest)
    }
}

pub(crate) fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
    )
}
