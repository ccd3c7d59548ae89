//! The state of a simulated world: descriptors, connections, and the agenda of future steps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connection::{Connection, Registration};
use super::peer::{Act, Actor, Next, Peer};
use super::rng::Rng;
use super::{SimBell, Target};
use crate::sys::{Event, Fd};

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: u64,
    /// Whether the process is sometimes stopped and continued, as under a debugger.
    pub(super) jumps: bool,
    pub(super) jumped: Duration,
    pub(super) last_stall: Duration,
    pub(super) waits: u64,
    /// Since the last wait.
    pub(super) reads: u64,
    pub(super) bell: Option<(u64, Arc<SimBell>)>,
    pub(super) descriptors_max: usize,
    pub(super) roomy: bool,
    pub(super) violation: Option<String>,
    /// A [`Step::Call`] was made since the last wait.
    pub(super) has_called: bool,
    nodes: BTreeMap<Fd, Node>,
    /// Never reused, so that a call on a closed descriptor is always found.
    next_fd: Fd,
    pairs: Vec<(Connection, Actor)>,
    /// Connections whose peer takes a step soon.
    poked: BTreeSet<usize>,
    pub(super) targets: BTreeMap<SocketAddr, Target>,
    pub(super) connected: Vec<(SocketAddr, Peer)>,
    agenda: BTreeMap<(u64, u64), Step>,
    steps: u64,
}

pub(super) enum Node {
    Connection(usize),
    Listener(Listening),
    PipeRead(Fd),
    PipeWrite { held: VecDeque<u8>, capacity: usize },
}

pub(super) struct Listening {
    pub(super) queue: VecDeque<usize>,
    backlog: usize,
    pub(super) registration: Registration,
}

