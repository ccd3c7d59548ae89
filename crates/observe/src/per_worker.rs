//! A set of cells per worker.

use std::iter::Sum;

use crate::{CachePadded, Histogram, HistogramTotals};

/// The cells of one thing (a listener, a target, the workers), one set per worker. It is shared as an `Arc`,
/// stored under the thing's name, and outlives reloads.
#[derive(Debug)]
pub struct PerWorker<T>(Box<[CachePadded<T>]>);

impl<T: Default> PerWorker<T> {
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| CachePadded::default()).collect())
    }
}

impl<T> PerWorker<T> {
    /// The cells of worker number `worker`. No other worker may write them.
    ///
    /// # Panics
    ///
    /// If there is no such worker. That is a bug in the wiring; no peer can cause it.
    pub fn of(&self, worker: usize) -> &T {
        &self.0[worker]
    }

    /// The cells of all workers, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|padded| &padded.0)
    }

    /// Sums over all workers: `cells.sum(|c| c.requests.read())`.
    pub fn sum<N: Sum>(&self, read: impl Fn(&T) -> N) -> N {
        self.iter().map(read).sum()
    }

    /// Sums a histogram over all workers.
    pub fn histogram(&self, choose: impl Fn(&T) -> &Histogram) -> HistogramTotals {
        self.iter().fold(HistogramTotals::default(), |mut totals, cells| {
            totals.merge(choose(cells));
            totals
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::{Counter, ListenerCells};

    #[test]
    fn concurrent_workers_lose_no_count() {
        let cells = Arc::new(PerWorker::<Counter>::new(4));
        let threads: Vec<_> = (0..4)
            .map(|worker| {
                let cells = Arc::clone(&cells);
                thread::spawn(move || (0..10_000).for_each(|_| cells.of(worker).increment()))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(cells.sum(Counter::read), 40_000);
    }

    #[test]
    fn gauges_and_histograms_add_up_too() {
        let cells = PerWorker::<ListenerCells>::new(2);
        cells.of(0).connections_open.add(5);
        cells.of(1).connections_open.add(-2);
        cells.of(0).phases.total.record(10);
        cells.of(1).phases.total.record(20);
        assert_eq!(cells.sum(|c| c.connections_open.read()), 3);
        let total = cells.histogram(|c| &c.phases.total);
        assert_eq!((total.count(), total.sum_micros), (2, 30));
    }

    #[test]
    #[should_panic = "index out of bounds"]
    fn an_unknown_worker_number_panics() {
        PerWorker::<Counter>::new(2).of(2);
    }
}
