use super::*;
use crate::Rng;

/// Closes that are far enough apart that each counts.
fn close_at(limit: &mut IdleLimit, idle_millis: u64, times: u64) {
    for n in 0..times {
        limit.observe_closed(idle_millis, limit.confirmed_at + MOMENT_MILLIS * (1 + n % 2));
    }
}

#[test]
fn without_evidence_there_is_no_limit() {
    let mut limit = IdleLimit::default();
    limit.observe_survived(60_000, 0);
    limit.observe_response(5_000);
    assert!(limit.may_reuse(u64::MAX));
    assert_eq!(limit.limit_millis(), None);
}

#[test]
fn a_close_sets_the_limit_a_little_below_it() {
    for (closed, reused, refused) in [(1_000, 959, 960), (5_000, 4_879, 4_880), (60_000, 58_779, 58_780)] {
        let mut limit = IdleLimit::default();
        limit.observe_closed(closed, 0);
        assert!(limit.may_reuse(reused) && !limit.may_reuse(refused), "{closed}: {limit:?}");
    }
}

#[test]
fn an_announcement_is_a_ceiling() {
    let mut limit = IdleLimit::default();
    limit.observe_keep_alive_timeout(5);
    assert_eq!(limit.limit_millis(), Some(4_880));
    limit.observe_closed(2_000, 0);
    assert_eq!(limit.limit_millis(), Some(1_940));
    limit.observe_keep_alive_timeout(1);
    assert_eq!(limit.limit_millis(), Some(960));
    limit.observe_keep_alive_timeout(u32::MAX);
    assert_eq!(limit.limit_millis(), Some(1_940));
    limit.observe_keep_alive_timeout(0);
    assert!(!limit.may_reuse(0));
}

#[test]
fn a_close_right_after_a_response_does_not_count_as_a_timeout() {
    let mut limit = IdleLimit::default();
    for now in 0..100 {
        limit.observe_closed(3, now * 1_000);
    }
    assert_eq!(limit.limit_millis(), None);
}

#[test]
fn an_exact_target_gets_the_smallest_margin() {
    let mut limit = IdleLimit::default();
    close_at(&mut limit, 1_500, 20);
    assert_eq!(limit.limit_millis(), Some(1_500 - MARGIN_MILLIS_MIN));
    // An inexact target widens the margin at once, and for a while. A late close does no harm.
    close_at(&mut limit, 1_515, 1);
    assert_eq!(limit.limit_millis(), Some(1_500 - MARGIN_MILLIS_MIN));
    close_at(&mut limit, 1_494, 1);
    assert!(limit.limit_millis() <= Some(1_494 - MARGIN_MILLIS_MIN), "{limit:?}");
    limit.observe_closed(1_488, limit.confirmed_at);
    assert_eq!(limit.limit_millis(), Some(1_488 - 18));
    close_at(&mut limit, 1_400, 1);
    assert_eq!(
        limit.limit_millis(),
        Some(1_400 - 48),
        "a close earlier than the margin resets what was learnt"
    );
}

#[test]
fn closes_at_the_same_time_confirm_once() {
    let (mut many, mut one) = (IdleLimit::default(), IdleLimit::default());
    for limit in [&mut many, &mut one] {
        limit.observe_closed(1_500, 0);
        limit.observe_closed(1_500, 1_000);
    }
    for now in 1_000..1_400 {
        many.observe_closed(1_500, now);
    }
    assert_eq!(many.limit_millis(), one.limit_millis());
}

#[test]
fn the_shortest_response_time_is_subtracted() {
    let mut limit = IdleLimit::default();
    limit.observe_closed(1_600, 0);
    for (micros, expected) in [(2_000_000, 1_448), (80_000, 1_468), (9_001, 1_538), (70_000, 1_538)] {
        limit.observe_response(micros);
        assert_eq!(limit.limit_millis(), Some(expected), "{micros}");
    }
    // A minimum from long ago is forgotten.
    (0..2 * ROUND_TRIP_WINDOW).for_each(|_| limit.observe_response(30_000));
    assert_eq!(limit.limit_millis(), Some(1_518));
}

