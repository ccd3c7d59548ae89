//! A cheap target: `/large` is 16 MiB, every other body two bytes.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::exchange::Reader;

/// Serves in threads of its own until the process ends.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // An error is the end of the connection.
            std::thread::spawn(move || serve(&stream));
        }
    });
    Ok(address)
}

fn serve(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut stream) = (Reader::new(stream), stream);
    loop {
        let head = reader.head()?;
        reader.body(&head)?;
        if !head.start.starts_with("GET /large ") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
            continue;
        }
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n").as_bytes())?;
        let block = [0; BLOCK];
        for _ in 0..LARGE / BLOCK {
            stream.write_all(&block)?;
        }
    }
}

const LARGE: usize = 16 << 20;
const BLOCK: usize = 64 << 10;
