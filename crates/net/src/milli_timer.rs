//! Millisecond timers, beside the coarse deadlines of the reactor.
//!
//! A coarse deadline is a store and fires up to 200 ms late, which suits timeouts of seconds. A wait of a few milliseconds
//! uses a timer from here: the earliest one sets the epoll timeout, so that it fires within a millisecond. Only timers
//! that are set cost something; without any, the worker's loop compares one number in each turn.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::reactor::Ticks;
use crate::sys::Sys;
use crate::timer::Timer;
use crate::worker::Worker;

impl<S: Sys> Worker<S> {
    /// Starts a timer, which fires at least `wait` from now and at most a millisecond later, unless the worker is busy: a
    /// turn of its loop is never interrupted. [`Self::sleep`] is cheaper, and up to 200 ms late.
    ///
    /// It reads the clock, because [`Self::now`] may lag behind by as long as the present turn has taken.
    pub fn timer(&self, wait: Duration) -> MilliTimer<S> {
        let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let deadline = self.0.sys.now().saturating_add(wait).min(LATEST);
        MilliTimer { worker: self.clone(), deadline, entry: Entry::None }
    }

    /// Waits for `future` at most as long as `budget`, which is counted from when `future` is first found pending. A
    /// future that is ready at its first poll costs nothing extra.
    ///
    /// If output and timeout come together, the output wins. After a timeout `future` is dropped.
    // cancel-safe: if `future` is. A dropped wait removes its timer.
    pub async fn within<F: Future>(&self, budget: Duration, future: F) -> Result<F::Output, TimedOut> {
        let mut future = pin!(future);
        let mut timer = None;
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            let timer = timer.get_or_insert_with(|| self.timer(budget));
            Pin::new(timer).poll(context).map(|()| Err(TimedOut))
        })
        .await
    }
}

/// A future that is ready when its time has come; see [`Worker::timer`]. Dropping it removes the timer.
#[must_use = "a timer does nothing unless it is awaited"]
pub struct MilliTimer<S: Sys> {
    worker: Worker<S>,
    /// In nanoseconds of the monotonic clock.
    deadline: u64,
    entry: Entry<S>,
}

/// Where the waker of a timer is kept.
enum Entry<S: Sys> {
    /// Nowhere: the timer has not been polled yet.
    None,
    Set(TimerKey),
    /// In the reactor, because [`TIMERS_MAX`] timers are set.
    Coarse(Timer<S>),
}

impl<S: Sys> fmt::Debug for MilliTimer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MilliTimer").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl<S: Sys> Future for MilliTimer<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.worker.now() >= self.deadline {
            return Poll::Ready(());
        }
        match &self.entry {
            Entry::Coarse(timer) => return timer.poll_read_late(context),
            Entry::Set(key) => {
                let old = self.worker.0.timers.replace(*key, context.waker().clone());
                // A waker's drop is foreign code: it runs after the borrow.
                drop(old);
            }
            Entry::None => {
                let key = self.worker.0.timers.insert(self.deadline, context.waker().clone());
                self.entry = match key {
                    Ok(key) => Entry::Set(key),
                    Err(waker) => {
                        drop(waker);
                        Entry::Coarse(coarse(&self.worker, self.deadline, context))
                    }
                };
            }
        }
        Poll::Pending
    }
}

/// A coarse deadline that is parked on already.
fn coarse<S: Sys>(worker: &Worker<S>, deadline: u64, context: &Context<'_>) -> Timer<S> {
    let timer = Timer::new(worker);
    timer.set_read_deadline(Ticks::after(0, Duration::from_nanos(deadline)));
    // A new deadline has not passed before the next sweep, so this only parks.
    let _ = timer.poll_read_late(context);
    timer
}

impl<S: Sys> Drop for MilliTimer<S> {
    fn drop(&mut self) {
        if let Entry::Set(key) = self.entry {
            let waker = self.worker.0.timers.remove(key);
            drop(waker);
        }
    }
}

/// A wait took longer than its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl std::error::Error for TimedOut {}

impl From<TimedOut> for io::Error {
    fn from(_: TimedOut) -> Self {
        io::ErrorKind::TimedOut.into()
    }
}

/// Names one timer: its deadline, then a number that is never used twice. Timers are ordered by it, so that equal
/// deadlines fire in the order in which they were set, and a key of a timer that has fired names no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    deadline: u64,
    number: u64,
}

/// The timers of one worker that are set.
pub(crate) struct MilliTimers {
    /// The earliest deadline; [`NONE`] if no timer is set. Apart from the map, so that the worker's loop reads one number.
    earliest: Cell<u64>,
    waiting: RefCell<BTreeMap<TimerKey, Waker>>,
    next_number: Cell<u64>,
}

impl Default for MilliTimers {
    fn default() -> Self {
        Self { earliest: Cell::new(NONE), waiting: RefCell::default(), next_number: Cell::new(0) }
    }
}

impl MilliTimers {
    /// The deadline of the timer that fires next, if any is set.
    pub(crate) fn earliest(&self) -> Option<u64> {
        Some(self.earliest.get()).filter(|&deadline| deadline != NONE)
    }

    /// How many timers are set.
    pub(crate) fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Takes the wakers of all timers that are due at `now`, earliest first. The caller wakes them.
    pub(crate) fn take_due(&self, now: u64, woken: &mut Vec<Waker>) {
        if now >= self.earliest.get() {
            self.take_first(now, woken);
        }
    }

