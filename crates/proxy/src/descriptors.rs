//! File descriptors as a limit on the connections of the process (OP9).
//!
//! Connections of clients need a permit, as for any other limit. Connections to targets are counted only: one that is
//! opened when none is free uses half of the reserve, and something idle is closed for it, as soon as something is idle.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use balance::connection_limit::{IdleBoard, Scope, Spares};
use model::ConnectionLimits;
use net::{Pipe, Sys, Worker};

use crate::connection::atomics::Atomics;
use crate::connection::limit::{ConnectionLimit, EVICTIONS_MAX, Evictors, Member};

/// The descriptors of the process, shared by all workers.
#[derive(Debug)]
pub(crate) struct Descriptors {
    pub(crate) limit: Arc<ConnectionLimit>,
    /// Beyond this no connection to a target is opened.
    hard_max: AtomicU32,
    targets: Arc<IdleTargets>,
}

/// What workers publish about their idle connections to targets.
#[derive(Debug)]
struct IdleTargets {
    board: IdleBoard<Atomics>,
    evictors: Arc<Evictors>,
}

impl AsRef<IdleBoard<Atomics>> for IdleTargets {
    fn as_ref(&self) -> &IdleBoard<Atomics> {
        &self.board
    }
}

impl Member for IdleTargets {
    fn evictors(&self) -> &Evictors {
        &self.evictors
    }
}

impl Descriptors {
    pub(crate) fn new(evictors: &Arc<Evictors>) -> Self {
        let limit = Arc::<ConnectionLimit>::default();
        let board = IdleBoard::new(evictors.iter().count());
        let targets = Arc::new(IdleTargets { board, evictors: Arc::clone(evictors) });
        let member: Arc<dyn Member> = Arc::<IdleTargets>::clone(&targets);
        limit.join(&member);
        Self { limit, hard_max: AtomicU32::new(u32::MAX), targets }
    }

    #[cfg(test)]
    pub(crate) fn unlimited() -> Self {
        Self::new(&Arc::new(Evictors::new(1)))
    }

    /// Sets how many connections there may be; `others`: descriptors that are used for something else.
    pub(crate) fn configure(&self, limit: u64, others: u64) {
        let max = connections_max(limit, others);
        self.hard_max.store(hard_max(max, limit), Relaxed);
        let max = Some(max);
        self.limit.configure(&ConnectionLimits { max, ..ConnectionLimits::default() });
    }

    /// Counts a connection to a target.
    pub(crate) fn occupy(&self, now_millis: u64) {
        if self.limit.occupy() {
            self.evict_excess(now_millis);
        }
    }

    /// Has something idle closed for each connection that is one too many.
    pub(crate) fn evict_excess(&self, now_millis: u64) {
        self.limit.evict_excess(now_millis, EVICTIONS_MAX);
    }

    /// False: what is left is for the admin socket, logs and probes.
    pub(crate) fn may_connect(&self) -> bool {
        self.limit.open() < self.hard_max.load(Relaxed)
    }

    /// Leases a pipe, which counts as long as it is open. `None`: descriptors are not plenty, and copying needs none.
    pub(crate) fn lease_pipe<S: Sys>(&self, worker: &Worker<S>) -> Option<LeasedPipe<'_, S>> {
        if !is_plenty(self.limit.open(), self.limit.max()) {
            return None;
        }
        let before = worker.pipes_open();
        let pipe = Pipe::lease(worker).ok()?;
        self.count_pipes(before, worker);
        Some(LeasedPipe { pipe: Some(pipe), worker: worker.clone(), descriptors: self })
    }

    /// Closes the pipes of a worker that ends.
    pub(crate) fn end_pipes<S: Sys>(&self, worker: &Worker<S>) {
        let before = worker.pipes_open();
        worker.close_pipes();
        self.count_pipes(before, worker);
    }

    /// Closes the pipes that a worker keeps for later, if descriptors are not plenty.
    pub(crate) fn close_pipes<S: Sys>(&self, worker: &Worker<S>) {
        if worker.pipes_open() > 0 && !is_plenty(self.limit.open(), self.limit.max()) {
            self.end_pipes(worker);
        }
    }

    fn count_pipes<S: Sys>(&self, before: usize, worker: &Worker<S>) {
        let after = worker.pipes_open();
        // What is too much now is found by housekeeping.
        for _ in 2 * before..2 * after {
            let _ = self.limit.occupy();
        }
        (2 * after..2 * before).for_each(|_| self.limit.vacate());
    }

    /// Takes back one [`Self::occupy`].
    pub(crate) fn vacate(&self) {
        self.limit.vacate();
    }

    /// Has the connection closed that has been idle longest; false: none is idle.
    pub(crate) fn free_one(&self, now_millis: u64) -> bool {
        self.limit.evict_oldest(Scope::Process, now_millis, EVICTIONS_MAX)
    }

    /// A connection of this worker to a target is idle.
    pub(crate) fn enter_idle(&self, worker: usize, now_millis: u64) {
        self.limit.spares(&self.targets.board, worker, |spares| spares.enter(now_millis));
    }

    /// Since when the oldest idle connection of this worker to a target is idle.
    pub(crate) fn publish_oldest(&self, worker: usize, oldest_millis: Option<u64>) {
        self.limit.spares(&self.targets.board, worker, |spares| spares.publish(oldest_millis));
    }

    /// True if this worker is to close idle connections to targets.
    pub(crate) fn has_requests(&self, worker: usize) -> bool {
        self.targets.board.has_requests(worker)
    }

    /// See [`Spares::evict`].
    pub(crate) fn evict(&self, worker: usize, close_oldest: impl FnMut() -> Option<u64>) {
        let evict = |spares: &Spares<'_, Atomics>| spares.evict(close_oldest);
        if self.limit.spares(&self.targets.board, worker, evict).scopes().next().is_some() {
            self.limit.wake();
        }
    }
}

