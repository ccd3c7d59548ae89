//! A simulated world in virtual time, for tests: the same worker, sockets and stories, without a kernel.
//!
//! A seed decides how much fits into a socket, how bytes are cut, what happens at the same time and in which order,
//! when events are merged or held back, and when time jumps. Between two looks at it the world checks that no
//! source is ready without the worker knowing or being told: a wake-up that is lost fails its seed at once.
//! `EVENKEEL_SEED=n` has [`for_seeds`] replay one seed.

mod connection;
mod peer;
mod rng;
mod world;

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice, Write};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::TcpKeepalive;

pub use self::connection::FLOOD;
pub use self::peer::{Act, End, Peer, Report};
pub use self::rng::Rng;
use self::world::{Node, Step, World};
use crate::listener::Listener;
use crate::reactor::Standing;
use crate::stream::TcpStream;
use crate::sys::{Bell, Event, Fd, Sys};
use crate::worker::{Inner, Worker, WorkerStats};

/// A handle to the world of one seed. It serves one [`Sim::run`].
#[derive(Clone)]
pub struct Sim {
    seed: u64,
    world: Rc<RefCell<World>>,
    worker: Rc<RefCell<Weak<Inner<Self>>>>,
}

/// How an address answers to a connect.
pub enum Target {
    /// Each connection gets a script of its own.
    Accepts(Box<dyn FnMut() -> Vec<Act>>),
    Refuses,
    /// Nothing ever comes back.
    Silent,
}

/// Runs `scenario` in `count` worlds; the one that fails names its seed.
pub fn for_seeds(count: u64, scenario: impl Fn(&Sim)) {
    let only = std::env::var("EVENKEEL_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(0..count, |seed: u64| seed..seed + 1) {
        let _name = NameOnPanic(seed);
        scenario(&Sim::new(seed));
    }
}

struct NameOnPanic(u64);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(io::stderr(), "failed in the world of EVENKEEL_SEED={}", self.0);
        }
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Accepts(_) => "Accepts",
            Self::Refuses => "Refuses",
            Self::Silent => "Silent",
        })
    }
}

impl Sim {
    pub fn new(seed: u64) -> Self {
        Self { seed, world: Rc::new(RefCell::new(World::new(seed))), worker: Rc::default() }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Choices of the test itself, apart from the world's own.
    pub fn rng(&self) -> Rng {
        Rng::new(!self.seed)
    }

    /// As [`Worker::run`]; then lets the peers finish. Fails when a wake-up is lost, the world stands still before
    /// `main` is done, a task panicked, or something is left open.
    pub fn run<F>(&self, main: impl FnOnce(Worker<Self>) -> F) -> io::Result<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (output, stats) = self.run_with_stats(main)?;
        if stats.panics > 0 {
            return Err(io::Error::other(format!("{} tasks panicked", stats.panics)));
        }
        Ok(output)
    }

