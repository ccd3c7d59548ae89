//! Limits the lines of each kind, on atomics: a flood costs a worker a load and an add for each line that is left out.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use model::Failure;

use super::kind::Event;

/// What a line is about: its kind and, if that is a failed request, the failure. Each has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) event: Event,
    pub(super) failure: Option<Failure>,
}

impl Subject {
    fn slot(self) -> usize {
        match (self.event, self.failure) {
            (Event::RequestFailed, Some(failure)) => Event::ALL.len() + failure.index(),
            _ => self.event as usize,
        }
    }
}

impl From<Event> for Subject {
    fn from(event: Event) -> Self {
        Self { event, failure: None }
    }
}

/// Counts the lines of each subject in the current window.
#[derive(Debug)]
pub(super) struct Limiter([Slot; SLOTS]);

const SLOTS: usize = Event::ALL.len() + Failure::ALL.len();

#[derive(Debug)]
struct Slot {
    /// The window of the last line, and how many were written in it: see [`Window`].
    window: AtomicU64,
    /// Lines that were left out and that no line has told of yet.
    left_out: AtomicU64,
}

impl Limiter {
    pub(super) const fn new() -> Self {
        Self([const { Slot { window: AtomicU64::new(0), left_out: AtomicU64::new(0) } }; SLOTS])
    }

    /// Returns `Some` if a line may be written now, with the number of lines of its kind that were left out before it.
    pub(super) fn admit(&self, subject: Subject, unix_seconds: u64) -> Option<u64> {
        let slot = &self.0[subject.slot()];
        let most = subject.event.row().cause.lines_max();
        let next = |bits| Window::from_bits(bits).next_line(unix_seconds, most).map(Window::to_bits);
        if slot.window.fetch_update(Relaxed, Relaxed, next).is_ok() {
            return Some(slot.take_left_out());
        }
        slot.left_out.fetch_add(1, Relaxed);
        None
    }

    /// Takes the counts of the lines that were left out in windows that are over.
    pub(super) fn take_owed(&self, unix_seconds: u64) -> impl Iterator<Item = (Subject, u64)> {
        self.take_if(move |slot| !slot.is_active(unix_seconds))
    }

    /// Takes all such counts.
    pub(super) fn take_all(&self) -> impl Iterator<Item = (Subject, u64)> {
        self.take_if(|_| true)
    }

    /// True if a line was written in the current window, so that lines may be left out in it.
    pub(super) fn is_active(&self, unix_seconds: u64) -> bool {
        self.0.iter().any(|slot| slot.is_active(unix_seconds))
    }

    fn take_if(&self, is_due: impl Fn(&Slot) -> bool) -> impl Iterator<Item = (Subject, u64)> {
        let of_failure = |&failure| Subject { event: Event::RequestFailed, failure: Some(failure) };
        let subjects =
            Event::ALL.iter().map(|&event| event.into()).chain(Failure::ALL.iter().map(of_failure));
        subjects.zip(&self.0).filter(move |(_, slot)| is_due(slot)).filter_map(|(subject, slot)| {
            let left_out = slot.take_left_out();
            (left_out > 0).then_some((subject, left_out))
        })
    }
}

impl Slot {
    fn is_active(&self, unix_seconds: u64) -> bool {
        Window::from_bits(self.window.load(Relaxed)).number == window_of(unix_seconds)
    }

    fn take_left_out(&self) -> u64 {
        // Nearly always nothing was left out, and a load does not take the cache line from other workers.
        if self.left_out.load(Relaxed) == 0 { 0 } else { self.left_out.swap(0, Relaxed) }
    }
}

/// A window of [`WINDOW_SECONDS`], and how many lines were written in it.
#[derive(Clone, Copy, Debug)]
struct Window {
    number: u64,
    lines: u32,
}

impl Window {
    fn from_bits(bits: u64) -> Self {
        Self { number: bits >> 32, lines: bits as u32 }
    }

    fn to_bits(self) -> u64 {
        self.number << 32 | u64::from(self.lines)
    }

    /// The window with one line more; `None`: the line is left out. A clock that goes back opens another window.
    fn next_line(self, unix_seconds: u64, most: u32) -> Option<Self> {
        let number = window_of(unix_seconds);
        match self.number == number {
            false => Some(Self { number, lines: 1 }),
            true => (self.lines < most).then_some(Self { number, lines: self.lines + 1 }),
        }
    }
}

fn window_of(unix_seconds: u64) -> u64 {
    // As many bits as a window has in an atomic.
    (unix_seconds / WINDOW_SECONDS) & u64::from(u32::MAX)
}

/// The second in which the window of this one is over.
pub(super) fn window_end(unix_seconds: u64) -> u64 {
    (unix_seconds / WINDOW_SECONDS + 1) * WINDOW_SECONDS
}

const WINDOW_SECONDS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Subject = Subject { event: Event::ProxyHeaderRefused, failure: None };

    #[test]
    fn a_flood_is_suppressed_and_the_next_window_reports_it() {
        let limiter = Limiter::new();
        let written = (0..1_000).filter(|_| limiter.admit(FLOOD, 59).is_some()).count();
        assert_eq!(written, 5);
        assert_eq!(limiter.admit(Event::Stopping.into(), 59), Some(0), "each kind has its own limit");
        assert_eq!(limiter.admit(FLOOD, 60), Some(995));
        assert_eq!(limiter.admit(FLOOD, 60), Some(0));
    }

    #[test]
    fn a_flood_that_ended_is_reported_when_its_window_is_over() {
        let limiter = Limiter::new();
        (0..8).for_each(|_| {
            limiter.admit(FLOOD, 50);
        });
        assert!(limiter.is_active(59) && limiter.take_owed(59).next().is_none());
        assert!(!limiter.is_active(60));
        assert_eq!(limiter.take_owed(60).collect::<Vec<_>>(), [(FLOOD, 3)]);
        assert_eq!(limiter.take_owed(70).next(), None, "once");
        assert_eq!(limiter.admit(FLOOD, 71), Some(0));
    }

    #[test]
    fn an_end_does_not_wait_for_the_window() {
        let limiter = Limiter::new();
        (0..6).for_each(|_| {
            limiter.admit(FLOOD, 50);
        });
        assert_eq!(limiter.take_all().collect::<Vec<_>>(), [(FLOOD, 1)]);
    }

    #[test]
    fn a_clock_that_goes_back_blocks_nothing() {
        let limiter = Limiter::new();
        (0..20).for_each(|_| {
            limiter.admit(FLOOD, 100);
        });
        assert_eq!(limiter.admit(FLOOD, 3), Some(15));
    }

    #[test]
    fn each_reason_of_a_failed_request_has_its_own_limit() {
        let limiter = Limiter::new();
        let of = |failure| Subject { event: Event::RequestFailed, failure: Some(failure) };
        let admitted = (0..9).filter(|_| limiter.admit(of(Failure::NoTarget), 50).is_some()).count();
        assert_eq!(admitted, 5);
        assert_eq!(limiter.admit(of(Failure::TargetRefused), 50), Some(0));
        assert_eq!(limiter.take_all().collect::<Vec<_>>(), [(of(Failure::NoTarget), 4)]);
    }

    #[test]
    fn threads_together_keep_the_limit_and_lose_no_count() {
        let limiter = Limiter::new();
        let admit = || (0..1_000).filter_map(|_| limiter.admit(FLOOD, 7)).collect::<Vec<_>>();
        let lines: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(admit)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(lines.len(), 5);
        let told: u64 = lines.iter().sum();
        assert_eq!(told + limiter.take_all().map(|(_, count)| count).sum::<u64>(), 3_995);
    }
}
