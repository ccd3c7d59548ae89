//! Power of two random choices: nearly as even as least connections, without a scan of all targets.

use super::compare_load;
use crate::Rng;

/// Draws targets by weight. It is immutable, so that all workers may share one.
#[derive(Clone, Debug)]
pub struct RandomTwo {
    /// The sum of the weights up to and including each target.
    sums: Vec<u64>,
}

impl RandomTwo {
    pub fn new(weights: &[u32]) -> Self {
        let sums = weights.iter().scan(0, |sum, &weight| {
            *sum += u64::from(weight);
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// Draws two different usable targets by weight and returns the one with fewer requests in flight per
    /// weight. If only one is usable, returns it. O(log n), and O(n) if few targets are usable.
    pub fn pick(
        &self,
        in_flight: impl Fn(usize) -> u32,
        usable: impl Fn(usize) -> bool,
        random: &mut Rng,
    ) -> Option<usize> {
        let first = self.draw(&usable, random)?;
        let Some(second) = self.draw(|target| target != first && usable(target), random) else {
            return Some(first);
        };
        let load = |target| (in_flight(target), self.weight(target));
        Some(if compare_load(load(second), load(first)).is_lt() { second } else { first })
    }

    /// Draws a few times, then scans all targets.
    fn draw(&self, usable: impl Fn(usize) -> bool, random: &mut Rng) -> Option<usize> {
        let sum = *self.sums.last()?;
        // limit: with half of the weight usable, one call in 256 needs the scan.
        let mut draws = (0..DRAWS_MAX).map(|_| {
            let point = random.below(sum);
            self.sums.partition_point(|&sum| sum <= point)
        });
        match draws.find(|&target| self.weight(target) > 0 && usable(target)) {
            Some(target) => Some(target),
            None => self.scan(usable, random),
        }
    }

    fn scan(&self, usable: impl Fn(usize) -> bool, random: &mut Rng) -> Option<usize> {
        let mut seen = 0;
        let mut drawn = None;
        for target in 0..self.sums.len() {
            let weight = u64::from(self.weight(target));
            if weight == 0 || !usable(target) {
                continue;
            }
            seen += weight;
            if random.below(seen) < weight {
                drawn = Some(target);
            }
        }
        drawn
    }

    fn weight(&self, target: usize) -> u32 {
        let before = target.checked_sub(1).and_then(|before| self.sums.get(before)).copied().unwrap_or(0);
        self.sums.get(target).map_or(0, |sum| (sum - before) as u32)
    }
}

const DRAWS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(two: &RandomTwo, n: usize, usable: impl Fn(usize) -> bool, seed: u64) -> Vec<u32> {
        let mut random = Rng::new(seed);
        let mut counts = vec![0; n];
        for _ in 0..20_000 {
            counts[two.pick(|_| 0, &usable, &mut random).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn nothing_usable_is_none() {
        let mut random = Rng::new(1);
        for weights in [&[][..], &[0], &[0, 0]] {
            assert_eq!(RandomTwo::new(weights).pick(|_| 0, |_| true, &mut random), None);
        }
        assert_eq!(RandomTwo::new(&[1, 2]).pick(|_| 0, |_| false, &mut random), None);
    }

    #[test]
    fn the_only_usable_one_is_always_found() {
        let weights = vec![1; 10_000];
        let two = RandomTwo::new(&weights);
        let mut random = Rng::new(3);
        for only in [0, 5_000, 9_999] {
            assert_eq!(two.pick(|_| 0, |target| target == only, &mut random), Some(only));
        }
    }

    #[test]
    fn draws_follow_the_weights() {
        let counts = counts(&RandomTwo::new(&[1, 0, 2, 5]), 4, |_| true, 5);
        assert_eq!(counts[1], 0);
        assert!(counts[0].abs_diff(2_500) < 250 && counts[2].abs_diff(5_000) < 400, "{counts:?}");
    }

    #[test]
    fn a_few_usable_targets_among_many_share_evenly() {
        let weights = vec![1; 1_000];
        let counts = counts(&RandomTwo::new(&weights), 1_000, |target| [7, 8, 900].contains(&target), 6);
        assert!([7, 8, 900].iter().all(|&target: &usize| counts[target].abs_diff(6_667) < 400));
    }

    #[test]
    fn the_busier_of_the_two_is_not_picked() {
        let two = RandomTwo::new(&[1, 1]);
        let mut random = Rng::new(4);
        for busy in [0, 1] {
            for _ in 0..100 {
                let picked = two.pick(|target| u32::from(target == busy), |_| true, &mut random);
                assert_eq!(picked, Some(1 - busy));
            }
        }
        // Three in flight at weight 4 is less load than one at weight 1.
        let two = RandomTwo::new(&[4, 1]);
        assert_eq!(two.pick(|target| [3, 1][target], |_| true, &mut random), Some(0));
    }

    #[test]
    fn sim_the_busiest_stays_close_to_the_mean() {
        for seed in 0..10 {
            let mut random = Rng::new(seed);
            let two = RandomTwo::new(&[1; 100]);
            let mut flight = [0_u32; 100];
            for _ in 0..10_000 {
                let target = two.pick(|target| flight[target], |_| true, &mut random).unwrap();
                flight[target] += 1;
            }
            assert!(flight.iter().all(|count| count.abs_diff(100) <= 6), "seed={seed} {flight:?}");
        }
    }
}
