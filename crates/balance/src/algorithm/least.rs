//! Weighted least connections: chooses the target with the least load for its weight.

use std::cmp::Ordering;

use super::compare_load;
use crate::Rng;

/// The usable target of `0..targets` with the fewest requests in flight per weight. O(n).
///
/// Ties are broken at random, in proportion to the weights. So an idle group is used according to its weights,
/// and workers that see the same numbers do not all choose the same target.
pub fn least_connections(
    targets: usize,
    weight: impl Fn(usize) -> u32,
    in_flight: impl Fn(usize) -> u32,
    usable: impl Fn(usize) -> bool,
    random: &mut Rng,
) -> Option<usize> {
    let mut best: Option<(usize, (u32, u32))> = None;
    let mut tied = 0;
    for target in 0..targets {
        let weight = weight(target);
        if weight == 0 || !usable(target) {
            continue;
        }
        let load = (in_flight(target), weight);
        match best.map_or(Ordering::Less, |(_, least)| compare_load(load, least)) {
            Ordering::Greater => continue,
            Ordering::Less => tied = u64::from(weight),
            Ordering::Equal => {
                tied += u64::from(weight);
                if random.below(tied) >= u64::from(weight) {
                    continue;
                }
            }
        }
        best = Some((target, load));
    }
    best.map(|(target, _)| target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(targets: &[(u32, u32, bool)], random: &mut Rng) -> Option<usize> {
        least_connections(targets.len(), |n| targets[n].0, |n| targets[n].1, |n| targets[n].2, random)
    }

    #[test]
    fn the_least_busy_for_its_weight() {
        for (targets, expected) in [
            (&[][..], None),
            (&[(1, 0, false)], None),
            (&[(0, 0, true)], None),
            (&[(1, 9, true), (1, 8, true), (1, 10, true)], Some(1)),
            (&[(1, 1, false), (1, 8, true), (0, 0, true)], Some(1)),
            (&[(10, 9, true), (1, 1, true)], Some(0)),
            (&[(10, 11, true), (1, 1, true)], Some(1)),
            (&[(1_000, u32::MAX, true), (999, u32::MAX, true)], Some(0)),
        ] {
            assert_eq!(pick(targets, &mut Rng::new(1)), expected, "{targets:?}");
        }
    }

    #[test]
    fn ties_are_shared_by_weight() {
        // 0 and 3 have equal load, whatever their index; 1 and 2 are busier or not usable.
        let targets = [(3, 3, true), (1, 2, true), (5, 0, false), (1, 1, true)];
        let mut random = Rng::new(11);
        let picked: Vec<_> = (0..4_000).map(|_| pick(&targets, &mut random).unwrap()).collect();
        let first = picked.iter().filter(|&&target| target == 0).count();
        assert!(picked.iter().all(|target| [0, 3].contains(target)));
        assert!(first.abs_diff(3_000) < 150, "{first}");
    }

    #[test]
    fn sim_load_follows_the_weights() {
        for seed in 0..20 {
            let mut random = Rng::new(seed);
            let weights = [1, 2, 3, 4];
            let mut flight = [0_u32; 4];
            let mut picked = [0_u32; 4];
            for _ in 0..20_000 {
                let target =
                    least_connections(4, |n| weights[n], |n| flight[n], |_| true, &mut random).unwrap();
                flight[target] += 1;
                picked[target] += 1;
                if flight.iter().sum::<u32>() > 100 {
                    finish_one(&mut flight, &mut random);
                }
            }
            for (target, weight) in weights.into_iter().enumerate() {
                assert!(flight[target].abs_diff(weight * 10) <= 2, "seed={seed} {flight:?}");
                assert!(picked[target].abs_diff(weight * 2_000) < 200, "seed={seed} {picked:?}");
            }
        }
    }

    /// Finishes a request. Each one in flight is equally likely.
    fn finish_one(flight: &mut [u32; 4], random: &mut Rng) {
        let mut left = random.below(u64::from(flight.iter().sum::<u32>())) as u32;
        for count in flight {
            if left < *count {
                *count -= 1;
                return;
            }
            left -= *count;
        }
    }
}
