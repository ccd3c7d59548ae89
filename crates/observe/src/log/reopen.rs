//! Reopening the files after a rotation. The writer reopens them between two orders, and each file's outcome is
//! reported to the caller that asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The outcome of reopening one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reopened {
    /// `-` for standard output.
    pub path: String,
    /// Why the file could not be reopened. The old one stays in use, and each write tries again.
    pub error: Option<String>,
}

/// Requests to reopen all files are numbered; the writer serves the latest and so all before it.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    asked: AtomicU64,
    done: Mutex<u64>,
    progress: Condvar,
}

impl Rounds {
    /// Asks for a new round. The writer needs an order to notice it.
    pub(super) fn ask(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Waits until this round is done, at most for `patience`.
    pub(super) fn wait(&self, round: u64, patience: Duration) {
        let is_due = |done: &mut u64| *done < round;
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.progress.wait_timeout_while(done, patience, is_due);
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    pub(super) fn finish(&self, round: u64) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = round;
        self.progress.notify_all();
    }
}
