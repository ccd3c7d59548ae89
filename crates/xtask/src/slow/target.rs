//! A target that costs next to nothing: `/large` is 16 MiB, everything else two bytes.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::soak::exchange;

/// Serves until the process ends, in threads of its own.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The peer's end is no news.
            std::thread::spawn(move || serve(&stream));
        }
    });
    Ok(address)
}

fn serve(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::new();
    loop {
        let head = exchange::read_head(stream, &mut input)?;
        exchange::read_body(stream, &mut input, &head)?;
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
