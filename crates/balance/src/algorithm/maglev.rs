//! Consistent hashing by a look-up table: Eisenbud et al., "Maglev", NSDI 2016, §3.4.

use crate::random::{GOLDEN, mix, scale};

/// Maps hashes to targets with one look-up in a table. If the targets change, few hashes move.
///
/// The table is built outside the workers when the targets of a group change. It never changes, so it is
/// shared. Build it from all targets and tell `pick` which are usable: then a target that was down gets its own
/// clients again. A caller that bounds the load of a target reports a full target as not usable.
#[derive(Clone, Debug)]
pub struct Maglev {
    /// The target of each slot; empty if all targets have weight 0.
    slots: Vec<u16>,
    /// The key of each target; `None` if its weight is 0.
    keys: Vec<Option<u64>>,
}

impl Maglev {
    /// Builds the table from each target's key ([`hash_address`](crate::hash_address)) and weight. The order of
    /// the targets does not matter. A group has at most `model::Limits::TARGETS_MAX` targets; from the 65 536th
    /// on, a target would get no slot.
    pub fn build(targets: &[(u64, u32)]) -> Self {
        let keys = targets.iter().map(|&(key, weight)| (weight > 0).then_some(key)).collect();
        let mut seekers: Vec<_> = (targets.iter().enumerate())
            .filter_map(|(target, &(key, weight))| {
                Some(Seeker::new(u16::try_from(target).ok()?, key, weight))
            })
            .filter(|seeker| seeker.weight > 0 && seeker.target != FREE)
            .collect();
        // The first target takes a contested slot. The order is by key, so that the same set always gives the
        // same table.
        seekers.sort_unstable_by_key(|seeker| seeker.key);
        Self { slots: fill(&mut seekers, slot_count(targets.len())), keys }
    }

    /// The usable target that this hash belongs to. If its own target is not usable, a hash goes to another
    /// one, always the same; the hashes of one target spread over all others.
    pub fn pick(&self, hash: u64, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let mut probe = hash;
        for _ in 0..PROBES_MAX {
            let target = usize::from(*self.slots.get(scale(mix(probe), self.slots.len() as u64) as usize)?);
            if usable(target) {
                return Some(target);
            }
            probe = probe.wrapping_add(GOLDEN);
        }
        self.scan(hash, usable)
    }

    /// Used when hardly any target is usable: highest random weight (Thaler, Ravishankar 1998), without regard
    /// to weights.
    fn scan(&self, hash: u64, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let score = |key: &Option<u64>| key.map(|key| mix(hash ^ key));
        (self.keys.iter().enumerate())
            .filter(|&(target, key)| key.is_some() && usable(target))
            .max_by_key(|(_, key)| score(key))
            .map(|(target, _)| target)
    }
}

/// A target that walks its own permutation of the slots.
struct Seeker {
    target: u16,
    key: u64,
    weight: u32,
    credit: u32,
    slot: usize,
    step: usize,
}

impl Seeker {
    fn new(target: u16, key: u64, weight: u32) -> Self {
        Self { target, key, weight, credit: 0, slot: 0, step: 1 }
    }

    fn place(&mut self, slots: usize) {
        // invariant: the number of slots is prime, so that every step except 0 visits all of them.
        self.slot = scale(mix(self.key), slots as u64) as usize;
        self.step = scale(mix(self.key.wrapping_add(GOLDEN)), slots as u64 - 1) as usize + 1;
    }

    /// Takes the first free slot of the permutation. At least one slot must be free.
    fn take(&mut self, slots: &mut [u16]) {
        while slots[self.slot] != FREE {
            self.advance(slots.len());
        }
        slots[self.slot] = self.target;
        self.advance(slots.len());
    }

    fn advance(&mut self, slots: usize) {
        self.slot += self.step;
        if self.slot >= slots {
            self.slot -= slots;
        }
    }
}

/// Fills the slots in turns. The heaviest target takes a slot each turn, the others in proportion to their
/// weights.
fn fill(seekers: &mut [Seeker], count: usize) -> Vec<u16> {
    let Some(heaviest) = seekers.iter().map(|seeker| seeker.weight).max() else {
        return Vec::new();
    };
    let mut slots = vec![FREE; count];
    seekers.iter_mut().for_each(|seeker| seeker.place(count));
    let mut free = count;
    loop {
        for seeker in seekers.iter_mut() {
            seeker.credit += seeker.weight;
            if seeker.credit < heaviest {
                continue;
            }
            seeker.credit -= heaviest;
            seeker.take(&mut slots);
            free -= 1;
            if free == 0 {
                return slots;
            }
        }
    }
}

/// At least 100 slots per target, so that shares are even to about 1 % (§5.3 of the paper). There are few, wide
/// size classes, because nearly all hashes move when the number of targets crosses from one class to the next.
fn slot_count(targets: usize) -> usize {
    match targets {
        0..=100 => 16_381,
        101..=650 => 65_537,
        _ => 1_048_573,
    }
}

const FREE: u16 = u16::MAX;

