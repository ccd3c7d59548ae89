//! Workers, listeners and clients around the connection limits: what crate `proxy` does with tasks and sockets, in one
//! thread and from a seed.

pub(crate) mod cells;
mod worker;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use balance::Rng;
use balance::connection_limit::{Eviction, IdleBoard, PermitPool, Pools, Scope, Wakes};
use model::ConnectionLimits;

use self::cells::SimCells;
use self::worker::Worker;

/// A limit and the accepts that it wakes.
#[derive(Default)]
pub(crate) struct Limit {
    pub(crate) pool: PermitPool<SimCells>,
    /// Worker and listener of each registered accept.
    wakers: RefCell<BTreeSet<(usize, usize)>>,
    /// The most connections that may be open: more than the limit after it was lowered.
    ceiling: Cell<u32>,
    /// Connections that are to close after their response, since an accept got a permit or a connection closed.
    announced: Cell<usize>,
}

pub(crate) struct Listener {
    /// By [`Scope`].
    pub(crate) limits: [Rc<Limit>; 3],
    pub(crate) board: IdleBoard<SimCells>,
    /// New connections are refused when no permit is to be had.
    pub(crate) refuses: bool,
}

impl AsRef<IdleBoard<SimCells>> for Listener {
    fn as_ref(&self) -> &IdleBoard<SimCells> {
        &self.board
    }
}

impl Listener {
    pub(crate) fn pools(&self) -> Pools<'_, SimCells> {
        Pools(self.limits.each_ref().map(|limit| &limit.pool))
    }
}

/// All workers, listeners and limits of one seed.
pub(crate) struct World {
    pub(crate) listeners: Vec<Rc<Listener>>,
    /// Idle connections to targets, which only the process limits.
    pub(crate) targets: Rc<Listener>,
    pub(crate) workers: Vec<Worker>,
    limits: Vec<Rc<Limit>>,
    pub(crate) now_millis: Cell<u64>,
    /// When waiting accepts have looked again without being woken.
    looked_again_millis: Cell<u64>,
    random: RefCell<Rng>,
    /// Workers that are within a step.
    pub(crate) acting: RefCell<Vec<usize>>,
    /// Workers act between any two accesses to shared cells.
    pub(crate) is_interrupted: bool,
    /// What happened, to see that a simulation reaches what it is for.
    pub(crate) seen: Seen,
}

/// Counts of what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Accepted,
    Blocked,
    Evicted,
    /// An evicted connection stayed open, because a request had come.
    Stayed,
    /// A connection is to close after its response for the sake of a blocked accept.
    ClosesAfterResponse,
    /// The close of a connection took long.
    ClosesLate,
    Refused,
    /// No descriptor was free and nothing was idle.
    OutOfDescriptors,
    /// An idle connection to a target was closed for an accept.
    SpareEvicted,
    ClientLimit,
    /// A worker made a step within the step of another one.
    Interrupted,
}

#[derive(Debug, Default)]
pub(crate) struct Seen([Cell<u64>; 11]);

impl Seen {
    pub(crate) fn count(&self, event: Event) {
        let count = &self.0[event as usize];
        count.set(count.get() + 1);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter().zip(&other.0).for_each(|(sum, count)| sum.set(sum.get() + count.get()));
    }

