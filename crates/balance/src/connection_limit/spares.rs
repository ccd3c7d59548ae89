//! Idle connections to targets, which are closed when file descriptors run out.

use super::board::IdleBoard;
use super::cells::Cells;
use super::pool::PermitPool;
use super::scope::{Scope, Wakes};

/// One worker's idle connections to targets. They hold descriptors, but no permit of a listener.
#[derive(Debug)]
pub struct Spares<'a, C: Cells> {
    /// Of the process.
    pub pool: &'a PermitPool<C>,
    pub board: &'a IdleBoard<C>,
    pub worker: usize,
}

impl<C: Cells> Spares<'_, C> {
    /// A connection is idle. What is published about the oldest one may be too old afterwards, never too new.
    pub fn enter(&self, now_millis: u64) {
        self.board.enter(self.worker, now_millis);
    }

    /// Since when the oldest one is idle.
    pub fn publish(&self, oldest_millis: Option<u64>) {
        self.board.publish(self.worker, oldest_millis);
    }

    /// Closes as many of the oldest connections as are requested of this worker. `close_oldest` closes one, if any is
    /// idle, and returns since when the next one is.
    pub fn evict(&self, mut close_oldest: impl FnMut() -> Option<u64>) -> Wakes {
        let mut wakes = Wakes::default();
        for _ in 0..self.board.take_requests(self.worker, Scope::Process) {
            let next = close_oldest();
            self.publish(next);
            self.pool.eviction_done();
            wakes.add(Scope::Process);
        }
        wakes
    }
}
