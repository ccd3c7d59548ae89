//! Wake-ups from other threads.
//!
//! A task's waker is a number: worker, generation and slot. On its own thread a wake is a push to the local run
//! queue. From another thread it goes through the [`Remote`] of that worker: a small locked queue and a bell.
//! A stale number can only cause a spurious poll.

use std::sync::{Arc, PoisonError, RwLock};

use crate::sys::Bell;
use crate::wake_queue::WakeQueue;

/// The mailbox of one worker.
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

    /// Moves what other threads woke to `into`.
    pub(crate) fn take(&self, into: &mut Vec<u64>) {
        self.bell.silence();
        self.queue.take(into);
    }
}

/// Workers by number. A number is reused when its worker is gone; the generation in a waker then makes a stale
/// wake harmless.
static WORKERS: RwLock<Vec<Option<Arc<Remote>>>> = RwLock::new(Vec::new());

/// Gives a worker its number, or none when there are too many.
pub(crate) fn enlist(remote: Arc<Remote>) -> Option<u8> {
    let mut workers = WORKERS.write().unwrap_or_else(PoisonError::into_inner);
    let place = workers.iter().position(Option::is_none).unwrap_or(workers.len());
    let number = u8::try_from(place).ok()?;
    if place == workers.len() {
        workers.push(None);
    }
    workers[place] = Some(remote);
    Some(number)
}

pub(crate) fn dismiss(number: u8) {
    let mut workers = WORKERS.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(place) = workers.get_mut(usize::from(number)) {
        *place = None;
    }
}

pub(crate) fn wake(number: u8, task: u64) {
    let workers = WORKERS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(Some(remote)) = workers.get(usize::from(number)) {
        remote.wake(task);
    }
}
