//! What a target saw, and what that means.

use std::time::{Duration, Instant};

/// Counted by a target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Requests on a connection that had been idle.
    pub(crate) reused: u64,
    /// Requests on a new connection although an idle one was there that would have lived long enough.
    pub(crate) missed: u64,
    /// The same, where the connection had been idle for a [`PAUSE`].
    pub(crate) reused_after_pause: u64,
    pub(crate) missed_after_pause: u64,
    /// Requests that arrived after the target had closed.
    pub(crate) lost: u64,
    /// The moments from which the idle time could be learnt: a connection closed for it, or a lost request. What
    /// happens within [`MOMENT`] is one lesson: requests that are on their way can learn nothing from each other.
    pub(crate) lessons: Vec<Instant>,
}

impl Tally {
    pub(crate) fn reused(&mut self, idle: Duration) {
        self.reused += 1;
        self.reused_after_pause += u64::from(idle >= PAUSE);
    }

    pub(crate) fn missed(&mut self, idle: Duration) {
        self.missed += 1;
        self.missed_after_pause += u64::from(idle >= PAUSE);
    }

    pub(crate) fn lost(&mut self, now: Instant) {
        self.lost += 1;
        self.lesson(now);
    }

    pub(crate) fn closed(&mut self, now: Instant) {
        self.lesson(now);
    }

    fn lesson(&mut self, now: Instant) {
        let is_new = self.lessons.last().is_none_or(|last| now.saturating_duration_since(*last) >= MOMENT);
        if is_new {
            self.lessons.push(now);
        }
    }

    /// How many lessons had been given when the last error came; 0 without errors.
    pub(crate) fn lessons_needed(&self, errors: &[Instant]) -> usize {
        let last = errors.iter().max();
        last.map_or(0, |last| self.lessons.iter().filter(|lesson| *lesson <= last).count())
    }

    /// Share of the requests that could be on an idle connection and were.
    pub(crate) fn reuse(&self) -> f64 {
        share(self.reused, self.missed)
    }

    pub(crate) fn reuse_after_pause(&self) -> f64 {
        share(self.reused_after_pause, self.missed_after_pause)
    }
}

fn share(part: u64, rest: u64) -> f64 {
    part as f64 / (part + rest).max(1) as f64
}

/// What is idle so long was idle between two bursts.
const PAUSE: Duration = Duration::from_millis(300);
const MOMENT: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lessons_at_one_moment_are_one() {
        let (mut tally, begin) = (Tally::default(), Instant::now());
        let at = |millis| begin + Duration::from_millis(millis);
        for millis in [0, 10, 1_000, 1_049, 5_000] {
            tally.closed(at(millis));
        }
        tally.lost(at(9_000));
        assert_eq!(tally.lessons.len(), 4);
        assert_eq!(tally.lessons_needed(&[]), 0);
        assert_eq!(tally.lessons_needed(&[at(1_020)]), 2);
        assert_eq!(tally.lessons_needed(&[at(9_001), at(1_020)]), 4);
    }

    #[test]
    fn reuse_is_a_share_of_what_was_possible() {
        let mut tally = Tally::default();
        (0..19).for_each(|_| tally.reused(Duration::from_millis(1)));
        tally.missed(Duration::from_millis(400));
        assert_eq!((tally.reuse(), tally.reuse_after_pause()), (0.95, 0.0));
    }
}
