//! The least rate at which a client must send a body or read a response (KA12).
//!
//! Timeouts of single reads and writes do not end a client that moves one byte within each. A pace is a budget of time: the
//! time in which the client is waited for uses it up, and each byte restores the time that it takes at the least rate.

use std::cell::Cell;
use std::time::Duration;

use model::MinRate;

/// The pace of one direction of an exchange. It does no I/O, and has no clock.
#[derive(Debug)]
pub(crate) struct Pace {
    /// `None`: there is no limit, or none any more.
    min_rate: Cell<Option<MinRate>>,
    budget: Cell<Duration>,
}

impl Pace {
    pub(crate) fn new(min_rate: Option<MinRate>) -> Self {
        let budget = min_rate.map_or(Duration::ZERO, |min_rate| min_rate.grace);
        Self { min_rate: Cell::new(min_rate), budget: Cell::new(budget) }
    }

    /// Of a side that is no client.
    pub(crate) fn free() -> Self {
        Self::new(None)
    }

    /// From now on there is no limit.
    pub(crate) fn stop(&self) {
        self.min_rate.set(None);
    }

    /// How long the client may take for `bytes`; `None`: there is no limit.
    pub(crate) fn patience(&self, bytes: usize) -> Option<Duration> {
        Some(self.budget.get().saturating_add(time_of(self.min_rate.get()?, bytes)))
    }

    /// The client has sent or taken `bytes`, and was waited for that long.
    pub(crate) fn moved(&self, bytes: usize, waited: Duration) {
        if let (Some(min_rate), Some(patience)) = (self.min_rate.get(), self.patience(bytes)) {
            self.budget.set(patience.saturating_sub(waited).min(min_rate.grace));
        }
    }
}

fn time_of(min_rate: MinRate, bytes: usize) -> Duration {
    let micros = (bytes as u64).saturating_mul(1_000_000) / u64::from(min_rate.bytes_per_second.max(1));
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: MinRate = MinRate { bytes_per_second: 100, grace: Duration::from_secs(10) };

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// After how many seconds a client ends that moves `bytes` every `every` seconds, if it does within an hour.
    fn ends_after(bytes: usize, every: u64) -> Option<u64> {
        let pace = Pace::new(Some(RATE));
        (0..3600 / every).map(|step| step * every).find_map(|now| {
            let patience = pace.patience(0).unwrap();
            pace.moved(bytes, seconds(every));
            (patience < seconds(every)).then(|| now + patience.as_secs())
        })
    }

    #[test]
    fn a_client_below_the_rate_ends_and_one_above_does_not() {
        for (bytes, every, expected) in [
            (1, 1, Some(10)),
            (50, 1, Some(19)),
            (100, 1, None),
            (1_000, 10, None),
            (900, 10, Some(19)),
            (1_000_000, 11, Some(10)),
        ] {
            assert_eq!(ends_after(bytes, every), expected, "{bytes} bytes every {every} s");
        }
    }

    #[test]
    fn a_fast_client_cannot_save_more_than_the_grace() {
        let pace = Pace::new(Some(RATE));
        pace.moved(1_000_000_000, Duration::ZERO);
        assert_eq!(pace.patience(0), Some(seconds(10)));
        assert_eq!(pace.patience(200), Some(seconds(12)), "the time of what is to be moved comes on top");
    }

    #[test]
    fn a_pace_without_a_rate_has_no_limit() {
        let pace = Pace::new(Some(RATE));
        pace.stop();
        for pace in [pace, Pace::free()] {
            pace.moved(0, seconds(1_000_000));
            assert_eq!(pace.patience(0), None);
        }
    }
}
