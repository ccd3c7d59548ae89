//! Where a shard keeps its entries: dense, in pieces, with the links of two lists inside.

use std::fmt;
use std::ops::{Index, IndexMut};

use super::pace::Pace;
use super::{InStore, SessionKey, TargetId};

/// One session. Times are milliseconds of the caller's clock.
///
/// The alignment keeps it within two cache lines: in a large table each one is a miss.
#[derive(Clone, Debug)]
#[repr(align(32))]
pub(super) struct Entry {
    key: [u64; 3],
    pub(super) target: TargetId,
    pub(super) created: u64,
    /// When the last request ended; before the first has ended, when the session was created.
    pub(super) last: u64,
    /// When the store was last told of it or asked; [`NEVER`].
    pub(super) told: u64,
    pub(super) timeout_ms: u32,
    /// Requests in flight.
    pub(super) open: u32,
    /// Tells sessions of one key from each other.
    pub(super) generation: u32,
    /// The number of the window in which `requests` were counted.
    pub(super) window: u32,
    pub(super) requests: u32,
    /// The store has not agreed when it was told.
    pub(super) is_owed: bool,
    /// A request has come back to it since it was last looked at for room.
    pub(super) is_used: bool,
    /// Which list of touches it is in, if it is in one.
    pub(super) pace: Pace,
    links: [Links; 2],
}

pub(super) const NEVER: u64 = u64::MAX;

impl Entry {
    pub(super) fn new(key: SessionKey, target: TargetId, generation: u32, now: u64) -> Self {
        Self {
            key: key.words(),
            target,
            created: now,
            last: now,
            told: NEVER,
            timeout_ms: 0,
            open: 0,
            generation,
            window: 0,
            requests: 0,
            is_owed: false,
            is_used: false,
            pace: Pace::default(),
            links: [Links::NONE; 2],
        }
    }

    pub(super) fn key(&self) -> SessionKey {
        SessionKey::from_words(self.key)
    }

    pub(super) fn words(&self) -> [u64; 3] {
        self.key
    }

    /// SP1: an interval strictly less than the timeout keeps the session, and so does an open request.
    pub(super) fn is_live(&self, timeout_ms: u64, now: u64) -> bool {
        self.open > 0 || now.saturating_sub(self.last) < timeout_ms
    }

    pub(super) fn in_store(&self) -> InStore {
        match self.told {
            NEVER => InStore::Unknown,
            at if self.is_owed => InStore::Owed(at),
            at => InStore::Synced(at),
        }
    }

    pub(super) fn is_expired(&self, now: u64) -> bool {
        !self.is_live(u64::from(self.timeout_ms), now)
    }
}

#[derive(Clone, Copy, Debug)]
struct Links {
    before: u32,
    after: u32,
}

impl Links {
    const NONE: Self = Self { before: UNLINKED, after: UNLINKED };
}

/// The end of a list.
const END: u32 = u32::MAX;
/// The entry is not in the list.
const UNLINKED: u32 = u32::MAX - 1;

/// The entries at `0..len`, without holes. Pieces of equal size are never copied when it grows, and given back
/// when it shrinks.
#[derive(Default)]
pub(super) struct Entries {
    pieces: Vec<Vec<Entry>>,
    len: u32,
}

/// Entries of one piece, 6 KiB.
pub(super) const PIECE: u32 = 64;

impl Entries {
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn push(&mut self, entry: Entry) -> u32 {
        let at = self.len;
        let piece = (at / PIECE) as usize;
        if piece == self.pieces.len() {
            self.pieces.push(Vec::with_capacity(PIECE as usize));
        }
        self.pieces[piece].push(entry);
        self.len += 1;
        at
    }