    pub(crate) fn is_all(&self) -> bool {
        self.0.iter().all(|count| count.get() > 0)
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Rc<Self> {
        let mut random = Rng::new(seed);
        let (workers, listeners) = (1 + random.below(4) as usize, 1 + random.below(3) as usize);
        let (load_balancer, process) = (Rc::<Limit>::default(), Rc::<Limit>::default());
        let listeners: Vec<_> = (0..listeners)
            .map(|_| {
                let limits = [Rc::default(), Rc::clone(&load_balancer), Rc::clone(&process)];
                Rc::new(Listener { limits, board: IdleBoard::new(workers), refuses: random.below(4) == 0 })
            })
            .collect();
        let mut limits: Vec<_> = listeners.iter().map(|one| Rc::clone(&one.limits[0])).collect();
        limits.extend([load_balancer, Rc::clone(&process)]);
        let targets = [Rc::default(), Rc::default(), process];
        let targets = Rc::new(Listener { limits: targets, board: IdleBoard::new(workers), refuses: true });
        let workers = (0..workers).map(|number| Worker::new(number, listeners.len())).collect();
        let world = Rc::new(Self {
            listeners,
            targets,
            workers,
            limits,
            now_millis: Cell::new(10_000),
            looked_again_millis: Cell::new(10_000),
            random: RefCell::new(random),
            acting: RefCell::default(),
            is_interrupted: seed % 2 == 1,
            seen: Seen::default(),
        });
        (0..world.limits.len()).for_each(|_| world.reload());
        if world.is_interrupted {
            let other = Rc::downgrade(&world);
            let interrupt = move || other.upgrade().into_iter().for_each(|world| world.interrupt());
            cells::set_interrupt(Some(Rc::new(interrupt)));
        }
        world
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.random.borrow_mut().below(bound)
    }

    pub(crate) fn one_in(&self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// A step of any worker, or of an operator.
    pub(crate) fn step(&self) {
        match self.below(60) {
            0 => self.reload(),
            1..=5 => self.now_millis.set(self.now_millis.get() + self.below(600)),
            _ => self.act(self.below(self.workers.len() as u64) as usize),
        }
    }

    fn act(&self, worker: usize) {
        self.acting.borrow_mut().push(worker);
        self.workers[worker].step(self);
        self.acting.borrow_mut().pop();
    }

    /// Another worker makes a step while one is within a step.
    fn interrupt(&self) {
        let acting = self.acting.borrow().len();
        if acting == 0 || acting > INTERRUPTS_DEEP || !self.one_in(3) {
            return;
        }
        let worker = self.below(self.workers.len() as u64) as usize;
        if !self.acting.borrow().contains(&worker) {
            self.seen.count(Event::Interrupted);
            self.act(worker);
        }
    }

    /// Sets one limit anew. At least one limit is low, or accepts would seldom wait.
    fn reload(&self) {
        let limit = &self.limits[self.below(self.limits.len() as u64) as usize];
        let max = (!self.one_in(4)).then(|| 1 + self.below(6) as u32);
        let per_client = self.one_in(3).then(|| 1 + self.below(3) as u32);
        limit.pool.configure(&ConnectionLimits { max, per_client, ..ConnectionLimits::default() });
        limit.ceiling.set(max.unwrap_or(u32::MAX).max(limit.pool.open()));
        self.wake_limit(limit);
    }

    pub(crate) fn wake_limit(&self, limit: &Limit) {
        for (worker, listener) in limit.wakers.take() {
            self.workers[worker].accepts[listener].is_woken.set(true);
        }
    }

    pub(crate) fn wake(&self, listener: usize, wakes: Wakes) {
        wakes.scopes().for_each(|scope| self.wake_limit(&self.listeners[listener].limits[scope as usize]));
    }

    pub(crate) fn register(&self, limit: &Limit, worker: usize, listener: usize) {
        limit.wakers.borrow_mut().insert((worker, listener));
    }

    pub(crate) fn begin_eviction(&self, eviction: &Eviction<Rc<Listener>>) {
        self.workers[eviction.worker].is_evictor_woken.set(true);
    }

    /// The listeners whose connections need a permit from a limit.
    pub(crate) fn members(&self, limit: &Rc<Limit>) -> Vec<Rc<Listener>> {
        let is_member = |listener: &&Rc<Listener>| listener.limits.iter().any(|one| Rc::ptr_eq(one, limit));
        self.listeners.iter().chain([&self.targets]).filter(is_member).cloned().collect()
    }

    /// Lets all woken tasks run, until no task is woken.
    pub(crate) fn settle(&self) {
        let mut turns = 0;
        while self.workers.iter().filter(|worker| worker.run_woken(self)).count() > 0 {
            turns += 1;
            assert!(turns < 10_000, "tasks wake each other for ever");
        }
    }

    /// Lets time pass until the connections of now are not too new to be evicted, and waiting accepts look again.
    pub(crate) fn look_again(&self) {
        self.now_millis.set(self.now_millis.get() + 1_200);
        self.looked_again_millis.set(self.now_millis.get());
        let accepts = self.workers.iter().flat_map(|worker| &worker.accepts);
        accepts.for_each(|accept| accept.is_woken.set(true));
        self.settle();
        // What is evicted may close late, and something else has to go.
        for _ in 0..HOUSEKEEPINGS {
            self.workers.iter().for_each(|worker| worker.keep_house(self));
            self.settle();
        }
    }

    /// What holds after every step.
    pub(crate) fn check(&self) {
        for limit in &self.limits {
            let (open, max) = (limit.pool.open(), limit.pool.max().unwrap_or(u32::MAX));
            assert!(open <= limit.ceiling.get(), "{open} connections are open, {max} are allowed");
            limit.ceiling.set(limit.ceiling.get().min(open).max(max));
            let is_in = |listener: usize| self.is_in(listener, limit);
            let permits: usize = self.workers.iter().map(|worker| worker.permits(is_in)).sum();
            let is_process = Rc::ptr_eq(limit, self.process());
            let targets: usize = self.workers.iter().filter(|_| is_process).map(Worker::targets).sum();
            assert_eq!(open as usize, permits + targets, "each permit belongs to a connection");
            let waiting = self.waiting(limit);
            assert_eq!(limit.pool.waiting() as usize, waiting, "each waiting accept is counted once");
            assert!(waiting > 0 || !limit.pool.is_blocked(), "no accept waits, and one is blocked");
        }
    }

    pub(crate) fn process(&self) -> &Rc<Limit> {
        &self.targets.limits[Scope::Process as usize]
    }

    /// Counts a connection to a target, and has something idle closed if that was one too many.
    pub(crate) fn occupy(&self) {
        let process = self.process();
        let is_over = process.pool.occupy();
        process.ceiling.set(process.ceiling.get().max(process.pool.open()));
        if is_over {
            self.evict_excess();
        }
    }

    /// Has closed what is idle while there are more connections than the process may have.
    pub(crate) fn evict_excess(&self) {
        let process = Rc::clone(self.process());
        let now = self.now_millis.get();
        match process.pool.evict_excess(now, u32::MAX, || self.members(&process)) {
            Some(eviction) => self.begin_eviction(&eviction),
            None => self.wake_process(),
        }
    }

    pub(crate) fn set_max_of_process(&self, max: u32) {
        self.process().pool.configure(&ConnectionLimits { max: Some(max), ..ConnectionLimits::default() });
    }

    /// What holds when no task is woken and housekeeping has looked: what is idle has gone for what is too many.
    pub(crate) fn check_no_excess(&self) {
        let (open, max) = (self.process().pool.open(), self.process().pool.max().unwrap_or(u32::MAX));
        let before = self.looked_again_millis.get() - 1_000;
        let idle: usize = self.workers.iter().map(|one| one.idle(|_| true, before) + one.spares()).sum();
        assert!(open <= max || idle == 0, "{open} of {max} are open, and {idle} are idle");
    }

    pub(crate) fn wake_process(&self) {
        self.wake_limit(self.process());
    }

    /// What holds when a newcomer is refused for lack of descriptors.
    pub(crate) fn check_nothing_idle(&self) {
        if !self.is_interrupted {
            let idle: usize =
                self.workers.iter().map(|one| one.idle(|_| true, u64::MAX) + one.spares()).sum();
            assert_eq!(idle, 0, "a newcomer is refused, and a connection is idle");
        }
    }

    fn is_in(&self, listener: usize, limit: &Rc<Limit>) -> bool {
        self.listeners[listener].limits.iter().any(|one| Rc::ptr_eq(one, limit))
    }

    fn waiting(&self, limit: &Rc<Limit>) -> usize {
        self.workers.iter().map(|worker| worker.waiting_in(limit)).sum()
    }

    /// What holds when no task is woken: an accept waits only for connections in use.
    pub(crate) fn check_settled(&self) {
        for limit in self.limits.iter().filter(|limit| self.waiting(limit) > 0) {
            let (open, max) = (limit.pool.open(), limit.pool.max());
            assert!(
                max.is_some_and(|max| open >= max),
                "an accept waits, and a permit is free: {open} of {max:?}"
            );
            let is_in = |listener: usize| self.is_in(listener, limit);
            let idle: usize = self
                .workers
                .iter()
                .map(|worker| worker.idle(is_in, self.looked_again_millis.get() - 1_000))
                .sum();
            assert_eq!(idle, 0, "an accept waits, and a connection is idle");
        }
        for limit in &self.limits {
            assert_eq!(limit.pool.evicting(), 0, "an eviction was requested and never answered");
        }
    }

    /// A connection of this limit is to close after its response.
    pub(crate) fn announced(&self, limit: &Rc<Limit>) {
        self.seen.count(Event::ClosesAfterResponse);
        limit.announced.set(limit.announced.get() + 1);
        if !self.is_interrupted {
            let (announced, waiting) = (limit.announced.get(), self.waiting(limit));
            assert!(announced <= waiting, "{announced} connections close for {waiting} accepts");
        }
    }

    pub(crate) fn closed(&self, listener: usize) {
        self.listeners[listener].limits.iter().for_each(|limit| limit.announced.set(0));
    }

    /// Connections that wait to be accepted.
    pub(crate) fn queued(&self) -> usize {
        self.workers.iter().flat_map(|worker| &worker.accepts).map(|accept| accept.queued()).sum()
    }

    /// What holds when all clients are gone.
    pub(crate) fn check_empty(&self) {
        for limit in &self.limits {
            let pool = &limit.pool;
            assert_eq!((pool.open(), pool.waiting(), pool.evicting(), pool.clients()), (0, 0, 0, 0));
            assert!(!pool.is_blocked());
        }
    }

    /// In the name of the process, as when descriptors run short.
    pub(crate) fn evict_for_process(&self, most: u32) {
        let process = Rc::clone(self.process());
        let now = self.now_millis.get();
        match process.pool.evict_oldest(Scope::Process, now, most, || self.members(&process)) {
            Some(eviction) => self.begin_eviction(&eviction),
            None => self.wake_process(),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        cells::set_interrupt(None);
    }
}

/// Steps of other workers within steps of other workers.
const INTERRUPTS_DEEP: usize = 2;
/// After so many, nothing is idle that is too many.
const HOUSEKEEPINGS: usize = 4;