/// A pipe whose descriptors are counted.
pub(crate) struct LeasedPipe<'a, S: Sys> {
    pipe: Option<Pipe<S>>,
    worker: Worker<S>,
    descriptors: &'a Descriptors,
}

impl<S: Sys> LeasedPipe<'_, S> {
    pub(crate) fn pipe(&mut self) -> Option<&mut Pipe<S>> {
        self.pipe.as_mut()
    }
}

impl<S: Sys> Drop for LeasedPipe<'_, S> {
    fn drop(&mut self) {
        let before = self.worker.pipes_open();
        self.pipe = None;
        self.descriptors.count_pipes(before, &self.worker);
    }
}

/// Pipes use no more than what leaves half for connections: a flow that stalls keeps its pipe.
fn is_plenty(open: u32, max: Option<u32>) -> bool {
    max.is_none_or(|max| open < max / 2)
}

/// How many connections the process may have, of clients and to targets.
fn connections_max(limit: u64, others: u64) -> u32 {
    let left = limit.saturating_sub(reserve(limit)).saturating_sub(others).max(CONNECTIONS_MIN);
    u32::try_from(left).unwrap_or(u32::MAX)
}

/// How many there may be when connections to targets use their half of the reserve.
fn hard_max(max: u32, limit: u64) -> u32 {
    max.saturating_add(u32::try_from(reserve(limit) / 2).unwrap_or(u32::MAX))
}

fn reserve(limit: u64) -> u64 {
    limit / 16 + RESERVE_MIN
}

/// The descriptors that this process has open.
pub(crate) fn open_now() -> u64 {
    // One of them is that of the directory being read.
    fs::read_dir("/proc/self/fd").map_or(UNKNOWN, |open| (open.count() as u64).saturating_sub(1))
}

/// Half for targets, half for logs, probes and the admin socket.
const RESERVE_MIN: u64 = 16;
/// However low the limit is, some clients are served.
const CONNECTIONS_MIN: u64 = 8;
/// Without `/proc`: more than a process without connections has.
const UNKNOWN: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sixteenth_and_sixteen_more_are_reserved() {
        for (limit, others, connections) in [
            (256, 24, 200),
            (1024, 64, 880),
            (1 << 20, 100, 982_924),
            (64, 20, 24),
            (16, 20, 8),
            (u64::from(u32::MAX / 4), 0, 1_006_632_944),
        ] {
            assert_eq!(connections_max(limit, others), connections, "{limit}");
        }
    }

    #[test]
    fn half_of_the_reserve_is_not_for_targets() {
        for (max, limit, hard) in [(200, 256, 216), (880, 1024, 920), (8, 16, 16), (u32::MAX, 64, u32::MAX)] {
            assert_eq!(hard_max(max, limit), hard, "{limit}");
        }
    }

    #[test]
    fn pipes_leave_half_for_connections() {
        for (open, max, expected) in
            [(99, Some(200), true), (100, Some(200), false), (210, Some(200), false), (1, None, true)]
        {
            assert_eq!(is_plenty(open, max), expected, "{open} of {max:?}");
        }
    }

    #[test]
    fn a_pipe_is_two_descriptors_until_it_is_closed() {
        let descriptors = Descriptors::unlimited();
        let main = |worker: Worker<net::Linux>| async move {
            descriptors.configure(256, 24);
            let pipes: Vec<_> = std::iter::from_fn(|| descriptors.lease_pipe(&worker)).collect();
            assert_eq!((pipes.len(), descriptors.limit.open()), (50, 100));
            drop(pipes);
            assert_eq!(descriptors.limit.open() as usize, 2 * worker.pipes_open());
            descriptors.configure(64, 20);
            descriptors.close_pipes(&worker);
            assert_eq!((descriptors.limit.open(), worker.pipes_open()), (0, 0));
        };
        Worker::run(net::Linux::new().unwrap(), main).unwrap();
    }

    #[test]
    fn open_descriptors_are_counted() {
        let before = open_now();
        let _file = fs::File::open("/proc/self/limits").unwrap();
        assert!(before >= 3 && open_now() >= 3);
    }
}
