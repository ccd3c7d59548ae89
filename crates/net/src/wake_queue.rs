//! The queue of tasks that other threads have woken.
//!
//! It is separate from the bell so that loom can check every interleaving: `tests/loom_wake_queue.rs` compiles this file
//! with loom's synchronization types.

use super::sync::{AtomicBool, Mutex, Ordering, PoisonError};

#[derive(Default)]
pub(crate) struct WakeQueue {
    rung: AtomicBool,
    tasks: Mutex<Vec<u64>>,
}

impl WakeQueue {
    /// Adds a task; returns true if the caller must ring the bell.
    pub(crate) fn push(&self, task: u64) -> bool {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        !self.rung.swap(true, Ordering::AcqRel)
    }

    /// Moves all tasks to `into`.
    pub(crate) fn take(&self, into: &mut Vec<u64>) {
        // invariant: `rung` is cleared before the queue is taken. In the other order, a push between the two would find
        // `rung` set and not ring, and its task would never be taken.
        self.rung.store(false, Ordering::SeqCst);
        into.append(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
