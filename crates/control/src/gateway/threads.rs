//! The threads of session gateways, each with a runtime of its own.
//!
//! A runtime whose threads share tasks would wake one thread to hand it the work of another, which costs more than a
//! command takes. A connection stays on its thread instead.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Dropping it ends the threads and what runs on them.
#[derive(Debug)]
pub(super) struct Threads {
    places: Vec<Handle>,
    _running: watch::Sender<()>,
}

/// Gives each task the next thread.
#[derive(Debug)]
pub(super) struct Turns {
    places: Vec<Handle>,
    next: AtomicUsize,
}

impl Threads {
    /// # Errors
    /// If a thread cannot be started.
    pub(super) fn start() -> io::Result<Self> {
        let (running, ended) = watch::channel(());
        // More threads than CPUs would only get in each other's way.
        let count = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let mut places = Vec::with_capacity(count);
        for _ in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            places.push(runtime.handle().clone());
            let mut ended = ended.clone();
            thread::Builder::new().name("session-gateway".to_owned()).spawn(move || {
                // The sender never sends: this is an error when it is dropped.
                let _ = runtime.block_on(ended.changed());
                // Work that blocks may take long, and is not waited for.
                runtime.shutdown_background();
            })?;
        }
        Ok(Self { places, _running: running })
    }

    pub(super) fn turns(&self) -> Turns {
        Turns { places: self.places.clone(), next: AtomicUsize::new(0) }
    }
}

impl Turns {
    pub(super) fn next(&self) -> &Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        // There is at least one.
        &self.places[turn % self.places.len()]
    }
}

const THREADS_MAX: usize = 2;
