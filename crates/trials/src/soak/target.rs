//! Targets that respond with the requested body, except during a fault.

use std::collections::HashSet;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use super::echo;
use super::ledger::{Fault, Ledger};
use crate::exchange::{Head, Reader};
use crate::lock::lock;

/// A target and its current fault.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    listener: TcpListener,
    /// The place of the current fault in [`Fault::ALL`], from 1; 0: none.
    fault: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

/// What all targets together have seen.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    pub(crate) is_over: AtomicBool,
    pub(crate) requests: AtomicU64,
    posts: Mutex<HashSet<u64>>,
    /// POST requests that came twice.
    pub(crate) repeated: AtomicU64,
    /// Requests that were smuggled within another.
    pub(crate) smuggled: AtomicU64,
}

impl Target {
    pub(crate) fn bind() -> io::Result<Self> {
        // The kernel keeps a port while its socket does not listen only if it was bound explicitly, and not as port 0.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { address, listener, fault: AtomicUsize::new(0), open: Mutex::default() })
    }

    /// Accepts until the end, and serves each connection in a thread of its own.
    pub(crate) fn serve<'s>(&'s self, scope: &'s std::thread::Scope<'s, '_>, witness: &'s Witness) {
        while !witness.is_over.load(Ordering::Relaxed) {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let (Ok(()), Ok(copy)) = (stream.set_nonblocking(false), stream.try_clone()) {
                        let mut open = lock(&self.open);
                        open.retain(|stream| stream.peer_addr().is_ok());
                        open.push(copy);
                        scope.spawn(move || {
                            // An error is the end of the connection.
                            let _ = self.answer_all(&stream, witness);
                            let _ = stream.shutdown(Shutdown::Both);
                        });
                    }
                }
                Err(_) => std::thread::sleep(ACCEPT_PAUSE),
            }
        }
        self.cut_all();
    }

    /// Starts a fault, waits, ends it, and enters it in the ledger.
    pub(crate) fn suffer(&self, fault: Fault, lasts: Duration, ledger: &Mutex<Ledger>) -> io::Result<()> {
        let from = Instant::now();
        let place = Fault::ALL.iter().position(|one| *one == fault).unwrap_or(0) + 1;
        self.fault.store(place, Ordering::SeqCst);
        if fault == Fault::Killed {
            // After a shutdown a listening socket refuses connections and keeps its port.
            rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Read)?;
            self.cut_all();
        }
        std::thread::sleep(lasts);
        if fault == Fault::Killed {
            rustix::net::listen(&self.listener, BACKLOG)?;
        }
        self.fault.store(0, Ordering::SeqCst);
        lock(ledger).enter(self.address, fault, from, Instant::now());
        Ok(())
    }

    fn fault(&self) -> Option<Fault> {
        self.fault.load(Ordering::SeqCst).checked_sub(1).map(|place| Fault::ALL[place])
    }

    fn cut_all(&self) {
        for stream in lock(&self.open).drain(..) {
            let _ = set_socket_linger(&stream, Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn answer_all(&self, stream: &TcpStream, witness: &Witness) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = Reader::new(stream);
        loop {
            let head = reader.head()?;
            if head.field("upgrade").is_some() {
                return self.echo(stream, &head, &mut reader);
            }
            let body = reader.body(&head)?;
            witness.see(&head);
            match self.fault() {
                None => {}
                Some(fault) => return self.spoil(stream, fault),
            }
            let Some((id, size)) = echo::requested(&head.start) else { return Ok(()) };
            let body = if head.start.starts_with("GET ") { echo::pattern(id, size) } else { body };
            self.answer(stream, id, &body)?;
            if echo::closes(id) {
                return Ok(());
            }
        }
    }

    /// Sends a response. The id decides whether it is chunked, and whether it closes the connection.
    fn answer(&self, mut stream: &TcpStream, id: u64, body: &[u8]) -> io::Result<()> {
        let close = if echo::closes(id) { "Connection: close\r\n" } else { "" };
        if id.is_multiple_of(5) {
            let head = format!("HTTP/1.1 200 OK\r\n{close}Transfer-Encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            for piece in body.chunks(8_000) {
                stream.write_all(&echo::chunk(piece))?;
            }
            return stream.write_all(&echo::chunk(b""));
        }
        let head = format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat())
    }

    fn spoil(&self, mut stream: &TcpStream, fault: Fault) -> io::Result<()> {
        match fault {
            Fault::Stalled => {
                while self.fault() == Some(Fault::Stalled) {
                    std::thread::sleep(ACCEPT_PAUSE);
                }
            }
            Fault::Reset => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc")?;
                set_socket_linger(stream, Some(Duration::ZERO))?;
            }
            Fault::Garbage => stream.write_all(b"\0\x7f no http at all\r\n\r\n")?,
            Fault::Killed => {}
        }
        Ok(())
    }

    /// Accepts a WebSocket and sends every byte back. The response names the target, so that a lost tunnel has one.
    fn echo(&self, mut stream: &TcpStream, head: &Head, reader: &mut Reader<'_>) -> io::Result<()> {
        if self.fault().is_some() {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let accept = testkit::websocket_accept(head.field("sec-websocket-key").unwrap_or_default());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nX-Target: {}\r\n\r\n",
            self.address
        );
        stream.write_all(answer.as_bytes())?;
        loop {
            stream.write_all(&reader.some()?)?;
        }
    }
}

impl Witness {
    fn see(&self, head: &Head) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if head.start.contains("smuggled") {
            self.smuggled.fetch_add(1, Ordering::Relaxed);
        }
        if let Some((id, _)) = echo::requested(&head.start)
            && head.start.starts_with("POST ")
            && !lock(&self.posts).insert(id)
        {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(5);
const BACKLOG: i32 = 512;
