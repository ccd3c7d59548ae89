//! Connection limits as all workers share them: the pools of [`balance::connection_limit`] on atomics, and the wakers of
//! the tasks that the limits wake (KA10, KA11).

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use balance::connection_limit::{
    Ask, Eviction, IdleBoard, PermitPool, Pools, Scope, Spares, WaitingAccept, Wakes,
};
use model::ConnectionLimits;
use observe::{CachePadded, ListenerCells, PerWorker};

use super::atomics::Atomics;

/// The connections of a listener, of a load balancer, or of the process. Kept by name, so that a reload carries them
/// over.
#[derive(Debug, Default)]
pub struct ConnectionLimit {
    pool: PermitPool<Atomics>,
    /// Tasks of waiting accepts.
    wakers: CachePadded<Mutex<Vec<Waker>>>,
    /// The owners of the connections that need a permit from this limit, or use one up.
    members: Mutex<Vec<Weak<dyn Member>>>,
}

/// Has idle connections, which can be evicted.
pub(crate) trait Member: AsRef<IdleBoard<Atomics>> + Debug + Send + Sync {
    fn evictors(&self) -> &Evictors;
}

impl ConnectionLimit {
    /// Connections over a lowered limit stay open, and no new ones are accepted until there are fewer.
    pub(crate) fn configure(&self, limits: &ConnectionLimits) {
        self.pool.configure(limits);
        self.wake();
    }

    /// Connections that are open.
    pub fn open(&self) -> u32 {
        self.pool.open()
    }

    pub fn max(&self) -> Option<u32> {
        self.pool.max()
    }

    /// The most connections of one client.
    pub(crate) fn per_client(&self) -> Option<u32> {
        self.pool.per_client()
    }

    /// Clients whose connections are counted.
    pub fn clients(&self) -> usize {
        self.pool.clients()
    }

    /// Wakes all waiting accepts.
    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut *lock(&self.wakers));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Has the connection closed that has been idle longest; false: none is idle, or `most` evictions are under way.
    pub(crate) fn evict_oldest(&self, scope: Scope, now_millis: u64, most: u32) -> bool {
        self.begin(self.pool.evict_oldest(scope, now_millis, most, || self.members()))
    }

    /// See [`PermitPool::evict_excess`].
    pub(crate) fn evict_excess(&self, now_millis: u64, most: u32) {
        self.begin(self.pool.evict_excess(now_millis, most, || self.members()));
    }

    /// See [`PermitPool::has_excess`].
    pub(crate) fn has_excess(&self) -> bool {
        self.pool.has_excess()
    }

    fn begin(&self, eviction: Option<Eviction<Arc<dyn Member>>>) -> bool {
        let is_found = eviction.map(begin_eviction).is_some();
        if !is_found && self.pool.waiting() > 0 {
            self.wake();
        }
        is_found
    }

    /// See [`PermitPool::occupy`].
    pub(crate) fn occupy(&self) -> bool {
        self.pool.occupy()
    }

    /// See [`PermitPool::vacate`].
    pub(crate) fn vacate(&self) {
        if self.pool.vacate() {
            self.wake();
        }
    }

    /// One worker's idle connections that need no permit.
    pub(crate) fn spares<R>(
        &self,
        board: &IdleBoard<Atomics>,
        worker: usize,
        ask: impl FnOnce(&Spares<'_, Atomics>) -> R,
    ) -> R {
        ask(&Spares { pool: &self.pool, board, worker })
    }

    fn members(&self) -> Vec<Arc<dyn Member>> {
        lock(&self.members).iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn join(&self, member: &Arc<dyn Member>) {
        let mut members = lock(&self.members);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(member));
    }
}

fn begin_eviction(Eviction { board, worker }: Eviction<Arc<dyn Member>>) {
    let evictor = lock(board.evictors().of(worker)).take();
    if let Some(evictor) = evictor {
        evictor.wake();
    }
}

