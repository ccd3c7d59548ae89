//! The operators' log, on standard error. It is about the balancer itself; requests are logged in the access log.
//!
//! Workers write to it, and what they write a peer can cause. So a line goes through a bounded queue to a thread that
//! writes it, and each kind of line has a limit.

mod kind;
mod limiter;
mod line;
mod writer;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::{Failure, LogLevel};

pub use kind::{Cause, Event, EventRow};
use limiter::{Limiter, Subject};
pub use line::Fields;
use line::Line;
use writer::{Queue, Setting};

/// Writes one line of this kind. It never waits once [`EventLog::start`] was called; before, it writes to standard error
/// itself.
///
/// In each window at most [`Cause::lines_max`] lines of a kind are written, so that a client cannot fill the disk. The next
/// line of that kind, or a line of its own when the window is over, says how many were left out.
#[cold]
pub fn event(event: Event, fields: Fields<'_>) {
    write(event.into(), fields);
}

/// Like [`event()`], about a failure: its reason word, level and hint stand in the line. A failure that is normal operation
/// ([`LogLevel::Info`]) gets no line.
#[cold]
pub fn failure_event(event: Event, failure: Failure, fields: Fields<'_>) {
    if failure.outcome().level != LogLevel::Info {
        write(Subject { event, failure: Some(failure) }, fields);
    }
}

/// Like [`event()`], and waits until the line is written, at most for `patience`. For lines after which the process may end.
pub fn event_and_flush(event: Event, fields: Fields<'_>, patience: Duration) {
    if write(event.into(), fields) {
        flush(patience);
    }
}

/// Returns false if the line was left out.
fn write(subject: Subject, fields: Fields<'_>) -> bool {
    let (row, now) = (subject.event.row(), unix_seconds());
    debug_assert!(is_documented(&row, fields), "{subject:?} has other fields in the table");
    let Some(suppressed) = LIMITER.admit(subject, now) else {
        LEFT_OUT.fetch_add(1, Relaxed);
        return false;
    };
    let outcome = subject.failure.map(Failure::outcome);
    let (level, hint) = outcome.map_or((row.level, row.hint), |outcome| (outcome.level, outcome.hint));
    let reason = outcome.map(|outcome| outcome.reason);
    let line = Line { level, message: row.message, reason, fields, hint, suppressed };
    hand_over(line.text(now));
    true
}

/// Writes text between the lines, in its order. It has no limit: no peer may cause it.
pub fn tell(text: &str) {
    hand_over(text.as_bytes().to_vec());
}

/// The thread that writes the operators' log. Dropping this waits for the last lines, but not long: standard error may be a
/// pipe that is not read.
#[derive(Debug)]
pub struct EventLog(());

impl EventLog {
    /// Starts the thread, once for the process.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start() -> io::Result<Self> {
        // Not `io::Stderr`: the thread would hold its lock while it waits.
        let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let queue = Queue::start(Setting { out, limiter: &LIMITER, unix_seconds })?;
        // Of two starts the first one counts.
        let _ = QUEUE.set(queue);
        Ok(Self(()))
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        let now = unix_seconds();
        LIMITER.take_all().for_each(|(subject, count)| hand_over(writer::left_out(subject, count, now)));
        flush(END_PATIENCE);
    }
}

/// Waits until the lines of this thread are written, at most for `patience`.
fn flush(patience: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(patience);
    }
}

/// Lines of the operators' log since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventTotals {
    pub written: u64,
    /// Left out because there were too many of their kind.
    pub limited: u64,
    /// Left out because standard error did not take the lines before them.
    pub lost: u64,
    /// Standard error refused them.
    pub failed: u64,
}

impl EventTotals {
    pub fn read() -> Self {
        let limited = LEFT_OUT.load(Relaxed);
        let Some(totals) = QUEUE.get().map(Queue::totals) else { return Self { limited, ..Self::default() } };
        let [written, lost, failed] =
            [&totals.written, &totals.lost, &totals.failed].map(|total| total.load(Relaxed));
        Self { written, limited, lost, failed }
    }
}

fn hand_over(text: Vec<u8>) {
    match QUEUE.get() {
        Some(queue) => queue.push(text),
        // If standard error fails, there is nowhere to report it.
        None => drop(io::stderr().write_all(&text)),
    }
}

/// Whether the fields are in the table, in its order.
fn is_documented(row: &EventRow, fields: Fields<'_>) -> bool {
    let mut known = row.fields.iter();
    fields.iter().all(|(key, _)| known.any(|known| known == key))
}

#[allow(clippy::disallowed_methods, reason = "the one place where the operators' log reads the wall clock")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

static LIMITER: Limiter = Limiter::new();
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);
static QUEUE: OnceLock<Queue> = OnceLock::new();

const END_PATIENCE: Duration = Duration::from_secs(2);
