//! Cells that one worker writes and any thread reads. The data plane adds to them; a scrape sums them.

use std::ops::Deref;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// A number that only grows.
///
/// invariant: only one thread writes it. `add` is a plain load and a plain store, which costs a fraction of an
/// atomic add. A second writer would lose counts but would corrupt nothing.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub fn increment(&self) {
        self.add(1);
    }

    pub fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down. Like a [`Counter`], it has one writer.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    pub const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    pub fn add(&self, n: i64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub fn increment(&self) {
        self.add(1);
    }

    pub fn decrement(&self) {
        self.add(-1);
    }

    pub fn read(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Puts its value on cache lines of its own, so that workers do not slow each other down by false sharing. The
/// alignment is 128 bytes because today's processors fetch cache lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct CachePadded<T>(pub T);

impl<T> Deref for CachePadded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_adds_and_wraps_instead_of_panicking() {
        let counter = Counter::new();
        counter.increment();
        counter.add(41);
        assert_eq!(counter.read(), 42);
        counter.add(u64::MAX);
        assert_eq!(counter.read(), 41);
    }

    #[test]
    fn a_gauge_goes_both_ways() {
        let gauge = Gauge::new();
        gauge.increment();
        gauge.increment();
        gauge.decrement();
        assert_eq!(gauge.read(), 1);
        gauge.add(-5);
        assert_eq!(gauge.read(), -4);
    }

    #[test]
    fn padded_neighbours_share_no_line() {
        let pair: [CachePadded<Counter>; 2] = Default::default();
        let distance = (&raw const pair[1]).addr() - (&raw const pair[0]).addr();
        assert_eq!(distance, 128);
        assert_eq!((&raw const pair[0]).addr() % 128, 0);
    }
}