    // Apart, so that a worker without timers pays for a comparison and not for a call.
    #[cold]
    fn take_first(&self, now: u64, woken: &mut Vec<Waker>) {
        let mut waiting = self.waiting.borrow_mut();
        while let Some(first) = waiting.first_entry().filter(|first| first.key().deadline <= now) {
            woken.push(first.remove());
        }
        self.find_earliest(&waiting);
    }

    /// Sets a timer, or gives the waker back if [`TIMERS_MAX`] are set.
    fn insert(&self, deadline: u64, waker: Waker) -> Result<TimerKey, Waker> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= TIMERS_MAX {
            return Err(waker);
        }
        let key = TimerKey { deadline, number: self.next_number.get() };
        self.next_number.set(key.number + 1);
        waiting.insert(key, waker);
        self.earliest.set(self.earliest.get().min(deadline));
        Ok(key)
    }

    /// Changes the waker of a timer that is set; the old one is the caller's to drop. A timer that has fired is left alone.
    fn replace(&self, key: TimerKey, waker: Waker) -> Option<Waker> {
        match self.waiting.borrow_mut().get_mut(&key) {
            Some(current) => Some(std::mem::replace(current, waker)),
            None => Some(waker),
        }
    }

    /// Removes a timer; its waker is the caller's to drop. A timer that has fired is gone already.
    fn remove(&self, key: TimerKey) -> Option<Waker> {
        let mut waiting = self.waiting.borrow_mut();
        let waker = waiting.remove(&key);
        if key.deadline == self.earliest.get() {
            self.find_earliest(&waiting);
        }
        waker
    }

    fn find_earliest(&self, waiting: &BTreeMap<TimerKey, Waker>) {
        self.earliest.set(waiting.first_key_value().map_or(NONE, |(key, _)| key.deadline));
    }
}

/// No timer is set.
const NONE: u64 = u64::MAX;
/// The last deadline that a timer can have.
const LATEST: u64 = NONE - 1;
// limit: timers that a worker has set, some 50 bytes each. Beyond it a timer is a coarse deadline: it fires up to 200 ms
// late, and its cost is that of a source. Every timer belongs to a future that is waiting, so tasks bound them as well.
const TIMERS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    use super::*;

    /// Notes its name when it is woken.
    struct Named(u64, Arc<Mutex<Vec<u64>>>);

    impl Wake for Named {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn fire(timers: &MilliTimers, now: u64) {
        let mut woken = Vec::new();
        timers.take_due(now, &mut woken);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Random inserts, removals and steps of time, compared with a sorted list.
    #[test]
    fn timers_fire_in_order_and_removed_ones_never() {
        for seed in 0..200 {
            let mut rng = crate::sim::Rng::new(seed);
            let (timers, fired) = (MilliTimers::default(), Arc::new(Mutex::new(Vec::new())));
            let (mut model, mut keys, mut now) = (Vec::<(u64, u64)>::new(), Vec::new(), 0);
            for number in 0..300 {
                match rng.below(4) {
                    0 | 1 => {
                        let deadline = now + rng.below(20);
                        let waker = Arc::new(Named(number, Arc::clone(&fired))).into();
                        keys.push((number, timers.insert(deadline, waker).unwrap()));
                        model.push((deadline, number));
                    }
                    2 if !keys.is_empty() => {
                        let (number, key) = keys.swap_remove(rng.size(keys.len()));
                        let was_set = model.iter().any(|&(_, other)| other == number);
                        assert_eq!(timers.remove(key).is_some(), was_set, "seed {seed}, timer {number}");
                        model.retain(|&(_, other)| other != number);
                    }
                    _ => {
                        now += rng.below(10);
                        fire(&timers, now);
                        model.sort_unstable();
                        let due = model.partition_point(|&(deadline, _)| deadline <= now);
                        let expected: Vec<u64> = model.drain(..due).map(|(_, number)| number).collect();
                        assert_eq!(std::mem::take(&mut *fired.lock().unwrap()), expected, "seed {seed}");
                    }
                }
                let earliest = model.iter().map(|&(deadline, _)| deadline).min();
                assert_eq!((timers.earliest(), timers.len()), (earliest, model.len()), "seed {seed}");
            }
        }
    }

    #[test]
    fn a_key_of_a_fired_timer_touches_no_other() {
        let timers = MilliTimers::default();
        let old = timers.insert(5, Waker::noop().clone()).unwrap();
        fire(&timers, 5);
        let new = timers.insert(5, Waker::noop().clone()).unwrap();
        assert!(timers.remove(old).is_none());
        assert!(timers.replace(old, Waker::noop().clone()).is_some(), "the waker comes back");
        assert_eq!((timers.len(), timers.earliest()), (1, Some(5)));
        assert!(timers.remove(new).is_some());
        assert_eq!((timers.len(), timers.earliest()), (0, None));
    }

    #[test]
    fn a_replaced_waker_is_the_one_that_is_woken() {
        let (timers, fired) = (MilliTimers::default(), Arc::new(Mutex::new(Vec::new())));
        let named = |number| Waker::from(Arc::new(Named(number, Arc::clone(&fired))));
        let key = timers.insert(5, named(1)).unwrap();
        drop(timers.replace(key, named(2)));
        fire(&timers, 5);
        assert_eq!(*fired.lock().unwrap(), [2]);
    }

    #[test]
    fn timers_beyond_the_limit_are_refused_until_one_is_removed() {
        let timers = MilliTimers::default();
        let insert = || timers.insert(5, Waker::noop().clone());
        let first = insert().unwrap();
        assert!((1..TIMERS_MAX).all(|_| insert().is_ok()));
        assert!(insert().is_err());
        drop(timers.remove(first));
        assert!(insert().is_ok());
        assert_eq!(timers.len(), TIMERS_MAX);
    }
}
