//! Wake-ups from other threads.
//!
//! A task's waker is a number: worker, generation and slot. On the worker's own thread a wake is a push to the local run
//! queue. From another thread it goes through the [`Remote`] of that worker, a locked queue and a bell.
//! A stale number causes a spurious poll at most.

use std::sync::{Arc, PoisonError, RwLock};

use crate::sys::Bell;
use crate::wake_queue::WakeQueue;

/// Receives the wake-ups of one worker from other threads.
pub(crate) struct Remote {
    queue: WakeQueue,
    bell: Arc<dyn Bell>,
}

impl Remote {
    pub(crate) fn new(bell: Arc<dyn Bell>) -> Self {
        Self { queue: WakeQueue::default(), bell }
    }

    pub(crate) fn wake(&self, task: u64) {
        if self.queue.push(task) {
            self.bell.ring();
        }
    }

    /// Moves the tasks that other threads woke to `into`.
    pub(crate) fn take(&self, into: &mut Vec<u64>) {
        self.bell.silence();
        self.queue.take(into);
    }
}

/// Workers by number. A number is reused after its worker has ended; a stale wake then reaches the new worker and, thanks to
/// the generation in it, causes a spurious poll at most.
static WORKERS: RwLock<Vec<Option<Arc<Remote>>>> = RwLock::new(Vec::new());

/// Gives a worker its number; `None` if there are too many workers.
pub(crate) fn enlist(remote: Arc<Remote>) -> Option<u8> {
    let mut workers = WORKERS.write().unwrap_or_else(PoisonError::into_inner);
    let index = workers.iter().position(Option::is_none).unwrap_or(workers.len());
    let number = u8::try_from(index).ok()?;
    if index == workers.len() {
        workers.push(None);
    }
    workers[index] = Some(remote);
    Some(number)
}

/// Frees the number of a worker that has ended.
pub(crate) fn dismiss(number: u8) {
    let mut workers = WORKERS.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(worker) = workers.get_mut(usize::from(number)) {
        *worker = None;
    }
}

/// Wakes a task of worker `number`, if that worker still runs.
pub(crate) fn wake(number: u8, task: u64) {
    let workers = WORKERS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(Some(remote)) = workers.get(usize::from(number)) {
        remote.wake(task);
    }
}
