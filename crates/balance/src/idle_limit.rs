//! How long an idle connection to a target may wait and still be reused (KA6).
//!
//! A target closes idle connections after a time that it rarely tells. A request sent just then is lost, and a POST
//! cannot be repeated. The pool of a worker keeps one of these per target.

/// What is known of one target's idle timeout. All times are how long a connection was idle, in milliseconds.
///
/// The pool asks [`may_reuse`](Self::may_reuse) and leaves what may not be reused where it is, until the target
/// closes it or its own idle timeout ends: those ends are the evidence that corrects a limit which is too low, for
/// example because a restart of the target closed a connection early. Trying would correct it too, at the price of
/// requests.
#[derive(Clone, Debug)]
pub struct IdleLimit {
    learned: Option<u64>,
    announced: Option<u64>,
    /// Connections in a row that clearly outlived `learned`.
    outlived: u32,
    /// The shortest life among them.
    outlived_min: u64,
    /// How many of them raise the limit.
    needed: u32,
    /// The limit was raised and not lowered since.
    is_raised: bool,
}

impl Default for IdleLimit {
    fn default() -> Self {
        Self {
            learned: None,
            announced: None,
            outlived: 0,
            outlived_min: u64::MAX,
            needed: OUTLIVED_NEEDED_MIN,
            is_raised: false,
        }
    }
}

impl IdleLimit {
    pub fn may_reuse(&self, idle_millis: u64) -> bool {
        self.limit_millis().is_none_or(|limit| idle_millis < limit)
    }

    /// `None` while nothing is known: the configured idle timeout holds alone.
    pub fn limit_millis(&self) -> Option<u64> {
        match (self.learned, self.announced) {
            (Some(learned), Some(announced)) => Some(learned.min(announced)),
            (learned, announced) => learned.or(announced),
        }
    }

    /// The target closed a connection that had been idle so long. For one that turned out closed when it was reused,
    /// the time is that of the reuse.
    pub fn observe_closed(&mut self, idle_millis: u64) {
        if idle_millis < TIMEOUT_MILLIS_MIN {
            return;
        }
        let limit = less_margin(idle_millis);
        match self.learned {
            Some(learned) if limit >= learned && outlives(idle_millis, learned) => {
                self.outlive(idle_millis);
            }
            // It ended where it was expected to: the limit is right.
            Some(learned) if limit >= learned => self.restart_count(),
            _ => self.lower(limit),
        }
    }

    /// We closed a connection that had been idle so long and that was still open.
    pub fn observe_survived(&mut self, idle_millis: u64) {
        if self.learned.is_some_and(|learned| outlives(idle_millis, learned)) {
            self.outlive(idle_millis);
        }
    }

    /// The target said `Keep-Alive: timeout=seconds` (RFC 2068 §19.7.1.1). The last word counts.
    pub fn observe_keep_alive_timeout(&mut self, seconds: u32) {
        self.announced = Some(less_margin(u64::from(seconds) * 1_000));
    }

    fn lower(&mut self, limit: u64) {
        // A raise that had to be taken back was wrong: the next one needs twice the evidence.
        if self.is_raised {
            self.needed = self.needed.saturating_mul(2).min(OUTLIVED_NEEDED_MAX);
        }
        self.is_raised = false;
        self.learned = Some(limit);
        self.restart_count();
    }

    fn outlive(&mut self, idle_millis: u64) {
        self.outlived += 1;
        self.outlived_min = self.outlived_min.min(idle_millis);
        if self.outlived >= self.needed {
            self.learned = Some(less_margin(self.outlived_min));
            self.is_raised = true;
            self.restart_count();
        }
    }

    fn restart_count(&mut self) {
        self.outlived = 0;
        self.outlived_min = u64::MAX;
    }
}

/// Whether a life of that length shows that the limit is too low: by more than the margin once more.
fn outlives(idle_millis: u64, limit: u64) -> bool {
    less_margin(less_margin(idle_millis)) > limit
}

/// The margin covers a round trip (the target counts from when it sent, and our request is on its way for a while)
/// and the coarseness of both clocks; where the round trip is longer, reuses that fail lower the limit further. At a
/// timeout of 1 s it costs 4 % of the reuse, at 5 s 2.4 %.
fn less_margin(millis: u64) -> u64 {
    millis.saturating_sub(MARGIN_MILLIS + millis / 50)
}

const MARGIN_MILLIS: u64 = 20;

/// A connection that ends sooner did not time out: the target ended it after a number of requests, or stopped.
const TIMEOUT_MILLIS_MIN: u64 = 200;

