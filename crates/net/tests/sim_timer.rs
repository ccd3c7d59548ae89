//! Millisecond timers in virtual time: at most a millisecond late, never early.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use net::sim::{Act, Rng, Sim, for_seeds};
use net::{Buffer, MilliTimer, SMALL, TimedOut, Worker};
use support::{First, first, sends};

/// A timer, and virtual time when it was set: the clock reading is the last call that took time.
fn set_timer(sim: &Sim, worker: &Worker<Sim>, wait: Duration) -> (MilliTimer<Sim>, u64) {
    let timer = worker.timer(wait);
    (timer, sim.time())
}

/// Asserts that a timer which was set at `set` has fired in time, if system calls took at most `calls` meanwhile. For use in
/// the poll that finds the timer ready.
fn assert_in_time(sim: &Sim, worker: &Worker<Sim>, set: u64, wait: Duration, calls: Duration) {
    let waited = Duration::from_nanos(worker.now().saturating_sub(set));
    assert!(waited >= wait, "early: {waited:?} for {wait:?}");
    let stall = sim.last_stall();
    assert!(
        waited <= wait + LATE_MAX + calls + stall,
        "late: {waited:?} for {wait:?}, stalled for {stall:?}"
    );
}

/// Up to so many milliseconds.
fn millis(rng: &mut Rng, bound: u64) -> Duration {
    Duration::from_micros(rng.below(bound * 1000))
}

/// Waits until only the main task is left.
async fn join(worker: &Worker<Sim>) {
    while worker.stats().tasks > 1 {
        worker.sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn a_timer_fires_within_a_millisecond_and_never_early() {
    for_seeds(300, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        sim.run(|worker| async move {
            for _ in 0..50 {
                let wait = millis(&mut rng, 30);
                let (timer, set) = set_timer(&world, &worker, wait);
                timer.await;
                assert_in_time(&world, &worker, set, wait, FEW_CALLS);
            }
            assert_eq!((worker.stats().timers, worker.stats().sources), (0, 0));
        })
        .unwrap();
    });
}

#[test]
fn thousands_of_timers_fire_in_the_order_of_their_deadlines() {
    for_seeds(20, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        sim.run(|worker| async move {
            let fired = Rc::new(RefCell::new(Vec::new()));
            for _ in 0..4000 {
                // Long enough for all tasks to be polled once before the first timer fires.
                let wait = Duration::from_millis(100) + millis(&mut rng, 1000);
                let (timer, set) = set_timer(&world, &worker, wait);
                let (world, worker, fired) = (world.clone(), worker.clone(), Rc::clone(&fired));
                worker.clone().spawn(async move {
                    timer.await;
                    assert_in_time(&world, &worker, set, wait, CALLS_OF_A_HUNDRED_TURNS);
                    fired.borrow_mut().push(u128::from(set) + wait.as_nanos());
                });
            }
            join(&worker).await;
            assert!(fired.borrow().is_sorted());
            assert_eq!((fired.borrow().len(), worker.stats().timers), (4000, 0));
        })
        .unwrap();
    });
}

#[test]
fn timers_and_coarse_deadlines_are_both_in_time() {
    for_seeds(200, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        sim.run(|worker| async move {
            for number in 0..20 {
                let wait = millis(&mut rng, 1500);
                let (world, worker) = (world.clone(), worker.clone());
                worker.clone().spawn(async move {
                    if number % 2 == 0 {
                        let (timer, set) = set_timer(&world, &worker, wait);
                        timer.await;
                        assert_in_time(&world, &worker, set, wait, FEW_CALLS);
                    } else {
                        let (stream, _) = world.stream(&worker, vec![Act::AwaitEnd]).unwrap();
                        let set = worker.now();
                        stream.set_read_deadline(worker.after(wait));
                        assert!(stream.fill(&mut Buffer::new(), SMALL).await.is_err());
                        let waited = Duration::from_nanos(worker.now() - set);
                        assert!(waited >= wait, "early: {waited:?} for {wait:?}");
                        let most = wait + COARSE_LATE_MAX + world.jumped();
                        assert!(waited <= most, "late: {waited:?} for {wait:?}");
                    }
                });
            }
            join(&worker).await;
        })
        .unwrap();
    });
}

