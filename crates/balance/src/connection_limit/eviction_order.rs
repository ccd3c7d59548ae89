//! The idle connections of one listener at one worker, in the order in which they are evicted.

use super::SILENT_AT_LEAST_MILLIS;
use super::board::IdleBoard;
use super::cells::Cells;
use super::idle_order::{IdleOrder, IdlePlace};
use super::pools::Pools;
use super::scope::{Scope, Wakes};

/// A worker's idle connections, which `K` names.
#[derive(Debug)]
pub struct EvictionOrder<K> {
    /// Idle after a response.
    kept: IdleOrder<Note<K>>,
    /// No request has begun yet.
    silent: IdleOrder<Note<K>>,
    published: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Note<K> {
    key: K,
    /// The limit for which it was evicted.
    evicted: Option<Scope>,
}

/// A connection in the order. Its owner gives it back with [`EvictionOrder::leave`], once.
#[derive(Debug)]
pub struct IdleEntry {
    is_new: bool,
    place: IdlePlace,
}

/// What this worker shares with others for the connections of this listener.
#[derive(Debug)]
pub struct Shared<'a, C: Cells> {
    pub pools: Pools<'a, C>,
    pub board: &'a IdleBoard<C>,
    pub worker: usize,
}

/// Connections that must be closed, unless a request has come.
#[derive(Debug)]
#[must_use]
pub struct Evicted<K> {
    /// Each with the limit for which it is evicted.
    pub connections: Vec<(K, Scope)>,
    pub wakes: Wakes,
}

impl<K> Default for EvictionOrder<K> {
    fn default() -> Self {
        Self { kept: IdleOrder::default(), silent: IdleOrder::default(), published: None }
    }
}

impl<K: Copy> EvictionOrder<K> {
    /// A connection waits for a request; `is_new`: for its first.
    pub fn enter<C: Cells>(
        &mut self,
        shared: &Shared<'_, C>,
        key: K,
        is_new: bool,
        now_millis: u64,
    ) -> (IdleEntry, Wakes) {
        let place = self.order(is_new).enter(now_millis, Note { key, evicted: None });
        self.publish(shared);
        (IdleEntry { is_new, place }, shared.pools.wakes_of_blocked())
    }

    pub fn is_evicted(&self, entry: &IdleEntry) -> bool {
        let order = if entry.is_new { &self.silent } else { &self.kept };
        order.note(&entry.place).evicted.is_some()
    }

    /// A connection is no longer idle. Returns the limit for which it was evicted.
    pub fn leave<C: Cells>(&mut self, shared: &Shared<'_, C>, entry: &IdleEntry) -> Option<Scope> {
        let note = self.order(entry.is_new).leave(&entry.place);
        self.publish(shared);
        note.evicted
    }

    /// Evicts as many of the oldest connections as are requested of this worker.
    pub fn evict<C: Cells>(&mut self, shared: &Shared<'_, C>, now_millis: u64) -> Evicted<K> {
        let mut evicted = Evicted { connections: Vec::new(), wakes: Wakes::default() };
        for scope in Scope::ALL {
            for _ in 0..shared.board.take_requests(shared.worker, scope) {
                if let Some(key) = self.take_oldest(shared, scope, now_millis) {
                    evicted.connections.push((key, scope));
                } else {
                    shared.pools.of(scope).eviction_done();
                    evicted.wakes.add(scope);
                }
            }
        }
        evicted
    }

    // invariant: whether the oldest connection may be evicted is checked again. Several requests may rest on the same
    // published time, and the next connection may be new.
    fn take_oldest<C: Cells>(&mut self, shared: &Shared<'_, C>, scope: Scope, now_millis: u64) -> Option<K> {
        let (since, is_new) = self.oldest()?;
        if !scope.may_evict(since, now_millis) {
            return None;
        }
        let note = self.order(is_new).take_oldest(|note| note.evicted = Some(scope))?;
        self.publish(shared);
        Some(note.key)
    }

    /// Since when the oldest connection counts as idle, and whether it is new.
    fn oldest(&self) -> Option<(u64, bool)> {
        let kept = self.kept.oldest_since().map(|since| (since, false));
        let silent = self.silent.oldest_since();
        let silent = silent.map(|since| (since.saturating_add(SILENT_AT_LEAST_MILLIS), true));
        kept.into_iter().chain(silent).min()
    }

    fn order(&mut self, is_new: bool) -> &mut IdleOrder<Note<K>> {
        if is_new { &mut self.silent } else { &mut self.kept }
    }

    fn publish<C: Cells>(&mut self, shared: &Shared<'_, C>) {
        let oldest = self.oldest().map(|(since, _)| since);
        if self.published != oldest {
            self.published = oldest;
            shared.board.publish(shared.worker, oldest);
        }
    }
}
