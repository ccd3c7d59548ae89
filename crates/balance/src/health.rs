//! The health state of an actively checked target (BAL2). Crate `control` runs the probes and passes their
//! results.

use std::time::Duration;

use model::HealthCheck;

use crate::Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// Not probed yet: the target gets no traffic.
    Unknown,
    Healthy,
    Unhealthy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    Success,
    Failure,
}

/// A change of state, to be logged and published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    pub from: HealthState,
    pub to: HealthState,
}

/// The health of one target, as its probes report it.
///
/// The first probe of a new target decides alone, either way. To wait for more would cost several intervals
/// without service after every start. A target that succeeds once and then fails is caught by the next probes
/// and by passing over targets whose connect failed. Every later change needs the configured number of results
/// in a row.
#[derive(Clone, Debug)]
pub struct Health {
    state: HealthState,
    /// When `state` began.
    since_millis: u64,
    /// Results in a row that contradict `state`.
    // invariant: below the number that changes the state.
    against: u32,
    healthy: u32,
    unhealthy: u32,
}

impl Health {
    pub fn new(check: &HealthCheck, now_millis: u64) -> Self {
        Self {
            state: HealthState::Unknown,
            since_millis: now_millis,
            against: 0,
            healthy: check.healthy,
            unhealthy: check.unhealthy,
        }
    }

    pub fn state(&self) -> HealthState {
        self.state
    }

    pub fn since_millis(&self) -> u64 {
        self.since_millis
    }

    /// Adopts a check that a reload changed. The new counts apply from the next result on; the state stays.
    pub fn set_check(&mut self, check: &HealthCheck) {
        self.healthy = check.healthy;
        self.unhealthy = check.unhealthy;
        self.against = 0;
    }

    pub fn observe(&mut self, result: ProbeResult, now_millis: u64) -> Option<Transition> {
        let (to, needed) = match result {
            ProbeResult::Success => (HealthState::Healthy, self.healthy),
            ProbeResult::Failure => (HealthState::Unhealthy, self.unhealthy),
        };
        if self.state == to {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        if self.state != HealthState::Unknown && self.against < needed {
            return None;
        }
        let from = std::mem::replace(&mut self.state, to);
        self.against = 0;
        self.since_millis = now_millis;
        Some(Transition { from, to })
    }
}

/// When the first probe of a target starts: at once, spread over a tenth of the interval, so that the probes of
/// a large group do not all run at the same time.
pub fn first_probe(now_millis: u64, interval: Duration, random: &mut Rng) -> u64 {
    now_millis.saturating_add(random.below(millis(interval) / 10 + 1))
}

/// When the next probe starts: after the interval, plus or minus 10 %. Without jitter, the probes of several
/// balancers would synchronise.
pub fn next_probe(now_millis: u64, interval: Duration, random: &mut Rng) -> u64 {
    let interval = millis(interval);
    let tenth = interval / 10;
    now_millis
        .saturating_add(interval - tenth)
        .saturating_add(random.below(tenth * 2 + 1))
        .max(now_millis.saturating_add(1))
}

/// True if all targets of a group are tried because none takes traffic. It is better to fail some requests than
/// all: the check may be wrong, or the first results after a start may still be missing.
pub fn fail_open(takers: usize) -> bool {
    takers == 0
}

fn millis(duration: Duration) -> u64 {
    // limit: a year; the config allows far less.
    duration.as_millis().min(31_536_000_000) as u64
}

#[cfg(test)]
mod tests {
    use model::CheckKind;

    use super::*;

    fn check(healthy: u32, unhealthy: u32) -> HealthCheck {
        HealthCheck {
            kind: CheckKind::Tcp,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy,
            unhealthy,
            port: None,
        }
    }

