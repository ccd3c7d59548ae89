//! The permit of one connection, and its time between requests.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use balance::connection_limit::{ClientLimit, CountedClient, IdleEntry, PermitState, Scope};
use net::StreamKey;
use observe::ListenerCells;

use super::idle_connections::IdleConnections;
use crate::traffic::Traffic;

/// A connection's permit, until it is dropped.
pub(crate) struct Permit {
    connections: Rc<IdleConnections>,
    state: Cell<PermitState>,
    counted: Option<Box<CountedClient>>,
}

impl Permit {
    /// Takes a permit; or the limit that is reached.
    pub(crate) fn take(connections: &Rc<IdleConnections>) -> Result<Self, Scope> {
        if let Err(full) = connections.limits.pools().take() {
            connections.limits.wake(full.wakes);
            return Err(full.scope);
        }
        Ok(Self { connections: Rc::clone(connections), state: Cell::default(), counted: None })
    }

    pub(crate) fn cells(&self) -> &ListenerCells {
        self.connections.cells()
    }

    pub(super) fn traffic(&self) -> &Rc<Traffic> {
        &self.connections.traffic
    }

    /// Counts the connection for this client, and no longer for the client for which it was counted before.
    pub(crate) fn count(&mut self, client: IpAddr) -> Result<(), ClientLimit> {
        self.uncount();
        let counted = self.connections.limits.pools().count_client(client)?;
        self.counted = counted.is_counted().then(|| Box::new(counted));
        Ok(())
    }

    fn uncount(&mut self) {
        if let Some(counted) = self.counted.take() {
            self.connections.limits.pools().uncount_client(*counted);
        }
    }

    /// The connection waits for a request until the returned guard is dropped, and may be evicted meanwhile.
    pub(crate) fn idle(&self, stream: StreamKey, is_new: bool, now_millis: u64) -> IdleGuard<'_> {
        let connections = &*self.connections;
        let mut order = connections.order.borrow_mut();
        let (entry, wakes) = order.enter(&connections.shared(), stream, is_new, now_millis);
        drop(order);
        connections.limits.wake(wakes);
        connections.limits.evict_excess(now_millis);
        IdleGuard { permit: self, entry }
    }

    /// See [`PermitState::announce_close`].
    pub(crate) fn announce_close(&self) -> bool {
        self.change(|state| state.announce_close(&self.connections.limits.pools()))
    }

    /// See [`PermitState::closes_after_response`].
    pub(crate) fn closes_after_response(&self) -> bool {
        self.state.get().closes_after_response()
    }

    /// See [`PermitState::stay`].
    pub(crate) fn stay(&self) {
        let wakes = self.change(|state| state.stay(&self.connections.limits.pools()));
        self.connections.limits.wake(wakes);
    }

    /// See [`PermitState::begin_close`].
    pub(crate) fn begin_close(&self) {
        self.change(|state| state.begin_close(&self.connections.limits.pools()));
    }

    /// See [`PermitState::close_is_late`].
    pub(crate) fn close_is_late(&self) {
        let wakes = self.change(|state| state.close_is_late(&self.connections.limits.pools()));
        self.connections.limits.wake(wakes);
    }

    fn change<R>(&self, change: impl FnOnce(&mut PermitState) -> R) -> R {
        let mut state = self.state.get();
        let result = change(&mut state);
        self.state.set(state);
        result
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.state.get().is_evicted() {
            self.cells().connections_evicted.increment();
        }
        self.uncount();
        let wakes = self.change(|state| state.end(&self.connections.limits.pools()));
        self.connections.limits.wake(wakes);
    }
}

/// A connection that is idle, until this is dropped.
pub(crate) struct IdleGuard<'p> {
    permit: &'p Permit,
    entry: IdleEntry,
}

impl IdleGuard<'_> {
    pub(crate) fn is_evicted(&self) -> bool {
        self.permit.connections.order.borrow().is_evicted(&self.entry)
    }
}

impl Drop for IdleGuard<'_> {
    fn drop(&mut self) {
        let connections = &*self.permit.connections;
        let evicted = connections.order.borrow_mut().leave(&connections.shared(), &self.entry);
        self.permit.change(|state| state.leave_idle(evicted));
    }
}
