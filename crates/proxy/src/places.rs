//! The places of one listener's clients: in the listener, in its load balancer, in the process. All workers share them;
//! each says which of its connections has been idle longest.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use observe::{ListenerCells, PerWorker};

use crate::room::{ClientLimit, Counted, Room};

/// Whose room it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Listener,
    LoadBalancer,
    /// Of file descriptors.
    Process,
}

impl Scope {
    pub(crate) const ALL: [Self; 3] = [Self::Listener, Self::LoadBalancer, Self::Process];
}

#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) cells: Arc<PerWorker<ListenerCells>>,
    /// By [`Scope`].
    rooms: [Arc<Room>; 3],
    idle: PerWorker<Idle>,
    ushers: Arc<Ushers>,
}

/// The task of each worker that evicts.
pub(crate) type Ushers = PerWorker<Mutex<Option<Waker>>>;

/// What one worker says about its idle connections, and what it is asked for.
#[derive(Debug)]
struct Idle {
    /// Milliseconds of the workers' clock.
    oldest: AtomicU64,
    /// Evictions that others want, by [`Scope`].
    wanted: [AtomicU32; 3],
}

impl Default for Idle {
    fn default() -> Self {
        Self { oldest: AtomicU64::new(NOBODY), wanted: Default::default() }
    }
}

impl Places {
    pub(crate) fn new(
        rooms: [Arc<Room>; 3],
        cells: Arc<PerWorker<ListenerCells>>,
        ushers: &Arc<Ushers>,
    ) -> Arc<Self> {
        let idle = PerWorker::new(ushers.iter().count());
        let places = Arc::new(Self { cells, rooms, idle, ushers: Arc::clone(ushers) });
        places.rooms.iter().for_each(|room| room.join(&places));
        places
    }

    pub(crate) fn room(&self, scope: Scope) -> &Arc<Room> {
        &self.rooms[scope as usize]
    }

    /// One in the listener and one in its load balancer, or whose room is full.
    pub(crate) fn take(&self) -> Result<(), Scope> {
        // In this order: a place that is given back at once is missed by nobody at another listener.
        if !self.room(Scope::Listener).take() {
            return Err(Scope::Listener);
        }
        if !self.room(Scope::LoadBalancer).take() {
            self.room(Scope::Listener).give_back();
            return Err(Scope::LoadBalancer);
        }
        Ok(())
    }

    pub(crate) fn give_back(&self) {
        // invariant: in the order opposite to `take`, or who comes between would find one more than there is room for.
        self.room(Scope::LoadBalancer).give_back();
        self.room(Scope::Listener).give_back();
    }

    /// In whose room a connection is to end for another, behind its response.
    pub(crate) fn promise(&self) -> Option<Scope> {
        [Scope::Listener, Scope::LoadBalancer].into_iter().find(|&scope| self.room(scope).promise())
    }

    /// Counts a connection for its client, in both rooms or in none.
    pub(crate) fn count(&self, client: IpAddr) -> Result<[Option<Counted>; 2], ClientLimit> {
        let listener = self.room(Scope::Listener).count(client)?;
        Ok([listener, self.room(Scope::LoadBalancer).count(client)?])
    }

    /// Whether somebody waits for whom no connection is idle.
    pub(crate) fn is_starving(&self) -> bool {
        self.room(Scope::Listener).is_starving() || self.room(Scope::LoadBalancer).is_starving()
    }

    pub(crate) fn wake(&self) {
        self.room(Scope::Listener).wake();
        self.room(Scope::LoadBalancer).wake();
    }

    /// Since when the oldest idle connection of any worker is idle, and whose it is.
    pub(crate) fn oldest(&self) -> Option<(u64, usize)> {
        let all = self.idle.iter().enumerate();
        let all = all.map(|(worker, idle)| (idle.oldest.load(Ordering::SeqCst), worker));
        all.min().filter(|(since, _)| *since != NOBODY)
    }

    // invariant: in one order with the look at who starves that follows; see `Waiting::ask`.
    pub(crate) fn publish(&self, worker: usize, oldest_millis: Option<u64>) {
        self.idle.of(worker).oldest.store(oldest_millis.unwrap_or(NOBODY), Ordering::SeqCst);
    }

    pub(crate) fn want_eviction(&self, worker: usize, scope: Scope) {
        self.idle.of(worker).wanted[scope as usize].fetch_add(1, Ordering::SeqCst);
        let usher = self.ushers.of(worker).lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(usher) = usher {
            usher.wake();
        }
    }

    /// How many evictions this worker was asked for.
    pub(crate) fn take_wanted(&self, worker: usize, scope: Scope) -> u32 {
        let wanted = &self.idle.of(worker).wanted[scope as usize];
        if wanted.load(Ordering::SeqCst) == 0 { 0 } else { wanted.swap(0, Ordering::SeqCst) }
    }

    /// This worker has nobody to evict any more.
    pub(crate) fn decline(&self, worker: usize) {
        for scope in Scope::ALL {
            for _ in 0..self.take_wanted(worker, scope) {
                self.room(scope).evicted();
            }
        }
    }

    pub(crate) fn is_wanted(&self, worker: usize) -> bool {
        self.idle.of(worker).wanted.iter().any(|wanted| wanted.load(Ordering::SeqCst) > 0)
    }
}

impl Drop for Places {
    // Another worker may want an eviction just when the last connection is gone.
    fn drop(&mut self) {
        (0..self.idle.iter().count()).for_each(|worker| self.decline(worker));
    }
}

const NOBODY: u64 = u64::MAX;