    /// Removes an entry and puts the last one into its place. The entry must be in no list.
    pub(super) fn swap_remove(&mut self, at: u32) {
        let last = self.len - 1;
        let Some(entry) = self.pieces[(last / PIECE) as usize].pop() else { return };
        self.len = last;
        if at != last {
            self[at] = entry;
        }
        // One empty piece stays, so that a session that comes and goes does not allocate each time.
        let needed = self.len.div_ceil(PIECE) as usize + 1;
        if self.pieces.len() > needed {
            self.pieces.truncate(needed);
            if self.pieces.capacity() > 4 * needed {
                self.pieces.shrink_to(2 * needed);
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.pieces.capacity() * size_of::<Vec<Entry>>()
            + self.pieces.len() * PIECE as usize * size_of::<Entry>()
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("len", &self.len).finish_non_exhaustive()
    }
}

// invariant: an index comes from the shard's own index or lists, which name only entries that exist.
impl Index<u32> for Entries {
    type Output = Entry;

    fn index(&self, at: u32) -> &Entry {
        &self.pieces[(at / PIECE) as usize][(at % PIECE) as usize]
    }
}

impl IndexMut<u32> for Entries {
    fn index_mut(&mut self, at: u32) -> &mut Entry {
        &mut self.pieces[(at / PIECE) as usize][(at % PIECE) as usize]
    }
}

/// Which list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Sessions that may have to make room for others, in the order in which they are looked at.
    Queue,
    /// Sessions whose use the store must hear of, the longest unheard first.
    Touch,
}

/// A list through entries.
#[derive(Debug)]
pub(super) struct List {
    kind: Kind,
    first: u32,
    last: u32,
}

impl List {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, first: END, last: END }
    }

    pub(super) fn first(&self) -> Option<u32> {
        (self.first != END).then_some(self.first)
    }

    pub(super) fn contains(&self, entries: &Entries, at: u32) -> bool {
        self.links(entries, at).before != UNLINKED
    }

    pub(super) fn push_last(&mut self, entries: &mut Entries, at: u32) {
        self.unlink(entries, at);
        *self.links_mut(entries, at) = Links { before: self.last, after: END };
        match self.last {
            END => self.first = at,
            last => self.links_mut(entries, last).after = at,
        }
        self.last = at;
    }

    pub(super) fn push_first(&mut self, entries: &mut Entries, at: u32) {
        self.unlink(entries, at);
        *self.links_mut(entries, at) = Links { before: END, after: self.first };
        match self.first {
            END => self.last = at,
            first => self.links_mut(entries, first).before = at,
        }
        self.first = at;
    }

    /// Does nothing if the entry is not in the list.
    pub(super) fn unlink(&mut self, entries: &mut Entries, at: u32) {
        if self.contains(entries, at) {
            let Links { before, after } = self.links(entries, at);
            self.join(entries, before, after, after, before);
            *self.links_mut(entries, at) = Links::NONE;
        }
    }

    /// Tells the neighbours of an entry that it is at another place now.
    pub(super) fn renumber(&mut self, entries: &mut Entries, at: u32) {
        if self.contains(entries, at) {
            let Links { before, after } = self.links(entries, at);
            self.join(entries, before, at, after, at);
        }
    }

    /// Makes `next` follow `before`, and `previous` precede `after`.
    fn join(&mut self, entries: &mut Entries, before: u32, next: u32, after: u32, previous: u32) {
        match before {
            END => self.first = next,
            before => self.links_mut(entries, before).after = next,
        }
        match after {
            END => self.last = previous,
            after => self.links_mut(entries, after).before = previous,
        }
    }

    fn links(&self, entries: &Entries, at: u32) -> Links {
        entries[at].links[self.kind as usize]
    }

    fn links_mut<'a>(&self, entries: &'a mut Entries, at: u32) -> &'a mut Links {
        &mut entries[at].links[self.kind as usize]
    }

    /// The places in order. Only checks need it.
    pub(super) fn places(&self, entries: &Entries) -> Vec<u32> {
        let mut places = Vec::new();
        let mut at = self.first;
        while at != END && places.len() <= entries.len() as usize {
            places.push(at);
            at = self.links(entries, at).after;
        }
        places
    }

    /// Whether its links agree, and it contains all linked entries that `is_of_it` names.
    pub(super) fn is_sound(&self, entries: &Entries, is_of_it: impl Fn(&Entry) -> bool) -> bool {
        let places = self.places(entries);
        let before = std::iter::once(END).chain(places.iter().copied());
        let back = places.iter().zip(before).all(|(&at, before)| self.links(entries, at).before == before);
        back && self.last == places.last().copied().unwrap_or(END)
            && places.iter().all(|&at| is_of_it(&entries[at]))
            && places.len()
                == (0..entries.len())
                    .filter(|&at| is_of_it(&entries[at]) && self.contains(entries, at))
                    .count()
    }
}
