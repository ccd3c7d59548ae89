//! Waits for conditions instead of for fixed times.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The deadline of every wait of a scenario. It is much longer than needed, because two busy cores may run all
/// tests.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Polls until `condition` holds; panics with `what` if it does not within [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Polls until there is a value; panics like [`wait_until`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(POLL_EVERY);
    }
}

/// The time that `work` took.
pub fn elapsed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// Prints something for people who run a scenario with `--nocapture`.
pub fn show(text: &str) {
    eprintln!("{text}");
}

/// The wall-clock time in seconds since 1970.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

const POLL_EVERY: Duration = Duration::from_millis(5);
