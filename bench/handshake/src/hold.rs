//! Connections that stay open.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use crate::Outcome;
use crate::client::{Connection, configuration, host};

/// Opens `count` connections and sends one request on each.
pub(crate) fn open(address: SocketAddr, count: usize) -> Outcome<Vec<Connection>> {
    let configuration = configuration(None).map_err(|error| error.to_string())?;
    (0..count)
        .map(|_| {
            let mut connection = Connection::open(address, &configuration, host(0))?;
            ask(&mut connection)?;
            Ok(connection)
        })
        .collect::<io::Result<_>>()
        .map_err(|error| error.to_string())
}

fn ask(connection: &mut Connection) -> io::Result<()> {
    let mut stream = rustls::Stream::new(&mut connection.tls, &mut connection.stream);
    let request = format!("GET /small HTTP/1.1\r\nHost: {}\r\n\r\n", host(0));
    stream.write_all(request.as_bytes())?;
    read_answer(&mut stream)
}

/// The small response ends with the last character of its body.
fn read_answer(stream: &mut impl Read) -> io::Result<()> {
    let mut answer = Vec::new();
    let mut scratch = [0; 1024];
    while !answer.ends_with(b"Hello, world!") {
        match stream.read(&mut scratch)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(&scratch[..count]),
        }
        // limit: the expected response is shorter.
        if answer.len() > 16 * 1024 {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    let ok = answer.starts_with(b"HTTP/1.1 200");
    ok.then_some(()).ok_or_else(|| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_200_response_is_accepted() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\nHello, world!", None),
            ("HTTP/1.1 200 OK\r\n\r\nHello, ", Some(ErrorKind::UnexpectedEof)),
            ("HTTP/1.1 502 No\r\n\r\nHello, world!", Some(ErrorKind::InvalidData)),
            (&"x".repeat(20_000), Some(ErrorKind::InvalidData)),
        ] {
            let error = read_answer(&mut answer.as_bytes()).err();
            assert_eq!(error.map(|error| error.kind()), expected, "{answer:.60}");
        }
    }
}
