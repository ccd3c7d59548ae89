//! An accept that waits for a permit.

use std::ops::Deref;

use super::board::IdleBoard;
use super::cells::{Cells, Lock, Number};
use super::pool::{Eviction, PermitPool};
use super::scope::Scope;

/// An accept that waits in one pool. The caller ends it with [`WaitingAccept::end`], in the same pool.
#[derive(Debug)]
pub struct WaitingAccept {
    scope: Scope,
    is_blocked: bool,
}

/// What a waiting accept can expect.
#[derive(Debug)]
pub enum Ask<B> {
    /// A connection will be evicted.
    Evicts(Eviction<B>),
    /// As many evictions are under way as accepts wait.
    Coming,
    /// All connections are in use.
    Blocked,
}

impl WaitingAccept {
    pub fn begin<C: Cells>(pool: &PermitPool<C>, scope: Scope) -> Self {
        pool.queue.waiting.add(1);
        Self { scope, is_blocked: false }
    }

    /// Requests an eviction, unless there are as many as accepts wait. `boards` are those of all listeners whose
    /// connections need a permit of this pool.
    pub fn ask<C, B>(&mut self, pool: &PermitPool<C>, now_millis: u64, boards: impl Fn() -> Vec<B>) -> Ask<B>
    where
        C: Cells,
        B: Deref<Target: AsRef<IdleBoard<C>>>,
    {
        pool.renew_closes();
        let mut ask = self.try_evict(pool, now_millis, &boards);
        if matches!(ask, Ask::Blocked) {
            // invariant: `blocked` is raised before the second look. A connection that goes idle meanwhile is found by
            // this look, or its worker finds the blocked accept and wakes it.
            self.set_blocked(pool, true);
            ask = self.try_evict(pool, now_millis, &boards);
        }
        self.set_blocked(pool, matches!(ask, Ask::Blocked));
        ask
    }

    fn try_evict<C, B>(&self, pool: &PermitPool<C>, now_millis: u64, boards: &impl Fn() -> Vec<B>) -> Ask<B>
    where
        C: Cells,
        B: Deref<Target: AsRef<IdleBoard<C>>>,
    {
        let most = pool.queue.waiting.load();
        match pool.evict_oldest(self.scope, now_millis, most, boards) {
            Some(eviction) => Ask::Evicts(eviction),
            None if pool.queue.evicting.load() >= most => Ask::Coming,
            None => Ask::Blocked,
        }
    }

    fn set_blocked<C: Cells>(&mut self, pool: &PermitPool<C>, is_blocked: bool) {
        match (self.is_blocked, is_blocked) {
            (false, true) => drop(pool.queue.blocked.add(1)),
            (true, false) => drop(pool.queue.blocked.subtract(1)),
            _ => {}
        }
        self.is_blocked = is_blocked;
    }

    /// The accept has a permit, or waits no more. True: the waiting accepts must be woken. Another accept may count on an
    /// eviction that this one tried to request when it was blocked.
    #[must_use]
    pub fn end<C: Cells>(&mut self, pool: &PermitPool<C>) -> bool {
        let gave_up = self.is_blocked && self.scope == Scope::Process;
        self.set_blocked(pool, false);
        pool.queue.closes.with(|closes| {
            // invariant: no more closes are announced than accepts wait, so that none is left when no accept waits.
            pool.queue.waiting.subtract(1);
            closes.announced = closes.announced.saturating_sub(1);
            closes.closed = closes.closed.saturating_sub(1).min(closes.announced);
        });
        gave_up && pool.waiting() > 0
    }
}

/// Takes a permit, or leaves the accept waiting for one: `wait` begins to wait in the pool that is full and registers
/// the accept's waker there.
pub fn take_or_wait<P>(mut take: impl FnMut() -> Result<P, Scope>, mut wait: impl FnMut(Scope)) -> Option<P> {
    let mut waits_in = None;
    loop {
        match take() {
            Ok(permit) => return Some(permit),
            Err(scope) if waits_in == Some(scope) => return None,
            // A permit that was given back before `wait` woke no accept: try again.
            Err(scope) => {
                wait(scope);
                waits_in = Some(scope);
            }
        }
    }
}
