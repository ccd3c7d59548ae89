//! One worker: its accept tasks, its evictor and its connections.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use balance::connection_limit::{
    Ask, CountedClient, EvictionOrder, IdleEntry, PermitState, Scope, Shared, Spares, WaitingAccept,
    take_or_wait,
};

use super::cells::SimCells;
use super::{Event, Limit, World};

pub(crate) struct Worker {
    number: usize,
    /// By listener.
    pub(crate) accepts: Vec<Accept>,
    orders: Vec<RefCell<EvictionOrder<u64>>>,
    connections: RefCell<Vec<Connection>>,
    /// Since when idle connections to targets are idle.
    spares: RefCell<VecDeque<u64>>,
    /// Connections to targets that are in use.
    used: Cell<usize>,
    pub(crate) is_evictor_woken: Cell<bool>,
    next: Cell<u64>,
    /// Its last reading of the clock.
    clock_millis: Cell<u64>,
}

/// The accept task of one listener.
#[derive(Default)]
pub(crate) struct Accept {
    queue: RefCell<VecDeque<IpAddr>>,
    waiting: RefCell<Option<(Rc<Limit>, WaitingAccept)>>,
    pub(crate) is_woken: Cell<bool>,
}

struct Connection {
    number: u64,
    listener: usize,
    permit: PermitState,
    counted: CountedClient,
    /// `None`: a request is in flight, or the last response.
    idle: Option<Idle>,
    close: Close,
}

/// How far the close of a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    No,
    /// The last byte has been sent.
    Soon,
    Late,
}

struct Idle {
    entry: IdleEntry,
    is_new: bool,
    since_millis: u64,
    /// Its task was woken because it is evicted.
    is_roused: bool,
}

/// A task that is woken.
enum Task {
    Evictor,
    Accept(usize),
    /// Of an idle connection that is evicted.
    Roused,
    /// Of a connection that closes soon.
    Close,
}

impl Connection {
    fn is_roused(&self) -> bool {
        self.idle.as_ref().is_some_and(|idle| idle.is_roused)
    }
}

impl Accept {
    pub(crate) fn queued(&self) -> usize {
        self.queue.borrow().len()
    }
}

impl Worker {
    pub(crate) fn new(number: usize, listeners: usize) -> Self {
        Self {
            number,
            accepts: (0..listeners).map(|_| Accept::default()).collect(),
            orders: (0..listeners).map(|_| RefCell::default()).collect(),
            connections: RefCell::default(),
            spares: RefCell::default(),
            used: Cell::new(0),
            is_evictor_woken: Cell::new(false),
            next: Cell::new(0),
            clock_millis: Cell::new(0),
        }
    }

    pub(crate) fn step(&self, world: &World) {
        match world.below(24) {
            0..=4 => self.arrive(world),
            5..=9 => self.run_some(world),
            10 if world.one_in(4) => self.give_up_waiting(world),
            11 if world.one_in(4) => world.evict_for_process(2),
            12..=14 => self.step_of_target(world),
            _ => self.step_of_connection(world),
        }
    }

    fn arrive(&self, world: &World) {
        let accept = &self.accepts[world.below(self.accepts.len() as u64) as usize];
        let client = IpAddr::V4(Ipv4Addr::new(10, 0, 0, world.below(3) as u8));
        // limit: the kernel's queue.
        if accept.queued() < 4 {
            accept.queue.borrow_mut().push_back(client);
        }
        accept.is_woken.set(true);
    }

    fn run_some(&self, world: &World) {
        for _ in 0..1 + world.below(5) {
            self.run_woken(world);
        }
    }

