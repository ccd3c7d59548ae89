//! Rendezvous hashing (Thaler, Ravishankar 1998) with weights: a choice that needs no table.

use crate::random::mix;

/// The usable target with the highest score for this key. Processes with the same targets agree without talking to each
/// other, and only the keys of a target that is not usable go elsewhere. Takes time for each target, so it is for rare
/// choices; [`Maglev`](crate::Maglev) is for frequent ones. `targets` are ids and weights.
pub fn rendezvous(
    key: u64,
    targets: impl Iterator<Item = (u64, u32)>,
    usable: impl Fn(usize) -> bool,
) -> Option<usize> {
    let usable = targets.enumerate().filter(|&(at, (_, weight))| weight > 0 && usable(at));
    let scored = usable.map(|(at, (id, weight))| (score(key, id, weight), at));
    scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, at)| at)
}

/// -weight / ln(u), with u from the hash, uniform in (0, 1): the highest one is a target's with a chance that is
/// proportional to its weight.
fn score(key: u64, id: u64, weight: u32) -> f64 {
    let hash = mix(mix(id) ^ key) >> 11;
    let uniform = (hash as f64 + 0.5) / (1_u64 << 53) as f64;
    -f64::from(weight) / uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    fn pick(key: u64, weights: &[u32], down: Option<usize>) -> Option<usize> {
        let targets = weights.iter().enumerate().map(|(at, &weight)| (at as u64 * 977, weight));
        rendezvous(key, targets, |at| Some(at) != down)
    }

    #[test]
    fn keys_are_spread_by_weight() {
        let mut random = Rng::new(7);
        let mut counts = [0_u32; 4];
        for _ in 0..100_000 {
            counts[pick(random.next_u64(), &[1, 2, 0, 5], None).unwrap()] += 1;
        }
        for (count, share) in counts.iter().zip([12_500, 25_000, 0, 62_500]) {
            assert!(count.abs_diff(share) < 1_000, "{counts:?}");
        }
    }

    #[test]
    fn only_the_keys_of_a_lost_target_move() {
        let mut random = Rng::new(7);
        for _ in 0..10_000 {
            let key = random.next_u64();
            let (before, after) = (pick(key, &[1; 5], None), pick(key, &[1; 5], Some(3)));
            assert!(before == after || before == Some(3), "{key}");
            assert_ne!(after, Some(3));
        }
        assert_eq!(pick(1, &[1], Some(0)), None);
        assert_eq!(pick(1, &[0], None), None, "it is drained");
    }
}
