//! What has happened to the sessions in a store.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start, for metrics and status. What the store itself has done is in [`Figures`](crate::Figures).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionFigures {
    /// Claims and looks that found a session.
    pub hits: u64,
    /// Claims and looks that found none.
    pub misses: u64,
    pub claims_won: u64,
    /// Claims of a session that another node or request had claimed before.
    pub claims_lost: u64,
    /// Sessions that were given to another target.
    pub moves: u64,
    /// Sessions of which a touch has told that the store names another target.
    pub corrections: u64,
    /// Sessions that the store had lost, and that were written again.
    pub rewritten: u64,
    /// Sessions whose touch has failed.
    pub untouched: u64,
    /// Requests that were refused because too many were waiting; a batch of touches is one.
    pub overloaded: u64,
    /// Other requests that failed.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) claims_won: Counter,
    pub(super) claims_lost: Counter,
    pub(super) moves: Counter,
    /// Writes by which a session may have moved, also those of which the answer was lost. Not among the figures.
    pub(super) changes: Counter,
    pub(super) corrections: Counter,
    pub(super) rewritten: Counter,
    pub(super) untouched: Counter,
    pub(super) overloaded: Counter,
    pub(super) failed: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn figures(&self) -> SessionFigures {
        SessionFigures {
            hits: self.hits.read(),
            misses: self.misses.read(),
            claims_won: self.claims_won.read(),
            claims_lost: self.claims_lost.read(),
            moves: self.moves.read(),
            corrections: self.corrections.read(),
            rewritten: self.rewritten.read(),
            untouched: self.untouched.read(),
            overloaded: self.overloaded.read(),
            failed: self.failed.read(),
        }
    }
}
