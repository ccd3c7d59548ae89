//! The sessions of this process: the shards of [`balance::session`] behind short locks.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use balance::session::{Assigned, Begin, Hold, SessionKey, SessionSeed, SessionShard, TargetId};
use observe::CachePadded;

/// The table of one session store, or of the process.
///
/// A lock is held for a few hundred instructions, and never across a wait. Times are milliseconds of the monotonic clock,
/// which all workers share.
#[derive(Debug)]
pub struct SessionTable {
    seed: SessionSeed,
    shards: Box<[CachePadded<Mutex<SessionShard>>]>,
}

impl SessionTable {
    pub(crate) fn new(capacity: u32) -> Self {
        // Seeded by the system: clients must not know it.
        let random = || RandomState::new().hash_one(0_u8);
        let seed = SessionSeed::new([random(), random()]);
        let shards = (capacity / SHARD_SESSIONS).max(SHARDS_MIN);
        let each = capacity.div_ceil(shards);
        let shard = |_| CachePadded(Mutex::new(SessionShard::new(each, seed)));
        Self { seed, shards: (0..shards).map(shard).collect() }
    }

    pub(crate) fn begin(&self, key: SessionKey, timeout_millis: u64, now_millis: u64) -> Begin {
        self.shard(key).begin(key, timeout_millis, now_millis)
    }

    pub(crate) fn assign(
        &self,
        key: SessionKey,
        target: TargetId,
        timeout_millis: u64,
        now_millis: u64,
    ) -> Assigned {
        self.shard(key).assign(key, target, timeout_millis, now_millis)
    }

    pub(crate) fn reassign(&self, key: SessionKey, from: TargetId, to: TargetId) -> Option<TargetId> {
        self.shard(key).reassign(key, from, to)
    }

    pub(crate) fn end(&self, key: SessionKey, hold: Hold, now_millis: u64) {
        self.shard(key).end(key, hold, now_millis);
    }

    pub(crate) fn remove(&self, key: SessionKey) -> Option<TargetId> {
        self.shard(key).remove(key)
    }

    /// Sessions, those that have expired and are not removed yet included.
    pub fn sessions(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, key: SessionKey) -> MutexGuard<'_, SessionShard> {
        lock(&self.shards[key.shard(self.seed, self.shards.len())])
    }
}

fn lock(shard: &CachePadded<Mutex<SessionShard>>) -> MutexGuard<'_, SessionShard> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enough that workers seldom want the same lock.
const SHARDS_MIN: u32 = 64;
/// A shard that grows moves its index in one go, which takes less than a millisecond for so many.
const SHARD_SESSIONS: u32 = 16_384;
