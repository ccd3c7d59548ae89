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
    /// Sends without end.
    Flood,
    StopReading,
    StartReading,
    /// Sends FIN. The end of the script does so too; the peer then waits for the worker's FIN.
    Finish,
    Reset,
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
    pub end: Option<End>,
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
        }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer.clone()
    }

    pub(super) fn refused(&self) {
        self.peer.0.borrow_mut().end = Some(End::Reset);
    }

    pub(super) fn step(&mut self, connection: &mut Connection, rng: &mut Rng, now: u64) -> Next {
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
        let bytes: Vec<u8> = self.unsent.iter().take(chunk).copied().collect();
        let sent = connection.peer_send(&bytes);
        self.unsent.drain(..sent);
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

    fn finish(&mut self, connection: &mut Connection) {
        if !std::mem::replace(&mut self.finished, true) {
            connection.peer_finish();
        }
    }
}