    /// As [`Self::run`], where tasks may panic.
    pub fn run_with_stats<F>(
        &self,
        main: impl FnOnce(Worker<Self>) -> F,
    ) -> io::Result<(F::Output, WorkerStats)>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let result = Worker::run(self.clone(), |worker| {
            *self.worker.borrow_mut() = Rc::downgrade(&worker.0);
            let future = main(worker.clone());
            async move { (future.await, worker.stats()) }
        });
        self.settle();
        let world = self.world.borrow();
        match (&world.violation, world.open_count()) {
            (Some(violation), _) => Err(io::Error::other(violation.clone())),
            (None, 0) => result,
            (None, left) => Err(io::Error::other(format!("{left} descriptors are left open"))),
        }
    }

    /// A listening socket on the simulated worker; [`Self::client`]s reach it by its number.
    pub fn listen(&self, worker: &Worker<Self>) -> io::Result<(Listener<Self>, Fd)> {
        let fd = self.world.borrow_mut().listen()?;
        Ok((Listener::adopt(worker, fd), fd))
    }

    /// A client that arrives at `listener` after a while.
    pub fn client(&self, listener: Fd, after: Duration, script: Vec<Act>) -> Peer {
        self.world.borrow_mut().client(listener, after, script)
    }

    /// A connection that stands already, and its peer.
    pub fn stream(&self, worker: &Worker<Self>, script: Vec<Act>) -> io::Result<(TcpStream<Self>, Peer)> {
        let (fd, peer) = self.world.borrow_mut().stream(script);
        Ok((TcpStream::adopt(worker, fd?), peer))
    }

    pub fn target(&self, address: SocketAddr, target: Target) {
        self.world.borrow_mut().targets.insert(address, target);
    }

    /// Has `call` made in a while, between two steps of the world.
    pub fn at(&self, after: Duration, call: impl FnOnce() + 'static) {
        self.world.borrow_mut().plan(nanos_of(after), Step::Call(Box::new(call)));
    }

    /// Has calls fail that would open more descriptors than this.
    pub fn limit_descriptors(&self, most: usize) {
        self.world.borrow_mut().descriptors_max = most;
    }

    pub fn open_descriptors(&self) -> usize {
        self.world.borrow().open_count()
    }

    /// Virtual time in nanoseconds, as exact as it gets.
    pub fn time(&self) -> u64 {
        self.world.borrow().now
    }

    /// How much later than it could have the worker ran after its last wait: because the process was stopped, or did not
    /// get the processor at once. A timer is late by as much.
    pub fn last_stall(&self) -> Duration {
        self.world.borrow().last_stall
    }

    /// How long the process was stopped so far: nothing can be expected to be in time by less.
    pub fn jumped(&self) -> Duration {
        self.world.borrow().jumped
    }

    fn settle(&self) {
        while self.step() {}
    }

    fn step(&self) -> bool {
        let mut world = self.world.borrow_mut();
        let any = world.next_step_at().is_some();
        let call = world.advance();
        drop(world);
        if let Some(call) = call {
            call();
        }
        any
    }

    /// Time passes in every call, and what is due meanwhile happens before it, or a little later.
    fn pass(&self) {
        let nanos = self.world.borrow_mut().rng.below(4_000);
        self.world.borrow_mut().now += nanos;
        while self.world.borrow_mut().is_due() {
            self.step();
        }
    }

    /// The oracle: whatever is ready, the worker knows it or an event is to come; and no wait is longer than the earliest
    /// timer allows.
    fn check(&self, timeout: Option<Duration>) -> io::Result<()> {
        let worker = self.worker.borrow().upgrade();
        let Some(worker) = worker else { return Ok(()) };
        let world = self.world.borrow();
        if let Some(timer) = worker.timers.earliest() {
            let until = timeout.map_or(u64::MAX, |timeout| world.now.saturating_add(nanos_of(timeout)));
            if until > timer.max(world.now).saturating_add(CALLS_NANOS_MAX) {
                return Err(io::Error::other(format!(
                    "lost timer: {timer} is due, the wait ends at {until}"
                )));
            }
        }
        for Standing { fd, readable, writable } in worker.reactor.borrow().standing() {
            let direction = if !readable
                && (world.is_silently(fd, connection::Connection::is_readable)
                    || world.is_silent_listener(fd))
            {
                "read"
            } else if !writable && world.is_silently(fd, connection::Connection::is_writable) {
                "write"
            } else {
                continue;
            };
            return Err(io::Error::other(format!(
                "lost wake-up: descriptor {fd} is ready to {direction}\n{}",
                world.describe()
            )));
        }
        Ok(())
    }

    /// Lets time pass up to `until`; false: nothing will ever happen again.
    fn wait_until(&self, until: Option<u64>, events: &mut Vec<Event>) -> bool {
        loop {
            let mut world = self.world.borrow_mut();
            world.last_stall = Duration::ZERO;
            match (world.next_step_at(), until) {
                (Some(at), Some(until)) if at > until => {
                    world.overshoot(until);
                    return true;
                }
                (None, Some(until)) => {
                    world.overshoot(until);
                    return true;
                }
                (None, None) => return false,
                (Some(_), _) => {}
            }
            drop(world);
            self.step();
            let ended = self.time();
            // The process runs some time after the event that ends its wait: edges merge.
            while self.world.borrow_mut().is_delayed() {
                self.step();
            }
            let stall = Duration::from_nanos(self.time() - ended);
            self.world.borrow_mut().last_stall = stall;
            self.world.borrow_mut().harvest(events);
            if !events.is_empty() {
                return true;
            }
        }
    }
}

impl World {
    fn is_due(&mut self) -> bool {
        let now = self.now;
        self.next_step_at().is_some_and(|at| at <= now && (at + 100_000 < now || self.rng.one_in(2)))
    }

    fn is_delayed(&mut self) -> bool {
        let soon = self.now + 200_000;
        self.next_step_at().is_some_and(|at| at <= soon) && self.rng.one_in(2)
    }

    fn overshoot(&mut self, until: u64) {
        let late = if self.rng.one_in(2) { 0 } else { self.rng.below(20_000_000) };
        self.now = self.now.max(until) + late;
        if self.jumps && self.rng.one_in(64) {
            let nanos = self.rng.below(5_000_000_000);
            self.now += nanos;
            self.jumped += Duration::from_nanos(nanos);
        }
        self.last_stall = Duration::from_nanos(self.now - until);
    }
}