const OUTLIVED_NEEDED_MIN: u32 = 16;
const OUTLIVED_NEEDED_MAX: u32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn nothing_known_is_no_limit() {
        let mut limit = IdleLimit::default();
        limit.observe_survived(60_000);
        assert!(limit.may_reuse(u64::MAX));
        assert_eq!(limit.limit_millis(), None);
    }

    #[test]
    fn a_close_lowers_the_limit_to_a_little_less() {
        for (closed, reused, refused) in [(1_000, 959, 960), (5_000, 4_879, 4_880), (60_000, 58_779, 58_780)]
        {
            let mut limit = IdleLimit::default();
            limit.observe_closed(closed);
            assert!(limit.may_reuse(reused) && !limit.may_reuse(refused), "{closed}: {limit:?}");
        }
    }

    #[test]
    fn an_announcement_is_a_ceiling() {
        let mut limit = IdleLimit::default();
        limit.observe_keep_alive_timeout(5);
        assert_eq!(limit.limit_millis(), Some(4_880));
        limit.observe_closed(2_000);
        assert_eq!(limit.limit_millis(), Some(1_940));
        limit.observe_keep_alive_timeout(1);
        assert_eq!(limit.limit_millis(), Some(960));
        limit.observe_keep_alive_timeout(u32::MAX);
        assert_eq!(limit.limit_millis(), Some(1_940));
        limit.observe_keep_alive_timeout(0);
        assert!(!limit.may_reuse(0));
    }

    #[test]
    fn a_close_right_after_a_response_is_no_timeout() {
        let mut limit = IdleLimit::default();
        for _ in 0..100 {
            limit.observe_closed(3);
        }
        assert_eq!(limit.limit_millis(), None);
    }

    #[test]
    fn one_early_close_is_forgotten_after_enough_that_lived_longer() {
        let mut limit = IdleLimit::default();
        limit.observe_closed(300);
        for n in 1..OUTLIVED_NEEDED_MIN {
            if n % 2 == 0 {
                limit.observe_closed(5_000);
            } else {
                limit.observe_survived(5_001);
            }
            assert_eq!(limit.limit_millis(), Some(274), "{n}");
        }
        limit.observe_closed(5_005);
        assert_eq!(limit.limit_millis(), Some(4_880));
    }

    #[test]
    fn a_raise_that_proved_wrong_makes_the_next_one_harder() {
        let mut limit = IdleLimit::default();
        let mut raises = Vec::new();
        limit.observe_closed(1_000);
        for n in 0..2_000 {
            limit.observe_closed(3_000);
            if limit.limit_millis() > Some(1_000) {
                raises.push(n);
                limit.observe_closed(1_000);
            }
        }
        assert_eq!(raises, [15, 47, 111, 239, 495, 1_007]);
    }

    #[test]
    fn what_ends_where_expected_confirms_the_limit() {
        let mut limit = IdleLimit::default();
        limit.observe_closed(2_000);
        for n in 0..500 {
            limit.observe_closed(if n % 8 == 0 { 2_010 } else { 2_800 });
        }
        assert_eq!(limit.limit_millis(), Some(1_940));
    }

    /// A target with a hidden idle timeout, and a pool in front of it, in virtual milliseconds.
    struct Sim {
        limit: IdleLimit,
        /// When each idle connection became idle, the latest last.
        idle: Vec<u64>,
        now: u64,
        timeout: u64,
        round_trip: u64,
        /// Closes that were seen, of whatever kind.
        lessons: u32,
        lost_after_learning: u32,
        reused: u32,
        reusable: u32,
    }

    impl Sim {
        fn new(timeout: u64, round_trip: u64) -> Self {
            let (limit, idle) = (IdleLimit::default(), Vec::new());
            Self {
                limit,
                idle,
                now: 0,
                timeout,
                round_trip,
                lessons: 0,
                lost_after_learning: 0,
                reused: 0,
                reusable: 0,
            }
        }

        /// Time passes; the target closes what timed out. The events of a loop are seen up to 3 ms late.
        fn pause(&mut self, millis: u64, random: &mut Rng) {
            self.now += millis;
            let gone = self.idle.iter().take_while(|since| self.now - **since > self.timeout).count();
            self.idle.drain(..gone);
            for _ in 0..gone {
                self.close(self.timeout + random.below(4));
            }
        }

        fn close(&mut self, idle_millis: u64) {
            self.limit.observe_closed(idle_millis);
            self.lessons += 1;
        }

        /// So many requests at once, each on a connection of its own, the one that is idle for the shortest first.
        fn burst(&mut self, requests: usize) {
            for _ in 0..requests {
                let Some(&since) = self.idle.last() else { break };
                let idle = self.now - since;
                self.reusable += u32::from(self.lessons > 0);
                if !self.limit.may_reuse(idle) {
                    break;
                }
                self.idle.pop();
                self.reused += u32::from(self.lessons > 0);
                if idle + self.round_trip >= self.timeout {
                    self.lost_after_learning += u32::from(self.lessons >= 3);
                    self.close(idle);
                }
            }
            self.idle.extend(std::iter::repeat_n(self.now, requests));
        }

        fn check_invariants(&self, seed: u64) {
            assert!(self.idle.is_sorted(), "seed={seed}");
            let limit = self.limit.limit_millis();
            assert!(self.lessons == 0 || limit <= Some(self.timeout), "seed={seed} {limit:?}");
        }
    }

    #[test]
    fn sim_after_three_lessons_nothing_is_lost_and_reuse_stays_high() {
        for seed in 0..100 {
            let mut random = Rng::new(seed);
            let mut sim = Sim::new(1_000 + random.below(4_001), random.below(10));
            for round in 0..3_000 {
                // Half of the pauses end around the timeout, where it hurts.
                let pause = if round % 2 == 0 {
                    random.below(sim.timeout * 5 / 4)
                } else {
                    sim.timeout * 9 / 10 + random.below(sim.timeout / 5)
                };
                sim.pause(pause, &mut random);
                sim.burst(1 + random.below(8) as usize);
                sim.check_invariants(seed);
            }
            assert_eq!(sim.lost_after_learning, 0, "seed={seed}");
            let allowed = sim.limit.limit_millis().unwrap() as f64 / sim.timeout as f64;
            assert!(allowed >= 0.95, "seed={seed}: {allowed} of the timeout is used");
        }
    }

    #[test]
    fn sim_reuse_by_requests_is_at_least_95_percent() {
        for seed in 0..50 {
            let mut random = Rng::new(seed);
            let mut sim = Sim::new(1_000 + random.below(4_001), random.below(10));
            for _ in 0..3_000 {
                let pause = random.below(sim.timeout * 5 / 4);
                sim.pause(pause, &mut random);
                sim.burst(1);
                sim.check_invariants(seed);
            }
            let share = f64::from(sim.reused) / f64::from(sim.reusable);
            assert!(share >= 0.95, "seed={seed}: {share}");
        }
    }
}
