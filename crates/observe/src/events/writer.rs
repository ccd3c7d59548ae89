//! The thread that writes the lines, and the queue to it. Handing over a line never waits.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::kind::Event;
use super::limiter::{Limiter, Subject, window_end};
use super::line::Line;

/// The queue of lines that wait for the writer.
#[derive(Debug)]
pub(super) struct Queue {
    lines: SyncSender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    handed_over: AtomicU64,
    /// Lines that the full queue did not take, and that no line has told of yet.
    lost: AtomicU64,
    finished: Mutex<u64>,
    progress: Condvar,
    totals: Totals,
}

/// Lines since the start.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) written: AtomicU64,
    /// The queue was full.
    pub(super) lost: AtomicU64,
    /// Standard error failed.
    pub(super) failed: AtomicU64,
}

/// What a writer needs besides its lines.
pub(super) struct Setting<W> {
    pub(super) out: W,
    pub(super) limiter: &'static Limiter,
    pub(super) unix_seconds: fn() -> u64,
}

impl Queue {
    /// Starts the writer's thread, which ends with the queue.
    pub(super) fn start<W: Write + Send + 'static>(setting: Setting<W>) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let state = Arc::new(State::default());
        let writer = Writer { setting, state: Arc::clone(&state), look_at: None };
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&waiting))?;
        Ok(Self { lines, state })
    }

    /// Hands over whole lines. If the queue is full they are lost, counted, and told of later.
    pub(super) fn push(&self, text: Vec<u8>) {
        match self.lines.try_send(text) {
            Ok(()) => self.state.handed_over.fetch_add(1, Relaxed),
            Err(_) => {
                self.state.totals.lost.fetch_add(1, Relaxed);
                self.state.lost.fetch_add(1, Relaxed)
            }
        };
    }

    /// Waits until the lines that this thread has handed over are written. Returns false if `patience` ends first.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let target = self.state.handed_over.load(Relaxed);
        let is_behind = |finished: &mut u64| *finished < target || self.state.lost.load(Relaxed) > 0;
        let waited = self.state.progress.wait_timeout_while(self.state.lock(), patience, is_behind);
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.state.totals
    }
}

impl State {
    /// The locked data is consistent after every statement, so a panic of another thread leaves it usable.
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer<W> {
    setting: Setting<W>,
    state: Arc<State>,
    /// When to see whether lines were left out: the end of a window in which a line was written.
    look_at: Option<u64>,
}

impl<W: Write> Writer<W> {
    /// Runs until the queue is dropped.
    fn run(mut self, lines: &Receiver<Vec<u8>>) {
        while let Some(text) = self.next(lines) {
            if let Some(text) = text {
                self.look_at.get_or_insert(window_end((self.setting.unix_seconds)()));
                self.write(&text);
                *self.state.lock() += 1;
                self.state.progress.notify_all();
            }
            self.tell_left_out();
        }
    }

    /// The next line; `Some(None)`: a window is over. `None`: there will be no more lines.
    fn next(&mut self, lines: &Receiver<Vec<u8>>) -> Option<Option<Vec<u8>>> {
        match lines.try_recv() {
            Ok(text) => return Some(Some(text)),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => self.tell_lost(),
        }
        let Some(look_at) = self.look_at else { return lines.recv().ok().map(Some) };
        let seconds = look_at.saturating_sub((self.setting.unix_seconds)()).max(1);
        match lines.recv_timeout(Duration::from_secs(seconds)) {
            Ok(text) => Some(Some(text)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Tells of floods that have ended.
    fn tell_left_out(&mut self) {
        let now = (self.setting.unix_seconds)();
        if self.look_at.is_none_or(|at| now < at) {
            return;
        }
        let limiter = self.setting.limiter;
        for (subject, count) in limiter.take_owed(now) {
            self.write(&left_out(subject, count, now));
        }
        self.look_at = limiter.is_active(now).then(|| window_end(now));
    }

    /// Tells of the lines that did not find room in the queue.
    fn tell_lost(&mut self) {
        let lost = self.state.lost.load(Relaxed);
        if lost == 0 {
            return;
        }
        let row = Event::LinesLost.row();
        let fields: super::Fields<'_> = &[("lines", &lost)];
        let line = Line {
            level: row.level,
            message: row.message,
            reason: None,
            fields,
            hint: row.hint,
            suppressed: 0,
        };
        self.write(&line.text((self.setting.unix_seconds)()));
        self.state.lost.fetch_sub(lost, Relaxed);
        let _finished = self.state.lock();
        self.state.progress.notify_all();
    }

    /// One write for a line, so that it does not mix with what else is written there.
    fn write(&mut self, text: &[u8]) {
        // There is nowhere else to report the error.
        let totals = &self.state.totals;
        let counter = match self.setting.out.write_all(text) {
            Ok(()) => &totals.written,
            Err(_) => &totals.failed,
        };
        counter.fetch_add(1, Relaxed);
    }
}

/// The line that tells how many of a kind were left out.
pub(super) fn left_out(subject: Subject, count: u64, unix_seconds: u64) -> Vec<u8> {
    let (row, of) = (Event::LeftOut.row(), subject.event.row().message);
    let reason = subject.failure.map(|failure| failure.outcome().reason);
    let (level, message, hint) = (row.level, row.message, row.hint);
    Line { level, message, reason, fields: &[("of", &of)], hint, suppressed: count }.text(unix_seconds)
}

/// limit: lines that wait for the writer. The kinds that a peer can cause make a few of them in each window.
const LINES_MAX: usize = 512;

#[cfg(test)]
mod tests;
