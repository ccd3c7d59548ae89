//! Smooth weighted round robin: targets take turns, and the turns of a heavy target are spread out.

use crate::random::{GOLDEN, mix, scale};

/// One worker's cursor over the targets of a group, or over the weighted groups of a `forward`.
///
/// Each worker has its own cursor. `stagger` (the worker's number) makes the cursors start at different points,
/// so that the sum over all workers follows the weights as closely as a single cursor does.
#[derive(Clone, Debug)]
pub struct SmoothWeighted(Turns);

#[derive(Clone, Debug)]
enum Turns {
    /// All weights are equal: a plain rotation. `next` is the index to try first.
    Equal {
        next: usize,
        places: usize,
    },
    Weighted(Vec<Turn>),
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    weight: i64,
    /// The share of a turn that it is owed, in units of the sum of all weights.
    // invariant: the credits of all turns add up to 0, and each stays within the sum of weights times (ln(n) +
    // 1.5).
    credit: i64,
}

impl SmoothWeighted {
    pub fn new(weights: &[u32], stagger: u64) -> Self {
        let phase = stagger.wrapping_add(1).wrapping_mul(GOLDEN);
        match weights {
            [] | [0, ..] if weights.iter().all(|&weight| weight == 0) => {
                Self(Turns::Equal { next: 0, places: 0 })
            }
            [first, rest @ ..] if rest.iter().all(|weight| weight == first) => {
                let next = scale(phase, weights.len() as u64) as usize;
                Self(Turns::Equal { next, places: weights.len() })
            }
            _ => Self(Turns::Weighted(staggered(weights, phase))),
        }
    }

    /// The next usable target. O(1) if all weights are equal and the next one is usable, else O(n).
    ///
    /// A target that is not usable loses its turns. It does not catch up when it is usable again.
    pub fn pick(&mut self, usable: impl Fn(usize) -> bool) -> Option<usize> {
        match &mut self.0 {
            Turns::Equal { next, places } => {
                let picked = (*next..*places).chain(0..*next).find(|&place| usable(place))?;
                // Continue after the picked target, not one after `next`: else the target after an unusable one
                // would get two turns.
                *next = if picked + 1 == *places { 0 } else { picked + 1 };
                Some(picked)
            }
            Turns::Weighted(turns) => pick_weighted(turns, usable),
        }
    }
}

fn pick_weighted(turns: &mut [Turn], usable: impl Fn(usize) -> bool) -> Option<usize> {
    let mut given = 0;
    let mut best: Option<(usize, i64)> = None;
    for (place, turn) in turns.iter_mut().enumerate() {
        if turn.weight == 0 || !usable(place) {
            continue;
        }
        turn.credit += turn.weight;
        given += turn.weight;
        if best.is_none_or(|(_, credit)| turn.credit > credit) {
            best = Some((place, turn.credit));
        }
    }
    let (picked, _) = best?;
    turns.get_mut(picked)?.credit -= given;
    Some(picked)
}

