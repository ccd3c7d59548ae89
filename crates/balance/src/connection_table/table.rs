//! The table: insert, count bytes, expire, remove.

use std::num::NonZeroU64;

use super::entry::{Entry, PackedEnds};
use super::index::Index;
use super::list::{Kind, List, is_linked};
use super::pieces::Pieces;
use super::wheel::Wheel;
use super::{
    ConnectionCounts, ConnectionId, Direction, Ended, Ends, FlowLimits, IdleTimeout, ListenerNumber, Opening,
    Row, ServerNumber, State,
};
use crate::session::SessionSeed;

/// The connections of one worker. `now` is in milliseconds of one clock; an earlier time than the one before counts as
/// simultaneous.
#[derive(Debug)]
pub struct ConnectionTable<T> {
    pub(super) limits: FlowLimits,
    seed: SessionSeed,
    index: Index,
    pub(super) entries: Pieces<T>,
    wheel: Wheel,
    /// By number. Numbers are dense, since the caller gives them to names of the config.
    pub(super) listeners: Vec<OfListener>,
    /// Flows that have had no reply, and listeners that have such.
    pub(super) unanswered: u32,
    pub(super) unanswered_listeners: u32,
    /// Of the connection that was inserted last.
    number: u32,
    pub(super) counts: ConnectionCounts,
}

/// What the table holds of one listener.
#[derive(Clone, Debug)]
pub(super) struct OfListener {
    open: u32,
    pub(super) unanswered: u32,
    /// The oldest first.
    pub(super) unanswered_flows: List,
}

impl OfListener {
    const NOTHING: Self = Self { open: 0, unanswered: 0, unanswered_flows: List::EMPTY };
}

impl<T> ConnectionTable<T> {
    /// `random`: numbers that no client may know, since with them it could fill one bucket of the index.
    pub fn new(limits: FlowLimits, random: [u64; 2]) -> Self {
        Self {
            limits,
            seed: SessionSeed::new(random),
            index: Index::default(),
            entries: Pieces::default(),
            wheel: Wheel::new(),
            listeners: Vec::new(),
            unanswered: 0,
            unanswered_listeners: 0,
            number: 0,
            counts: ConnectionCounts::default(),
        }
    }

    /// Flows over a lowered limit stay until they expire or are evicted.
    pub fn set_limits(&mut self, limits: FlowLimits) {
        self.limits = limits;
    }

    /// Inserts a connection that has a socket of its own, and a permit, which is its limit.
    pub fn insert(&mut self, opening: Opening<T>, now: u64) -> ConnectionId {
        let listener = opening.listener;
        self.number = self.number.wrapping_add(1);
        let number = self.number;
        let place = self.entries.insert(Entry::new(opening, number, now));
        self.of(listener).open += 1;
        self.counts.opened += 1;
        self.schedule(place, now);
        ConnectionId { place, number }
    }

    /// Removes a connection; `None`: it is gone already.
    pub fn remove(&mut self, id: ConnectionId, now: u64) -> Option<Ended<T>> {
        self.find(id)?;
        self.take(id.place, now)
    }

    /// Counts bytes of a connection, which restart its idle timeout. False: it is gone.
    pub fn moved(&mut self, id: ConnectionId, direction: Direction, bytes: u64, now: u64) -> bool {
        let Some(entry) = self.find_mut(id) else { return false };
        match direction {
            Direction::In => entry.bytes_in += bytes,
            Direction::Out => entry.bytes_out += bytes,
        }
        entry.touch(now);
        true
    }

    /// Changes the state of a connection. That of a flow says what the table knows, and stays.
    pub fn set_state(&mut self, id: ConnectionId, state: State) {
        if let Some(entry) = self.find_mut(id).filter(|entry| !entry.is_flow()) {
            entry.state = state;
        }
    }

    pub fn set_server(&mut self, id: ConnectionId, server: Option<ServerNumber>) {
        if let Some(entry) = self.find_mut(id) {
            entry.set_server(server);
        }
    }

    pub fn set_session(&mut self, id: ConnectionId, session: Option<NonZeroU64>) {
        if let Some(entry) = self.find_mut(id) {
            entry.session = session;
        }
    }

    /// Changes the idle timeout. It counts from the last byte.
    pub fn set_idle_timeout(&mut self, id: ConnectionId, idle_timeout: IdleTimeout, now: u64) {
        if let Some(entry) = self.find_mut(id) {
            entry.set_timeout(idle_timeout);
            self.wheel.unschedule(&mut self.entries, id.place);
            self.schedule(id.place, now);
        }
    }

    /// What the caller keeps with a connection.
    pub fn payload(&self, id: ConnectionId) -> Option<&T> {
        self.find(id).map(|entry| &entry.payload)
    }

