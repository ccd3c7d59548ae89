//! Memory of idle keep-alive connections. Plain ones are opened here, those with TLS by `bench-handshake`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use xtask::Outcome;

use super::contender::Running;
use super::files::Files;
use super::process::{Placement, Process};

/// Resident bytes that each of `count` idle connections costs the proxy, after one request each. `open` opens the
/// connections.
pub(crate) fn bytes_per_connection<T>(
    running: &Running,
    count: usize,
    open: impl Fn(u16, usize) -> Outcome<T>,
) -> Outcome<f64> {
    // The first connections make the proxy allocate what it needs only once.
    let first = open(running.port, FIRST)?;
    let before = running.process.resident()?;
    let connections = open(running.port, count)?;
    // By then the proxy has freed what it frees when a connection becomes idle.
    std::thread::sleep(SETTLE);
    let after = running.process.resident()?;
    drop((first, connections));
    Ok(after.saturating_sub(before) as f64 / count as f64)
}

/// Raises the limit of open files for this process and its children. Fails if the hard limit forbids it.
pub(crate) fn raise_open_files(count: u64) -> Outcome {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let maximum = maximum.map(|maximum| maximum.max(count));
    setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum })
        .map_err(|error| format!("cannot open {count} files ({error}); run `ulimit -n {count}` first"))
}

/// Opens plain connections.
pub(crate) fn plain(port: u16, count: usize) -> Outcome<Vec<TcpStream>> {
    open(port, count).map_err(|error| format!("idle connections: {error}"))
}

/// Opens connections with TLS, which last until the process is dropped.
pub(crate) fn tls(port: u16, count: usize, placement: Placement, files: &Files) -> Outcome<Process> {
    let mut command = placement.command(&files.handshake());
    command.args(["hold", "--connect", &format!("127.0.0.1:{port}"), "--count", &count.to_string()]);
    command.stdout(Stdio::piped());
    let mut process = Process::start(command)?;
    let line = process.first_line()?;
    if line.trim_end() == format!("open {count}") {
        Ok(process)
    } else {
        Err(format!("idle connections: {line}"))
    }
}

fn open(port: u16, count: usize) -> io::Result<Vec<TcpStream>> {
    (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.write_all(b"GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            read_answer(&mut stream)?;
            Ok(stream)
        })
        .collect()
}

/// Reads until the body of `/small` has come.
fn read_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = Vec::new();
    let mut scratch = [0; 1024];
    while !answer.ends_with(b"Hello, world!") {
        match stream.read(&mut scratch)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(&scratch[..count]),
        }
    }
    Ok(())
}

const FIRST: usize = 64;
const SETTLE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_response_in_pieces_is_read_whole() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, ").unwrap();
        server.write_all(b"world!").unwrap();
        read_answer(&mut client).unwrap();
        drop(server);
        assert_eq!(read_answer(&mut client).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_limit_that_is_high_enough_stays() {
        raise_open_files(16).unwrap();
    }
}
