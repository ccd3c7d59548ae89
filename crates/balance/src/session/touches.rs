//! Which sessions the store must hear of (SP9): it has to keep what is in use, but not to be told of each request.

use super::pace::Pace;
use super::{SessionKey, SessionShard, TargetId};

/// A session that has been used since the store last heard of it, or that it has to be told of again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    pub key: SessionKey,
    pub target: TargetId,
    /// How long it lives from now on if it is not used again.
    pub remaining_ms: u64,
    pub timeout_ms: u64,
}

impl SessionShard {
    /// Notes that the store agrees; from now on the session's use is reported to the store.
    pub fn mark_synced(&mut self, key: SessionKey, now: u64) {
        self.mark(key, now, false);
    }

    /// The same, if the session is still at the target that the store has confirmed: it may have moved while it was told.
    pub fn confirm(&mut self, key: SessionKey, target: TargetId, now: u64) {
        if self.find(key).is_some_and(|at| self.entries[at].target == target) {
            self.mark_synced(key, now);
        }
    }

    /// Notes that the store was told or asked, without an answer. The session is reported to it until it agrees.
    pub fn mark_owed(&mut self, key: SessionKey, now: u64) {
        self.mark(key, now, true);
    }

    fn mark(&mut self, key: SessionKey, now: u64, is_owed: bool) {
        if let Some(at) = self.find(key) {
            self.tell(at, now, is_owed);
        }
    }

    /// Sessions that were used, or have an open request, and of which the store has not heard for the interval of their
    /// [`Pace`]; and those that it is still to be told of. What was told before `doubt` is due after the shortest interval.
    /// They count as owed until [`mark_synced`](Self::mark_synced), so that what becomes of the touch cannot lose them. Looks
    /// at no more than `most`.
    pub fn take_touches(&mut self, now: u64, doubt: u64, most: usize) -> Vec<Touch> {
        let mut touches = Vec::new();
        let mut left = most;
        for pace in Pace::ALL {
            while left > 0 {
                let Some(at) = self.touch[pace.list()].first() else { break };
                let entry = &self.entries[at];
                let pace = if entry.told < doubt { Pace::SHORTEST } else { pace };
                if now.saturating_sub(entry.told) < pace.interval_ms() {
                    break;
                }
                left -= 1;
                touches.extend(self.take_touch(at, now));
            }
        }
        touches
    }

    /// `None`: it is unused or has expired. Its next request puts it back.
    fn take_touch(&mut self, at: u32, now: u64) -> Option<Touch> {
        let entry = &self.entries[at];
        let idle = if entry.open > 0 { 0 } else { now.saturating_sub(entry.last) };
        let remaining_ms = u64::from(entry.timeout_ms).saturating_sub(idle);
        let is_due = entry.is_owed || entry.open > 0 || entry.last > entry.told;
        if !is_due || remaining_ms == 0 {
            self.forget_touch(at);
            return None;
        }
        let timeout_ms = entry.timeout_ms.into();
        let touch = Touch { key: entry.key(), target: entry.target, remaining_ms, timeout_ms };
        self.tell(at, now, true);
        Some(touch)
    }

    /// Puts a session that a request has come back to where its turn is at once, if its turn has come while it was unused.
    pub(super) fn expect_touch(&mut self, at: u32) {
        let pace = self.entries[at].pace;
        if !self.touch[pace.list()].contains(&self.entries, at) {
            self.touch[pace.list()].push_first(&mut self.entries, at);
        }
    }

    pub(super) fn forget_touch(&mut self, at: u32) {
        let pace = self.entries[at].pace;
        self.touch[pace.list()].unlink(&mut self.entries, at);
    }

    fn tell(&mut self, at: u32, now: u64, is_owed: bool) {
        self.forget_touch(at);
        let entry = &mut self.entries[at];
        (entry.told, entry.is_owed) = (now, is_owed);
        entry.pace = if is_owed { Pace::SHORTEST } else { Pace::of(entry.timeout_ms.into()) };
        let pace = entry.pace;
        self.touch[pace.list()].push_last(&mut self.entries, at);
    }
}