#[test]
fn a_dropped_timer_is_gone_and_does_not_wake_the_worker() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        sim.run(|worker| async move {
            let polls = Rc::new(Cell::new(0));
            for _ in 0..10 {
                let wait = Duration::from_millis(5) + millis(&mut rng, 50);
                let timer = worker.timer(wait);
                assert_eq!(first(timer, worker.yield_now()).await, First::B(()));
            }
            assert_eq!(worker.stats().timers, 0);
            let (turns_before, counted) = (worker.stats().turns, Rc::clone(&polls));
            let mut sleep = Box::pin(worker.sleep(Duration::from_secs(1)));
            poll_fn(move |context| {
                counted.set(counted.get() + 1);
                sleep.as_mut().poll(context)
            })
            .await;
            assert_eq!(
                worker.stats().turns - turns_before,
                1,
                "the worker waits once, for its coarse deadline"
            );
            assert_eq!(polls.get(), 2, "no stale timer polls the task");
        })
        .unwrap();
    });
}

#[test]
fn a_timer_wakes_the_task_that_polled_it_last() {
    for_seeds(100, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        sim.run(|worker| async move {
            let wait = Duration::from_millis(1) + millis(&mut rng, 20);
            let (mut timer, set) = set_timer(&world, &worker, wait);
            let early = Pin::new(&mut timer).poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!((early, worker.stats().timers), (Poll::Pending, 1));
            timer.await;
            assert_in_time(&world, &worker, set, wait, FEW_CALLS);
        })
        .unwrap();
    });
}

/// An answer that comes after a while, and whether its future was dropped.
#[derive(Default)]
struct Answer {
    came: Cell<bool>,
    dropped: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

struct Asked(Rc<Answer>);

impl Future for Asked {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.waker.replace(Some(context.waker().clone()));
        if self.0.came.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.dropped.set(true);
        // After the end of this worker another may have its number, and would be woken.
        self.0.waker.take();
    }
}

#[test]
fn a_bounded_wait_ends_with_the_answer_or_at_its_budget() {
    let (answered, timed_out) = (Cell::new(0), Cell::new(0));
    for_seeds(400, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let (after, budget) = (millis(&mut rng, 20), millis(&mut rng, 20));
        let result = sim.run(|worker| async move {
            let answer = Rc::new(Answer::default());
            let later = Rc::clone(&answer);
            world.at(after, move || {
                later.came.set(true);
                if let Some(waker) = later.waker.take() {
                    // From another thread, so that the bell ends the worker's wait.
                    std::thread::spawn(move || waker.wake()).join().unwrap();
                }
            });
            let set = world.time();
            let result = worker.within(budget, Asked(Rc::clone(&answer))).await;
            if result == Err(TimedOut) {
                assert!(!answer.came.get(), "an answer that is there wins");
                assert_in_time(&world, &worker, set, budget, FEW_CALLS);
            }
            assert!(answer.dropped.get());
            assert_eq!((worker.stats().timers, worker.stats().sources), (0, 0));
            result
        });
        let count = if result.unwrap().is_ok() { &answered } else { &timed_out };
        count.set(count.get() + 1);
    });
    let alone = std::env::var_os("EVENKEEL_SEED").is_some();
    assert!(alone || (answered.get() > 50 && timed_out.get() > 50), "both outcomes occur");
}

#[test]
fn a_bounded_wait_for_a_ready_future_sets_no_timer_and_reads_no_clock() {
    for_seeds(20, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let before = world.time();
            for number in 0..100 {
                assert_eq!(worker.within(Duration::from_millis(10), ready(number)).await, Ok(number));
            }
            assert_eq!(world.time(), before, "each system call takes time in this world");
        })
        .unwrap();
    });
}