    /// `+` and `-` are probes. `H` and `U` follow the probe that changes the state.
    fn story(healthy: u32, unhealthy: u32, probes: &str) -> String {
        let mut health = Health::new(&check(healthy, unhealthy), 0);
        let mut told = String::new();
        for (now, probe) in probes.bytes().enumerate() {
            let result = if probe == b'+' { ProbeResult::Success } else { ProbeResult::Failure };
            told.push(char::from(probe));
            if let Some(change) = health.observe(result, now as u64) {
                assert_eq!((health.state(), health.since_millis()), (change.to, now as u64));
                told.push(if change.to == HealthState::Healthy { 'H' } else { 'U' });
            }
        }
        told
    }

    #[test]
    fn changes_after_the_configured_counts() {
        for (healthy, unhealthy, expected) in [
            (3, 3, "+H"),
            (3, 3, "-U"),
            (3, 3, "+H---U+++H"),
            (3, 3, "+H--+--+---U"),
            (3, 3, "-U++-++-+++H--"),
            (1, 1, "+H-U+H-U"),
            (2, 5, "+H-----U++H"),
            (3, 3, "-U-----+++H"),
        ] {
            let probes = expected.replace(['H', 'U'], "");
            assert_eq!(story(healthy, unhealthy, &probes), expected);
        }
    }

    #[test]
    fn a_fresh_target_is_unknown() {
        let health = Health::new(&check(3, 3), 17);
        assert_eq!((health.state(), health.since_millis()), (HealthState::Unknown, 17));
    }

    #[test]
    fn a_new_check_keeps_the_state() {
        let mut health = Health::new(&check(3, 3), 0);
        health.observe(ProbeResult::Success, 1);
        health.observe(ProbeResult::Failure, 2);
        health.set_check(&check(3, 2));
        assert_eq!(health.observe(ProbeResult::Failure, 3), None);
        let change = Transition { from: HealthState::Healthy, to: HealthState::Unhealthy };
        assert_eq!(health.observe(ProbeResult::Failure, 4), Some(change));
    }

    #[test]
    fn sim_a_change_is_always_backed_by_enough_results() {
        for seed in 0..100 {
            let mut random = Rng::new(seed);
            let (healthy, unhealthy) = (random.below(4) as u32 + 1, random.below(4) as u32 + 1);
            let mut health = Health::new(&check(healthy, unhealthy), 0);
            let (mut row, mut last) = (0, None);
            for now in 0..1_000 {
                let result = if random.below(3) > 0 { ProbeResult::Success } else { ProbeResult::Failure };
                row = if last == Some(result) { row + 1 } else { 1 };
                last = Some(result);
                let change = health.observe(result, now);
                let needed = if result == ProbeResult::Success { healthy } else { unhealthy };
                assert!(
                    change.is_none_or(|change| change.from == HealthState::Unknown || row >= needed),
                    "seed={seed}"
                );
                let agrees = (health.state() == HealthState::Healthy) == (result == ProbeResult::Success);
                assert!(row < needed || agrees, "seed={seed}");
            }
        }
    }

    #[test]
    fn probes_are_spread() {
        let mut random = Rng::new(2);
        let five = Duration::from_secs(5);
        let mut times: Vec<_> = (0..2_000).map(|_| next_probe(1_000, five, &mut random)).collect();
        times.sort_unstable();
        assert!((5_500..5_520).contains(&times[0]) && (6_480..=6_500).contains(&times[1_999]));
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] < 20));
        let mut firsts: Vec<_> = (0..2_000).map(|_| first_probe(1_000, five, &mut random)).collect();
        firsts.sort_unstable();
        assert!((1_000..1_010).contains(&firsts[0]) && (1_490..=1_500).contains(&firsts[1_999]));
    }

    #[test]
    fn a_probe_never_falls_into_the_past_or_the_present() {
        let mut random = Rng::new(2);
        for interval in [Duration::ZERO, Duration::from_millis(1), Duration::MAX] {
            for now in [0, u64::MAX - 1] {
                assert!(next_probe(now, interval, &mut random) > now);
            }
        }
    }

    #[test]
    fn fails_open_only_if_no_target_takes_traffic() {
        assert!(fail_open(0) && !fail_open(1) && !fail_open(9));
    }
}