#[test]
fn one_early_close_is_forgotten_after_enough_that_lived_longer() {
    let mut limit = IdleLimit::default();
    limit.observe_closed(300, 0);
    for n in 1..OUTLIVED_NEEDED_MIN {
        if n % 2 == 0 {
            limit.observe_closed(5_000, u64::from(n) * 1_000);
        } else {
            limit.observe_survived(5_001, u64::from(n) * 1_000);
        }
        assert_eq!(limit.limit_millis(), Some(274), "{n}");
    }
    limit.observe_closed(5_005, 20_000);
    assert_eq!(limit.limit_millis(), Some(4_880));
}

#[test]
fn after_a_wrong_raise_the_next_one_needs_more_evidence() {
    let mut limit = IdleLimit::default();
    let mut raises = Vec::new();
    limit.observe_closed(1_000, 0);
    for n in 0..2_000 {
        limit.observe_closed(3_000, n * 1_000);
        if limit.limit_millis() > Some(1_000) {
            raises.push(n);
            limit.observe_closed(1_000, n * 1_000);
        }
    }
    assert_eq!(raises, [15, 47, 111, 239, 495, 1_007]);
}

#[test]
fn a_close_at_the_expected_time_confirms_the_limit() {
    let mut limit = IdleLimit::default();
    for n in 0..500 {
        limit.observe_closed(if n % 8 == 0 { 2_010 } else { 2_800 }, n * 1_000);
    }
    let expected = 1_900..2_010;
    assert!(limit.limit_millis().is_some_and(|limit| expected.contains(&limit)), "{limit:?}");
}

/// A target with an unknown idle timeout and a pool in front of it, in virtual milliseconds.
struct Sim {
    limit: IdleLimit,
    /// When each idle connection became idle, and after how long the target closes it. The latest is last.
    idle: Vec<(u64, u64)>,
    now: u64,
    target: Hidden,
    random: Rng,
    /// The times at which something could be learnt.
    lessons: u32,
    lesson_at: Option<u64>,
    lost: u32,
    lost_after_learning: u32,
    reused: u32,
    reusable: u32,
}

/// What the target does not announce.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    timeout: u64,
    round_trip: u64,
    /// The target closes up to this much later than its timeout.
    jitter: u64,
}

impl Sim {
    fn new(target: Hidden, random: Rng) -> Self {
        Self {
            limit: IdleLimit::default(),
            idle: Vec::new(),
            now: 1_000_000,
            target,
            random,
            lessons: 0,
            lesson_at: None,
            lost: 0,
            lost_after_learning: 0,
            reused: 0,
            reusable: 0,
        }
    }

    /// Advances time; the target closes connections that timed out. The worker sees these events up to 3 ms
    /// late.
    fn pause(&mut self, millis: u64) {
        self.now += millis;
        let now = self.now;
        let (gone, kept): (Vec<_>, Vec<_>) = self.idle.iter().partition(|(since, life)| now - since > *life);
        self.idle = kept;
        for (_, life) in gone {
            let late = self.random.below(4);
            self.close(life + late);
        }
    }

    fn close(&mut self, idle_millis: u64) {
        self.limit.observe_closed(idle_millis, self.now);
        self.lessons += u32::from(self.lesson_at != Some(self.now));
        self.lesson_at = Some(self.now);
    }

    /// Sends this many requests at once, each on its own connection. The connection with the shortest idle time
    /// is used first.
    fn burst(&mut self, requests: usize) {
        for _ in 0..requests {
            let Some(&(since, life)) = self.idle.last() else { break };
            let idle = self.now - since;
            // A connection that the target closes before the request arrives cannot be reused.
            let is_lost = idle + self.target.round_trip >= life;
            self.reusable += u32::from(self.lessons > 0 && !is_lost);
            if !self.limit.may_reuse(idle) {
                break;
            }
            self.idle.pop();
            self.reused += u32::from(self.lessons > 0 && !is_lost);
            if is_lost {
                self.lost += 1;
                self.lost_after_learning += u32::from(self.lessons >= 3);
                self.close(idle);
            }
        }
        for _ in 0..requests {
            self.limit.observe_response((self.target.round_trip + self.random.below(5)) * 1_000);
            let life = self.target.timeout + self.random.below(self.target.jitter + 1);
            self.idle.push((self.now, life));
        }
    }

    /// Pauses, often for close to the timeout, where reuse is risky; then sends a burst.
    fn round(&mut self) {
        let timeout = self.target.timeout;
        let pause = if self.random.below(2) == 0 {
            timeout / 2 + self.random.below(timeout)
        } else {
            timeout * 9 / 10 + self.random.below(timeout / 5)
        };
        self.pause(pause);
        let requests = 1 + self.random.below(8) as usize;
        self.burst(requests);
    }