#[test]
fn reads_that_are_cut_short_by_timers_lose_nothing() {
    for_seeds(200, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let message = rng.bytes(1500);
        sim.run(|worker| async move {
            let script = sends(&mut rng, &message);
            let (stream, _) = world.stream(&worker, script).unwrap();
            let (mut buffer, mut received) = (Buffer::new(), Vec::<u8>::new());
            loop {
                let budget = millis(&mut rng, 3);
                match worker.within(budget, stream.fill(&mut buffer, SMALL)).await {
                    Ok(Ok(0)) => break,
                    Ok(count) => drop(count.unwrap()),
                    Err(TimedOut) => {}
                }
                received.extend(buffer.bytes());
                buffer.consume(buffer.len());
            }
            assert!(received == message);
            assert_eq!(worker.stats().timers, 0);
        })
        .unwrap();
    });
}

#[test]
fn a_timer_beyond_the_limit_is_a_coarse_deadline() {
    for_seeds(2, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let mut context = Context::from_waker(Waker::noop());
            let mut timers = Vec::new();
            while worker.stats().sources == 0 {
                let mut timer = worker.timer(Duration::from_secs(3600));
                assert!(Pin::new(&mut timer).poll(&mut context).is_pending());
                timers.push(timer);
            }
            assert_eq!(timers.len(), worker.stats().timers + 1);
            // A coarse deadline is counted from the worker's clock, which this long poll has left behind.
            worker.sleep(Duration::ZERO).await;
            let wait = Duration::from_millis(10);
            let (timer, set) = set_timer(&world, &worker, wait);
            timer.await;
            let waited = Duration::from_nanos(worker.now() - set);
            assert!(waited >= wait, "early: {waited:?}");
            assert!(waited <= wait + COARSE_LATE_MAX + world.jumped(), "late: {waited:?}");
            drop(timers);
            assert_eq!((worker.stats().timers, worker.stats().sources), (0, 0));
        })
        .unwrap();
    });
}

thread_local! {
    /// Timers that are dropped by [`Meddler`].
    static HELD: RefCell<Vec<MilliTimer<Sim>>> = const { RefCell::new(Vec::new()) };
}

/// A waker that drops timers when it is woken and when it is dropped.
struct Meddler;

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        drop(HELD.take());
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        drop(HELD.take());
    }
}

#[test]
fn a_waker_may_remove_timers_while_it_is_woken_or_dropped() {
    for_seeds(50, |sim| {
        let mut rng = sim.rng();
        sim.run(|worker| async move {
            let hold = |wait| {
                let mut timer = worker.timer(Duration::from_millis(wait));
                let _ = Pin::new(&mut timer).poll(&mut Context::from_waker(Waker::noop()));
                HELD.with_borrow_mut(|held| held.push(timer));
            };
            for round in 0..20 {
                let mut timer = worker.timer(millis(&mut rng, 5));
                let waker = Waker::from(Arc::new(Meddler));
                let _ = Pin::new(&mut timer).poll(&mut Context::from_waker(&waker));
                drop(waker);
                hold(50);
                hold(0);
                match round % 3 {
                    0 => worker.timer(Duration::from_millis(10)).await,
                    1 => drop(Pin::new(&mut timer).poll(&mut Context::from_waker(Waker::noop()))),
                    _ => {}
                }
                drop(timer);
            }
            drop(HELD.take());
            assert_eq!(worker.stats().timers, 0);
        })
        .unwrap();
    });
}

#[test]
fn timers_of_tasks_that_still_run_go_with_them() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        sim.run(|worker| async move {
            for _ in 0..5 {
                let (timer, long) = (worker.timer(millis(&mut rng, 100)), worker.timer(Duration::MAX));
                let inner = worker.clone();
                worker.spawn(async move {
                    timer.await;
                    let _ = inner.within(Duration::from_secs(60), pending::<()>()).await;
                });
                worker.spawn(long);
            }
            worker.timer(Duration::from_millis(50)).await;
            assert!(worker.stats().timers >= 5);
        })
        .unwrap();
    });
}

/// The kernel counts the time of a wait in whole milliseconds.
const LATE_MAX: Duration = Duration::from_millis(1);
const COARSE_LATE_MAX: Duration = Duration::from_millis(200);
/// A simulated system call takes up to 4 µs; a turn of the worker makes two.
const FEW_CALLS: Duration = Duration::from_micros(200);
const CALLS_OF_A_HUNDRED_TURNS: Duration = Duration::from_micros(800);
