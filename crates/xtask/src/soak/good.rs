//! Clients that deserve their answers, and what becomes of each request.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use balance::Rng;

use super::exchange;

/// How a good client behaves.
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
    /// All of them, and how many clients there are of each.
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

/// A request without its answer.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) kind: Kind,
    /// As in the access log.
    pub(crate) request_target: String,
    /// Known of a tunnel; of the others the access log knows it.
    pub(crate) target: Option<SocketAddr>,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) what: String,
}

/// What one client did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) answered: u64,
    pub(crate) losses: Vec<Loss>,
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) doors: Vec<SocketAddr>,
    pub(crate) is_over: AtomicBool,
    ids: AtomicU64,
}

impl World {
    pub(crate) fn new(doors: Vec<SocketAddr>) -> Self {
        Self { doors, is_over: AtomicBool::new(false), ids: AtomicU64::new(1) }
    }

    pub(crate) fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(crate) fn connect(&self, random: &mut Rng) -> io::Result<TcpStream> {
        let door = self.doors[random.below(self.doors.len() as u64) as usize];
        let stream = TcpStream::connect_timeout(&door, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A request on its way.
struct Asked {
    id: u64,
    request_target: String,
    expected: Vec<u8>,
    began: Instant,
}

/// A client until the load's end: connection after connection.
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
    let mut input = Vec::new();
    for _ in 0..turns {
        let asked: Vec<Asked> = (0..at_once).map(|_| Asked::new(world, random)).collect();
        let sent = asked.iter().try_for_each(|asked| asked.send(&stream, kind));
        for one in &asked {
            // What cannot be sent may have been refused with an answer.
            let answer = one.receive(&stream, &mut input);
            let Err(what) = answer else {
                done.answered += 1;
                continue;
            };
            let what = sent.as_ref().err().map_or(what.clone(), |error| format!("{what}, {error}"));
            done.losses.push(one.lost(kind, what));
            // Those behind it were never begun: they are nobody's loss, as any client knows that pipelines.
            return;
        }
        if world.is_over() {
            return;
        }
        std::thread::sleep(Duration::from_millis(random.below(PAUSE_MILLIS)));
    }
}

impl Asked {
    fn new(world: &World, random: &mut Rng) -> Self {
        let id = world.id();
        let size = match random.below(100) {
            0 => 400_000,
            1..=9 => 1 + random.below(64_000) as usize,
            _ => random.below(2_000) as usize,
        };
        let request_target = format!("/echo/{id}/{size}");
        Self { id, request_target, expected: exchange::pattern(id, size), began: Instant::now() }
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
                for piece in self.expected.chunks(1_000 + (self.id % 5_000) as usize) {
                    message.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                    message.extend_from_slice(piece);
                    message.extend_from_slice(b"\r\n");
                }
                message.extend_from_slice(b"0\r\n\r\n");
                message
            }
            _ => format!("GET {path} HTTP/1.1\r\nHost: soak.example\r\n{close}\r\n").into_bytes(),
        };
        stream.write_all(&message)
    }

    fn receive(&self, stream: &TcpStream, input: &mut Vec<u8>) -> Result<(), String> {
        let head = exchange::read_head(stream, input).map_err(|error| format!("no answer: {error}"))?;
        let body = exchange::read_body(stream, input, &head);
        if head.status() != 200 {
            let status = head.field("proxy-status").unwrap_or_default();
            return Err(format!("status {} {status}", head.status()));
        }
        let body = body.map_err(|error| format!("the answer broke off: {error}"))?;
        if body == self.expected { Ok(()) } else { Err(WRONG.to_owned()) }
    }

    fn lost(&self, kind: Kind, what: String) -> Loss {
        let (request_target, ended) = (self.request_target.clone(), Instant::now());
        Loss { kind, request_target, target: None, began: self.began, ended, what }
    }
}

/// Messages that come back, each of them one request of the tally.
fn tunnel(world: &World, random: &mut Rng, done: &mut Done) {
    let (began, id) = (Instant::now(), world.id());
    let request_target = format!("/echo/{id}/0");
    let mut target = None;
    let mut converse = || -> Result<u64, (u64, String)> {
        let failed = |messages| move |error: io::Error| (messages, format!("tunnel: {error}"));
        let stream = world.connect(random).map_err(failed(0))?;
        let mut input = Vec::new();
        (&stream).write_all(testkit::websocket_request(&request_target).as_bytes()).map_err(failed(0))?;
        let head = exchange::read_head(&stream, &mut input).map_err(failed(0))?;
        target = head.field("x-target").and_then(|address| address.parse().ok());
        if head.status() != 101 {
            return Err((0, format!("status {}", head.status())));
        }
        let mut messages = 0;
        while messages < 1 + random.below(100) && !world.is_over() {
            let message = exchange::pattern(world.id(), 1 + random.below(8_000) as usize);
            (&stream).write_all(&message).map_err(failed(messages))?;
            let mut echo = Vec::new();
            exchange::take(&stream, &mut input, message.len(), &mut echo).map_err(failed(messages))?;
            if echo != message {
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

/// No fault excuses it.
pub(crate) const WRONG: &str = "a wrong answer";
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE_MILLIS: u64 = 120;
