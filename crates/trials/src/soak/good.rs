//! Good clients, and the result of each of their requests.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use balance::Rng;

use super::echo;
use crate::exchange::{self, Reader};

/// The behaviour of a good client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    KeepAlive,
    Pipelined,
    Short,
    Post,
    Chunked,
    WebSocket,
}

impl Kind {
    /// All kinds, and the number of clients of each.
    pub(crate) const ALL: [(Self, usize); 6] = [
        (Self::KeepAlive, 16),
        (Self::Pipelined, 6),
        (Self::Short, 8),
        (Self::Post, 10),
        (Self::Chunked, 6),
        (Self::WebSocket, 10),
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive",
            Self::Pipelined => "pipelined",
            Self::Short => "short",
            Self::Post => "POST",
            Self::Chunked => "POST, chunked",
            Self::WebSocket => "WebSocket",
        }
    }
}

/// A request without its response.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) kind: Kind,
    /// As in the access log.
    pub(crate) request_target: String,
    /// Known for a tunnel; for other requests the access log has it.
    pub(crate) target: Option<SocketAddr>,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) what: String,
}

/// The results of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) answered: u64,
    pub(crate) losses: Vec<Loss>,
}

/// Shared by all clients.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) listeners: Vec<SocketAddr>,
    pub(crate) is_over: AtomicBool,
    ids: AtomicU64,
}

impl World {
    pub(crate) fn new(listeners: Vec<SocketAddr>) -> Self {
        Self { listeners, is_over: AtomicBool::new(false), ids: AtomicU64::new(1) }
    }

    pub(crate) fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(crate) fn connect(&self, random: &mut Rng) -> io::Result<TcpStream> {
        let listener = self.listeners[random.below(self.listeners.len() as u64) as usize];
        exchange::connect(listener, PATIENCE)
    }
}

/// A request in flight.
struct Request {
    id: u64,
    request_target: String,
    expected: Vec<u8>,
    began: Instant,
}

/// Runs a client until the load ends, one connection after the other.
pub(crate) fn run(world: &World, kind: Kind, mut random: Rng) -> Done {
    let mut done = Done::default();
    while !world.is_over() {
        if kind == Kind::WebSocket {
            tunnel(world, &mut random, &mut done);
        } else {
            connection(world, kind, &mut random, &mut done);
        }
    }
    done
}

fn connection(world: &World, kind: Kind, random: &mut Rng, done: &mut Done) {
    let turns = if kind == Kind::Short { 1 } else { 1 + random.below(60) };
    let at_once = if kind == Kind::Pipelined { 2 + random.below(6) } else { 1 };
    let connecting = Instant::now();
    let stream = match world.connect(random) {
        Ok(stream) => stream,
        Err(error) => {
            let (request_target, ended) = ("connect".to_owned(), Instant::now());
            let what = error.to_string();
            done.losses.push(Loss { kind, request_target, target: None, began: connecting, ended, what });
            return;
        }
    };
    let mut reader = Reader::new(&stream);
    for _ in 0..turns {
        let requests: Vec<Request> = (0..at_once).map(|_| Request::new(world, random)).collect();
        let sent = requests.iter().try_for_each(|request| request.send(&stream, kind));
        for one in &requests {
            // A request that could not be sent may have got an early response.
            let Err(what) = one.receive(&mut reader) else {
                done.answered += 1;
                continue;
            };
            let what = sent.as_ref().err().map_or(what.clone(), |error| format!("{what}, {error}"));
            done.losses.push(one.lost(kind, what));
            // The requests behind it were not processed. A client that pipelines expects that.
            return;
        }
        if world.is_over() {
            return;
        }
        std::thread::sleep(Duration::from_millis(random.below(PAUSE_MILLIS)));
    }
}

