//! A lenient reader of HTTP/1 messages: enough to send requests, to answer them, and to compare bodies.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The head of a message.
#[derive(Debug)]
pub(crate) struct Head {
    /// Request line or status line.
    pub(crate) start: String,
    /// Bytes of the head, with the empty line.
    pub(crate) length: usize,
    /// Names are in lower case.
    fields: Vec<(String, String)>,
}

/// Reads messages from one connection.
#[derive(Debug)]
pub(crate) struct Reader<'s> {
    stream: &'s TcpStream,
    /// Bytes that were read and not yet used.
    input: Vec<u8>,
}

impl Head {
    /// The head at the start of `input`, or `None` if it is not complete.
    pub(crate) fn parse(input: &[u8]) -> Option<Self> {
        let length = input.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&input[..length]);
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Some(Self { start, length, fields: lines.filter_map(field).collect() })
    }

    /// The first field of this name, which is in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// All fields of this name, which is in lower case.
    pub(crate) fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The status of a response, or 0.
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// `Content-Length`, or 0.
    pub(crate) fn content_length(&self) -> usize {
        self.field("content-length").and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

impl<'s> Reader<'s> {
    pub(crate) fn new(stream: &'s TcpStream) -> Self {
        Self { stream, input: Vec::new() }
    }

    /// The next head. `UnexpectedEof` if the connection ends first.
    pub(crate) fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(head) = Head::parse(&self.input) {
                self.input.drain(..head.length);
                return Ok(head);
            }
            self.fill()?;
        }
    }

    /// The body after `head`: chunked, or as long as `Content-Length` says. A message without either has none.
    pub(crate) fn body(&mut self, head: &Head) -> io::Result<Vec<u8>> {
        if head.field("transfer-encoding").is_none() {
            return self.exactly(head.content_length());
        }
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(|_| ErrorKind::InvalidData)?;
            body.append(&mut self.exactly(size)?);
            if !self.line()?.is_empty() {
                return Err(ErrorKind::InvalidData.into());
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// The next `count` bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.input.len() < count {
            self.fill()?;
        }
        Ok(self.input.drain(..count).collect())
    }

    /// The next bytes, at least one.
    pub(crate) fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.input.is_empty() {
            self.fill()?;
        }
        Ok(std::mem::take(&mut self.input))
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.input.windows(2).position(|bytes| bytes == b"\r\n") {
                let line = String::from_utf8_lossy(&self.input[..at]).into_owned();
                self.input.drain(..at + 2);
                return Ok(line);
            }
            self.fill()?;
        }
    }

    /// Reads once, at least one byte.
    fn fill(&mut self) -> io::Result<()> {
        let mut block = [0; 16 * 1024];
        let mut stream = self.stream;
        loop {
            match stream.read(&mut block) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed")),
                Ok(count) => {
                    self.input.extend_from_slice(&block[..count]);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Connects, without Nagle's algorithm. `patience` limits the connect, each read and each write.
pub(crate) fn connect(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    fn sent(bytes: &[u8]) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sender.write_all(bytes).unwrap();
        listener.accept().unwrap().0
    }

    #[test]
    fn both_framings_are_read() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 404 No\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1\r\ny\r\n0\r\n\r\nHTTP/1.1 404 No\r\n\r\n",
        ] {
            let stream = sent(text.as_bytes());
            let mut reader = Reader::new(&stream);
            let head = reader.head().unwrap();
            assert_eq!(head.status(), 200);
            assert_eq!(reader.body(&head).unwrap(), b"body", "{text}");
            assert_eq!(reader.head().unwrap().status(), 404);
            assert_eq!(reader.head().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn bytes_after_a_head_are_kept() {
        let stream = sent(b"HTTP/1.1 101 Switching Protocols\r\n\r\nabcdef");
        let mut reader = Reader::new(&stream);
        reader.head().unwrap();
        assert_eq!(reader.exactly(2).unwrap(), b"ab");
        assert_eq!(reader.some().unwrap(), b"cdef");
        assert!(reader.some().is_err());
    }

    #[test]
    fn an_incomplete_head_is_none() {
        let text = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi";
        let head = Head::parse(text).unwrap();
        assert_eq!((head.length, head.content_length()), (text.len() - 2, 2));
        assert!(Head::parse(&text[..head.length - 1]).is_none());
    }
}
