//! How many new connections a limit admits in a second.

use super::cells::{Cells, Number};

/// Counts the new connections of a listener, a load balancer or a target in each second of the clock that all workers share. It
/// is exact: no second admits more than the limit, however many workers ask.
#[derive(Debug)]
pub struct NewPerSecond<C: Cells> {
    max: C::U32,
    /// The second, and how many it has admitted, in one number, so that one step changes both.
    window: C::U64,
}

impl<C: Cells> Default for NewPerSecond<C> {
    fn default() -> Self {
        let rate = Self { max: C::U32::default(), window: C::U64::default() };
        rate.configure(None);
        rate
    }
}

impl<C: Cells> NewPerSecond<C> {
    /// Sets the limit; `None` is no limit. What this second has admitted counts.
    pub fn configure(&self, max: Option<u32>) {
        self.max.store(max.map_or(UNLIMITED, |max| max.min(MAX)));
    }

    /// `None`: there is no limit.
    pub fn max(&self) -> Option<u32> {
        let max = self.max.load();
        (max != UNLIMITED).then_some(max)
    }

    /// Admits a new connection; false: this second has admitted as many as the limit allows. Ask it last, since there is no
    /// way to give back what was admitted.
    pub fn admit(&self, now_millis: u64) -> bool {
        let max = self.max.load();
        if max == UNLIMITED {
            return true;
        }
        self.window.update(|window| {
            let (second, admitted) = (window >> COUNT_BITS, window & COUNT_MASK);
            // A worker whose clock is behind asks for a second that is over: the connection counts in the next one.
            let now = (now_millis / 1_000).max(second);
            let admitted = if now == second { admitted } else { 0 };
            (admitted < u64::from(max)).then_some(now << COUNT_BITS | (admitted + 1))
        })
    }
}

const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// The largest count, 16 777 215.
const MAX: u32 = COUNT_MASK as u32;
const UNLIMITED: u32 = u32::MAX;
