//! The sessions of this process: the shards of [`balance::session`] behind short locks.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use balance::session::{
    Assigned, Begin, Cursor, Hold, InStore, Pace, Row, Rows, ScopeLoad, SessionCounts, SessionKey,
    SessionSeed, SessionShard, TargetId, Touch,
};
use observe::CachePadded;
use store::session::SessionClient;

/// The table of one session store, or of the process.
///
/// A lock is held for a few hundred instructions, and never across a wait. Times are milliseconds of the monotonic clock,
/// which all workers share.
#[derive(Debug)]
pub struct SessionTable {
    seed: SessionSeed,
    capacity: AtomicU32,
    shards: Box<[CachePadded<Mutex<SessionShard>>]>,
    /// Written with `link`, so that most requests need not look there.
    is_linked: AtomicBool,
    link: Mutex<Option<Arc<Link>>>,
    /// Other processes may have moved what the store has confirmed before this time. Touches compare it.
    doubt: AtomicU64,
    /// The same for what touches should have compared by now. Requests compare it.
    overdue: AtomicU64,
    /// Doubts that touches may still resolve: when each was raised, and before which time.
    doubts: Mutex<VecDeque<(u64, u64)>>,
}

/// The way to a store that other processes use, too (SP9).
#[derive(Debug)]
pub struct Link {
    pub client: SessionClient,
    /// How long a request waits for an answer.
    pub timeout: Duration,
}

impl SessionTable {
    pub(crate) fn new(capacity: u32) -> Self {
        // Seeded by the system: clients must not know it.
        let random = || RandomState::new().hash_one(0_u8);
        let seed = SessionSeed::new([random(), random()]);
        let shards = (capacity / SHARD_SESSIONS).max(SHARDS_MIN);
        let each = capacity.div_ceil(shards);
        let shard = |_| CachePadded(Mutex::new(SessionShard::new(each, seed)));
        let capacity = AtomicU32::new(each.saturating_mul(shards));
        let shards = (0..shards).map(shard).collect();
        Self {
            seed,
            capacity,
            shards,
            is_linked: AtomicBool::new(false),
            link: Mutex::default(),
            doubt: AtomicU64::new(0),
            overdue: AtomicU64::new(0),
            doubts: Mutex::default(),
        }
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

    /// Moves a session that is at `from`; returns where it is then. `None`: there is no such session.
    pub fn reassign(&self, key: SessionKey, from: TargetId, to: TargetId) -> Option<TargetId> {
        self.shard(key).reassign(key, from, to)
    }

    pub(crate) fn end(&self, key: SessionKey, hold: Hold, now_millis: u64) {
        self.shard(key).end(key, hold, now_millis);
    }

    /// Forgets a session, even with open requests; returns its target.
    pub fn remove(&self, key: SessionKey) -> Option<TargetId> {
        self.shard(key).remove(key)
    }

    /// Replaces the way to the store. `None`: sessions are only kept here.
    pub fn set_link(&self, link: Option<Link>) {
        let mut current = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_linked.store(link.is_some(), Ordering::Release);
        *current = link.map(Arc::new);
    }

    /// The way to the store, if there is one, and the store has to be asked about a session with this timeout.
    pub(crate) fn link_to_ask(
        &self,
        in_store: InStore,
        timeout_millis: u64,
        now_millis: u64,
    ) -> Option<Arc<Link>> {
        let is_fresh = match in_store {
            InStore::Unknown => false,
            // Until then a late answer can come.
            InStore::Owed(at) => now_millis.saturating_sub(at) < ASKED_AGAIN_MILLIS,
            InStore::Synced(at) => {
                at >= self.overdue.load(Ordering::Relaxed)
                    && now_millis.saturating_sub(at) < Pace::of(timeout_millis).interval_ms() + LATE_MILLIS
            }
        };
        if is_fresh { None } else { self.link() }
    }

    /// Other processes may have moved sessions that the store has confirmed before this time. Touches compare them soon, and
    /// where these are late, requests do.
    pub fn doubt(&self, before_millis: u64, now_millis: u64) {
        self.doubt.fetch_max(before_millis, Ordering::Relaxed);
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        doubts.push_back((now_millis, before_millis));
        if doubts.len() > DOUBTS_MAX {
            doubts.pop_front();
        }
    }

    /// Finds out which doubts touches have had the time to resolve. To be called every second. Later doubts do not make an
    /// earlier one wait.
    pub fn note_overdue(&self, now_millis: u64) {
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        // Not before what is confirmed now is certain: each request would ask.
        let is_overdue = |&(raised, before): &(u64, u64)| {
            now_millis.saturating_sub(raised) >= LATE_MILLIS && before <= now_millis
        };
        while let Some(&doubt) = doubts.front().filter(|doubt| is_overdue(doubt)) {
            self.overdue.fetch_max(doubt.1, Ordering::Relaxed);
            doubts.pop_front();
        }
    }

    /// The way to the store, if there is one.
    pub fn link(&self) -> Option<Arc<Link>> {
        if !self.is_linked.load(Ordering::Acquire) {
            return None;
        }
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many parts it has, for walks with [`rows`](Self::rows).
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// A slice of a walk over the sessions of a part; none of a part that does not exist.
    pub fn rows(&self, shard: usize, cursor: Option<Cursor>, most: u32, now_millis: u64) -> Rows {
        let nothing = Rows { rows: Vec::new(), next: None };
        self.shards.get(shard).map_or(nothing, |shard| lock(shard).rows(cursor, most, now_millis))
    }

    /// A session that has not expired; looking at it does not use it.
    pub fn peek(&self, key: SessionKey, now_millis: u64) -> Option<Row> {
        self.shard(key).peek(key, now_millis)
    }

    /// Sessions that the store has to hear of, as [`SessionShard::take_touches`] finds them; at most `most` of each shard.
    pub fn take_touches(&self, now_millis: u64, most: usize) -> Vec<Touch> {
        let doubt = self.doubt.load(Ordering::Relaxed);
        let of_shard = |shard| lock(shard).take_touches(now_millis, doubt, most);
        self.shards.iter().flat_map(of_shard).collect()
    }

    /// The store has confirmed the session at this target.
    pub fn confirm(&self, key: SessionKey, target: TargetId, now_millis: u64) {
        self.shard(key).confirm(key, target, now_millis);
    }

    /// The store agrees with the session's target.
    pub(crate) fn mark_synced(&self, key: SessionKey, now_millis: u64) {
        self.shard(key).mark_synced(key, now_millis);
    }

    pub(crate) fn correct(&self, key: SessionKey, target: TargetId) {
        self.shard(key).correct(key, target);
    }

    /// The store has not answered, or not yet. Requests ask it again after a second, and touches tell it.
    pub(crate) fn mark_owed(&self, key: SessionKey, now_millis: u64) {
        self.shard(key).mark_owed(key, now_millis);
    }

    /// The store names this target, which no request waits for any more.
    pub fn settle(&self, key: SessionKey, target: TargetId, now_millis: u64) {
        let mut shard = self.shard(key);
        shard.correct(key, target);
        shard.mark_synced(key, now_millis);
    }

    /// How many sessions it may have from now on, rounded up to a multiple of its parts.
    pub fn set_capacity(&self, capacity: u32) {
        let shards = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
        let each = capacity.div_ceil(shards);
        self.capacity.store(each.saturating_mul(shards), Ordering::Relaxed);
        self.shards.iter().for_each(|shard| lock(shard).set_capacity(each));
    }

    /// Removes sessions that have expired, from among `most` of each shard.
    pub fn sweep(&self, now_millis: u64, most: u32) {
        for shard in &self.shards {
            lock(shard).sweep(now_millis, most);
        }
    }

    /// Sessions, those that have expired and are not removed yet included.
    pub fn sessions(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    pub fn capacity(&self) -> u32 {
        self.capacity.load(Ordering::Relaxed)
    }

    /// Memory of entries and indices.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes()).sum()
    }

    pub fn counts(&self) -> SessionCounts {
        self.shards.iter().map(|shard| lock(shard).counts()).fold(SessionCounts::default(), |sum, one| {
            SessionCounts {
                created: sum.created + one.created,
                expired: sum.expired + one.expired,
                evicted: sum.evicted + one.evicted,
                full: sum.full + one.full,
                moved: sum.moved + one.moved,
            }
        })
    }

    /// The requests of each scope in the last complete minute, and those of its busiest session (SP3).
    pub fn loads(&self, now_millis: u64) -> Vec<ScopeLoad> {
        let mut loads: BTreeMap<u64, ScopeLoad> = BTreeMap::new();
        for one in self.shards.iter().flat_map(|shard| lock(shard).loads(now_millis)) {
            let sum = loads.entry(one.scope).or_insert(ScopeLoad { requests: 0, ..one });
            sum.requests += one.requests;
            if one.busiest > sum.busiest {
                (sum.busiest, sum.client) = (one.busiest, one.client);
            }
        }
        loads.into_values().collect()
    }

    fn shard(&self, key: SessionKey) -> MutexGuard<'_, SessionShard> {
        lock(&self.shards[key.shard(self.seed, self.shards.len())])
    }
}

fn lock(shard: &CachePadded<Mutex<SessionShard>>) -> MutexGuard<'_, SessionShard> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

// limit: one comes each second, and stays for `LATE_MILLIS`, or ten timeouts of the store.
const DOUBTS_MAX: usize = 64;
/// How late a touch may be before requests ask themselves.
const LATE_MILLIS: u64 = 6_000;
const ASKED_AGAIN_MILLIS: u64 = 1_000;
/// Enough that workers seldom want the same lock.
const SHARDS_MIN: u32 = 64;
/// A shard that grows moves its index in one go, which takes less than a millisecond for so many.
const SHARD_SESSIONS: u32 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: u64 = 1_800_000;

