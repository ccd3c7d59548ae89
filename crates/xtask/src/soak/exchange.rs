//! Just enough HTTP/1 to ask, to answer and to compare.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;

use balance::Rng;

/// A head, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) start: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// The first field of this name, which is in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

/// `/echo/ID/SIZE` in a request line.
pub(crate) fn asked(start: &str) -> Option<(u64, usize)> {
    let mut parts = start.split(' ').nth(1)?.strip_prefix("/echo/")?.split('/');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The body that belongs to an id.
pub(crate) fn pattern(id: u64, size: usize) -> Vec<u8> {
    let mut random = Rng::new(id);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&random.next_u64().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Whether a target closes after its answer.
pub(crate) fn closes(id: u64) -> bool {
    id.is_multiple_of(41)
}

pub(crate) fn read_head(stream: &TcpStream, input: &mut Vec<u8>) -> io::Result<Head> {
    let end = loop {
        if let Some(at) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        fill(stream, input)?;
    };
    let text = String::from_utf8_lossy(&input[..end]).into_owned();
    input.drain(..end);
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Ok(Head { start, fields: lines.filter_map(field).collect() })
}

/// Counted or chunked; an answer without either has none here.
pub(crate) fn read_body(stream: &TcpStream, input: &mut Vec<u8>, head: &Head) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if head.field("transfer-encoding").is_none() {
        let length = head.field("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        take(stream, input, length, &mut body)?;
        return Ok(body);
    }
    loop {
        let size = read_line(stream, input)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| ErrorKind::InvalidData)?;
        take(stream, input, size, &mut body)?;
        if !read_line(stream, input)?.is_empty() {
            return Err(ErrorKind::InvalidData.into());
        }
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Reads once, at least a byte.
pub(crate) fn fill(mut stream: &TcpStream, input: &mut Vec<u8>) -> io::Result<()> {
    let mut block = [0; 16 * 1024];
    loop {
        match stream.read(&mut block) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                input.extend_from_slice(&block[..count]);
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn take(
    stream: &TcpStream,
    input: &mut Vec<u8>,
    count: usize,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    while input.len() < count {
        fill(stream, input)?;
    }
    into.extend(input.drain(..count));
    Ok(())
}

fn read_line(stream: &TcpStream, input: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(at) = input.windows(2).position(|bytes| bytes == b"\r\n") {
            let line = String::from_utf8_lossy(&input[..at]).into_owned();
            input.drain(..at + 2);
            return Ok(line);
        }
        fill(stream, input)?;
    }
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
    fn ids_are_read_from_the_path() {
        assert_eq!(asked("GET /echo/17/4096 HTTP/1.1"), Some((17, 4096)));
        assert!(asked("GET /other HTTP/1.1").is_none() && asked("").is_none());
        assert_eq!(pattern(7, 13).len(), 13);
        assert_ne!(pattern(7, 13), pattern(8, 13));
    }

    #[test]
    fn both_framings_are_read() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 404 No\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1\r\ny\r\n0\r\n\r\nHTTP/1.1 404 No\r\n\r\n",
        ] {
            let (stream, mut input) = (sent(text.as_bytes()), Vec::new());
            let head = read_head(&stream, &mut input).unwrap();
            assert_eq!(head.status(), 200);
            assert_eq!(read_body(&stream, &mut input, &head).unwrap(), b"body", "{text}");
            assert_eq!(read_head(&stream, &mut input).unwrap().status(), 404);
            assert!(read_head(&stream, &mut input).is_err());
        }
    }
}
