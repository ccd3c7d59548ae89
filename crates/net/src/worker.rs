//! The loop of a worker's thread: poll tasks, take events from the kernel, fire deadlines and timers.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::buffer;
use crate::executor::{self, Executor, Turn};
use crate::milli_timer::MilliTimers;
use crate::pipe::PipeEnds;
use crate::reactor::{Direction, Reactor, SourceId, State, Ticks};
use crate::remote::{self, Remote};
use crate::stream::StreamKey;
use crate::sys::{Fd, Sys};
use crate::timer::Timer;

/// A handle to the worker of this thread.
pub struct Worker<S: Sys>(pub(crate) Rc<Inner<S>>);

pub(crate) struct Inner<S: Sys> {
    pub(crate) sys: S,
    pub(crate) reactor: RefCell<Reactor>,
    pub(crate) timers: MilliTimers,
    pub(crate) pipes: RefCell<Vec<PipeEnds>>,
    /// Leased ones and those in the pool.
    pub(crate) pipes_open: Cell<usize>,
    executor: Executor,
    remote: Arc<Remote>,
    number: u8,
    now: Cell<u64>,
    /// 0: not read in this turn of the loop.
    wall: Cell<u64>,
    /// Transfers that are left to the task being polled.
    budget: Cell<u32>,
    /// Bytes moved in this turn of the loop.
    turn_bytes: Cell<usize>,
    stats: Cell<WorkerStats>,
}

/// Counters of a worker since its start, and what it holds at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Turns of the loop: how often events were taken from the kernel.
    pub turns: u64,
    pub panics: u64,
    pub deadlines_fired: u64,
    pub tasks: usize,
    pub sources: usize,
    /// Millisecond timers that are set.
    pub timers: usize,
    pub leased_bytes: usize,
}

impl<S: Sys> Clone for Worker<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S: Sys> std::fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("number", &self.0.number).finish_non_exhaustive()
    }
}

