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

    /// The connection has closed: gives its permits back.
    pub fn end<C: Cells>(&mut self, pools: &Pools<'_, C>) -> Wakes {
        let mut wakes = pools.give_back();
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
