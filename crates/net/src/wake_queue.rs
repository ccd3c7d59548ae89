//! The queue's half of a wake-up from another thread, apart from the bell so that it can be checked exhaustively
//! (`tests/loom_wake_queue.rs` takes this file with other synchronization types).

use super::sync::{AtomicBool, Mutex, Ordering, PoisonError};

#[derive(Default)]
pub(crate) struct WakeQueue {
    rung: AtomicBool,
    tasks: Mutex<Vec<u64>>,
}

impl WakeQueue {
    /// Whether the bell must be rung.
    pub(crate) fn push(&self, task: u64) -> bool {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        !self.rung.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn take(&self, into: &mut Vec<u64>) {
        // invariant: the bell is observed first and the queue taken second. The other way round, a task that is
        // pushed in between finds the bell rung, does not ring, and is never taken.
        self.rung.store(false, Ordering::SeqCst);
        into.append(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
