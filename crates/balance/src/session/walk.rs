//! Walks over all sessions in slices, so that no walk holds a shard's lock for long (SP11).
//!
//! A walk goes from the last place to the first. A removal puts the last entry into the free place: behind the
//! cursor that entry has been seen, and in front of it it is still to come. So a session that is there from the
//! start of a walk to its end is seen; it may be seen twice.

use super::{Cursor, InStore, SessionKey, SessionShard, TargetId};

/// A slice of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    pub rows: Vec<Row>,
    /// `None`: there is no more.
    pub next: Option<Cursor>,
}

/// One session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: SessionKey,
    pub target: TargetId,
    pub created: u64,
    /// When the last request ended.
    pub last: u64,
    /// Requests in flight.
    pub open: u32,
    pub timeout_ms: u64,
    pub in_store: InStore,
}

/// What a slice of a walk that changes sessions has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    pub changed: u32,
    pub next: Option<Cursor>,
}

impl SessionShard {
    /// Sessions that have not expired, from up to `most` places. Begin with `None`.
    pub fn rows(&self, cursor: Option<Cursor>, most: u32, now: u64) -> Rows {
        let (start, end) = self.slice(cursor, most);
        let live = (start..end).rev().filter(|&at| !self.entries[at].is_expired(now));
        Rows { rows: live.map(|at| self.row(at)).collect(), next: next(start) }
    }

    /// A session that has not expired; looking at it does not use it.
    pub fn peek(&self, key: SessionKey, now: u64) -> Option<Row> {
        let at = self.find(key)?;
        (!self.entries[at].is_expired(now)).then(|| self.row(at))
    }

    /// Gives the sessions of one target to another, or removes them. Begin with `None`, continue until it returns
    /// none; looks at no more than `most` in one call.
    pub fn move_target(
        &mut self,
        from: TargetId,
        to: Option<TargetId>,
        cursor: Option<Cursor>,
        most: u32,
    ) -> Walked {
        let (start, end) = self.slice(cursor, most);
        let mut changed = 0;
        for at in (start..end).rev() {
            if self.entries[at].target != from {
                continue;
            }
            changed += 1;
            match to {
                Some(to) => {
                    self.entries[at].target = to;
                    self.counts.moved += 1;
                }
                None => self.discard(at),
            }
        }
        Walked { changed, next: next(start) }
    }

    /// Removes expired sessions among the next `most`; returns how many. Called regularly, it walks over the whole shard,
    /// and gives back the memory of sessions that no request asks for any more.
    pub fn sweep(&mut self, now: u64, most: u32) -> u32 {
        let (start, end) = self.slice(self.swept, most);
        let before = self.entries.len();
        for at in (start..end).rev() {
            if self.entries[at].is_expired(now) {
                self.counts.expired += 1;
                self.discard(at);
            }
        }
        self.swept = next(start);
        before - self.entries.len()
    }

    fn slice(&self, cursor: Option<Cursor>, most: u32) -> (u32, u32) {
        let len = self.entries.len();
        let end = cursor.map_or(len, |cursor| cursor.0.min(len));
        (end.saturating_sub(most), end)
    }

    fn row(&self, at: u32) -> Row {
        let entry = &self.entries[at];
        Row {
            key: entry.key(),
            target: entry.target,
            created: entry.created,
            last: entry.last,
            open: entry.open,
            timeout_ms: entry.timeout_ms.into(),
            in_store: entry.in_store(),
        }
    }
}

fn next(start: u32) -> Option<Cursor> {
    (start > 0).then_some(Cursor(start))
}
