//! Seeds of trials.

use std::time::SystemTime;

/// The seed that was asked for, or one from the clock.
pub(crate) fn seed_or_clock(seed: Option<u64>) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    seed.unwrap_or_else(|| u64::from(now.subsec_nanos()))
}
