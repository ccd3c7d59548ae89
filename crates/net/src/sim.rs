//! A simulated kernel in virtual time, for tests of the real worker, its sockets and what is built on them.
//!
//! A seed decides the sizes of socket buffers, how bytes are cut, the order of simultaneous events, which events are
//! merged or delayed, and when time jumps. Before each wait the world checks that the worker knows of every ready source or
//! has an event pending for it, and that the wait is not longer than the earliest timer allows. So a lost wake-up fails its
//! seed at once. With `EVENKEEL_SEED=n`, [`for_seeds`] replays one seed.

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
pub use self::peer::{Act, End, Peer, Reaction, Report};
pub use self::rng::Rng;
use self::world::{Node, Step, World};
use crate::datagrams::{Batch, Outgoing};
use crate::listener::{Listener, ListenerSocket};
use crate::reactor::Readiness;
use crate::stream::TcpStream;
use crate::sys::{Bell, Event, Fd, Sys};
use crate::worker::{Inner, Worker, WorkerStats};

/// A handle to the simulated world of one seed, for one [`Sim::run`].
#[derive(Clone)]
pub struct Sim {
    seed: u64,
    world: Rc<RefCell<World>>,
    worker: Rc<RefCell<Weak<Inner<Self>>>>,
}

/// How an address reacts to a connect.
pub enum Target {
    /// Accepts; the function makes the script of each connection.
    Accepts(Box<dyn FnMut() -> Vec<Act>>),
    Refuses,
    /// Never answers.
    Silent,
}

