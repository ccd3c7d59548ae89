//! How often a shared store hears of a session in use.

/// One of the intervals between two touches of a session, by its timeout.
///
/// The store's item outlives the session by the interval, so this is how inexact the session's end is for other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace(u8);

impl Pace {
    /// Every four seconds, for what the store may not know.
    pub const SHORTEST: Self = Self(0);
    pub(super) const ALL: [Self; 5] = [Self(0), Self(1), Self(2), Self(3), Self(4)];

    /// The longest one that is a sixteenth of the timeout or less; 64 s at most, and 4 s at least.
    pub fn of(timeout_ms: u64) -> Self {
        let is_short = |pace: &&Self| pace.interval_ms() * 16 <= timeout_ms;
        Self::ALL.iter().rev().find(is_short).copied().unwrap_or(Self::SHORTEST)
    }

    /// 4, 8, 16, 32 or 64 seconds.
    pub const fn interval_ms(self) -> u64 {
        4_000 << self.0
    }

    pub(super) fn list(self) -> usize {
        usize::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_session_is_heard_of_seldom() {
        for (timeout, interval) in [
            (0, 4),
            (1_000, 4),
            (127_999, 4),
            (128_000, 8),
            (300_000, 16),
            (1_024_000, 64),
            (86_400_000, 64),
            (u64::MAX, 64),
        ] {
            assert_eq!(Pace::of(timeout).interval_ms(), interval * 1_000, "{timeout}");
        }
    }
}