impl Request {
    fn new(world: &World, random: &mut Rng) -> Self {
        let id = world.id();
        let size = match random.below(100) {
            0 => 400_000,
            1..=9 => 1 + random.below(64_000) as usize,
            _ => random.below(2_000) as usize,
        };
        let request_target = format!("/echo/{id}/{size}");
        Self { id, request_target, expected: echo::pattern(id, size), began: Instant::now() }
    }

    fn send(&self, mut stream: &TcpStream, kind: Kind) -> io::Result<()> {
        let path = &self.request_target;
        let close = if kind == Kind::Short { "Connection: close\r\n" } else { "" };
        let length = self.expected.len();
        let message = match kind {
            Kind::Post => [
                format!("POST {path} HTTP/1.1\r\nHost: soak.example\r\nContent-Length: {length}\r\n\r\n")
                    .as_bytes(),
                &self.expected,
            ]
            .concat(),
            Kind::Chunked => {
                let head = "Host: soak.example\r\nTransfer-Encoding: chunked\r\n\r\n";
                let mut message = format!("POST {path} HTTP/1.1\r\n{head}").into_bytes();
                let pieces = self.expected.chunks(1_000 + (self.id % 5_000) as usize);
                pieces.for_each(|piece| message.append(&mut echo::chunk(piece)));
                message.append(&mut echo::chunk(b""));
                message
            }
            _ => format!("GET {path} HTTP/1.1\r\nHost: soak.example\r\n{close}\r\n").into_bytes(),
        };
        stream.write_all(&message)
    }

    fn receive(&self, reader: &mut Reader<'_>) -> Result<(), String> {
        let head = reader.head().map_err(|error| format!("no response: {error}"))?;
        let body = reader.body(&head);
        if head.status() != 200 {
            let status = head.field("proxy-status").unwrap_or_default();
            return Err(format!("status {} {status}", head.status()));
        }
        let body = body.map_err(|error| format!("the response ended early: {error}"))?;
        if body == self.expected { Ok(()) } else { Err(WRONG.to_owned()) }
    }

    fn lost(&self, kind: Kind, what: String) -> Loss {
        let (request_target, ended) = (self.request_target.clone(), Instant::now());
        Loss { kind, request_target, target: None, began: self.began, ended, what }
    }
}

/// Sends messages through a tunnel, which must come back. Each counts as a request.
fn tunnel(world: &World, random: &mut Rng, done: &mut Done) {
    let (began, id) = (Instant::now(), world.id());
    let request_target = format!("/echo/{id}/0");
    let mut target = None;
    let mut converse = || -> Result<u64, (u64, String)> {
        let failed = |messages| move |error: io::Error| (messages, format!("tunnel: {error}"));
        let stream = world.connect(random).map_err(failed(0))?;
        let mut reader = Reader::new(&stream);
        (&stream).write_all(testkit::websocket_request(&request_target).as_bytes()).map_err(failed(0))?;
        let head = reader.head().map_err(failed(0))?;
        target = head.field("x-target").and_then(|address| address.parse().ok());
        if head.status() != 101 {
            return Err((0, format!("status {}", head.status())));
        }
        let mut messages = 0;
        while messages < 1 + random.below(100) && !world.is_over() {
            let message = echo::pattern(world.id(), 1 + random.below(8_000) as usize);
            (&stream).write_all(&message).map_err(failed(messages))?;
            if reader.exactly(message.len()).map_err(failed(messages))? != message {
                return Err((messages, WRONG.to_owned()));
            }
            messages += 1;
            std::thread::sleep(Duration::from_millis(random.below(PAUSE_MILLIS)));
        }
        Ok(messages)
    };
    match converse() {
        Ok(messages) => done.answered += messages,
        Err((messages, what)) => {
            done.answered += messages;
            let (kind, ended) = (Kind::WebSocket, Instant::now());
            done.losses.push(Loss { kind, request_target, target, began, ended, what });
        }
    }
}

/// A loss that no fault excuses.
pub(crate) const WRONG: &str = "a wrong response";
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE_MILLIS: u64 = 120;
