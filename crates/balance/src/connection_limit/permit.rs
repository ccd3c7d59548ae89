//! The permit of one connection.

use super::cells::Cells;
use super::pools::Pools;
use super::scope::{Scope, Wakes};

/// The limit for which a connection that has a permit must close, if it must.
#[derive(Clone, Copy, Debug, Default)]
pub struct PermitState {
    /// It was evicted while idle.
    evicted: Option<Scope>,
    /// It closes after its response.
    after_response: Option<Scope>,
    /// It closes for a limit, but its close takes long.
    is_late: bool,
}

impl PermitState {
    /// The connection is no longer idle; `evicted`: what [`EvictionOrder::leave`](super::EvictionOrder::leave) returned.
    pub fn leave_idle(&mut self, evicted: Option<Scope>) {
        self.evicted = evicted;
    }

    /// The connection stays open although it was evicted, because a request had come.
    pub fn stay<C: Cells>(&mut self, pools: &Pools<'_, C>) -> Wakes {
        let Some(scope) = self.evicted.take() else { return Wakes::default() };
        pools.of(scope).eviction_done();
        Wakes::of(scope)
    }

    /// True if the connection must close after the response that is about to go, because an accept is blocked. The
    /// client is told, so that no request of it is lost.
    pub fn announce_close<C: Cells>(&mut self, pools: &Pools<'_, C>) -> bool {
        if self.after_response.is_none() {
            self.after_response = pools.announce_close();
        }
        self.after_response.is_some()
    }

    /// True if the connection closes after its response, for a blocked accept.
    pub fn closes_after_response(&self) -> bool {
        self.after_response.is_some()
    }

    /// The limit for which the connection closes, because it was evicted or after its response.
    pub fn closes_for(&self) -> Option<Scope> {
        self.evicted.or(self.after_response)
    }

    /// True if the connection closes, or has closed, for a limit.
    pub fn is_evicted(&self) -> bool {
        self.is_late || self.closes_for().is_some()
    }

    /// The connection has sent its last byte, and closes soon. For the accept that gets its permit no other connection is
    /// evicted meanwhile.
    pub fn begin_close<C: Cells>(&mut self, pools: &Pools<'_, C>) {
        if let (None, Some(scope)) = (self.evicted, self.after_response) {
            pools.of(scope).closes_soon();
            self.evicted = Some(scope);
        }
    }

    /// The close takes long: the accept that waits for the permit may have another connection closed.
    pub fn close_is_late<C: Cells>(&mut self, pools: &Pools<'_, C>) -> Wakes {
        self.is_late = self.is_evicted();
        self.settle(pools, Wakes::default())
    }

    /// The connection has closed: gives its permits back.
    pub fn end<C: Cells>(&mut self, pools: &Pools<'_, C>) -> Wakes {
        let wakes = pools.give_back();
        self.settle(pools, wakes)
    }

    /// The accepts for which the connection closes wait for it no more.
    fn settle<C: Cells>(&mut self, pools: &Pools<'_, C>, mut wakes: Wakes) -> Wakes {
        if let Some(scope) = self.after_response.take() {
            pools.of(scope).close_done();
            wakes.add(scope);
        }
        if let Some(scope) = self.evicted.take() {
            pools.of(scope).eviction_done();
            wakes.add(scope);
        }
        wakes
    }
}