impl Sys for Sim {
    fn now(&self) -> u64 {
        self.pass();
        self.time()
    }

    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        self.pass();
        self.check(timeout)?;
        let until = {
            let mut world = self.world.borrow_mut();
            world.looks += 1;
            world.reads = 0;
            if world.looks > LOOKS_MAX {
                return Err(io::Error::other("the worker turns without end"));
            }
            world.harvest(events);
            // Whole milliseconds, as the kernel's.
            let millis =
                timeout.map(|timeout| nanos_of(timeout).div_ceil(1_000_000).saturating_mul(1_000_000));
            millis.map(|nanos| world.now.saturating_add(nanos))
        };
        if !events.is_empty() || timeout == Some(Duration::ZERO) || self.wait_until(until, events) {
            return Ok(());
        }
        let mut world = self.world.borrow_mut();
        world.harvest(events);
        if events.is_empty() {
            return Err(io::Error::other(format!("the world stands still\n{}", world.describe())));
        }
        Ok(())
    }

    fn register(&self, fd: Fd, token: u64) -> io::Result<()> {
        self.pass();
        self.world.borrow_mut().register(fd, token)
    }

    fn bell(&self, token: u64) -> io::Result<Arc<dyn Bell>> {
        let bell = Arc::new(SimBell::default());
        self.world.borrow_mut().bell = Some((token, Arc::clone(&bell)));
        Ok(bell)
    }

    fn has_waiting(&self, fd: Fd) -> bool {
        self.pass();
        self.world.borrow_mut().listening(fd).is_ok_and(|listening| !listening.queue.is_empty())
    }

    fn accept(&self, fd: Fd) -> io::Result<(Fd, SocketAddr)> {
        self.pass();
        let mut world = self.world.borrow_mut();
        let Some(&number) = world.listening(fd)?.queue.front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let stream = world.open(Node::Connection(number))?;
        world.listening(fd)?.queue.pop_front();
        let port = u16::try_from(number % 60_000).unwrap_or(0) + 1024;
        Ok((stream, SocketAddr::from(([10, 0, 0, 1], port))))
    }

    fn connect(&self, address: SocketAddr) -> io::Result<Fd> {
        self.pass();
        self.world.borrow_mut().connect(address)
    }

    fn set_keepalive(&self, fd: Fd, _keepalive: Option<TcpKeepalive>) -> io::Result<()> {
        self.world.borrow_mut().exists(fd)
    }

    fn read(&self, fd: Fd, into: &mut [u8]) -> io::Result<usize> {
        self.pass();
        let mut world = self.world.borrow_mut();
        world.reads += 1;
        if world.reads > READS_PER_LOOK_MAX {
            world.violates("a task reads on and on, and nobody looks".into());
            return Err(io::ErrorKind::Other.into());
        }
        world.connection(fd)?.0.read(into)
    }

    fn write(&self, fd: Fd, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(fd, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&self, fd: Fd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.pass();
        let mut world = self.world.borrow_mut();
        let count = world.admit(fd, slices.iter().map(|slice| slice.len()).sum())?;
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied()).take(count);
        world.connection(fd)?.0.send(bytes);
        Ok(count)
    }

    fn shutdown_write(&self, fd: Fd) -> io::Result<()> {
        self.pass();
        self.world.borrow_mut().connection(fd)?.0.finish_writing()
    }

    // The proxy, which alone asks for it, is not simulated yet.
    fn shutdown(&self, fd: Fd) -> io::Result<()> {
        self.shutdown_write(fd)
    }

    fn abort_on_close(&self, fd: Fd) {
        if let Ok((connection, _)) = self.world.borrow_mut().connection(fd) {
            connection.abort_on_close = true;
        }
    }

    fn take_error(&self, fd: Fd) -> Option<io::Error> {
        let mut world = self.world.borrow_mut();
        let (connection, _) = world.connection(fd).ok()?;
        connection.take_error().map(io::Error::from)
    }

    fn pipe(&self) -> io::Result<(Fd, Fd, usize)> {
        self.world.borrow_mut().pipe()
    }

    fn splice(&self, from: Fd, to: Fd, len: usize, _more: bool) -> io::Result<usize> {
        self.pass();
        let mut world = self.world.borrow_mut();
        if world.is_pipe(from) { world.splice_out(from, to, len) } else { world.splice_in(from, to, len) }
    }

    fn close(&self, fd: Fd) {
        self.pass();
        self.world.borrow_mut().close(fd);
    }
}

/// Rings level-triggered, like an eventfd.
#[derive(Default)]
pub(crate) struct SimBell {
    rung: AtomicBool,
}

impl Bell for SimBell {
    fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
    }

    fn silence(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }
}

fn nanos_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Between the clock reading from which the worker takes its timeout and the wait itself: two calls of [`Sim::pass`].
const CALLS_NANOS_MAX: u64 = 8_000;
// limit: looks of one world, so that a task that turns without end fails rather than hangs.
const LOOKS_MAX: u64 = 1_000_000;
// limit: reads between two looks; a budget that does not hold fails rather than hangs.
const READS_PER_LOOK_MAX: u64 = 10_000;
