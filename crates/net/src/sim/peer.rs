//! Scripted peers: the clients and targets at the other end of simulated connections.

use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::connection::{Closed, Connection};
use super::rng::Rng;

/// One action of a peer's script. A peer also reads all the time, except after [`Act::StopReading`].
#[derive(Clone, Debug)]
pub enum Act {
    Send(Vec<u8>),
    Pause(Duration),
    /// Waits until this many bytes have been received in total, or until the worker's end of the stream.
    Await(usize),
    /// Waits for the worker's end of the stream.
    AwaitEnd,
    /// Sends back all bytes that it receives, and FIN after the worker's FIN.
    Echo,
    /// Does what the reaction says to what has come, again and again, until nothing more will come.
    React(Reaction),
    /// Sends without end.
    Flood,
    StopReading,
    StartReading,
    /// Sends FIN. The end of the script does so too; the peer then waits for the worker's FIN.
    Finish,
    /// Closes its socket: sends FIN, and a reset for whatever it has not read or still comes.
    Close,
    Reset,
}

/// Decides what a peer does, from all that it has received so far. It is asked when more has come, and again after it
/// had the peer do something. It runs within a step of the world and must not touch it.
#[derive(Clone)]
pub struct Reaction(Rc<RefCell<React>>);

type React = dyn FnMut(&[u8]) -> Vec<Act>;

impl Reaction {
    pub fn new(react: impl FnMut(&[u8]) -> Vec<Act> + 'static) -> Self {
        Self(Rc::new(RefCell::new(react)))
    }
}

impl std::fmt::Debug for Reaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reaction")
    }
}

/// How the worker ended the connection, as seen by the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Finished,
    Reset,
}

/// What a peer has received.
#[derive(Debug, Default)]
pub struct Report {
    pub received: Vec<u8>,
    /// Bytes that its socket has taken.
    pub sent: usize,
    pub end: Option<End>,
    /// Its script is over, or its connection.
    pub is_done: bool,
}

/// A handle with which a test reads the [`Report`] of a peer.
#[derive(Clone, Debug, Default)]
pub struct Peer(Rc<RefCell<Report>>);

impl Peer {
    pub fn report(&self) -> Ref<'_, Report> {
        self.0.borrow()
    }
}

/// A peer that executes its script.
#[derive(Debug)]
pub(super) struct Actor {
    peer: Peer,
    acts: VecDeque<Act>,
    unsent: VecDeque<u8>,
    /// The next action waits until this time.
    paused_until: u64,
    reading: bool,
    finished: bool,
    closed: bool,
    /// How much had come when the reaction was asked last; `None`: it is to be asked in any case.
    reacted_to: Option<usize>,
}

/// When a peer takes its next step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Soon,
    After(Duration),
    /// After the worker has changed the connection.
    Change,
    Done,
}

impl Actor {
    pub(super) fn new(script: Vec<Act>) -> Self {
        let acts = script.into();
        Self {
            peer: Peer::default(),
            acts,
            unsent: VecDeque::new(),
            paused_until: 0,
            reading: true,
            finished: false,
            closed: false,
            reacted_to: None,
        }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer.clone()
    }

    pub(super) fn refused(&self) {
        self.peer.0.borrow_mut().end = Some(End::Reset);
        self.done();
    }

    pub(super) fn done(&self) {
        self.peer.0.borrow_mut().is_done = true;
    }

    pub(super) fn step(&mut self, connection: &mut Connection, rng: &mut Rng, now: u64) -> Next {
        if self.closed {
            return self.after_close(connection, rng);
        }
        self.receive(connection, rng);
        let ended = self.end();
        if ended == Some(End::Reset) || connection.is_reset() {
            return Next::Done;
        }
        if connection.closed.is_some() && !self.unsent.is_empty() {
            self.peer.0.borrow_mut().end = Some(End::Reset);
            return Next::Done;
        }
        if !self.unsent.is_empty() {
            return self.send(connection, rng);
        }
        let more = self.reading && connection.to_receive() > 0;
        let next = if now < self.paused_until { Next::Change } else { self.act(connection, rng, now) };
        match next {
            Next::Change if more => Next::Soon,
            next => next,
        }
    }

