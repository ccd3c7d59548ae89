//! Passes over a target whose connect failed, for a growing time, long before a probe notices.

/// For how long a target is passed over after this many failures in a row: 0.5 s, 1 s, 2 s … at most 30 s.
pub fn pass_over_millis(consecutive_failures: u32) -> u64 {
    match consecutive_failures {
        0 => 0,
        failures => 1_u64
            .checked_shl(failures - 1)
            .map_or(MILLIS_MAX, |factor| factor.saturating_mul(MILLIS_FIRST).min(MILLIS_MAX)),
    }
}

/// The state of one target. It fits into a `u64`, so that all workers can share it in one atomic: read it with
/// [`from_bits`](Self::from_bits) at every pick, change it by compare-exchange when a connect ends. 0 is a
/// target without failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassOver {
    failures: u16,
    /// Below 2^48.
    until_millis: u64,
}

impl PassOver {
    pub fn from_bits(bits: u64) -> Self {
        Self { failures: (bits >> UNTIL_BITS) as u16, until_millis: bits & UNTIL_MAX }
    }

    pub fn to_bits(self) -> u64 {
        u64::from(self.failures) << UNTIL_BITS | self.until_millis
    }

    /// True if the target is passed over now.
    pub fn holds(self, now_millis: u64) -> bool {
        now_millis < self.until_millis
    }

    pub fn consecutive_failures(self) -> u32 {
        self.failures.into()
    }

    /// Records the failure of a connect that began at `began_millis`. A connect that began before the last
    /// pass-over ended changes nothing: a hundred connects that fail together count as one failure.
    #[must_use]
    pub fn after_failure(self, began_millis: u64, now_millis: u64) -> Self {
        if self.failures > 0 && began_millis < self.until_millis {
            return self;
        }
        let failures = self.failures.saturating_add(1);
        let until_millis = now_millis.saturating_add(pass_over_millis(failures.into())).min(UNTIL_MAX);
        Self { failures, until_millis }
    }

    /// Records a successful connect: all failures are forgotten.
    #[must_use]
    pub fn after_success(self) -> Self {
        Self::default()
    }
}

const MILLIS_FIRST: u64 = 500;
const MILLIS_MAX: u64 = 30_000;
const UNTIL_BITS: u32 = 48;
const UNTIL_MAX: u64 = (1 << UNTIL_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn the_time_doubles_up_to_a_limit() {
        for (failures, expected) in [
            (0, 0),
            (1, 500),
            (2, 1_000),
            (3, 2_000),
            (6, 16_000),
            (7, 30_000),
            (8, 30_000),
            (64, 30_000),
            (u32::MAX, 30_000),
        ] {
            assert_eq!(pass_over_millis(failures), expected, "{failures}");
        }
    }

    #[test]
    fn failures_add_up_and_a_success_resets_them() {
        let fresh = PassOver::default();
        assert!(!fresh.holds(0));
        let once = fresh.after_failure(1_000, 1_010);
        assert!(once.holds(1_010) && once.holds(1_509) && !once.holds(1_510));
        let twice = once.after_failure(1_510, 1_520);
        assert!(twice.holds(2_519) && !twice.holds(2_520));
        assert_eq!(twice.consecutive_failures(), 2);
        assert_eq!(twice.after_success(), fresh);
    }

    #[test]
    fn connects_that_fail_together_count_once() {
        let mut state = PassOver::default();
        for n in 0..100 {
            state = state.after_failure(990 + n % 3, 1_000 + n);
        }
        assert_eq!(state.consecutive_failures(), 1);
        // It began before the pass-over and timed out after its end.
        assert_eq!(state.after_failure(1_100, 5_100), state);
    }

    #[test]
    fn sim_bits_keep_the_whole_state_and_the_time_is_bounded() {
        for seed in 0..50 {
            let mut random = Rng::new(seed);
            let (mut state, mut now) = (PassOver::default(), random.next_u64() >> random.below(40));
            for _ in 0..500 {
                let began = now;
                now = now.saturating_add(random.below(40_000));
                state = if random.below(10) == 0 {
                    state.after_success()
                } else {
                    state.after_failure(began, now)
                };
                assert_eq!(PassOver::from_bits(state.to_bits()), state, "seed={seed}");
                assert!(!state.holds(now.saturating_add(30_000)), "seed={seed}");
            }
        }
        assert_eq!(PassOver::from_bits(0), PassOver::default());
    }
}
