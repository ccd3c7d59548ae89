//! A shard of the table: begin, assign, reassign, end.

use hashbrown::HashTable;

use super::entries::{Entries, Entry, Kind, List, NEVER};
use super::load::{Loads, ScopeLoad};
use super::{
    Assigned, Begin, Cursor, Hold, InStore, Known, SessionCounts, SessionKey, SessionSeed, TargetId,
};

/// A part of the session table. Times are milliseconds of one clock for all calls; a call with an earlier time
/// than the one before, from a worker whose clock is behind, counts as simultaneous.
#[derive(Debug)]
pub struct SessionShard {
    capacity: u32,
    seed: SessionSeed,
    /// Places of entries, by the hash of their key.
    index: HashTable<u32>,
    pub(super) entries: Entries,
    unused: List,
    pub(super) touch: List,
    loads: Loads,
    /// Of the entry created last.
    generation: u32,
    /// Where [`sweep`](Self::sweep) continues.
    pub(super) swept: Option<Cursor>,
    pub(super) counts: SessionCounts,
}

impl SessionShard {
    /// With room for `capacity` sessions. Memory is taken when it is needed.
    pub fn new(capacity: u32, seed: SessionSeed) -> Self {
        Self {
            // limit: the two largest numbers mark the ends of lists.
            capacity: capacity.min(u32::MAX - 2),
            seed,
            index: HashTable::new(),
            entries: Entries::default(),
            unused: List::new(Kind::Unused),
            touch: List::new(Kind::Touch),
            loads: Loads::default(),
            generation: 0,
            swept: None,
            counts: SessionCounts::default(),
        }
    }

    /// Finds the session of a request and holds it open. [`end`](Self::end) must follow.
    ///
    /// A session is known while a request is open, or less than `timeout_ms` after the last one has ended.
    pub fn begin(&mut self, key: SessionKey, timeout_ms: u64, now: u64) -> Begin {
        let Some(at) = self.find(key) else { return Begin::Absent };
        if !self.entries[at].is_live(timeout_ms, now) {
            self.expire(at);
            return Begin::Absent;
        }
        Begin::Known(self.open(at, timeout_ms, now))
    }

    /// Makes a session for a request, and holds it open. If another request has made it meanwhile, that one's target counts.
    /// If the shard is full, the session goes that has been unused longest.
    pub fn assign(&mut self, key: SessionKey, target: TargetId, timeout_ms: u64, now: u64) -> Assigned {
        if let Begin::Known(known) = self.begin(key, timeout_ms, now) {
            let Known { target, hold, .. } = known;
            return Assigned { target, hold: Some(hold), is_new: false, evicted: false };
        }
        let Some(evicted) = self.make_room(now) else {
            self.counts.full += 1;
            return Assigned { target, hold: None, is_new: false, evicted: false };
        };
        self.generation = self.generation.wrapping_add(1);
        let at = self.entries.push(Entry::new(key, target, self.generation, now));
        let (seed, entries) = (self.seed, &self.entries);
        let hash = |&at: &u32| seed.hash(entries[at].words());
        self.index.insert_unique(hash(&at), at, hash);
        self.counts.created += 1;
        let Known { hold, .. } = self.open(at, timeout_ms, now);
        Assigned { target, hold: Some(hold), is_new: true, evicted }
    }

    /// Gives a session to another target if it is still at `from`; returns where it is then. Of several requests that find
    /// the target failed, the first one decides. `None`: there is no session.
    pub fn reassign(&mut self, key: SessionKey, from: TargetId, to: TargetId) -> Option<TargetId> {
        let at = self.find(key)?;
        let entry = &mut self.entries[at];
        if entry.target == from && from != to {
            entry.target = to;
            self.counts.moved += 1;
        }
        Some(entry.target)
    }

    /// Gives a session to the target that the store names, whichever it had; false: there is no session or no change. It
    /// does not count as moved: the process that moved it counts that.
    pub fn correct(&mut self, key: SessionKey, to: TargetId) -> bool {
        let Some(at) = self.find(key) else { return false };
        std::mem::replace(&mut self.entries[at].target, to) != to
    }

    /// Ends a request. The timeout counts from the end of a session's last one.
    pub fn end(&mut self, key: SessionKey, hold: Hold, now: u64) {
        let Some(at) = self.find(key) else { return };
        let entry = &mut self.entries[at];
        if entry.generation != hold.0 || entry.open == 0 {
            return;
        }
        entry.open -= 1;
        entry.last = entry.last.max(now);
        if entry.open == 0 {
            self.unused.push_last(&mut self.entries, at);
        }
    }

    /// Forgets a session, even with open requests; returns its target.
    pub fn remove(&mut self, key: SessionKey) -> Option<TargetId> {
        let at = self.find(key)?;
        let target = self.entries[at].target;
        self.discard(at);
        Some(target)
    }

