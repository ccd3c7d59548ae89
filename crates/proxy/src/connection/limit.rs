//! Connection limits as all workers share them: the pools of [`balance::connection_limit`] on atomics, and the wakers of
//! the tasks that the limits wake (KA10, KA11).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use balance::connection_limit::{Ask, Eviction, IdleBoard, PermitPool, Pools, Scope, WaitingAccept, Wakes};
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
    /// The listeners whose connections need a permit from this limit.
    members: Mutex<Vec<Weak<ListenerLimits>>>,
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

    /// Clients whose connections are counted.
    pub fn clients(&self) -> usize {
        self.pool.clients()
    }

    /// Wakes all waiting accepts.
    fn wake(&self) {
        let wakers = std::mem::take(&mut *lock(&self.wakers));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Has the connection closed that has been idle longest; false: none is idle, or `most` evictions are under way.
    pub(crate) fn evict_oldest(&self, scope: Scope, now_millis: u64, most: u32) -> bool {
        let eviction = self.pool.evict_oldest(scope, now_millis, most, || self.members());
        eviction.map(begin_eviction).is_some()
    }

    fn members(&self) -> Vec<Arc<ListenerLimits>> {
        lock(&self.members).iter().filter_map(Weak::upgrade).collect()
    }

    fn join(&self, member: &Arc<ListenerLimits>) {
        let mut members = lock(&self.members);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(member));
    }
}

fn begin_eviction(Eviction { board, worker }: Eviction<Arc<ListenerLimits>>) {
    let evictor = lock(board.evictors.of(worker)).take();
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
        member.limits.iter().for_each(|limit| limit.join(&member));
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
    accept: WaitingAccept,
}

impl Waiting {
    pub(crate) fn begin(limit: &Arc<ConnectionLimit>, scope: Scope) -> Self {
        Self { limit: Arc::clone(limit), accept: WaitingAccept::begin(&limit.pool, scope) }
    }

    pub(crate) fn is_in(&self, limit: &Arc<ConnectionLimit>) -> bool {
        Arc::ptr_eq(&self.limit, limit)
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
        self.accept.end(&self.limit.pool);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
