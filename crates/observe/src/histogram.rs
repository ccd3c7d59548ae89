//! Histograms of durations, with buckets in a 1-2-5 series.

use crate::Counter;

/// Counts durations by bucket; it has one writer. Bounds are 50, 100, 200, 500 µs and so on to 20 s, then 60 s;
/// longer durations go into the last bucket.
#[derive(Debug)]
pub struct Histogram {
    counts: [Counter; BUCKETS],
    sum: Counter,
}

impl Histogram {
    pub const fn new() -> Self {
        Self { counts: [const { Counter::new() }; BUCKETS], sum: Counter::new() }
    }

    /// Counts one duration in microseconds.
    pub fn record(&self, micros: u64) {
        self.counts[bucket(micros)].increment();
        self.sum.add(micros);
    }

    pub fn read(&self) -> HistogramTotals {
        let mut totals = HistogramTotals::default();
        totals.merge(self);
        totals
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// The sum of one or more histograms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramTotals {
    /// By bucket, not cumulative.
    counts: [u64; BUCKETS],
    /// The sum of all durations, in microseconds.
    pub sum_micros: u64,
}

impl HistogramTotals {
    /// Adds the counts of another worker.
    pub fn merge(&mut self, histogram: &Histogram) {
        for (total, cell) in self.counts.iter_mut().zip(&histogram.counts) {
            *total = total.wrapping_add(cell.read());
        }
        self.sum_micros = self.sum_micros.wrapping_add(histogram.sum.read());
    }

    /// The number of durations. It is the sum of the buckets, not a cell of its own, so that the two agree even
    /// while a worker writes.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// Pairs of an inclusive upper bound in microseconds and the number of durations up to it, in ascending
    /// order.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut sum = 0_u64;
        BOUNDS.iter().zip(&self.counts).map(move |(&bound, &count)| {
            sum = sum.wrapping_add(count);
            (bound, sum)
        })
    }
}

/// The index of the first bound that is not below `micros`.
fn bucket(micros: u64) -> usize {
    let candidate = usize::from(FIRST[micros.checked_ilog2().map_or(0, |bits| bits as usize)]);
    match BOUNDS.get(candidate) {
        Some(&bound) => candidate + usize::from(micros > bound),
        None => candidate,
    }
}

/// Inclusive upper bounds in microseconds.
///
/// invariant: each bound is at least twice the one before. So no power-of-two range holds two bounds, and one
/// comparison finds the bucket. The last bound is 60 s, the default of most timeouts: a request that timed out
/// is in the last bucket.
const BOUNDS: [u64; BUCKETS - 1] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000, 20_000_000, 60_000_000,
];

const BUCKETS: usize = 20;

/// For each power of two, the number of bounds below it.
const FIRST: [u8; 64] = {
    let mut first = [0; 64];
    let mut bits = 0;
    while bits < first.len() {
        let mut bound = 0;
        while bound < BOUNDS.len() && BOUNDS[bound] < 1 << bits {
            bound += 1;
        }
        first[bits] = bound as u8;
        bits += 1;
    }
    first
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_search(micros: u64) -> usize {
        BOUNDS.iter().position(|&bound| micros <= bound).unwrap_or(BOUNDS.len())
    }

    #[test]
    fn bounds_are_far_enough_apart_for_one_comparison() {
        assert!(BOUNDS.windows(2).all(|pair| pair[1] >= 2 * pair[0]));
    }

    #[test]
    fn every_bound_belongs_to_the_bucket_below_it() {
        let edges = BOUNDS.iter().flat_map(|&b| [b - 1, b, b + 1]);
        let powers = (0..64).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        for micros in edges.chain(powers).chain([0, u64::MAX]) {
            assert_eq!(bucket(micros), by_search(micros), "{micros} µs");
        }
    }

    proptest! {
        #[test]
        fn any_duration_is_in_its_bucket(micros: u64, shift in 0_u32..64) {
            let micros = micros >> shift;
            prop_assert_eq!(bucket(micros), by_search(micros));
        }

        #[test]
        fn every_duration_is_counted_once(durations in prop::collection::vec(0_u64..100_000_000, 0..50)) {
            let (one, two) = (Histogram::new(), Histogram::new());
            for (place, &micros) in durations.iter().enumerate() {
                if place % 2 == 0 { one.record(micros) } else { two.record(micros) }
            }
            let mut totals = one.read();
            totals.merge(&two);
            prop_assert_eq!(totals.count(), durations.len() as u64);
            prop_assert_eq!(totals.sum_micros, durations.iter().sum::<u64>());
            for (bound, count) in totals.cumulative() {
                prop_assert_eq!(count, durations.iter().filter(|&&micros| micros <= bound).count() as u64);
            }
        }
    }
}