    /// Changes how many sessions there may be. Of too many, those go that have been unused longest; what is in use stays,
    /// and counts until it expires.
    pub fn set_capacity(&mut self, capacity: u32) {
        self.capacity = capacity.min(u32::MAX - 2);
        while self.entries.len() > self.capacity {
            let Some(at) = self.unused.first() else { return };
            self.discard(at);
            self.counts.evicted += 1;
        }
    }

    /// Sessions, including those that have expired and were not asked for since.
    pub fn len(&self) -> usize {
        self.entries.len() as usize
    }

    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    pub fn counts(&self) -> SessionCounts {
        self.counts
    }

    /// How requests spread over sessions, per scope, in the last complete minute.
    pub fn loads(&mut self, now: u64) -> Vec<ScopeLoad> {
        self.loads.last_window(now)
    }

    /// Memory of the sessions, in bytes.
    pub fn bytes(&self) -> usize {
        self.entries.bytes() + self.index.allocation_size()
    }

    pub(super) fn find(&self, key: SessionKey) -> Option<u32> {
        let words = key.words();
        self.index.find(self.seed.hash(words), |&at| self.entries[at].words() == words).copied()
    }

    fn open(&mut self, at: u32, timeout_ms: u64, now: u64) -> Known {
        self.unused.unlink(&mut self.entries, at);
        let entry = &mut self.entries[at];
        entry.open = entry.open.saturating_add(1);
        entry.timeout_ms = u32::try_from(timeout_ms).unwrap_or(u32::MAX);
        self.loads.count(entry, now);
        let in_store = entry.in_store();
        let known = Known { target: entry.target, hold: Hold(entry.generation), in_store };
        if in_store != InStore::Unknown && !self.touch.contains(&self.entries, at) {
            // It was taken off the list because it was due and unused.
            self.touch.push_first(&mut self.entries, at);
        }
        known
    }

    /// Makes room for one more; says whether a session had to be evicted. `None`: there is no room.
    fn make_room(&mut self, now: u64) -> Option<bool> {
        // Where all timeouts are equal this alone keeps the table free of expired sessions: two go for each that comes.
        for _ in 0..2 {
            match self.unused.first() {
                Some(at) if self.entries[at].is_expired(now) => self.expire(at),
                _ => break,
            }
        }
        if self.entries.len() < self.capacity {
            return Some(false);
        }
        let at = self.unused.first()?;
        self.counts.evicted += 1;
        self.discard(at);
        Some(true)
    }

    fn expire(&mut self, at: u32) {
        self.counts.expired += 1;
        self.discard(at);
    }

    pub(super) fn discard(&mut self, at: u32) {
        self.unused.unlink(&mut self.entries, at);
        self.touch.unlink(&mut self.entries, at);
        let moved = self.entries.len() - 1;
        let hash = |at: u32| self.seed.hash(self.entries[at].words());
        let (gone, moves) = (hash(at), hash(moved));
        if let Ok(place) = self.index.find_entry(gone, |&place| place == at) {
            place.remove();
        }
        if let Some(place) = self.index.find_mut(moves, |&place| place == moved) {
            *place = at;
        }
        self.entries.swap_remove(at);
        if at != moved {
            self.unused.renumber(&mut self.entries, at);
            self.touch.renumber(&mut self.entries, at);
        }
        self.shrink_index();
    }

    fn shrink_index(&mut self) {
        let len = self.entries.len() as usize;
        if self.index.capacity() > INDEX_MIN && self.index.capacity() > 4 * len {
            let (seed, entries) = (self.seed, &self.entries);
            self.index.shrink_to(2 * len, |&at| seed.hash(entries[at].words()));
        }
    }

    /// Says what is inconsistent. Takes time in proportion to the sessions: for tests and simulations.
    #[doc(hidden)]
    pub fn check(&self) -> Result<(), String> {
        let is = |is: bool, what: &str| if is { Ok(()) } else { Err(what.to_owned()) };
        is(self.entries.len() <= self.capacity, "more sessions than the capacity")?;
        is(self.index.len() == self.len(), "index and entries differ in size")?;
        is(self.unused.is_sound(&self.entries), "the links of unused sessions")?;
        is(self.touch.is_sound(&self.entries), "the links of touched sessions")?;
        for at in 0..self.entries.len() {
            let entry = &self.entries[at];
            is(self.find(entry.key()) == Some(at), "an entry is not found by its key")?;
            is(
                self.unused.contains(&self.entries, at) == (entry.open == 0),
                "unused is not the same as closed",
            )?;
            is(
                entry.told != NEVER || !self.touch.contains(&self.entries, at),
                "touched, but not in a store",
            )?;
        }
        Ok(())
    }

    /// Sessions without an open request, the longest unused first; for tests and simulations.
    #[doc(hidden)]
    pub fn unused_keys(&self) -> Vec<SessionKey> {
        self.unused.places(&self.entries).into_iter().map(|at| self.entries[at].key()).collect()
    }
}

/// An index this small is not worth a rehash.
const INDEX_MIN: usize = 512;