pub(super) enum Step {
    Peer(usize),
    Arrive(usize, Fd),
    Connect(usize, Result<(), io::ErrorKind>),
    Memory(usize),
    Call(Box<dyn FnOnce()>),
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            now: rng.below(1 << 50),
            jumps: rng.one_in(4),
            jumped: Duration::ZERO,
            last_stall: Duration::ZERO,
            waits: 0,
            reads: 0,
            bell: None,
            descriptors_max: usize::MAX,
            roomy: false,
            violation: None,
            has_called: false,
            nodes: BTreeMap::new(),
            next_fd: 3,
            pairs: Vec::new(),
            poked: BTreeSet::new(),
            targets: BTreeMap::new(),
            connected: Vec::new(),
            agenda: BTreeMap::new(),
            steps: 0,
            rng,
        }
    }

    pub(super) fn plan(&mut self, after: u64, step: Step) {
        self.steps += 1;
        // Steps that are due at the same time happen in random order.
        let order = self.rng.word() << 32 | self.steps;
        self.agenda.insert((self.now.saturating_add(after), order), step);
    }

    pub(super) fn next_step_at(&self) -> Option<u64> {
        self.agenda.keys().next().map(|&(at, _)| at)
    }

    /// Takes the next step of the agenda. A call is returned, so that the caller makes it after its borrow of the world.
    pub(super) fn advance(&mut self) -> Option<Box<dyn FnOnce()>> {
        let ((at, _), step) = self.agenda.pop_first()?;
        self.now = self.now.max(at);
        match step {
            Step::Call(call) => return Some(call),
            Step::Peer(number) => self.step_peer(number),
            Step::Arrive(number, listener) => self.arrive(number, listener),
            Step::Memory(number) => self.pairs[number].0.memory_came(),
            Step::Connect(number, Ok(())) => {
                self.pairs[number].0.established();
                self.poke(number);
            }
            Step::Connect(number, Err(kind)) => self.pairs[number].0.peer_reset(kind, false),
        }
        None
    }

    fn step_peer(&mut self, number: usize) {
        self.poked.remove(&number);
        let (connection, actor) = &mut self.pairs[number];
        match actor.step(connection, &mut self.rng, self.now) {
            Next::Soon => self.poke(number),
            Next::After(pause) => {
                self.plan(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX), Step::Peer(number));
            }
            Next::Change => {}
            Next::Done => actor.done(),
        }
    }

    /// Has the peer take a step soon.
    pub(super) fn poke(&mut self, number: usize) {
        if !self.poked.insert(number) {
            return;
        }
        let after = self.rng.below(300_000);
        self.plan(after, Step::Peer(number));
    }

    fn arrive(&mut self, number: usize, fd: Fd) {
        match self.nodes.get_mut(&fd) {
            Some(Node::Listener(listening)) if listening.queue.len() < listening.backlog => {
                listening.queue.push_back(number);
                listening.registration.changed();
                self.poke(number);
            }
            // The accept queue is full: the client retransmits its SYN.
            Some(Node::Listener(_)) => self.plan(1_000_000_000, Step::Arrive(number, fd)),
            _ => self.pairs[number].1.refused(),
        }
    }

    pub(super) fn client(&mut self, listener: Fd, after: Duration, script: Vec<Act>) -> Peer {
        let number = self.pair(script, false);
        self.plan(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX), Step::Arrive(number, listener));
        self.pairs[number].1.peer()
    }

    fn pair(&mut self, script: Vec<Act>, connecting: bool) -> usize {
        let connection = Connection::new(&mut self.rng, connecting, self.roomy);
        self.pairs.push((connection, Actor::new(script)));
        self.pairs.len() - 1
    }

    pub(super) fn stream(&mut self, script: Vec<Act>) -> (io::Result<Fd>, Peer) {
        let number = self.pair(script, false);
        self.poke(number);
        (self.open(Node::Connection(number)), self.pairs[number].1.peer())
    }

    pub(super) fn connect(&mut self, address: SocketAddr) -> io::Result<Fd> {
        let (script, result) = match self.targets.get_mut(&address) {
            Some(Target::Accepts(script)) => (script(), Some(Ok(()))),
            Some(Target::Silent) => (Vec::new(), None),
            Some(Target::Refuses) | None => (Vec::new(), Some(Err(io::ErrorKind::ConnectionRefused))),
        };
        let number = self.pair(script, true);
        self.connected.push((address, self.pairs[number].1.peer()));
        if let Some(result) = result {
            let after = self.rng.below(30_000_000);
            self.plan(after, Step::Connect(number, result));
        }
        self.open(Node::Connection(number))
    }

    pub(super) fn listen(&mut self) -> io::Result<Fd> {
        let backlog = self.rng.up_to(8);
        self.open(Node::Listener(Listening {
            queue: VecDeque::new(),
            backlog,
            registration: Registration::default(),
        }))
    }

    pub(super) fn pipe(&mut self) -> io::Result<(Fd, Fd, usize)> {
        let capacity = 16 + self.rng.size(8192);
        let write = self.open(Node::PipeWrite { held: VecDeque::new(), capacity })?;
        let read = self.open(Node::PipeRead(write)).inspect_err(|_| drop(self.nodes.remove(&write)))?;
        Ok((read, write, capacity))
    }

    pub(super) fn open(&mut self, node: Node) -> io::Result<Fd> {
        if self.nodes.len() >= self.descriptors_max {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        let fd = self.next_fd;
        self.next_fd += 1;
        self.nodes.insert(fd, node);
        Ok(fd)
    }

    pub(super) fn close(&mut self, fd: Fd) {
        match self.nodes.remove(&fd) {
            None => self.violates(format!("descriptor {fd} is closed twice")),
            Some(Node::Connection(number)) => {
                self.pairs[number].0.close();
                self.poke(number);
            }
            Some(Node::Listener(listening)) => {
                listening.queue.into_iter().for_each(|number| self.pairs[number].1.refused());
            }
            Some(Node::PipeRead(_) | Node::PipeWrite { .. }) => {}
        }
    }

    pub(super) fn open_count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn violates(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// The connection of `fd`, for a call whose effect the peer can see.
    pub(super) fn connection(&mut self, fd: Fd) -> io::Result<(&mut Connection, &mut Rng)> {
        let Some(&Node::Connection(number)) = self.nodes.get(&fd) else { return Err(self.bad(fd)) };
        self.poke(number);
        Ok((&mut self.pairs[number].0, &mut self.rng))
    }

    /// Checks that `fd` is open, for a call without effect.
    pub(super) fn exists(&mut self, fd: Fd) -> io::Result<()> {
        if self.nodes.contains_key(&fd) { Ok(()) } else { Err(self.bad(fd)) }
    }

    pub(super) fn listening(&mut self, fd: Fd) -> io::Result<&mut Listening> {
        match self.nodes.get_mut(&fd) {
            Some(Node::Listener(listening)) => Ok(listening),
            _ => Err(io::Error::from_raw_os_error(EBADF)),
        }
    }

    fn bad(&mut self, fd: Fd) -> io::Error {
        self.violates(format!("a call on descriptor {fd}, which is not of the right kind"));
        io::Error::from_raw_os_error(EBADF)
    }

    /// How many of `len` bytes a write may take now. If the simulated kernel is short of memory, it has memory again later.
    pub(super) fn admit(&mut self, fd: Fd, len: usize) -> io::Result<usize> {
        let Some(&Node::Connection(number)) = self.nodes.get(&fd) else { return Err(self.bad(fd)) };
        let connection = &mut self.pairs[number].0;
        let before = connection.no_memory;
        let count = connection.admit(len, &mut self.rng);
        if connection.no_memory && !before {
            let after = self.rng.below(5_000_000);
            self.plan(after, Step::Memory(number));
        }
        count
    }

    /// From a connection into a pipe.
    pub(super) fn splice_in(&mut self, from: Fd, pipe: Fd, len: usize) -> io::Result<usize> {
        let Some(Node::PipeWrite { held, capacity }) = self.nodes.get(&pipe) else {
            return Err(self.bad(pipe));
        };
        let free = len.min(capacity - held.len());
        if free == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (connection, rng) = self.connection(from)?;
        // A pipe's limit counts pages, so that it may take fewer bytes than its capacity.
        let len = if rng.one_in(2) { free } else { rng.up_to(free) };
        let bytes = connection.take(len)?;
        if let Some(Node::PipeWrite { held, .. }) = self.nodes.get_mut(&pipe) {
            held.extend(&bytes);
        }
        Ok(bytes.len())
    }

    /// From a pipe into a connection.
    pub(super) fn splice_out(&mut self, pipe: Fd, to: Fd, len: usize) -> io::Result<usize> {
        let Some(&Node::PipeRead(write)) = self.nodes.get(&pipe) else { return Err(self.bad(pipe)) };
        let Some(Node::PipeWrite { held, .. }) = self.nodes.get(&write) else { return Err(self.bad(write)) };
        let count = self.admit(to, len.min(held.len()))?;
        let bytes: Vec<u8> = match self.nodes.get_mut(&write) {
            Some(Node::PipeWrite { held, .. }) => held.drain(..count).collect(),
            _ => Vec::new(),
        };
        self.connection(to)?.0.send(bytes);
        Ok(count)
    }

    pub(super) fn is_pipe(&self, fd: Fd) -> bool {
        matches!(self.nodes.get(&fd), Some(Node::PipeRead(_) | Node::PipeWrite { .. }))
    }

    pub(super) fn register(&mut self, fd: Fd, token: u64) -> io::Result<()> {
        match self.nodes.get_mut(&fd) {
            Some(Node::Listener(listening)) => listening.registration.register(token),
            Some(&mut Node::Connection(number)) => self.pairs[number].0.registration.register(token),
            _ => Err(self.bad(fd)),
        }
    }

    /// Appends the events of an epoll wait: a random part of the sources with an edge, at least one if there is any, in random
    /// order, each with its current state.
    pub(super) fn harvest(&mut self, events: &mut Vec<Event>) {
        let before = events.len();
        if let Some((token, bell)) = &self.bell
            && bell.rung.load(Ordering::SeqCst)
        {
            events.push(Event { token: *token, readable: true, ..Event::default() });
        }
        for node in self.nodes.values_mut() {
            let (registration, event): (&mut Registration, &dyn Fn(u64) -> Event) = match node {
                Node::Listener(listening) => {
                    let readable = !listening.queue.is_empty();
                    (&mut listening.registration, &move |token| Event { token, readable, ..Event::default() })
                }
                Node::Connection(number) => {
                    let connection = &mut self.pairs[*number].0;
                    let now = connection.event(0);
                    (&mut connection.registration, &move |token| Event { token, ..now })
                }
                _ => continue,
            };
            let Some(token) = registration.token.filter(|_| registration.edge) else { continue };
            let event = event(token);
            let is_event = event.readable || event.writable || event.read_closed || event.gone;
            if is_event && events.len() > before && self.rng.one_in(8) {
                continue;
            }
            registration.edge = false;
            if is_event {
                events.push(event);
            }
        }
        for index in (before + 1..events.len()).rev() {
            events.swap(index, before + self.rng.size(index - before + 1));
        }
    }

    /// Whether `fd` is registered and `ready`, but no event for it is pending.
    pub(super) fn is_silently(&self, fd: Fd, ready: fn(&Connection) -> bool) -> bool {
        match self.nodes.get(&fd) {
            Some(&Node::Connection(number)) => {
                let connection = &self.pairs[number].0;
                let registration = &connection.registration;
                registration.token.is_some() && !registration.edge && ready(connection)
            }
            _ => false,
        }
    }

    /// The same for a listener socket whose accept queue is not empty.
    pub(super) fn is_silent_listener(&self, fd: Fd) -> bool {
        matches!(self.nodes.get(&fd), Some(Node::Listener(l))
            if l.registration.token.is_some() && !l.registration.edge && !l.queue.is_empty())
    }

    /// Describes all open connections, for error messages.
    pub(super) fn describe(&self) -> String {
        let connections = self.nodes.iter().filter_map(|(fd, node)| match node {
            Node::Connection(number) => Some(format!("  descriptor {fd}: {:?}", self.pairs[*number].0)),
            _ => None,
        });
        connections.collect::<Vec<_>>().join("\n")
    }
}

const EMFILE: i32 = 24;
const EBADF: i32 = 9;