/// The credits at some point in the middle of the cycle. Each is within half a turn of what is due, spread by
/// `phase`, and their sum is 0.
fn staggered(weights: &[u32], phase: u64) -> Vec<Turn> {
    let sum: i64 = weights.iter().map(|&weight| i64::from(weight)).sum();
    let mut turns: Vec<_> = (weights.iter().enumerate())
        .map(|(place, &weight)| {
            let part = scale(phase.wrapping_add(mix(place as u64)), sum as u64) as i64;
            Turn { weight: i64::from(weight), credit: if weight == 0 { 0 } else { part - sum / 2 } }
        })
        .collect();
    let live = turns.iter().filter(|turn| turn.weight > 0).count() as i64;
    let surplus: i64 = turns.iter().map(|turn| turn.credit).sum();
    let (share, mut rest) = (surplus.div_euclid(live.max(1)), surplus.rem_euclid(live.max(1)));
    for turn in turns.iter_mut().filter(|turn| turn.weight > 0) {
        turn.credit -= share + i64::from(rest > 0);
        rest -= i64::from(rest > 0);
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    fn picks(smooth: &mut SmoothWeighted, count: usize, usable: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..count).map_while(|_| smooth.pick(&usable)).collect()
    }

    fn counts(picked: &[usize], places: usize) -> Vec<usize> {
        (0..places).map(|place| picked.iter().filter(|&&pick| pick == place).count()).collect()
    }

    fn check_invariants(smooth: &SmoothWeighted) {
        let Turns::Weighted(turns) = &smooth.0 else { return };
        let sum: i64 = turns.iter().map(|turn| turn.weight).sum();
        let bound = (sum as f64 * ((turns.len() as f64).ln() + 1.5)) as i64;
        assert_eq!(turns.iter().map(|turn| turn.credit).sum::<i64>(), 0, "{turns:?}");
        assert!(turns.iter().all(|turn| turn.credit.abs() <= bound), "{bound} {turns:?}");
    }

    #[test]
    fn a_whole_cycle_follows_the_weights_exactly() {
        for (weights, cycle) in
            [(vec![5, 1, 1], 7), (vec![1, 1], 2), (vec![10, 20, 30], 6), (vec![0, 3, 0, 1], 4)]
        {
            let mut smooth = SmoothWeighted::new(&weights, 0);
            picks(&mut smooth, cycle * 5, |_| true);
            let sum: u32 = weights.iter().sum();
            let expected: Vec<_> = weights.iter().map(|&w| w as usize * cycle / sum as usize).collect();
            assert_eq!(counts(&picks(&mut smooth, cycle, |_| true), weights.len()), expected, "{weights:?}");
        }
    }

    #[test]
    fn a_heavy_target_is_spread_out() {
        let mut smooth = SmoothWeighted::new(&[5, 1, 1], 3);
        let picked = picks(&mut smooth, 70, |_| true);
        let longest = picked.chunk_by(|a, b| a == b).map(<[usize]>::len).max();
        assert!(longest <= Some(3), "{picked:?}");
    }

    #[test]
    fn nothing_to_pick_is_none() {
        for weights in [&[][..], &[0], &[0, 0]] {
            assert_eq!(SmoothWeighted::new(weights, 1).pick(|_| true), None);
        }
        for weights in [&[1, 1][..], &[1, 2]] {
            assert_eq!(SmoothWeighted::new(weights, 1).pick(|_| false), None);
        }
    }

    #[test]
    fn weight_zero_is_never_picked() {
        let mut smooth = SmoothWeighted::new(&[0, 1, 1, 0], 9);
        assert_eq!(counts(&picks(&mut smooth, 100, |_| true), 4), [0, 50, 50, 0]);
        assert_eq!(smooth.pick(|place| place == 0), None);
    }

    #[test]
    fn the_turns_of_an_unusable_target_are_shared_evenly() {
        for weights in [[1, 1, 1, 1], [2, 1, 2, 2]] {
            let mut smooth = SmoothWeighted::new(&weights, 0);
            let picked = picks(&mut smooth, 300, |place| place != 1);
            assert_eq!(counts(&picked, 4), [100, 0, 100, 100], "{weights:?}");
        }
    }

    #[test]
    fn a_target_that_comes_back_gets_no_burst() {
        let mut smooth = SmoothWeighted::new(&[3, 2, 1], 0);
        picks(&mut smooth, 1_000, |place| place != 1);
        let after = picks(&mut smooth, 12, |_| true);
        assert!(counts(&after, 3)[1].abs_diff(4) <= 1, "{after:?}");
    }

    #[test]
    fn sim_all_workers_together_stay_within_one_percent() {
        let mut weights =
            vec![vec![1, 1], vec![1, 1, 1], vec![5, 1], vec![1, 1_000], vec![1, 2, 3, 4, 0], vec![90, 10]];
        weights.push((1..=50).collect());
        weights.push([1; 40].into_iter().chain([100, 7]).collect());
        for (weights, workers) in
            weights.iter().flat_map(|weights| [1, 2, 4, 16].map(|workers| (weights, workers)))
        {
            for seed in 0..40 {
                one_percent(weights, workers, seed);
            }
        }
    }

    fn one_percent(weights: &[u32], workers: u64, seed: u64) {
        let mut random = Rng::new(seed);
        let mut cursors: Vec<_> = (0..workers).map(|worker| SmoothWeighted::new(weights, worker)).collect();
        let picked: Vec<_> = (0..1_000)
            .map(|_| {
                let worker = random.below(workers) as usize;
                let picked = cursors[worker].pick(|_| true).unwrap();
                check_invariants(&cursors[worker]);
                picked
            })
            .collect();
        let sum = f64::from(weights.iter().sum::<u32>());
        for (&weight, count) in weights.iter().zip(counts(&picked, weights.len())) {
            let off = count as f64 - 1_000.0 * f64::from(weight) / sum;
            assert!(off.abs() <= 10.0, "off by {off}: {weights:?} workers={workers} seed={seed}");
        }
    }

    #[test]
    fn sim_flapping_targets_never_break_the_invariants() {
        for seed in 0..50 {
            let mut random = Rng::new(seed);
            let weights: Vec<_> = (0..=random.below(12)).map(|_| random.below(6) as u32).collect();
            let mut smooth = SmoothWeighted::new(&weights, seed);
            for _ in 0..2_000 {
                let down = random.next_u64() & random.next_u64();
                let usable = |place: usize| down >> place & 1 == 0;
                match smooth.pick(usable) {
                    Some(place) => assert!(usable(place) && weights[place] > 0, "seed={seed}"),
                    None => assert!(
                        (0..weights.len()).all(|place| !usable(place) || weights[place] == 0),
                        "seed={seed}"
                    ),
                }
                check_invariants(&smooth);
            }
        }
    }
}