/// The limits of one listener's connections: of the listener, of its load balancer, of the process.
#[derive(Debug)]
pub(crate) struct ListenerLimits {
    pub(crate) cells: Arc<PerWorker<ListenerCells>>,
    /// By [`Scope`].
    limits: [Arc<ConnectionLimit>; 3],
    pub(crate) board: IdleBoard<Atomics>,
    evictors: Arc<Evictors>,
}

/// The task of each worker that evicts connections.
pub(crate) type Evictors = PerWorker<Mutex<Option<Waker>>>;

impl ListenerLimits {
    pub(crate) fn new(
        limits: [Arc<ConnectionLimit>; 3],
        cells: Arc<PerWorker<ListenerCells>>,
        evictors: &Arc<Evictors>,
    ) -> Arc<Self> {
        let board = IdleBoard::new(evictors.iter().count());
        let member = Arc::new(Self { cells, limits, board, evictors: Arc::clone(evictors) });
        let as_member: Arc<dyn Member> = Arc::<Self>::clone(&member);
        member.limits.iter().for_each(|limit| limit.join(&as_member));
        member
    }

    pub(crate) fn limit(&self, scope: Scope) -> &Arc<ConnectionLimit> {
        &self.limits[scope as usize]
    }

    pub(crate) fn pools(&self) -> Pools<'_, Atomics> {
        Pools(self.limits.each_ref().map(|limit| &limit.pool))
    }

    pub(crate) fn wake(&self, wakes: Wakes) {
        wakes.scopes().for_each(|scope| self.limit(scope).wake());
    }

    /// Something is idle: it, or what has been idle longer, must close if the process has more connections than it may.
    pub(crate) fn evict_excess(&self, now_millis: u64) {
        let process = self.limit(Scope::Process);
        if process.has_excess() {
            process.evict_excess(now_millis, EVICTIONS_MAX);
        }
    }

    /// Answers the evictions that are requested of a worker without idle connections.
    pub(crate) fn decline(&self, worker: usize) {
        self.wake(self.pools().decline(&self.board, worker));
    }
}

impl AsRef<IdleBoard<Atomics>> for ListenerLimits {
    fn as_ref(&self) -> &IdleBoard<Atomics> {
        &self.board
    }
}

impl Member for ListenerLimits {
    fn evictors(&self) -> &Evictors {
        &self.evictors
    }
}

impl Drop for ListenerLimits {
    // invariant: another worker may request an eviction just when the last connection is gone. Without an answer, the
    // limit would count it as under way for ever.
    fn drop(&mut self) {
        (0..self.board.workers()).for_each(|worker| self.decline(worker));
    }
}

/// An accept task that waits for a permit, until it is dropped.
pub(crate) struct Waiting {
    limit: Arc<ConnectionLimit>,
    scope: Scope,
    accept: WaitingAccept,
}

impl Waiting {
    pub(crate) fn begin(limit: &Arc<ConnectionLimit>, scope: Scope) -> Self {
        Self { limit: Arc::clone(limit), scope, accept: WaitingAccept::begin(&limit.pool, scope) }
    }

    pub(crate) fn is_in(&self, limit: &Arc<ConnectionLimit>) -> bool {
        Arc::ptr_eq(&self.limit, limit)
    }

    /// True if it waits for a file descriptor.
    pub(crate) fn is_for_descriptor(&self) -> bool {
        self.scope == Scope::Process
    }

    /// Registers the task to be woken once, when asking again may help.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut wakers = lock(&self.limit.wakers);
        if !wakers.iter().any(|other| other.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Has a connection evicted, if one is idle; false: all connections are in use, and the accept is blocked.
    pub(crate) fn ask(&mut self, now_millis: u64) -> bool {
        match self.accept.ask(&self.limit.pool, now_millis, || self.limit.members()) {
            Ask::Evicts(eviction) => begin_eviction(eviction),
            Ask::Coming => {}
            Ask::Blocked => return false,
        }
        true
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.accept.end(&self.limit.pool) {
            self.limit.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// limit: evictions under way for the sake of connections to targets, or of an accept that failed.
pub(crate) const EVICTIONS_MAX: u32 = 256;