    /// Runs one woken task; false: none is woken.
    pub(crate) fn run_woken(&self, world: &World) -> bool {
        let mut tasks = Vec::new();
        if self.is_evictor_woken.get() {
            tasks.push(Task::Evictor);
        }
        let is_woken = |&listener: &usize| self.accepts[listener].is_woken.get();
        tasks.extend((0..self.accepts.len()).filter(is_woken).map(Task::Accept));
        if self.connections.borrow().iter().any(Connection::is_roused) {
            tasks.push(Task::Roused);
        }
        let closes = |connection: &Connection| connection.close == Close::Soon;
        if self.connections.borrow().iter().any(closes) {
            tasks.push(Task::Close);
        }
        match tasks.get(world.below(tasks.len() as u64) as usize) {
            Some(Task::Evictor) => {
                self.is_evictor_woken.set(false);
                self.evict(world);
            }
            Some(&Task::Accept(listener)) => {
                self.accepts[listener].is_woken.set(false);
                self.accept(world, listener);
            }
            Some(Task::Roused) => {
                let connection = self.take_connection(world, Connection::is_roused);
                connection.into_iter().for_each(|connection| self.leave_and_close(world, connection));
            }
            Some(Task::Close) => {
                let connection = self.take_connection(world, closes);
                connection.into_iter().for_each(|connection| self.end_close(world, connection));
            }
            None => return false,
        }
        true
    }

    fn now_millis(&self, world: &World) -> u64 {
        // Workers read the clock once a loop.
        let late = world.now_millis.get() - world.below(80);
        self.clock_millis.set(self.clock_millis.get().max(late));
        self.clock_millis.get()
    }

