//! What workers tell each other about the idle connections of one listener.

use super::cells::{Cells, Number};
use super::scope::Scope;

/// Since when the oldest idle connection of each worker is idle, and the evictions requested of each worker.
#[derive(Debug)]
pub struct IdleBoard<C: Cells>(Box<[Notes<C>]>);

/// The part of one worker.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Notes<C: Cells> {
    oldest_millis: C::U64,
    /// Evictions that are requested, by [`Scope`].
    requested: [C::U32; 3],
}

impl<C: Cells> IdleBoard<C> {
    pub fn new(workers: usize) -> Self {
        let notes: Box<[Notes<C>]> = (0..workers).map(|_| Notes::default()).collect();
        notes.iter().for_each(|notes| notes.oldest_millis.store(NONE));
        Self(notes)
    }

    /// Since when the oldest idle connection of any worker is idle, and the worker.
    pub(super) fn oldest(&self) -> Option<(u64, usize)> {
        let all = self.0.iter().enumerate();
        let all = all.map(|(worker, notes)| (notes.oldest_millis.load(), worker));
        all.min().filter(|(since, _)| *since != NONE)
    }

    /// Something of this worker is idle, and perhaps nothing was before.
    pub(super) fn enter(&self, worker: usize, now_millis: u64) {
        let oldest = &self.0[worker].oldest_millis;
        if oldest.load() == NONE {
            oldest.store(now_millis);
        }
    }

    // invariant: written before the worker looks for blocked accepts; see `WaitingAccept::ask`.
    pub(super) fn publish(&self, worker: usize, oldest_millis: Option<u64>) {
        self.0[worker].oldest_millis.store(oldest_millis.unwrap_or(NONE));
    }

    pub(super) fn request(&self, worker: usize, scope: Scope, count: u32) {
        self.0[worker].requested[scope as usize].add(count);
    }

    pub(super) fn take_requests(&self, worker: usize, scope: Scope) -> u32 {
        let requested = &self.0[worker].requested[scope as usize];
        if requested.load() == 0 { 0 } else { requested.swap(0) }
    }

    /// True if evictions are requested of this worker.
    pub fn has_requests(&self, worker: usize) -> bool {
        self.0[worker].requested.iter().any(|requested| requested.load() > 0)
    }

    pub fn workers(&self) -> usize {
        self.0.len()
    }
}

const NONE: u64 = u64::MAX;