    fn linked() -> (SessionTable, store::session::SessionRequests) {
        let (client, requests) = store::session::session_channel();
        let table = SessionTable::new(1_000);
        table.set_link(Some(Link { client, timeout: Duration::from_millis(10) }));
        (table, requests)
    }

    #[test]
    fn a_doubt_is_overdue_in_time_whatever_comes_after_it() {
        let (table, _requests) = linked();
        let asks = |at, now| table.link_to_ask(InStore::Synced(at), TIMEOUT, now).is_some();
        for now in (10_000..16_000).step_by(1_000) {
            table.note_overdue(now);
            table.doubt(now + 100, now);
            assert!(!asks(9_000, now), "touches have time until 16 s");
        }
        table.note_overdue(16_000);
        assert!(asks(9_000, 16_000) && asks(10_099, 16_000));
        assert!(!asks(10_100, 16_000), "what later doubts are about has more time");
        assert!(!asks(16_000, 86_000 - 1_000) && asks(16_000, 86_000), "it was not touched");
    }

    #[test]
    fn what_is_confirmed_later_is_not_in_doubt() {
        let (table, _requests) = linked();
        let asks = |at, now| table.link_to_ask(InStore::Synced(at), TIMEOUT, now).is_some();
        // The answers of this store may be ten seconds old.
        table.doubt(20_000, 10_000);
        table.note_overdue(19_000);
        assert!(!asks(9_000, 19_000), "or each request would ask until 20 s");
        table.note_overdue(20_000);
        assert!(asks(19_999, 20_000) && !asks(20_000, 20_000));
    }
}