/// Runs `scenario` in `count` worlds. If one fails, its seed is printed. `EVENKEEL_SEEDS=n` makes it n worlds.
pub fn for_seeds(count: u64, scenario: impl Fn(&Sim)) {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (only, count) = (number("EVENKEEL_SEED"), number("EVENKEEL_SEEDS").unwrap_or(count));
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

    /// Random choices for the test, independent of the world's.
    pub fn rng(&self) -> Rng {
        Rng::new(!self.seed)
    }

    /// Runs `main` as [`Worker::run`] does, then lets the peers finish. Fails if a wake-up is lost, if nothing can happen any
    /// more before `main` is done, if a task panicked, or if a descriptor is left open.
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

    /// As [`Self::run`], but tasks may panic; also returns the worker's counters.
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

    /// Opens a listener socket; [`Self::client`] takes its descriptor.
    pub fn listen(&self, worker: &Worker<Self>) -> io::Result<(Listener<Self>, Fd)> {
        let fd = self.world.borrow_mut().listen()?;
        Ok((Listener::adopt(worker, fd), fd))
    }

    /// A listening socket as the control plane hands it to a worker, and the number by which clients reach it.
    pub fn listener_socket(&self, address: SocketAddr) -> io::Result<(ListenerSocket, Fd)> {
        let fd = self.world.borrow_mut().listen()?;
        Ok((ListenerSocket::simulated(fd, address), fd))
    }

    /// The peers of all connections that the worker has made, in their order.
    pub fn connected(&self) -> Vec<(SocketAddr, Peer)> {
        self.world.borrow().connected.clone()
    }

    /// Adds a client that connects to `listener` after a delay.
    pub fn client(&self, listener: Fd, after: Duration, script: Vec<Act>) -> Peer {
        self.world.borrow_mut().client(listener, after, script)
    }

    /// Opens an established connection; also returns its peer.
    pub fn stream(&self, worker: &Worker<Self>, script: Vec<Act>) -> io::Result<(TcpStream<Self>, Peer)> {
        let (fd, peer) = self.world.borrow_mut().stream(script);
        Ok((TcpStream::adopt(worker, fd?), peer))
    }

    /// Sets how `address` reacts to a connect.
    pub fn target(&self, address: SocketAddr, target: Target) {
        self.world.borrow_mut().targets.insert(address, target);
    }

    /// Calls `call` after a delay, between two steps of the world.
    pub fn at(&self, after: Duration, call: impl FnOnce() + 'static) {
        self.world.borrow_mut().plan(nanos_of(after), Step::Call(Box::new(call)));
    }

    /// Limits open descriptors: calls that would open more fail with EMFILE.
    pub fn limit_descriptors(&self, most: usize) {
        self.world.borrow_mut().descriptors_max = most;
    }

    /// Lets some sockets have room for more than the largest buffer holds.
    pub fn make_roomy(&self) {
        self.world.borrow_mut().roomy = true;
    }

    pub fn open_descriptors(&self) -> usize {
        self.world.borrow().open_count()
    }

    /// Virtual time in nanoseconds, which runs ahead of [`Worker::now`].
    pub fn time(&self) -> u64 {
        self.world.borrow().now
    }

    /// How much later than possible the worker ran after its last wait, because the process was stopped or did not get the
    /// processor at once. A timer is late by as much.
    pub fn last_stall(&self) -> Duration {
        self.world.borrow().last_stall
    }

    /// How long the process has been stopped so far. Deadlines may be late by as much.
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
            self.world.borrow_mut().has_called = true;
        }
        any
    }

    /// Whether a call was made: it may have woken a task, and ends a wait as another thread's bell would.
    fn take_called(&self) -> bool {
        std::mem::take(&mut self.world.borrow_mut().has_called)
    }

    /// Lets the time of one system call pass. Steps that become due happen now or up to 100 µs later.
    fn pass(&self) {
        let nanos = self.world.borrow_mut().rng.below(4_000);
        self.world.borrow_mut().now += nanos;
        while self.world.borrow_mut().is_due() {
            self.step();
        }
    }

    /// The oracle: the worker knows of every ready source or has an event pending for it, and the coming wait is not longer
    /// than the earliest timer allows.
    fn check(&self, timeout: Option<Duration>) -> io::Result<()> {
        let worker = self.worker.borrow().upgrade();
        let Some(worker) = worker else { return Ok(()) };
        let world = self.world.borrow();
        if let Some(timer) = worker.timers.earliest() {
            let until = timeout.map_or(u64::MAX, |timeout| world.now.saturating_add(nanos_of(timeout)));
            if until > timer.max(world.now).saturating_add(CALLS_NANOS_MAX) {
                return Err(io::Error::other(format!(
                    "lost timer: it is due at {timer}, the wait ends at {until}"
                )));
            }
        }
        for Readiness { fd, readable, writable } in worker.reactor.borrow().readiness() {
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

    /// Lets time pass until an event is pending or `until` is reached; false: nothing will ever happen again.
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
            // The process runs some time after the event that ends its wait, so that edges merge.
            while self.world.borrow_mut().is_delayed() {
                self.step();
            }
            let stall = Duration::from_nanos(self.time() - ended);
            self.world.borrow_mut().last_stall = stall;
            self.world.borrow_mut().harvest(events);
            if self.take_called() || !events.is_empty() {
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
            world.waits += 1;
            world.reads = 0;
            if world.waits > WAITS_MAX {
                return Err(io::Error::other("the worker's loop does not end"));
            }
            world.harvest(events);
            // Rounded up to whole milliseconds, as by the kernel.
            let millis =
                timeout.map(|timeout| nanos_of(timeout).div_ceil(1_000_000).saturating_mul(1_000_000));
            millis.map(|nanos| world.now.saturating_add(nanos))
        };
        let is_over = self.take_called() || !events.is_empty() || timeout == Some(Duration::ZERO);
        if is_over || self.wait_until(until, events) {
            return Ok(());
        }
        let mut world = self.world.borrow_mut();
        world.harvest(events);
        if events.is_empty() {
            return Err(io::Error::other(format!(
                "deadlock: nothing will wake the worker\n{}",
                world.describe()
            )));
        }
        Ok(())
    }

    fn register(&self, fd: Fd, token: u64) -> io::Result<()> {
        self.pass();
        self.world.borrow_mut().register(fd, token)
    }

    fn unregister(&self, _fd: Fd) {}

    fn duplicate(&self, _fd: Fd) -> io::Result<std::os::fd::OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
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
        if world.reads > READS_PER_TURN_MAX {
            world.violates("a task reads without end between two waits".into());
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

    fn shutdown(&self, fd: Fd) -> io::Result<()> {
        self.pass();
        self.world.borrow_mut().connection(fd)?.0.finish_both()
    }

    fn abort_on_close(&self, fd: Fd) {
        if let Ok((connection, _)) = self.world.borrow_mut().connection(fd) {
            connection.abort_on_close = true;
        }
    }

    fn unacknowledged(&self, fd: Fd) -> io::Result<u64> {
        Ok(self.world.borrow_mut().connection(fd)?.0.to_receive() as u64)
    }

    fn local_address(&self, _: Fd) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
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

    // The simulated world has no datagrams yet.
    fn connect_udp(&self, _: SocketAddr) -> io::Result<Fd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn receive_batch(&self, _: Fd, _: &mut Batch) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn send_batch(&self, _: Fd, _: &[Outgoing<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn close(&self, fd: Fd) {
        self.pass();
        self.world.borrow_mut().close(fd);
    }
}

/// A level-triggered bell, like an eventfd.
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

/// The most time between the clock reading from which the worker computes its timeout and the wait: two [`Sim::pass`].
const CALLS_NANOS_MAX: u64 = 8_000;
// limit: waits of one world, so that a task that wakes itself without end fails the test and does not hang it.
const WAITS_MAX: u64 = 1_000_000;
// limit: reads between two waits, so that a budget that is not kept fails the test and does not hang it.
const READS_PER_TURN_MAX: u64 = 10_000;
