//! Targets: servers that run a script for each connection in a thread of its own.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection};

use crate::connection::Connection;
use crate::message::Message;
use crate::stream::{HandshakeFailure, Stream, reset_on_close};
use crate::tls_server::TlsServer;

/// A server on its own port. Dropping it closes everything and repeats a script's panic.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    accepted: Mutex<usize>,
    open: Mutex<HashMap<usize, TcpStream>>,
    requests: Arc<Mutex<Vec<Message>>>,
    panics: Mutex<Vec<String>>,
    handshake_failures: Mutex<Vec<String>>,
}

impl Target {
    /// Runs `script` for each connection, in a thread of its own. When it returns, the connection is closed.
    pub fn script(script: impl Fn(Connection) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::listen(ANYWHERE, None, script)
    }

    /// Like [`Self::script`], over TLS. The script begins after the handshake.
    pub fn tls(
        tls: &TlsServer,
        script: impl Fn(Connection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(ANYWHERE, Some(tls.config()), script)
    }

    /// Like [`Self::http`], over TLS.
    pub fn https(tls: &TlsServer, respond: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::tls(tls, move |connection| serve(connection, &respond))
    }

    /// Answers each request with the bytes that `respond` returns. It keeps the connection open unless they
    /// contain `Connection: close`.
    pub fn http(respond: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::script(move |connection| serve(connection, &respond))
    }

    /// Like [`Self::http`], at a given address, such as that of a killed target.
    pub fn http_at(
        address: SocketAddr,
        respond: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(address, None, move |connection| serve(connection, &respond))
    }

    /// Answers each request with 200 and `name`.
    pub fn named(name: &'static str) -> Self {
        Self::http(move |_| crate::ok(name))
    }

    /// Answers the first request of each connection with these bytes and closes.
    pub fn once(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::script(move |mut connection| {
            connection.request()?;
            connection.send(&bytes)
        })
    }

    fn listen(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(Connection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared, tls.as_ref(), &Arc::new(script))
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        *self.shared.accepted.lock().unwrap()
    }

    /// The number of connections open now.
    pub fn open(&self) -> usize {
        self.shared.open.lock().unwrap().len()
    }

    /// The requests so far, as received.
    pub fn requests(&self) -> Vec<Message> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The only request so far.
    #[track_caller]
    pub fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// The errors of failed handshakes.
    pub fn handshake_failures(&self) -> Vec<String> {
        self.shared.handshake_failures.lock().unwrap().clone()
    }

    /// Ends like a killed process: the port is closed and every connection is reset.
    pub fn kill(mut self) -> SocketAddr {
        self.end(true);
        self.address
    }

    fn end(&mut self, reset: bool) {
        let Some(accepting) = self.accepting.take() else { return };
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the blocked `accept`.
        let _ = TcpStream::connect(self.address);
        let _ = accepting.join();
        for (_, stream) in self.shared.open.lock().unwrap().drain() {
            if reset {
                reset_on_close(&stream);
            }
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.end(false);
        let panics = std::mem::take(&mut *self.shared.panics.lock().unwrap());
        if !thread::panicking() && !panics.is_empty() {
            resume_unwind(Box::new(format!("a target's script panicked: {panics:?}")));
        }
    }
}

/// An address on which nothing listens.
pub fn refused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An address whose accept queue is full, so that the kernel drops new connections while the returned sockets
/// are held.
pub fn full_backlog() -> (SocketAddr, Vec<OwnedFd>) {
    use rustix::net::{
        AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with,
    };
    let socket =
        || socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
    let listener = socket();
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&listener, 0).unwrap();
    let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
    let mut held = vec![listener];
    for _ in 0..4 {
        held.push(socket());
        // Does not connect yet, or never.
        let _ = connect(&held[held.len() - 1], &address);
    }
    (address, held)
}

fn serve(mut connection: Connection, respond: &impl Fn(&Message) -> Vec<u8>) -> io::Result<()> {
    loop {
        let request = connection.request()?;
        let response = respond(&request);
        connection.send(&response)?;
        let head = response.split(|&byte| byte == b'\n').take_while(|line| line.len() > 1);
        if head.into_iter().any(|line| line.to_ascii_lowercase().starts_with(b"connection: close")) {
            return Ok(());
        }
    }
}

fn accept<F>(listener: &TcpListener, shared: &Arc<Shared>, tls: Option<&Arc<ServerConfig>>, script: &Arc<F>)
where
    F: Fn(Connection) -> io::Result<()> + Send + Sync + 'static,
{
    for stream in listener.incoming() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let number = {
            let mut accepted = shared.accepted.lock().unwrap();
            *accepted += 1;
            *accepted
        };
        shared.open.lock().unwrap().insert(number, stream.try_clone().unwrap());
        let (shared, script, tls) = (Arc::clone(shared), Arc::clone(script), tls.map(Arc::clone));
        thread::spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| match stream_of(stream, tls) {
                Ok(stream) => script(Connection::new(stream, Arc::clone(&shared.requests))),
                Err(failure) => {
                    shared.handshake_failures.lock().unwrap().push(failure.error.to_string());
                    Err(failure.error)
                }
            }));
            // Under the lock: a caller that sees the connection gone from the table must see it closed.
            let mut open = shared.open.lock().unwrap();
            drop(open.remove(&number));
            drop(open);
            if let Err(panic) = ended {
                let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                shared.panics.lock().unwrap().push(message);
            }
        });
    }
}

fn stream_of(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> Result<Stream, HandshakeFailure> {
    match tls {
        None => Ok(Stream::plain(socket)),
        Some(config) => Stream::secure(socket, ServerConnection::new(config).unwrap()),
    }
}

const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
