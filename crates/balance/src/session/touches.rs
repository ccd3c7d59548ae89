//! Which sessions the store must hear of (SP9): it has to keep what is in use, but not to be told of each request.

use super::entries::NEVER;
use super::{SessionKey, SessionShard, TargetId};

/// A session that has been used since the store last heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    pub key: SessionKey,
    pub target: TargetId,
    /// How long it lives from now on if it is not used again.
    pub remaining_ms: u64,
}

impl SessionShard {
    /// Notes that the session is in the store; from now on its use is reported to the store.
    pub fn mark_synced(&mut self, key: SessionKey, now: u64) {
        if let Some(at) = self.find(key) {
            self.entries[at].synced = now;
            self.touch.push_last(&mut self.entries, at);
        }
    }

    /// Notes that the session is not in the store, or that this is not known.
    pub fn mark_unsynced(&mut self, key: SessionKey) {
        if let Some(at) = self.find(key) {
            self.entries[at].synced = NEVER;
            self.touch.unlink(&mut self.entries, at);
        }
    }

    /// Sessions that were used, or have an open request, and of which the store has not heard for `interval` ms. They
    /// count as synced from `now` on. Looks at no more than `most`.
    pub fn take_touches(&mut self, now: u64, interval: u64, most: usize) -> Vec<Touch> {
        let mut touches = Vec::new();
        for _ in 0..most {
            let Some(at) = self.touch.first() else { break };
            let entry = &mut self.entries[at];
            if now.saturating_sub(entry.synced) < interval {
                break;
            }
            let idle = if entry.open > 0 { 0 } else { now.saturating_sub(entry.last) };
            let remaining_ms = u64::from(entry.timeout_ms).saturating_sub(idle);
            let is_used = entry.open > 0 || entry.last > entry.synced;
            if is_used && remaining_ms > 0 {
                entry.synced = now;
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
