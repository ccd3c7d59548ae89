//! A shard of the table: begin, assign, reassign, end.

use hashbrown::HashTable;

use super::entries::{Entries, Entry, Kind, List, NEVER};
use super::load::{Loads, ScopeLoad};
use super::pace::Pace;
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
    /// All sessions but some of the open ones: those go when they are looked at, and come back with the end of their request.
    queue: List,
    /// By [`Pace`].
    pub(super) touch: [List; Pace::ALL.len()],
    /// Sessions with an open request.
    held: u32,
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
            queue: List::new(Kind::Queue),
            touch: Pace::ALL.map(|_| List::new(Kind::Touch)),
            held: 0,
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
        self.entries[at].is_used = true;
        Begin::Known(self.open(at, timeout_ms, now))
    }

    /// Makes a session for a request, and holds it open. If another request has made it meanwhile, that one's target counts.
    /// If the shard is full, a session without an open request goes for it (see [`evict`](Self::evict)).
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
            self.held -= 1;
            if !self.queue.contains(&self.entries, at) {
                self.queue.push_last(&mut self.entries, at);
            }
        }
    }

    /// Forgets a session, even with open requests; returns its target.
    pub fn remove(&mut self, key: SessionKey) -> Option<TargetId> {
        let at = self.find(key)?;
        let target = self.entries[at].target;
        self.discard(at);
        Some(target)
    }

    /// Changes how many sessions there may be. Of too many, those go that a full shard would evict; what has an open request
    /// stays, and counts until it expires.
    pub fn set_capacity(&mut self, capacity: u32) {
        self.capacity = capacity.min(u32::MAX - 2);
        // At this time none has expired: what has is of no interest here.
        while self.entries.len() > self.capacity && self.evict(0).is_some() {}
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
        let entry = &mut self.entries[at];
        self.held += u32::from(entry.open == 0);
        entry.open = entry.open.saturating_add(1);
        entry.timeout_ms = u32::try_from(timeout_ms).unwrap_or(u32::MAX);
        self.loads.count(entry, now);
        let in_store = entry.in_store();
        let known = Known { target: entry.target, hold: Hold(entry.generation), in_store };
        if in_store != InStore::Unknown {
            self.expect_touch(at);
        }
        known
    }

    /// Makes room for one more; says whether a session had to be evicted. `None`: there is no room.
    fn make_room(&mut self, now: u64) -> Option<bool> {
        // Where all timeouts are equal this keeps the table nearly free of expired sessions: two go for each that comes.
        for _ in 0..2 {
            match self.queue.first() {
                Some(at) if self.entries[at].is_expired(now) => self.expire(at),
                _ => break,
            }
        }
        if self.entries.len() < self.capacity {
            return Some(false);
        }
        self.evict(now)
    }

    /// Removes a session without an open request, and says whether it was live; `None`: there is none. One that has expired
    /// goes as soon as it is looked at. A session to which a request has come back is spared once, until it is looked at again (CLOCK, or second chance); if all that are looked at are such, the one goes that has
    /// been unused longest. To move a session to the end of a list with each request would be exact, and costs two cache
    /// misses in each request's path.
    fn evict(&mut self, now: u64) -> Option<bool> {
        if self.held == self.entries.len() {
            return None;
        }
        let mut oldest: Option<u32> = None;
        let mut looked = 0;
        // Each session that has no open request is in the queue, so the loop finds one.
        while let Some(at) = self.queue.first() {
            let entry = &mut self.entries[at];
            if entry.open > 0 {
                self.queue.unlink(&mut self.entries, at);
                continue;
            }
            if entry.is_expired(now) {
                self.expire(at);
                return Some(false);
            }
            if !std::mem::take(&mut entry.is_used) {
                oldest = Some(at);
                break;
            }
            let last = entry.last;
            self.queue.push_last(&mut self.entries, at);
            oldest = oldest.filter(|&oldest| self.entries[oldest].last <= last).or(Some(at));
            looked += 1;
            if looked == CHANCES {
                break;
            }
        }
        let at = oldest?;
        self.counts.evicted += 1;
        self.discard(at);
        Some(true)
    }

    fn expire(&mut self, at: u32) {
        self.counts.expired += 1;
        self.discard(at);
    }

    pub(super) fn discard(&mut self, at: u32) {
        self.queue.unlink(&mut self.entries, at);
        self.forget_touch(at);
        self.held -= u32::from(self.entries[at].open > 0);
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
            self.queue.renumber(&mut self.entries, at);
            let pace = self.entries[at].pace;
            self.touch[pace.list()].renumber(&mut self.entries, at);
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
        is(self.queue.is_sound(&self.entries, |_| true), "the links of the queue")?;
        for pace in Pace::ALL {
            let is_sound = self.touch[pace.list()].is_sound(&self.entries, |entry| entry.pace == pace);
            is(is_sound, "the links of touched sessions")?;
        }
        let held = (0..self.entries.len()).filter(|&at| self.entries[at].open > 0).count();
        is(held == self.held as usize, "a wrong number of sessions with an open request")?;
        for at in 0..self.entries.len() {
            let entry = &self.entries[at];
            is(self.find(entry.key()) == Some(at), "an entry is not found by its key")?;
            is(entry.open > 0 || self.queue.contains(&self.entries, at), "unused, and not in the queue")?;
            let is_touched = self.touch[entry.pace.list()].contains(&self.entries, at);
            is(entry.told != NEVER || !is_touched, "touched, but not in a store")?;
        }
        Ok(())
    }
}

/// An index this small is not worth a rehash.
const INDEX_MIN: usize = 512;
/// limit: sessions that one eviction spares, which takes some ten microseconds. Each of them has been used since it was last
/// looked at, so evictions seldom meet so many.
const CHANCES: u32 = 512;
