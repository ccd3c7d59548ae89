//! Lists through the entries of a table.

use super::links::{END, Links, UNLINKED};
use super::pieces::Pieces;

/// Which of an entry's links.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Of a slot of the wheel.
    Wheel,
    /// Of the unanswered flows of a listener, the oldest first.
    Unanswered,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    first: u32,
    last: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { first: END, last: END };

    pub(super) fn first(&self) -> Option<u32> {
        (self.first != END).then_some(self.first)
    }

    /// Adds an entry that is in no list of this kind.
    pub(super) fn push_last<T>(&mut self, kind: Kind, entries: &mut Pieces<T>, at: u32) {
        set(kind, entries, at, Links { before: self.last, after: END });
        match self.last {
            END => self.first = at,
            last => set(kind, entries, last, Links { after: at, ..links(kind, entries, last) }),
        }
        self.last = at;
    }

    /// False: the entry is in no list.
    pub(super) fn unlink<T>(&mut self, kind: Kind, entries: &mut Pieces<T>, at: u32) -> bool {
        let Links { before, after } = links(kind, entries, at);
        if before == UNLINKED {
            return false;
        }
        match before {
            END => self.first = after,
            before => set(kind, entries, before, Links { after, ..links(kind, entries, before) }),
        }
        match after {
            END => self.last = before,
            after => set(kind, entries, after, Links { before, ..links(kind, entries, after) }),
        }
        set(kind, entries, at, Links::NONE);
        true
    }

    /// The places in order; `None`: the links are broken. Only checks need it.
    pub(super) fn places<T>(&self, kind: Kind, entries: &Pieces<T>) -> Option<Vec<u32>> {
        let mut places = Vec::new();
        let (mut at, mut before) = (self.first, END);
        while at != END {
            let here = links(kind, entries, at);
            if here.before != before || places.len() >= entries.len() as usize {
                return None;
            }
            places.push(at);
            (before, at) = (at, here.after);
        }
        (self.last == before).then_some(places)
    }
}

pub(super) fn is_linked<T>(kind: Kind, entries: &Pieces<T>, at: u32) -> bool {
    links(kind, entries, at) != Links::NONE
}

fn links<T>(kind: Kind, entries: &Pieces<T>, at: u32) -> Links {
    entries.entry(at).map_or(Links::NONE, |entry| entry.links[kind as usize])
}

// invariant: links name only entries that exist, since an entry is unlinked before it is removed.
fn set<T>(kind: Kind, entries: &mut Pieces<T>, at: u32, links: Links) {
    if let Some(entry) = entries.entry_mut(at) {
        entry.links[kind as usize] = links;
    }
}
