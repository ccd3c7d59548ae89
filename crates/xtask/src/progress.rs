//! What a task is doing, and for how long already: on standard error, so that results can be redirected.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Does `work` and prints its name, at its end the time that it took, and in between that it goes on.
pub fn step<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let depth = DEPTH.fetch_add(1, Relaxed) + 1;
    eprintln!("-- {name}");
    let (done, is_done) = channel::<()>();
    let result = thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                // A step within this one speaks for both.
                if DEPTH.load(Relaxed) == depth {
                    eprintln!("-- {name}: {} so far", elapsed(begin.elapsed()));
                }
            }
        });
        // Dropped when the work ends, also by a panic, which ends the wait above.
        let _done = done;
        work()
    });
    DEPTH.fetch_sub(1, Relaxed);
    eprintln!("-- {name}: {}", elapsed(begin.elapsed()));
    result
}

fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..10 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Steps within steps.
static DEPTH: AtomicUsize = AtomicUsize::new(0);
const INTERVAL: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_returns_what_its_work_does() {
        assert_eq!(step("outer", || step("inner", || 7)), 7);
        assert_eq!(DEPTH.load(Relaxed), 0);
    }

    #[test]
    fn times_are_short() {
        for (millis, text) in [(90, "0.0 s"), (9_990, "9.9 s"), (15_000, "15 s"), (125_000, "2 min 5 s")] {
            assert_eq!(elapsed(Duration::from_millis(millis)), text);
        }
    }
}
