//! Counts of a target, and figures derived from them.

use std::time::{Duration, Instant};

/// The counts of a target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Requests on a connection that had been idle.
    pub(crate) reused: u64,
    /// Requests on a new connection although there was an idle one that would have lived long enough.
    pub(crate) missed: u64,
    /// The same, for connections that had been idle for a [`PAUSE`].
    pub(crate) reused_after_pause: u64,
    pub(crate) missed_after_pause: u64,
    /// Requests that arrived after the target had closed.
    pub(crate) lost: u64,
    /// Moments from which a proxy can learn the idle limit: an idle connection was closed, or a request was lost. Events
    /// within [`MOMENT`] are one lesson: requests in flight cannot learn from each other.
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

    /// The number of lessons before the last error; 0 without errors.
    pub(crate) fn lessons_needed(&self, errors: &[Instant]) -> usize {
        let last = errors.iter().max();
        last.map_or(0, |last| self.lessons.iter().filter(|lesson| *lesson <= last).count())
    }

    /// The share of requests on a reused connection, of those that could be.
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

/// A connection that is idle this long was idle between two bursts.
const PAUSE: Duration = Duration::from_millis(300);
const MOMENT: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_within_a_moment_are_one_lesson() {
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
    fn reuse_is_a_share_of_the_possible() {
        let mut tally = Tally::default();
        (0..19).for_each(|_| tally.reused(Duration::from_millis(1)));
        tally.missed(Duration::from_millis(400));
        assert_eq!((tally.reuse(), tally.reuse_after_pause()), (0.95, 0.0));
    }
}