    fn after_close(&self, connection: &mut Connection, rng: &mut Rng) -> Next {
        if connection.closed.is_some() || connection.is_reset() {
            return Next::Done;
        }
        if connection.to_receive() == 0 {
            return Next::Change;
        }
        connection.peer_reset(io::ErrorKind::ConnectionReset, rng.one_in(2));
        Next::Done
    }

    fn end(&self) -> Option<End> {
        self.peer.0.borrow().end
    }

    fn receive(&mut self, connection: &mut Connection, rng: &mut Rng) {
        let mut report = self.peer.0.borrow_mut();
        if connection.closed == Some(Closed::Reset) && report.end.is_none() {
            report.end = Some(End::Reset);
        }
        if !self.reading || report.end.is_some() {
            return;
        }
        let all = connection.to_receive();
        let bytes = connection.peer_receive(if rng.one_in(2) { all } else { rng.up_to(all) });
        report.received.extend(&bytes);
        if matches!(self.acts.front(), Some(Act::Echo)) {
            self.unsent.extend(bytes);
        }
        let finished = connection.write_finished || connection.closed.is_some();
        if finished && connection.to_receive() == 0 {
            report.end = Some(End::Finished);
        }
    }

    fn send(&mut self, connection: &mut Connection, rng: &mut Rng) -> Next {
        let chunk = if rng.one_in(2) { self.unsent.len() } else { rng.up_to(self.unsent.len()) };
        let bytes: Vec<u8> = self.unsent.iter().take(chunk.min(connection.room())).copied().collect();
        let sent = connection.peer_send(&bytes);
        self.unsent.drain(..sent);
        self.peer.0.borrow_mut().sent += sent;
        if sent == 0 && !(self.reading && connection.to_receive() > 0) { Next::Change } else { Next::Soon }
    }

    fn act(&mut self, connection: &mut Connection, rng: &mut Rng, now: u64) -> Next {
        let (received, ended) = (self.peer.0.borrow().received.len(), self.end().is_some());
        let next = match self.acts.front_mut() {
            None if self.finished => return if ended { Next::Done } else { Next::Change },
            None => {
                self.finish(connection);
                return Next::Soon;
            }
            Some(Act::Await(count)) if received < *count && !ended => return Next::Change,
            Some(Act::AwaitEnd | Act::Echo) if !ended => return Next::Change,
            Some(Act::Await(_) | Act::AwaitEnd | Act::Echo) => Next::Soon,
            Some(Act::Send(bytes)) => {
                self.unsent.extend(std::mem::take(bytes));
                Next::Soon
            }
            Some(Act::Pause(pause)) => {
                self.paused_until = now.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
                Next::After(*pause)
            }
            Some(Act::React(reaction)) => {
                let reaction = reaction.clone();
                return self.react(&reaction, received, ended);
            }
            Some(Act::Close) => {
                self.finish(connection);
                self.closed = true;
                Next::Soon
            }
            Some(Act::Flood) => {
                connection.peer_floods();
                Next::Change
            }
            Some(Act::StopReading) => {
                self.reading = false;
                Next::Soon
            }
            Some(Act::StartReading) => {
                self.reading = true;
                Next::Soon
            }
            Some(Act::Finish) => {
                self.finish(connection);
                Next::Soon
            }
            Some(Act::Reset) => {
                connection.peer_reset(io::ErrorKind::ConnectionReset, rng.one_in(2));
                Next::Done
            }
        };
        if ended || !matches!(self.acts.front(), Some(Act::Flood)) {
            self.acts.pop_front();
        }
        next
    }

    fn react(&mut self, reaction: &Reaction, received: usize, ended: bool) -> Next {
        if self.reacted_to == Some(received) {
            if ended {
                self.acts.pop_front();
            }
            return if ended { Next::Soon } else { Next::Change };
        }
        let acts = (reaction.0.borrow_mut())(&self.peer.0.borrow().received);
        self.reacted_to = acts.is_empty().then_some(received);
        for act in acts.into_iter().rev() {
            self.acts.push_front(act);
        }
        Next::Soon
    }

    fn finish(&mut self, connection: &mut Connection) {
        if !std::mem::replace(&mut self.finished, true) {
            connection.peer_finish();
        }
    }
}
