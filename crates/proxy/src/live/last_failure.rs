//! The last failed request to a target, for operators.

use std::sync::{Mutex, PoisonError, TryLockError};

use model::{Failure, Side};

use crate::failed::Failed;

/// The last failed attempt at a target that is not its client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastFailure {
    pub failure: Failure,
    /// May be empty.
    pub detail: &'static str,
    /// On the workers' clock, in milliseconds.
    pub at_millis: u64,
    /// How many requests the target had served until then.
    pub served_before: u64,
}

/// Written on failures only.
#[derive(Debug, Default)]
pub(super) struct LastFailureCell(Mutex<Option<LastFailure>>);

impl LastFailureCell {
    /// Never waits: while the failure of another worker is written, or one is read, there is one to show anyway.
    pub(super) fn set(&self, failed: Failed, now_millis: u64, served: impl FnOnce() -> u64) {
        let Failed { failure, detail } = failed;
        if failure.outcome().side == Side::Client {
            return;
        }
        let mut last = match self.0.try_lock() {
            Ok(last) => last,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        *last = Some(LastFailure { failure, detail, at_millis: now_millis, served_before: served() });
    }

    pub(super) fn read(&self) -> Option<LastFailure> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failure_that_is_not_the_client_s_is_kept() {
        let cell = LastFailureCell::default();
        assert_eq!(cell.read(), None);
        cell.set(Failed { failure: Failure::TargetRefused, detail: "x" }, 7, || 2);
        cell.set(Failure::ClientAborted.into(), 8, || 3);
        let expected =
            LastFailure { failure: Failure::TargetRefused, detail: "x", at_millis: 7, served_before: 2 };
        assert_eq!(cell.read(), Some(expected));
    }
}
