//! Which sessions the store must hear of (SP9): it has to keep what is in use, but not to be told of each request.

use super::{SessionKey, SessionShard, TargetId};

/// A session that has been used since the store last heard of it, or that it has to be told of again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    pub key: SessionKey,
    pub target: TargetId,
    /// How long it lives from now on if it is not used again.
    pub remaining_ms: u64,
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
            let entry = &mut self.entries[at];
            (entry.told, entry.is_owed) = (now, is_owed);
            self.touch.push_last(&mut self.entries, at);
        }
    }

    /// Sessions that were used, or have an open request, and of which the store has not heard for `interval` ms; and those
    /// that it is still to be told of. They count as owed until [`mark_synced`](Self::mark_synced), so that what becomes of
    /// the touch cannot lose them. Looks at no more than `most`.
    pub fn take_touches(&mut self, now: u64, interval: u64, most: usize) -> Vec<Touch> {
        let mut touches = Vec::new();
        for _ in 0..most {
            let Some(at) = self.touch.first() else { break };
            let entry = &mut self.entries[at];
            if now.saturating_sub(entry.told) < interval {
                break;
            }
            let idle = if entry.open > 0 { 0 } else { now.saturating_sub(entry.last) };
            let remaining_ms = u64::from(entry.timeout_ms).saturating_sub(idle);
            let is_due = entry.is_owed || entry.open > 0 || entry.last > entry.told;
            if is_due && remaining_ms > 0 {
                (entry.told, entry.is_owed) = (now, true);
                touches.push(Touch { key: entry.key(), target: entry.target, remaining_ms });
                self.touch.push_last(&mut self.entries, at);
            } else {
                // Its next request puts it back.
                self.touch.unlink(&mut self.entries, at);
            }
        }
        touches
    }
}
