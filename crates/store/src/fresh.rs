//! Versions that this process has not given before, and that hardly another has.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Version;

/// Makes versions on our side, so that a write needs no answer to learn its own, and a repeated write recognises itself.
///
/// Counting in the store would give a version again after an item was deleted and written anew.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    /// Keyed from the kernel's random numbers.
    random: RandomState,
    count: AtomicU64,
}

impl Versions {
    /// Between 1 and `i64::MAX`, which every store can hold.
    pub(crate) fn next(&self) -> Version {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        Version((self.random.hash_one(count) >> 1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn versions_differ_between_writes_and_processes() {
        let (one, other) = (Versions::default(), Versions::default());
        let versions: HashSet<u64> = (0..1000).flat_map(|_| [one.next().0, other.next().0]).collect();
        assert_eq!(versions.len(), 2000);
        assert!(versions.iter().all(|version| (1..=i64::MAX as u64).contains(version)));
    }
}
