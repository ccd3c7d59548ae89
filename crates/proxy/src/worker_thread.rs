//! The thread of a worker, in which a worker that dies is replaced.
//!
//! A worker dies of a bug outside a task that serves a connection, or because the kernel refuses to wait for events.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use net::{Linux, Worker};
use observe::{Event, Fields};

use crate::worker::{self, Inheritance, Setup};

/// Runs workers, one after another, until one ends as it should. `setup` makes what a worker starts with; `give_up` is
/// called when they die again and again.
pub(crate) fn run_workers(
    inheritance: &Arc<Inheritance>,
    number: usize,
    mut setup: impl FnMut() -> io::Result<Setup>,
    give_up: fn(),
) {
    let (mut deaths, live) = (Deaths::default(), std::cell::OnceCell::new());
    loop {
        let run = || {
            let (setup, inheritance) = (setup()?, Arc::clone(inheritance));
            let _ = live.set(Arc::clone(&setup.live));
            Worker::run(Linux::new()?, |worker| worker::run(worker, setup, inheritance))
        };
        // A panic within a task has been handled; this one is of a part that all tasks need.
        let ended = catch_unwind(AssertUnwindSafe(run));
        let error = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => io::Error::other("a panic outside its tasks"),
        };
        if inheritance.is_stopping() {
            return;
        }
        live.get().into_iter().for_each(|live| live.worker_cells().of(number).deaths.increment());
        let worker = &number;
        match deaths.next(net::monotonic_millis()) {
            Some(pause) => {
                observe::event(Event::WorkerReplaced, &[("worker", worker), ("error", &error)]);
                std::thread::park_timeout(pause);
            }
            None => {
                let fields: Fields<'_> = &[("worker", worker), ("error", &error)];
                observe::event_and_flush(Event::WorkersDie, fields, LOG_PATIENCE);
                return give_up();
            }
        }
    }
}

/// The recent deaths in one thread.
#[derive(Debug, Default)]
struct Deaths {
    in_a_row: u32,
    last_millis: u64,
}

impl Deaths {
    /// How long to wait before the next worker; `None`: another one would not last either.
    fn next(&mut self, now_millis: u64) -> Option<Duration> {
        if now_millis.saturating_sub(self.last_millis) >= FORGIVEN_AFTER_MILLIS {
            self.in_a_row = 0;
        }
        self.last_millis = now_millis;
        self.in_a_row += 1;
        match self.in_a_row {
            1 => Some(Duration::ZERO),
            again if again <= DEATHS_MAX => Some(Duration::from_millis(100 << (again - 2))),
            _ => None,
        }
    }
}

// limit: workers that die in one thread, each within a minute of the last.
const DEATHS_MAX: u32 = 5;
const FORGIVEN_AFTER_MILLIS: u64 = 60_000;
/// How long the end of the process waits until its reason is written.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_replaced_ever_more_slowly_and_then_no_more() {
        let mut deaths = Deaths::default();
        let pauses: Vec<_> = (0..7).map(|second| deaths.next(100_000 + second * 1_000)).collect();
        let millis: Vec<_> = pauses.iter().map_while(|pause| Some(pause.as_ref()?.as_millis())).collect();
        assert_eq!(millis, [0, 100, 200, 400, 800]);
        assert_eq!(pauses[5..], [None, None]);
    }

    #[test]
    fn a_death_long_ago_does_not_count() {
        let mut deaths = Deaths::default();
        for minute in 1..20 {
            assert_eq!(deaths.next(minute * FORGIVEN_AFTER_MILLIS), Some(Duration::ZERO));
        }
    }
}
