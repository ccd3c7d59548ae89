//! Memory for large values that arrive or leave, over all connections of a gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may still be taken. Values that fit into the usual buffers of a connection need none.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
}

/// Bytes that were taken; dropping it gives them back.
#[derive(Debug)]
pub(super) struct Taken {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// Room for several values of the largest size.
    pub(super) fn new(item_bytes_max: usize) -> Arc<Self> {
        Self::of(BYTES_MIN.max(item_bytes_max.saturating_mul(ITEMS)))
    }

    pub(super) fn of(bytes: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(bytes) })
    }

    /// `None`: others have taken too much.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        let less = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Taken { budget: Arc::clone(self), bytes })
    }
}

impl Taken {
    /// Takes more, until it is `bytes`; false: others have taken too much.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else { return true };
        let Some(mut taken) = self.budget.take(more) else { return false };
        self.bytes += std::mem::take(&mut taken.bytes);
        true
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// limit: bytes of the large values that all connections of a gateway send and receive, if [`ITEMS`] values are not more.
const BYTES_MIN: usize = 64 << 20;
const ITEMS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::of(100);
        let mut first = budget.take(60).unwrap();
        assert!(budget.take(41).is_none());
        assert!(first.grow(10) && first.grow(100) && !first.grow(101));
        assert!(budget.take(1).is_none());
        drop(first);
        drop(budget.take(100).unwrap());
        assert!(budget.take(101).is_none());
        assert!(Budget::new(16 << 20).take(16 * (16 << 20)).is_some());
    }
}
