//! Locks for threads that may panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, after a panic too: a trial reports what it has.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
