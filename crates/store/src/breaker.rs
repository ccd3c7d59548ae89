//! When a store that fails is left alone, and when it is asked again. Pure: time and randomness are arguments.

#[cfg(test)]
mod tests;

use std::time::Duration;

use balance::Rng;

/// Opens after several failures in a row; then it rests, lets one call through as a probe, and closes if that one is
/// answered, or else rests longer.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    /// Goes up with every change of state, so that a call which began before one cannot end the next.
    epoch: u64,
    random: Rng,
}

#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Failures in a row.
    pub failures: u32,
    /// The first rest. Each further one is twice as long, up to `pause_max`; all of them are shortened by up to a quarter,
    /// so that the nodes that share a store do not probe it at once.
    pub pause: Duration,
    pub pause_max: Duration,
}

/// A call that may be made; it is given back with its outcome.
#[derive(Debug)]
#[must_use]
pub struct Pass {
    epoch: u64,
    is_probe: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    Failed,
    /// The caller went away before it was known.
    Abandoned,
}

/// As metrics and status show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    Closed,
    /// No call is made.
    Resting,
    /// One call is under way, and decides.
    Probing,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Resting { until: Duration, rests: u32 },
    Probing { rests: u32 },
}

impl Breaker {
    pub const fn new(settings: BreakerSettings, seed: u64) -> Self {
        Self { settings, state: State::Closed { failures: 0 }, epoch: 0, random: Rng::new(seed) }
    }

    /// `None`: the store rests. `now` is the time since any fixed moment.
    pub fn admit(&mut self, now: Duration) -> Option<Pass> {
        let is_probe = match self.state {
            State::Closed { .. } => false,
            State::Resting { until, rests } if now >= until => {
                self.change(State::Probing { rests });
                true
            }
            State::Resting { .. } | State::Probing { .. } => return None,
        };
        Some(Pass { epoch: self.epoch, is_probe })
    }

    #[allow(clippy::needless_pass_by_value, reason = "a pass is used once")]
    pub fn finish(&mut self, pass: Pass, outcome: Outcome, now: Duration) {
        if pass.epoch != self.epoch {
            return;
        }
        match (self.state, outcome) {
            (State::Closed { .. }, Outcome::Answered) => self.state = State::Closed { failures: 0 },
            (State::Closed { failures }, Outcome::Failed) if failures + 1 < self.settings.failures => {
                self.state = State::Closed { failures: failures + 1 };
            }
            (State::Closed { .. }, Outcome::Failed) => self.rest(now, 0),
            (State::Probing { .. }, Outcome::Answered) => self.change(State::Closed { failures: 0 }),
            (State::Probing { rests }, Outcome::Failed) => self.rest(now, rests),
            // The next call is the probe.
            (State::Probing { rests }, Outcome::Abandoned) => {
                self.change(State::Resting { until: now, rests });
            }
            (State::Closed { .. }, Outcome::Abandoned) | (State::Resting { .. }, _) => {}
        }
    }

    /// Whether it rests, and the next call would be the probe.
    pub fn is_due(&self, now: Duration) -> bool {
        matches!(self.state, State::Resting { until, .. } if now >= until)
    }

    pub const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Resting { .. } => BreakerState::Resting,
            State::Probing { .. } => BreakerState::Probing,
        }
    }

    fn rest(&mut self, now: Duration, rests: u32) {
        let pause = self.settings.pause.saturating_mul(1 << rests.min(16)).min(self.settings.pause_max);
        let quarter = u64::try_from(pause.as_nanos() / 4).unwrap_or(u64::MAX);
        let pause = pause.saturating_sub(Duration::from_nanos(self.random.below(quarter)));
        self.change(State::Resting { until: now + pause, rests: rests.saturating_add(1) });
    }

    const fn change(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

impl Pass {
    pub const fn is_probe(&self) -> bool {
        self.is_probe
    }
}

impl BreakerState {
    /// The word in metrics and status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Resting => "resting",
            Self::Probing => "probing",
        }
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_millis(500), pause_max: Duration::from_secs(30) }
    }
}