impl<S: Sys> Worker<S> {
    /// Runs `main` on this thread, and the tasks that it spawns, until `main` is done. Tasks that still run are then
    /// dropped with their sockets.
    pub fn run<F>(sys: S, main: impl FnOnce(Self) -> F) -> io::Result<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let remote = Arc::new(Remote::new(sys.bell(BELL)?));
        let number =
            remote::enlist(Arc::clone(&remote)).ok_or_else(|| io::Error::other("too many workers"))?;
        let now = sys.now();
        let worker = Self(Rc::new(Inner {
            sys,
            reactor: RefCell::default(),
            timers: MilliTimers::default(),
            pipes: RefCell::default(),
            pipes_open: Cell::new(0),
            executor: Executor::default(),
            remote,
            number,
            now: Cell::new(now),
            wall: Cell::new(0),
            budget: Cell::new(BUDGET),
            turn_bytes: Cell::new(0),
            stats: Cell::default(),
        }));
        executor::enter(number);
        let output = Rc::new(Cell::new(None));
        let (future, slot) = (main(worker.clone()), Rc::clone(&output));
        worker.spawn(async move { slot.set(Some(future.await)) });
        // A panic of a task ends only the task; this one is of a waker, or of the loop itself.
        let turns = || worker.turn_until(|| Rc::strong_count(&output) == 1);
        let result = std::panic::catch_unwind(AssertUnwindSafe(turns))
            .unwrap_or_else(|_| Err(io::Error::other("a panic outside the worker's tasks")));
        // invariant: tasks are dropped before the thread-local that their wakers use.
        worker.0.executor.clear();
        worker.close_pipes();
        executor::leave();
        remote::dismiss(number);
        result?;
        output.take().ok_or_else(|| io::Error::other("the worker's main task panicked"))
    }

    /// Starts a task. It runs on this thread only.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.0.executor.spawn(Box::pin(future));
    }

    /// Monotonic time in nanoseconds, read once in each turn of the loop.
    pub fn now(&self) -> u64 {
        self.0.now.get()
    }

    /// Wall time in microseconds since 1970, read at most once in each turn of the loop.
    pub fn wall(&self) -> u64 {
        if self.0.wall.get() == 0 {
            self.0.wall.set(self.0.sys.wall());
        }
        self.0.wall.get()
    }

    /// Ends the waits of all idle connections as if their deadline had passed; see [`crate::TcpStream::idle`].
    pub fn rouse_idle(&self) {
        let mut woken = Vec::new();
        self.0.reactor.borrow_mut().rouse_idle(&mut woken);
        woken.into_iter().for_each(std::task::Waker::wake);
    }

    /// Ends the wait of one connection, as [`Self::rouse_idle`]. It has no effect if the connection is closed or not idle.
    pub fn rouse(&self, stream: StreamKey) {
        let waker = self.0.reactor.borrow_mut().rouse(stream.0);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Shuts a connection down in both directions, even if a request is in flight. It has no effect if the connection is
    /// closed.
    pub fn cut(&self, stream: StreamKey) {
        let descriptor = self.0.reactor.borrow().descriptor(stream.0);
        // It fails if the peer has reset the connection, which needs no shutdown then.
        if let Some(descriptor) = descriptor {
            let _ = self.0.sys.shutdown(descriptor);
        }
    }

    /// The first tick that is at least `wait` from now.
    pub fn after(&self, wait: Duration) -> Ticks {
        Ticks::after(self.now(), wait)
    }

    /// Waits for at least `wait` and at most 200 ms longer; see [`Ticks`]. [`Self::timer`] is more exact.
    pub async fn sleep(&self, wait: Duration) {
        let timer = Timer::new(self);
        timer.set_read_deadline(self.after(wait));
        poll_fn(|context| timer.poll_read_late(context)).await;
    }

    /// Lets the other tasks of the run queue run first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// A snapshot of the worker's counters.
    pub fn stats(&self) -> WorkerStats {
        WorkerStats {
            tasks: self.0.executor.live(),
            sources: self.0.reactor.borrow().open(),
            timers: self.0.timers.len(),
            leased_bytes: buffer::leased_bytes(),
            ..self.0.stats.get()
        }
    }

    /// Whether the task being polled may make another transfer. If not, the task is queued again and its poll must end.
    pub(crate) fn may_transfer(&self, context: &Context<'_>) -> bool {
        match self.0.budget.get() {
            0 => {
                context.waker().wake_by_ref();
                false
            }
            left => {
                self.0.budget.set(left - 1);
                true
            }
        }
    }

    /// Waits until a source may have something to read, and registers it if need be.
    pub(crate) fn poll_readable(
        &self,
        fd: Fd,
        id: SourceId,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let state = self.0.reactor.borrow_mut().state(id, Direction::Read);
        if state == State::Ready {
            return if self.may_transfer(context) { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let waker = context.waker().clone();
        let (old, register) = self.0.reactor.borrow_mut().park(id, Direction::Read, waker);
        drop(old);
        if register && let Err(error) = self.0.sys.register(fd, id.token()) {
            self.0.reactor.borrow_mut().not_registered(id);
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }

    /// Charges transferred bytes to the budgets of the task being polled and of this turn of the loop.
    pub(crate) fn moved(&self, bytes: usize) {
        let cost = u32::try_from(bytes / BYTES_PER_TRANSFER).unwrap_or(u32::MAX);
        self.0.budget.set(self.0.budget.get().saturating_sub(cost));
        self.0.turn_bytes.set(self.0.turn_bytes.get().saturating_add(bytes));
    }

    fn turn_until(&self, done: impl Fn() -> bool) -> io::Result<()> {
        let mut scratch = Scratch::default();
        let mut registered_at = self.tick();
        while !done() {
            self.poll_tasks();
            if done() {
                break;
            }
            self.take_events(&mut scratch)?;
            let tick = self.tick();
            let fired = self.0.reactor.borrow_mut().sweep(tick, &mut scratch.woken);
            self.count(|stats| stats.deadlines_fired += fired);
            self.0.timers.take_due(self.now(), &mut scratch.woken);
            scratch.woken.drain(..).for_each(std::task::Waker::wake);
            if tick.saturating_sub(registered_at) >= REGISTER_AFTER_TICKS {
                registered_at = tick;
                self.register_all(&mut scratch.unregistered);
            }
        }
        Ok(())
    }

    fn poll_tasks(&self) {
        self.0.turn_bytes.set(0);
        for _ in 0..POLLS_PER_TURN {
            if self.0.turn_bytes.get() >= BYTES_PER_TURN {
                break;
            }
            self.0.budget.set(BUDGET);
            match self.0.executor.turn() {
                Turn::Idle => break,
                Turn::Ran => {}
                Turn::Panicked => self.count(|stats| stats.panics += 1),
            }
        }
    }

    /// Takes events from the kernel and wakes from other threads. Waits for them if no task can run.
    fn take_events(&self, scratch: &mut Scratch) -> io::Result<()> {
        let timeout =
            if executor::is_queue_empty() { self.time_to_next_deadline() } else { Some(Duration::ZERO) };
        scratch.events.clear();
        self.0.sys.wait(&mut scratch.events, timeout)?;
        self.0.now.set(self.0.sys.now());
        self.0.wall.set(0);
        self.count(|stats| stats.turns += 1);
        let mut bell = false;
        {
            let mut reactor = self.0.reactor.borrow_mut();
            for event in &scratch.events {
                if event.token == BELL {
                    bell = true;
                } else {
                    reactor.event(event, self.now(), &mut scratch.woken);
                }
            }
        }
        scratch.woken.drain(..).for_each(std::task::Waker::wake);
        if bell {
            self.0.remote.take(&mut scratch.remote);
            scratch.remote.drain(..).for_each(executor::wake_local);
        }
        Ok(())
    }

    /// How long the worker may wait for events; `None`: for ever.
    fn time_to_next_deadline(&self) -> Option<Duration> {
        let tick = self.time_to_next_tick();
        let Some(timer) = self.0.timers.earliest() else { return tick };
        // The clock of this turn lags behind by as long as its polls took, which is much for a timer and nothing for
        // a tick. Only a set timer costs this call.
        let timer = Duration::from_nanos(timer.saturating_sub(self.0.sys.now()));
        Some(tick.map_or(timer, |tick| tick.min(timer)))
    }

    fn time_to_next_tick(&self) -> Option<Duration> {
        let reactor = self.0.reactor.borrow();
        let late_registration = reactor.has_unregistered().then(|| self.tick() + REGISTER_AFTER_TICKS);
        let tick = match (reactor.next_deadline(), late_registration) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        let nanos = (u64::from(tick) * Ticks::NANOS).saturating_sub(self.now());
        Some(Duration::from_nanos(nanos))
    }

    /// Registers all sources. A task that waits for its target does not wait on its client's source, which may be
    /// unregistered: without this, a client's reset would not be seen while its request is in flight.
    fn register_all(&self, unregistered: &mut Vec<(Fd, SourceId)>) {
        self.0.reactor.borrow_mut().take_unregistered(unregistered);
        for (fd, id) in unregistered.drain(..) {
            if self.0.sys.register(fd, id.token()).is_err() {
                self.0.reactor.borrow_mut().not_registered(id);
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "13 years of uptime")]
    fn tick(&self) -> u32 {
        (self.now() / Ticks::NANOS) as u32
    }

    fn count(&self, change: impl FnOnce(&mut WorkerStats)) {
        let mut stats = self.0.stats.get();
        change(&mut stats);
        self.0.stats.set(stats);
    }

    /// Pipes that are open: those that are leased, and those in the pool. Each is two descriptors.
    pub fn pipes_open(&self) -> usize {
        self.0.pipes_open.get()
    }

    /// Closes the pipes in the pool.
    pub fn close_pipes(&self) {
        let pipes = std::mem::take(&mut *self.0.pipes.borrow_mut());
        self.0.pipes_open.set(self.0.pipes_open.get() - pipes.len());
        pipes.into_iter().for_each(|ends| ends.close(&self.0.sys));
    }
}

/// The vectors that each turn of the loop fills, kept so that a turn does not allocate.
#[derive(Default)]
struct Scratch {
    events: Vec<crate::sys::Event>,
    woken: Vec<std::task::Waker>,
    remote: Vec<u64>,
    unregistered: Vec<(Fd, SourceId)>,
}

const BELL: u64 = u64::MAX;
// limit: polls in one turn of the loop, so that a new event waits for this many at most.
const POLLS_PER_TURN: u32 = 64;
// limit: bytes moved in one turn of the loop, exceeded by at most one poll. Without it many bulk transfers would delay small
// requests by tens of milliseconds.
const BYTES_PER_TURN: usize = 1 << 20;
// limit: transfers in one poll of one task, of 16 KiB each; a larger one counts for several.
const BUDGET: u32 = 32;
const BYTES_PER_TRANSFER: usize = 16 << 10;
const REGISTER_AFTER_TICKS: u32 = 5;
