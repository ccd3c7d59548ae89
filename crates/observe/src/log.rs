//! The access logs. One thread writes the files, so that a slow disk never makes a request wait. A worker
//! formats lines into its own buffer and hands it over when the buffer is full or the worker is idle.

mod buffer;
mod reopen;
mod sink;
mod writer;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use model::{AccessLog, LogFormat};

pub use buffer::LogBuffer;
pub use reopen::Reopened;
use reopen::Rounds;
use sink::Sink;
use writer::Order;

/// All access logs of the process and the thread that writes them. The thread ends when this, all handles and
/// all buffers are dropped.
#[derive(Debug)]
pub struct AccessLogs {
    queue: Queue,
}

impl AccessLogs {
    /// Starts the writer thread.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let (orders, waiting) = sync_channel(ORDERS_MAX);
        let state = Arc::new(State::default());
        let of_writer = Arc::clone(&state);
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer::run(&waiting, &of_writer))?;
        Ok(Self { queue: Queue { orders, state } })
    }

    /// Returns a handle to this log. Handles to the same path share one open file, even if their formats
    /// differ.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened for appending. Nothing has changed then.
    pub fn open(&self, log: &AccessLog) -> io::Result<LogHandle> {
        let state = &self.queue.state;
        let known = state.sinks().into_iter().find(|sink| *sink.path() == log.path);
        let sink = match known {
            Some(sink) => sink,
            None => {
                // Not under the lock, which the writer needs too: opening can block.
                let sink = Arc::new(Sink::open(&log.path)?);
                let mut sinks = lock(&state.sinks);
                sinks.retain(|sink| sink.strong_count() > 0);
                sinks.push(Arc::downgrade(&sink));
                sink
            }
        };
        Ok(LogHandle { sink, format: log.format, queue: self.queue.clone() })
    }

    /// Reopens every file at its path, as after a log rotation (SIGUSR1), and returns the outcome for each. Buffers
    /// handed over from now on are written to the new file. If a file cannot be reopened, the old one stays in use,
    /// and each write tries again. Blocks, at most for `patience`; a file that is not reopened by then will be.
    pub fn reopen(&self, patience: Duration) -> Vec<Reopened> {
        let state = &self.queue.state;
        let sinks = state.sinks();
        let round = state.rounds.ask();
        // If the queue is full, the writer sees the round before its next order.
        let _ = self.queue.hand_over(Order::Look);
        state.rounds.wait(round, patience);
        let outcome = |sink: &Arc<Sink>| {
            let error = match sink.outcome() {
                (done, _) if done < round => Some(LATE.to_owned()),
                (_, error) => error,
            };
            Reopened { path: sink.to_string(), error }
        };
        sinks.iter().map(outcome).collect()
    }

    /// Waits until everything handed over so far is written or lost. Returns false if `patience` ends first.
    /// Buffers must have been flushed.
    pub fn flush_and_wait(&self, patience: Duration) -> bool {
        let state = &self.queue.state;
        let target = state.handed_over.load(Relaxed);
        // Read again each time: an order that the full queue rejected was counted for a moment.
        let behind = |finished: &mut u64| *finished < target.min(state.handed_over.load(Relaxed));
        match state.progress.wait_timeout_while(lock(&state.finished), patience, behind) {
            Ok((_, timeout)) => !timeout.timed_out(),
            Err(_) => false,
        }
    }

    /// The logs that could not be written or reopened when that was last tried.
    pub fn troubles(&self) -> Vec<LogTrouble> {
        self.queue.state.sinks().iter().filter_map(|sink| sink.trouble()).collect()
    }

    pub fn totals(&self) -> LogTotals {
        let state = &self.queue.state;
        LogTotals {
            lines_written: state.lines_written.load(Relaxed),
            lines_dropped: state.lines_dropped.load(Relaxed),
            errors: state.errors.load(Relaxed),
        }
    }
}

/// Totals of all access logs since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogTotals {
    pub lines_written: u64,
    /// Lines lost because the queue was full or a write failed.
    pub lines_dropped: u64,
    /// Failed writes and failed attempts to reopen.
    pub errors: u64,
}

/// What is wrong with a log now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTrouble {
    pub path: String,
    /// For people.
    pub message: &'static str,
    pub error: String,
}

/// One log of one listener. It is cheap to clone and is sent to every worker, which creates its own buffer from
/// it.
#[derive(Clone, Debug)]
pub struct LogHandle {
    sink: Arc<Sink>,
    format: LogFormat,
    queue: Queue,
}

impl LogHandle {
    pub fn buffer(&self) -> LogBuffer {
        LogBuffer::new(self)
    }

    /// True if both write to the same open file in the same format.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.sink, &other.sink) && self.format == other.format
    }
}

#[derive(Clone, Debug)]
struct Queue {
    orders: SyncSender<Order>,
    state: Arc<State>,
}

impl Queue {
    /// Returns the order if the queue is full or the writer is gone.
    fn hand_over(&self, order: Order) -> Result<(), Order> {
        // invariant: an order is counted before it is sent, so that `finished` never exceeds the count.
        // Otherwise `flush_and_wait` could return too early.
        self.state.handed_over.fetch_add(1, Relaxed);
        self.orders.try_send(order).map_err(|error| {
            self.state.take_back();
            match error {
                TrySendError::Full(order) | TrySendError::Disconnected(order) => order,
            }
        })
    }
}

/// State shared by workers, the writer and `flush_and_wait`. It is touched once per buffer, not once per line.
#[derive(Debug, Default)]
struct State {
    /// The sinks in use. A sink is closed when the last handle or buffer for it is dropped.
    sinks: Mutex<Vec<Weak<Sink>>>,
    rounds: Rounds,
    handed_over: AtomicU64,
    finished: Mutex<u64>,
    progress: Condvar,
    lines_written: AtomicU64,
    lines_dropped: AtomicU64,
    errors: AtomicU64,
}

impl State {
    fn sinks(&self) -> Vec<Arc<Sink>> {
        lock(&self.sinks).iter().filter_map(Weak::upgrade).collect()
    }

    /// Uncounts an order that the full queue rejected.
    fn take_back(&self) {
        let _finished = lock(&self.finished);
        self.handed_over.fetch_sub(1, Relaxed);
        self.progress.notify_all();
    }

    fn finish(&self) {
        *lock(&self.finished) += 1;
        self.progress.notify_all();
    }
}

/// The locked data is consistent after every statement, so a panic of another thread leaves it usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const LATE: &str = "is not reopened yet: the thread that writes the logs is blocked, as by a disk that hangs";
/// limit: buffers that wait for the writer, of all workers together: about 4 MiB of lines.
const ORDERS_MAX: usize = 256;

#[cfg(test)]
mod tests;