    /// See [`Self::payload`].
    pub fn payload_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        self.find_mut(id).map(|entry| &mut entry.payload)
    }

    pub fn row(&self, id: ConnectionId, now: u64) -> Option<Row> {
        self.find(id).map(|entry| entry.row(id.place, now))
    }

    /// Ends connections that have been idle for their timeout, in `most` steps. True: more may be due; call again.
    pub fn expire(&mut self, now: u64, most: u32, mut ended: impl FnMut(Ended<T>)) -> bool {
        let mut left = most;
        while let Some(at) = self.wheel.first(now, &mut left) {
            if left == 0 {
                return true;
            }
            left -= 1;
            let due = self.entries.entry(at).and_then(Entry::due);
            if due.is_some_and(|due| due > now) {
                self.wheel.unschedule(&mut self.entries, at);
                self.schedule(at, now);
                continue;
            }
            self.counts.expired += 1;
            self.take(at, now).into_iter().for_each(&mut ended);
        }
        !self.wheel.is_at(now)
    }

    /// Connections and flows.
    pub fn len(&self) -> usize {
        self.entries.len() as usize
    }

    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    pub fn flows(&self) -> usize {
        self.index.len()
    }

    /// Flows that have had no reply.
    pub fn unanswered(&self) -> u32 {
        self.unanswered
    }

    /// Connections and flows of a listener.
    pub fn open(&self, listener: ListenerNumber) -> u32 {
        self.listeners.get(listener.0 as usize).map_or(0, |of| of.open)
    }

    pub fn counts(&self) -> ConnectionCounts {
        self.counts
    }

    /// Memory of the connections, in bytes.
    pub fn bytes(&self) -> usize {
        self.entries.memory() + self.index.memory()
    }

    fn schedule(&mut self, place: u32, now: u64) {
        if let Some(due) = self.entries.entry(place).and_then(Entry::due) {
            self.wheel.schedule(&mut self.entries, place, due, now);
        }
    }

    /// Takes out whatever is at this place.
    pub(super) fn take(&mut self, place: u32, now: u64) -> Option<Ended<T>> {
        let entry = self.entries.entry(place)?;
        let (listener, words, is_flow) = (entry.listener, entry.words(), entry.is_flow());
        self.wheel.unschedule(&mut self.entries, place);
        if is_flow {
            self.leave_unanswered(place);
            let (seed, entries) = (self.seed, &self.entries);
            self.index.remove(seed.hash(words), place, |at| hash_at(seed, entries, at));
        }
        self.of(listener).open -= 1;
        let entry = self.entries.remove(place)?;
        Some(Ended { row: entry.row(place, now), payload: entry.payload })
    }

    /// Adds a flow to the index.
    pub(super) fn index(&mut self, place: u32) {
        let (seed, entries) = (self.seed, &self.entries);
        self.index.insert(hash_at(seed, entries, place), place, |at| hash_at(seed, entries, at));
    }

    /// The place of a flow.
    pub(super) fn find_flow(&self, ends: Ends) -> Option<u32> {
        self.find_words(PackedEnds::new(ends).words())
    }

    fn find_words(&self, words: [u64; 5]) -> Option<u32> {
        let is_it = |at| self.entries.entry(at).is_some_and(|entry| entry.words() == words);
        self.index.find(self.seed.hash(words), is_it)
    }

    pub(super) fn of(&mut self, listener: ListenerNumber) -> &mut OfListener {
        let at = listener.0 as usize;
        if at >= self.listeners.len() {
            self.listeners.resize(at + 1, OfListener::NOTHING);
        }
        &mut self.listeners[at]
    }

    pub(super) fn find(&self, id: ConnectionId) -> Option<&Entry<T>> {
        self.entries.entry(id.place).filter(|entry| entry.number == id.number)
    }

    pub(super) fn find_mut(&mut self, id: ConnectionId) -> Option<&mut Entry<T>> {
        self.entries.entry_mut(id.place).filter(|entry| entry.number == id.number)
    }

    /// Says what is inconsistent. Takes time in proportion to the connections: for tests and simulations.
    #[doc(hidden)]
    pub fn check(&self) -> Result<(), String> {
        let is = |is: bool, what: &str| if is { Ok(()) } else { Err(what.to_owned()) };
        let all = || (0..self.entries.end()).filter_map(|at| Some((at, self.entries.entry(at)?)));
        is(all().count() == self.len(), "the number of entries")?;
        is(self.wheel.is_sound(&self.entries), "the wheel")?;
        is(
            all().filter(|(_, entry)| entry.is_flow()).count() == self.flows(),
            "index and flows differ in size",
        )?;
        for (at, entry) in all() {
            let is_unanswered = entry.state == State::Unanswered;
            is(!entry.is_flow() || self.find_words(entry.words()) == Some(at), "a flow is not found")?;
            is(
                is_linked(Kind::Unanswered, &self.entries, at) == is_unanswered,
                "a flow is in the wrong class",
            )?;
        }
        let mut unanswered = 0;
        for (number, of) in self.listeners.iter().enumerate() {
            let places = of.unanswered_flows.places(Kind::Unanswered, &self.entries);
            let places = places.ok_or("the links of unanswered flows")?;
            let own =
                |&at: &u32| self.entries.entry(at).is_some_and(|entry| entry.listener.0 as usize == number);
            is(places.iter().all(own), "a flow is in the list of another listener")?;
            is(places.len() == of.unanswered as usize, "the number of unanswered flows of a listener")?;
            let open = all().filter(|(_, entry)| entry.listener.0 as usize == number).count();
            is(open == of.open as usize, "the number of connections of a listener")?;
            unanswered += of.unanswered;
        }
        is(unanswered == self.unanswered, "the number of unanswered flows")?;
        let listeners = self.listeners.iter().filter(|of| of.unanswered > 0).count();
        is(listeners == self.unanswered_listeners as usize, "the number of listeners with unanswered flows")
    }
}

// invariant: the index names only entries that exist.
fn hash_at<T>(seed: SessionSeed, entries: &Pieces<T>, at: u32) -> u64 {
    entries.entry(at).map_or(0, |entry| seed.hash(entry.words()))
}