// limit: with half of the slots usable, one hash in 65 536 needs the scan.
const PROBES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rng, hash_address};

    fn targets(count: u32) -> Vec<(u64, u32)> {
        (0..count).map(|n| (hash_address(([10, 0, (n >> 8) as u8, n as u8], 80).into()), 10)).collect()
    }

    fn hashes(count: usize) -> impl Iterator<Item = u64> {
        let mut random = Rng::new(99);
        std::iter::repeat_with(move || random.next_u64()).take(count)
    }

    fn shares(maglev: &Maglev, n: usize) -> Vec<f64> {
        let mut counts = vec![0.0; n];
        maglev.slots.iter().for_each(|&target| counts[usize::from(target)] += 1.0);
        counts.iter().map(|count| count / maglev.slots.len() as f64).collect()
    }

    #[test]
    fn slot_counts_are_prime() {
        for targets in [1, 101, 651] {
            let count = slot_count(targets);
            assert!((2..).take_while(|n| n * n <= count).all(|n| !count.is_multiple_of(n)), "{count}");
        }
    }

    #[test]
    fn shares_follow_the_weights_within_five_percent() {
        for weights in
            [vec![1], vec![1, 1, 1], vec![1, 2, 3, 4], vec![100, 50, 10], vec![10; 100], vec![3, 0, 1]]
        {
            let targets: Vec<_> =
                targets(weights.len() as u32).iter().zip(&weights).map(|(t, &w)| (t.0, w)).collect();
            let sum = f64::from(weights.iter().sum::<u32>());
            for (share, &weight) in shares(&Maglev::build(&targets), weights.len()).iter().zip(&weights) {
                let expected = f64::from(weight) / sum;
                assert!((share - expected).abs() <= expected * 0.05, "{share} {expected} {weights:?}");
            }
        }
    }

    #[test]
    fn removing_one_target_moves_little_else() {
        for count in [2, 3, 10, 50, 100] {
            let all = targets(count);
            let before = Maglev::build(&all);
            for gone in [0, count as usize / 2, count as usize - 1] {
                let mut left = all.clone();
                left.remove(gone);
                let after = Maglev::build(&left);
                let back = |target: usize| if target >= gone { target + 1 } else { target };
                let moved = hashes(20_000)
                    .filter(|&hash| before.pick(hash, |_| true) != after.pick(hash, |_| true).map(back))
                    .count();
                let limit = 1.0 / f64::from(count) + 0.02;
                assert!(moved as f64 / 20_000.0 <= limit, "{moved} of {count} without {gone}");
            }
        }
    }

    #[test]
    fn the_order_of_the_targets_does_not_matter() {
        let forward = targets(30);
        let backward: Vec<_> = forward.iter().rev().copied().collect();
        let (a, b) = (Maglev::build(&forward), Maglev::build(&backward));
        for hash in hashes(2_000) {
            assert_eq!(a.pick(hash, |_| true), b.pick(hash, |_| true).map(|target| 29 - target));
        }
    }

    #[test]
    fn an_unusable_target_moves_only_its_own_hashes_and_spreads_them() {
        let maglev = Maglev::build(&targets(10));
        let mut fallen = [0_u32; 10];
        for hash in hashes(50_000) {
            let own = maglev.pick(hash, |_| true).unwrap();
            let now = maglev.pick(hash, |target| target != 4).unwrap();
            assert!(own == 4 || own == now);
            fallen[now] += u32::from(own == 4);
        }
        let mean = fallen.iter().sum::<u32>() / 9;
        assert_eq!(fallen[4], 0);
        assert!(
            fallen.iter().enumerate().all(|(n, count)| n == 4 || count.abs_diff(mean) < mean / 4),
            "{fallen:?}"
        );
    }

    #[test]
    fn the_last_usable_ones_are_found_and_share_evenly() {
        let maglev = Maglev::build(&targets(500));
        let usable = |target: usize| [10, 11, 400].contains(&target);
        let mut counts = vec![0_u32; 500];
        for hash in hashes(30_000) {
            let picked = maglev.pick(hash, usable).unwrap();
            assert_eq!(maglev.pick(hash, usable), Some(picked));
            counts[picked] += 1;
        }
        assert!([10, 11, 400].iter().all(|&target: &usize| counts[target].abs_diff(10_000) < 500));
    }

    #[test]
    fn nothing_to_pick_is_none() {
        for targets in [&[][..], &[(1, 0)], &[(1, 0), (2, 0)]] {
            assert_eq!(Maglev::build(targets).pick(7, |_| true), None);
        }
        assert_eq!(Maglev::build(&targets(3)).pick(7, |_| false), None);
    }

    #[test]
    fn weight_zero_is_never_picked() {
        let mut targets = targets(3);
        targets[1].1 = 0;
        let maglev = Maglev::build(&targets);
        assert!(hashes(1_000).all(|hash| maglev.pick(hash, |_| true) != Some(1)));
        assert_eq!(maglev.pick(5, |target| target == 1), None);
    }

    #[test]
    fn ten_thousand_targets_all_have_slots() {
        let maglev = Maglev::build(&targets(10_000));
        assert!(shares(&maglev, 10_000).iter().all(|&share| share > 0.9e-4 && share < 1.1e-4));
    }
}