    fn shared<'a>(&self, world: &'a World, listener: usize) -> Shared<'a, SimCells> {
        let listener = &world.listeners[listener];
        Shared { pools: listener.pools(), board: &listener.board, worker: self.number }
    }

    /// The accept task, which was woken: see `proxy::connection::accept`.
    fn accept(&self, world: &World, listener: usize) {
        let accept = &self.accepts[listener];
        if accept.waiting.borrow().is_none() && accept.queued() == 0 {
            return;
        }
        let limits = &world.listeners[listener].limits;
        let take = || {
            world.listeners[listener].pools().take().map_err(|full| {
                world.wake(listener, full.wakes);
                full.scope
            })
        };
        let wait = |scope: Scope| {
            let limit = &limits[scope as usize];
            self.wait_in(world, listener, limit, scope);
            world.register(limit, self.number, listener);
        };
        if take_or_wait(take, wait).is_some() {
            self.end_waiting(world, listener);
            self.admit(world, listener);
        } else if !self.is_coming(world, listener)
            && (world.listeners[listener].refuses || self.waits_in_process(world, listener))
        {
            if self.waits_in_process(world, listener) {
                world.check_nothing_idle();
                world.seen.count(Event::OutOfDescriptors);
            }
            accept.queue.borrow_mut().pop_front();
            self.end_waiting(world, listener);
            world.seen.count(Event::Refused);
        } else {
            return;
        }
        // The socket is readable as long as connections are queued.
        accept.is_woken.set(accept.is_woken.get() || accept.queued() > 0);
    }

    fn waits_in_process(&self, world: &World, listener: usize) -> bool {
        let is_process = |(limit, _): &(Rc<Limit>, WaitingAccept)| Rc::ptr_eq(limit, world.process());
        self.accepts[listener].waiting.borrow().as_ref().is_some_and(is_process)
    }

    fn wait_in(&self, world: &World, listener: usize, limit: &Rc<Limit>, scope: Scope) {
        let is_there = |(there, _): &(Rc<Limit>, WaitingAccept)| Rc::ptr_eq(there, limit);
        if self.accepts[listener].waiting.borrow().as_ref().is_some_and(is_there) {
            return;
        }
        let new = WaitingAccept::begin(&limit.pool, scope);
        let old = self.accepts[listener].waiting.replace(Some((Rc::clone(limit), new)));
        Self::end_one(world, old);
    }

    fn end_waiting(&self, world: &World, listener: usize) {
        Self::end_one(world, self.accepts[listener].waiting.take());
    }

    fn end_one(world: &World, waiting: Option<(Rc<Limit>, WaitingAccept)>) {
        if let Some((limit, mut waiting)) = waiting {
            if waiting.end(&limit.pool) {
                world.wake_limit(&limit);
            }
            limit.announced.set(0);
        }
    }

    fn is_coming(&self, world: &World, listener: usize) -> bool {
        let now = self.now_millis(world);
        let mut waiting = self.accepts[listener].waiting.borrow_mut();
        let Some((limit, waiting)) = &mut *waiting else { return true };
        match waiting.ask(&limit.pool, now, || world.members(limit)) {
            Ask::Evicts(eviction) => {
                if !world.is_interrupted {
                    let (evicting, waiting) = (limit.pool.evicting(), limit.pool.waiting());
                    assert!(evicting <= waiting, "{evicting} evictions for {waiting} accepts");
                }
                world.begin_eviction(&eviction);
                true
            }
            Ask::Coming => true,
            Ask::Blocked => {
                world.seen.count(Event::Blocked);
                false
            }
        }
    }

    /// A permit was taken.
    fn admit(&self, world: &World, listener: usize) {
        let (mut permit, pools) = (PermitState::default(), world.listeners[listener].pools());
        // The client may have gone meanwhile.
        let client =
            if world.one_in(20) { None } else { self.accepts[listener].queue.borrow_mut().pop_front() };
        let counted = client.map(|client| pools.count_client(client));
        let Some(Ok(counted)) = counted else {
            client.iter().for_each(|_| world.seen.count(Event::ClientLimit));
            return world.wake(listener, permit.end(&pools));
        };
        world.seen.count(Event::Accepted);
        self.next.set(self.next.get() + 1);
        let number = self.next.get();
        let connection = Connection { number, listener, permit, counted, idle: None, close: Close::No };
        self.enter(world, connection, true);
    }

    fn enter(&self, world: &World, mut connection: Connection, is_new: bool) {
        let (listener, now) = (connection.listener, self.now_millis(world));
        let shared = self.shared(world, listener);
        let mut order = self.orders[listener].borrow_mut();
        let (entry, wakes) = order.enter(&shared, connection.number, is_new, now);
        connection.idle = Some(Idle { entry, is_new, since_millis: now, is_roused: false });
        drop(order);
        self.connections.borrow_mut().push(connection);
        world.wake(listener, wakes);
        if world.process().pool.has_excess() {
            world.evict_excess();
        }
    }

    /// The evictor, which was woken.
    fn evict(&self, world: &World) {
        let now = self.now_millis(world);
        for (listener, order) in self.orders.iter().enumerate() {
            let evicted = order.borrow_mut().evict(&self.shared(world, listener), now);
            for (number, scope) in evicted.connections {
                let mut connections = self.connections.borrow_mut();
                let is_it = |one: &&mut Connection| one.number == number;
                let idle = connections.iter_mut().find(is_it).and_then(|one| one.idle.as_mut());
                assert!(idle.is_some(), "a connection in use was evicted");
                let Some(idle) = idle else { return };
                let silent = now.saturating_sub(idle.since_millis);
                assert!(
                    !idle.is_new || silent >= 900 || scope == Scope::Process,
                    "a new connection was evicted after {silent} ms"
                );
                assert!(!idle.is_roused, "a connection was evicted twice");
                idle.is_roused = true;
                world.seen.count(Event::Evicted);
            }
            world.wake(listener, evicted.wakes);
        }
        let close_oldest = || {
            if self.spares.borrow_mut().pop_front().is_some() {
                world.seen.count(Event::SpareEvicted);
                self.vacate(world);
            }
            self.spares.borrow().front().copied()
        };
        self.with_spares(world, |spares| {
            spares.evict(close_oldest).scopes().for_each(|_| world.wake_process());
        });
        world.evict_excess();
    }

    fn with_spares<R>(&self, world: &World, ask: impl FnOnce(&Spares<'_, SimCells>) -> R) -> R {
        let (pool, board) = (&world.process().pool, &world.targets.board);
        ask(&Spares { pool, board, worker: self.number })
    }

    fn vacate(&self, world: &World) {
        if world.process().pool.vacate() {
            world.wake_process();
        }
    }

    /// A connection to a target is opened, closed, given back, or used again; or the pool is pruned.
    fn step_of_target(&self, world: &World) {
        match world.below(5) {
            0 if self.used.get() + self.spares() < 3 => {
                self.used.set(self.used.get() + 1);
                world.occupy();
            }
            1 if self.used.get() > 0 => {
                self.used.set(self.used.get() - 1);
                self.vacate(world);
            }
            2 if self.used.get() > 0 => {
                self.used.set(self.used.get() - 1);
                let now = self.now_millis(world);
                self.spares.borrow_mut().push_back(now);
                self.with_spares(world, |spares| spares.enter(now));
            }
            3 if self.spares.borrow_mut().pop_back().is_some() => self.used.set(self.used.get() + 1),
            _ => self.keep_house(world),
        }
    }

    /// Opens connections to targets, which are in use.
    pub(crate) fn use_targets(&self, world: &World, count: usize) {
        for _ in 0..count {
            self.used.set(self.used.get() + 1);
            world.occupy();
        }
    }

    /// All connections to targets are given back.
    pub(crate) fn be_idle(&self, world: &World) {
        for _ in 0..self.used.take() {
            let now = self.now_millis(world);
            self.spares.borrow_mut().push_back(now);
            self.with_spares(world, |spares| spares.enter(now));
        }
    }

    pub(crate) fn be_given_spares(&self, world: &World, count: usize) {
        self.use_targets(world, count);
        self.be_idle(world);
    }

    pub(crate) fn in_use(&self) -> usize {
        self.used.get()
    }

    /// What is done every half second.
    pub(crate) fn keep_house(&self, world: &World) {
        let oldest = self.spares.borrow().front().copied();
        self.with_spares(world, |spares| spares.publish(oldest));
        world.evict_excess();
    }

    /// Connections to targets.
    pub(crate) fn targets(&self) -> usize {
        self.used.get() + self.spares()
    }

    /// Idle connections to targets.
    pub(crate) fn spares(&self) -> usize {
        self.spares.borrow().len()
    }

    fn give_up_waiting(&self, world: &World) {
        let listener = world.below(self.accepts.len() as u64) as usize;
        self.accepts[listener].queue.borrow_mut().clear();
        self.end_waiting(world, listener);
    }

    fn take_connection(&self, world: &World, is_it: impl Fn(&Connection) -> bool) -> Option<Connection> {
        let mut connections = self.connections.borrow_mut();
        let places: Vec<_> = (0..connections.len()).filter(|&place| is_it(&connections[place])).collect();
        let place = *places.get(world.below(places.len() as u64) as usize)?;
        Some(connections.swap_remove(place))
    }

    fn step_of_connection(&self, world: &World) {
        let Some(connection) = self.take_connection(world, |_| true) else { return };
        if connection.close != Close::No {
            return self.end_close(world, connection);
        }
        match (&connection.idle, world.below(4)) {
            (Some(_), 0) => self.leave_and_close(world, connection),
            (Some(_), _) => self.begin_request(world, connection),
            (None, 0) => self.close(world, connection),
            (None, _) if connection.permit.closes_after_response() => self.begin_close(world, connection),
            (None, _) => self.respond(world, connection, world.one_in(2)),
        }
    }

    fn leave(&self, world: &World, connection: &mut Connection) {
        let Some(idle) = connection.idle.take() else { return };
        let shared = self.shared(world, connection.listener);
        let evicted = self.orders[connection.listener].borrow_mut().leave(&shared, &idle.entry);
        assert_eq!(evicted.is_some(), idle.is_roused);
        connection.permit.leave_idle(evicted);
    }

    fn leave_and_close(&self, world: &World, mut connection: Connection) {
        self.leave(world, &mut connection);
        self.begin_close(world, connection);
    }

    /// The last byte has been sent. The client may still have to receive it.
    fn begin_close(&self, world: &World, mut connection: Connection) {
        if world.one_in(2) {
            return self.close(world, connection);
        }
        connection.permit.begin_close(&world.listeners[connection.listener].pools());
        connection.close = Close::Soon;
        self.connections.borrow_mut().push(connection);
    }

    fn end_close(&self, world: &World, mut connection: Connection) {
        if connection.close == Close::Late || world.one_in(2) {
            return self.close(world, connection);
        }
        let wakes = connection.permit.close_is_late(&world.listeners[connection.listener].pools());
        connection.close = Close::Late;
        world.seen.count(Event::ClosesLate);
        let listener = connection.listener;
        self.connections.borrow_mut().push(connection);
        world.closed(listener);
        world.wake(listener, wakes);
    }

    fn begin_request(&self, world: &World, mut connection: Connection) {
        self.leave(world, &mut connection);
        if connection.permit.closes_for().is_some() {
            world.seen.count(Event::Stayed);
        }
        let wakes = connection.permit.stay(&world.listeners[connection.listener].pools());
        world.wake(connection.listener, wakes);
        self.connections.borrow_mut().push(connection);
    }

    /// A response is sent. Then the connection is idle, or has the next request already, or will close for the sake of
    /// a blocked accept.
    fn respond(&self, world: &World, mut connection: Connection, is_next_here: bool) {
        let pools = world.listeners[connection.listener].pools();
        if connection.permit.announce_close(&pools) {
            let limits = &world.listeners[connection.listener].limits;
            let scope = connection.permit.closes_for();
            scope.iter().for_each(|&scope| world.announced(&limits[scope as usize]));
            self.connections.borrow_mut().push(connection);
        } else if is_next_here {
            self.connections.borrow_mut().push(connection);
        } else {
            self.enter(world, connection, false);
        }
    }

    fn close(&self, world: &World, mut connection: Connection) {
        assert!(connection.idle.is_none());
        let pools = world.listeners[connection.listener].pools();
        pools.uncount_client(connection.counted);
        let wakes = connection.permit.end(&pools);
        world.closed(connection.listener);
        world.wake(connection.listener, wakes);
    }

    /// Each connection responds once and has its next request already, or closes as announced.
    pub(crate) fn respond_all(&self, world: &World) {
        for mut connection in self.connections.take() {
            if connection.close != Close::No {
                self.close(world, connection);
                continue;
            }
            self.leave(world, &mut connection);
            let wakes = connection.permit.stay(&world.listeners[connection.listener].pools());
            world.wake(connection.listener, wakes);
            if connection.permit.closes_after_response() {
                self.close(world, connection);
            } else {
                self.respond(world, connection, true);
            }
        }
    }

    pub(crate) fn close_all(&self, world: &World) {
        let targets = self.used.take() + self.spares.take().len();
        (0..targets).for_each(|_| self.vacate(world));
        while let Some(connection) = self.take_connection(world, |_| true) {
            self.leave_and_close(world, connection);
        }
    }

    pub(crate) fn permits(&self, is_in: impl Fn(usize) -> bool) -> usize {
        self.connections.borrow().iter().filter(|connection| is_in(connection.listener)).count()
    }

    pub(crate) fn waiting_in(&self, limit: &Rc<Limit>) -> usize {
        let waits = |accept: &&Accept| {
            accept.waiting.borrow().as_ref().is_some_and(|(there, _)| Rc::ptr_eq(there, limit))
        };
        self.accepts.iter().filter(waits).count()
    }

    /// Idle connections that could be evicted: new ones only before `silent_before_millis`.
    pub(crate) fn idle(&self, is_in: impl Fn(usize) -> bool, silent_before_millis: u64) -> usize {
        let may_go =
            |idle: &Idle| !idle.is_roused && (!idle.is_new || idle.since_millis < silent_before_millis);
        let is_idle = |connection: &&Connection| {
            is_in(connection.listener) && connection.idle.as_ref().is_some_and(may_go)
        };
        self.connections.borrow().iter().filter(is_idle).count()
    }
}