    /// Restarts the target: it closes all idle connections, whatever their age, and is back before a request is
    /// lost.
    fn restart(&mut self) {
        let now = self.now;
        for (since, _) in std::mem::take(&mut self.idle) {
            self.close(now - since);
        }
    }

    fn share(&self) -> f64 {
        f64::from(self.reused) / f64::from(self.reusable.max(1))
    }
}

fn hidden(random: &mut Rng, jitter: u64) -> Hidden {
    Hidden { timeout: 1_000 + random.below(4_001), round_trip: random.below(60), jitter }
}

#[test]
fn sim_after_three_closes_no_request_is_lost_and_reuse_stays_high() {
    for seed in 0..200 {
        let mut random = Rng::new(seed);
        let target = hidden(&mut random, 0);
        let mut sim = Sim::new(target, random);
        (0..1_000).for_each(|_| sim.round());
        assert_eq!(sim.lost_after_learning, 0, "seed={seed} {target:?}");
        // Three quarters of the pauses that allow reuse end within a tenth of the timeout.
        assert!(sim.share() >= 0.8, "seed={seed} {target:?}: {}", sim.share());
    }
}

#[test]
fn sim_reuse_by_requests_is_at_least_95_percent() {
    for seed in 0..100 {
        let mut random = Rng::new(seed);
        let target = Hidden { round_trip: random.below(10), ..hidden(&mut random, 0) };
        let mut sim = Sim::new(target, random);
        for _ in 0..1_000 {
            let pause = target.timeout / 2 + sim.random.below(target.timeout);
            sim.pause(pause);
            sim.burst(4);
        }
        assert_eq!(sim.lost_after_learning, 0, "seed={seed} {target:?}");
        assert!(sim.share() >= 0.95, "seed={seed} {target:?}: {}", sim.share());
    }
}

#[test]
fn sim_a_distant_target_needs_no_more_closes() {
    for seed in 0..100 {
        let mut random = Rng::new(seed);
        // The round trip is up to a sixteenth of the timeout.
        let timeout = 2_400 + random.below(2_600);
        let target = Hidden { timeout, round_trip: 60 + random.below(80), jitter: 0 };
        let mut sim = Sim::new(target, random);
        (0..1_000).for_each(|_| sim.round());
        assert_eq!(sim.lost_after_learning, 0, "seed={seed} {target:?}");
    }
}

#[test]
fn sim_an_inexact_target_loses_at_most_one_request_in_a_thousand() {
    let (mut lost, mut requests) = (0, 0);
    for seed in 0..100 {
        let mut random = Rng::new(seed);
        let jitter = random.below(300);
        let target = hidden(&mut random, jitter);
        let mut sim = Sim::new(target, random);
        (0..1_000).for_each(|_| sim.round());
        lost += sim.lost_after_learning;
        requests += sim.reused;
    }
    assert!(lost * 1_000 <= requests, "{lost} of {requests}");
}

#[test]
fn sim_restarts_cost_reuse_for_a_while_and_no_request() {
    for seed in 0..100 {
        let mut random = Rng::new(seed);
        let target = hidden(&mut random, 0);
        let mut sim = Sim::new(target, random);
        for round in 1..1_000 {
            sim.round();
            if round % 300 == 0 {
                let pause = 250 + sim.random.below(700);
                sim.pause(pause);
                sim.restart();
            }
        }
        assert_eq!(sim.lost_after_learning, 0, "seed={seed} {target:?}");
        assert!(sim.share() >= 0.7, "seed={seed} {target:?}: {}", sim.share());
    }
}

#[test]
fn sim_a_timeout_that_changes_is_learnt_anew() {
    for seed in 0..100 {
        let mut random = Rng::new(seed);
        let first = hidden(&mut random, 0);
        let mut sim = Sim::new(first, random);
        (0..300).for_each(|_| sim.round());
        let timeout = 1_000 + sim.random.below(4_001);
        sim.target = Hidden { timeout, ..first };
        sim.idle.clear();
        (0..300).for_each(|_| sim.round());
        (sim.lost, sim.reused, sim.reusable) = (0, 0, 0);
        (0..700).for_each(|_| sim.round());
        assert_eq!(sim.lost, 0, "seed={seed} {first:?} {timeout}");
        assert!(sim.share() >= 0.8, "seed={seed} {first:?} {timeout}: {}", sim.share());
    }
}
