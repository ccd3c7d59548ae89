//! How many interim responses a target may send: a rate, since a long request may report its progress for hours, and an
//! amount at once, since each of them goes to the client. Requests and probes have the same budget.

use model::Limits;

/// What a target may still send in one exchange.
#[derive(Clone, Copy, Debug)]
pub struct InterimBudget {
    /// In thousandths of a response.
    responses: i64,
    /// In thousandths of a byte; below 0 after a head that exceeded it.
    bytes: i64,
    /// Nanoseconds of the clock up to which it is filled.
    filled_until: u64,
}

impl InterimBudget {
    /// Full. `now`: nanoseconds.
    pub fn new(now: u64) -> Self {
        Self { responses: RESPONSES_MAX, bytes: BYTES_MAX, filled_until: now }
    }

    /// Takes a response of so many bytes; `false`: the target has sent too much. The last one may exceed the bytes.
    pub fn take(&mut self, now: u64, bytes: usize) -> bool {
        let millis = now.saturating_sub(self.filled_until) / 1_000_000;
        self.filled_until += millis * 1_000_000;
        // A thousandth for each millisecond is one for each second.
        let filled = |level: i64, per_second: u64, max: i64| {
            level.saturating_add_unsigned(millis.saturating_mul(per_second)).min(max)
        };
        self.responses = filled(self.responses, Limits::INTERIM_RESPONSES_PER_SECOND, RESPONSES_MAX);
        self.bytes = filled(self.bytes, Limits::INTERIM_BYTES_PER_SECOND, BYTES_MAX);
        if self.responses < 1_000 || self.bytes <= 0 {
            return false;
        }
        self.responses -= 1_000;
        self.bytes = self.bytes.saturating_sub_unsigned((bytes as u64).saturating_mul(1_000));
        true
    }
}

const RESPONSES_MAX: i64 = Limits::INTERIM_RESPONSES_MAX.cast_signed() * 1_000;
const BYTES_MAX: i64 = Limits::INTERIM_BYTES_MAX.cast_signed() * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// How many responses of so many bytes, one in each `gap`, are taken of 10,000.
    fn taken(bytes: usize, gap: u64) -> usize {
        let mut budget = InterimBudget::new(7);
        (0..10_000).take_while(|&count| budget.take(7 + count * gap, bytes)).count()
    }

    #[test]
    fn a_rate_is_limited_and_not_the_count() {
        for (bytes, gap, expected) in [
            (100, 0, 16),
            (100, SECOND / 1_000, 16),
            (100, SECOND / 2, 31),
            (100, SECOND, 10_000),
            (100, 20 * SECOND, 10_000),
            (4_096, SECOND, 10_000),
            (8_192, SECOND, 32),
            (64 * 1_024, 0, 2),
            (usize::MAX, 0, 1),
            (64 * 1_024, 16 * SECOND, 10_000),
            (usize::MAX, 20 * SECOND, 1),
        ] {
            assert_eq!(taken(bytes, gap), expected, "{bytes} bytes, {gap} ns");
        }
    }

    #[test]
    fn it_fills_up_to_its_maximum() {
        let mut budget = InterimBudget::new(0);
        let burst = |budget: &mut InterimBudget, now| (0..100).take_while(|_| budget.take(now, 10)).count();
        assert_eq!(burst(&mut budget, 0), 16);
        assert_eq!(burst(&mut budget, SECOND - 1), 0);
        assert_eq!(burst(&mut budget, SECOND), 1);
        assert_eq!(burst(&mut budget, 4 * SECOND + SECOND / 2), 3);
        assert_eq!(burst(&mut budget, u64::MAX), 16);
        assert_eq!(burst(&mut budget, 0), 0, "a clock that goes back fills nothing");
    }
}
