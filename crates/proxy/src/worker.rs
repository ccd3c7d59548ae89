//! One worker of the data plane, and the commands from the control plane that change what it serves.

mod command;
mod inheritance;
mod proxy;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use balance::Rng;
use model::{Limits, ListenerName};
use net::{Listener, ListenerSocket, Sys, Worker, WorkerStats};
use proto::compression::Encoders;

use crate::connection::accept;
use crate::connection::free_slots::FreeSlots;
use crate::date::DateCache;
use crate::http::HeadPool;
use crate::live::Live;
use crate::local::{Accepting, BoundListener, Local};
use crate::nonces::Nonces;
use crate::snapshot::Snapshot;

pub(crate) use self::command::{Command, Lent, Stop};
pub(crate) use self::inheritance::Inheritance;
pub(crate) use self::proxy::Proxy;

/// What a worker starts with.
pub(crate) struct Setup {
    pub(crate) live: Arc<Live>,
    pub(crate) number: usize,
    pub(crate) seed: u64,
    pub(crate) nonces: Nonces,
}

/// Runs a worker until it is stopped or the control plane is gone.
pub(crate) async fn run<S: Sys>(worker: Worker<S>, setup: Setup, inheritance: Arc<Inheritance>) {
    let Setup { live, number, seed, nonces } = setup;
    let nothing = Snapshot::nothing();
    let proxy = Rc::new(Proxy {
        worker: worker.clone(),
        live,
        number,
        random: RefCell::new(Rng::new(seed)),
        nonces: RefCell::new(nonces),
        heads: HeadPool::default(),
        encoders: RefCell::new(Encoders::new(Limits::ENCODER_BYTES_MAX)),
        free_slots: FreeSlots::default(),
        revocation_watch: Rc::default(),
        scratch: RefCell::default(),
        stopping: Cell::new(false),
        date: DateCache::default(),
        local: RefCell::new(Rc::new(Local::new(&nothing, number, None))),
        bound_listeners: RefCell::default(),
        connections: Cell::new(0),
        waiting_for_last: RefCell::default(),
    });
    worker.spawn(Rc::clone(&proxy).housekeeping());
    worker.spawn(Rc::clone(&proxy).evict_on_request());
    let _ending = Ending(Rc::clone(&proxy));
    if let Some((snapshot, sockets)) = inheritance.inherit() {
        proxy.adopt(&snapshot, sockets);
    }
    while let Some(command) = inheritance.next_command().await {
        match command {
            Command::Adopt { snapshot, sockets, done } => {
                inheritance.note(&snapshot, &sockets);
                proxy.adopt(&snapshot, sockets);
                // The control plane may have stopped waiting; the snapshot is adopted all the same.
                let _ = done.send(());
            }
            Command::Lend { done } => {
                let _ = done.send(proxy.lend());
            }
            Command::Stop { stop, done } => {
                inheritance.note_stop();
                let left = proxy.stop(stop).await;
                let _ = done.send(left);
                break;
            }
            #[cfg(test)]
            Command::Die => std::panic::resume_unwind(Box::new("a bug of a test")),
        }
    }
}

/// Breaks reference cycles when a worker ends: idle connections hold their target, and the target holds them.
struct Ending<S: Sys>(Rc<Proxy<S>>);

impl<S: Sys> Drop for Ending<S> {
    fn drop(&mut self) {
        let local = Rc::clone(&self.0.local.borrow());
        local.targets().for_each(|target| target.retire());
        self.0.live.descriptors().end_pipes(&self.0.worker);
    }
}

impl<S: Sys> Proxy<S> {
    fn adopt(self: &Rc<Self>, snapshot: &Snapshot, sockets: Vec<(SocketAddr, ListenerSocket)>) {
        let local = Rc::new(Local::new(snapshot, self.number, Some(&self.local.borrow())));
        let mut wanted: HashMap<SocketAddr, &ListenerName> = HashMap::new();
        for listener in &snapshot.listeners {
            wanted.extend(listener.bind.iter().map(|&address| (address, &listener.name)));
        }
        let mut bound_listeners = self.bound_listeners.borrow_mut();
        let mut closed = false;
        bound_listeners.retain(|address, bound| {
            match wanted.get(address).and_then(|name| local.listener(name)) {
                Some(listener) => {
                    bound.adopt(listener);
                    true
                }
                None => {
                    bound.close(Accepting::Queued);
                    closed = true;
                    false
                }
            }
        });
        for (address, socket) in sockets {
            let Some(listener) = wanted.get(&address).and_then(|name| local.listener(name)) else { continue };
            let actual = socket.local_address().unwrap_or(address);
            let socket = Rc::new(Listener::new(&self.worker, socket));
            let new = || Rc::new(BoundListener::new(actual, Rc::clone(listener)));
            let bound = bound_listeners.entry(address).or_insert_with(new);
            bound.accepts_from(&socket);
            self.worker.spawn(accept(Rc::clone(self), Rc::clone(bound), socket));
        }
        self.cut_revoked(snapshot, &local);
        *self.local.borrow_mut() = local;
        if closed {
            self.worker.rouse_idle();
        }
    }

    /// Closes the connections whose client certificate a new CRL revokes, if that is configured.
    fn cut_revoked(&self, snapshot: &Snapshot, local: &Local<S>) {
        let plan = |name: &ListenerName| snapshot.listeners.iter().find(|plan| plan.name == *name);
        let acceptor = |name: &ListenerName| Some(&plan(name)?.tls.as_ref()?.acceptor);
        for listener in self.revocation_watch.cut_revoked(&self.worker, acceptor) {
            if let Some(listener) = local.listener(&listener) {
                listener.cells().connections_revoked.increment();
            }
        }
    }

    fn lend(&self) -> Lent {
        let bound_listeners = self.bound_listeners.borrow();
        bound_listeners.values().for_each(|bound| bound.close(Accepting::Yes));
        self.worker.rouse_idle();
        bound_listeners.iter().map(|(&address, bound)| (address, bound.lend())).collect()
    }

    /// Stops accepting and waits for connections to close. Returns how many were still open at the deadline.
    async fn stop(&self, stop: Stop) -> usize {
        self.stopping.set(true);
        for (address, bound) in &*self.bound_listeners.borrow() {
            let is_handed_over = stop.handed_over.contains(address);
            bound.close(if is_handed_over { Accepting::No } else { Accepting::Queued });
        }
        // The accept tasks empty the accept queues first; these connections are served.
        self.worker.yield_now().await;
        self.worker.rouse_idle();
        let closed = async {
            self.not_accepting().await;
            let _ = stop.closed.send(());
            pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = closed => {}
            () = self.no_connections() => {}
            () = self.worker.sleep(stop.within) => {}
        }
        self.connections.get()
    }

    /// Waits until the listener sockets are closed: an accept task may still wait for permits.
    async fn not_accepting(&self) {
        while self.bound_listeners.borrow().values().any(|bound| bound.is_accepting()) {
            self.worker.sleep(CLOSED_LOOK).await;
        }
    }

    async fn no_connections(&self) {
        poll_fn(|context| {
            if self.connections.get() == 0 {
                return Poll::Ready(());
            }
            let old = self.waiting_for_last.borrow_mut().replace(context.waker().clone());
            drop(old);
            Poll::Pending
        })
        .await;
    }

    /// The evictor: closes the connections that have been idle longest when a worker requests it.
    async fn evict_on_request(self: Rc<Self>) {
        loop {
            poll_fn(|context| {
                self.live.await_evictions(self.number, context.waker().clone());
                let is_requested = self.local.borrow().idle_connections().any(|one| one.has_requests());
                if is_requested || self.live.descriptors().has_requests(self.number) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            let local = Rc::clone(&self.local.borrow());
            local.idle_connections().for_each(|one| one.evict(&self.worker, self.now_millis()));
            self.live.descriptors().evict(self.number, || {
                local.close_coldest();
                local.coldest_since()
            });
            // Requests that found nothing here pass on to the worker that now has the oldest.
            self.live.descriptors().evict_excess(self.now_millis());
        }
    }

    /// Closes idle target connections that have ended, writes buffered log lines and updates gauges, every half second.
    async fn housekeeping(self: Rc<Self>) {
        // The counters outlive the worker.
        let mut counted = WorkerStats::default();
        loop {
            self.worker.sleep(HOUSEKEEPING_EVERY).await;
            let now = self.now_millis();
            let local = Rc::clone(&self.local.borrow());
            local.targets().for_each(|target| target.prune(now));
            self.live.descriptors().publish_oldest(self.number, local.coldest_since());
            self.live.descriptors().close_pipes(&self.worker);
            self.live.descriptors().evict_excess(now);
            for log in local.listeners.iter().filter_map(|listener| listener.log.as_ref()) {
                log.borrow_mut().flush();
            }
            let (stats, cells) = (self.worker.stats(), self.cells());
            cells.loop_turns.add(stats.turns - counted.turns);
            cells.task_panics.add(stats.panics - counted.panics);
            cells.deadlines_fired.add(stats.deadlines_fired - counted.deadlines_fired);
            counted = stats;
            set(&cells.tasks, stats.tasks);
            set(&cells.sources, stats.sources);
            set(&cells.leased_bytes, stats.leased_bytes);
        }
    }
}

fn set(gauge: &observe::Gauge, value: usize) {
    gauge.add(i64::try_from(value).unwrap_or(i64::MAX) - gauge.read());
}

const CLOSED_LOOK: Duration = Duration::from_millis(50);
const HOUSEKEEPING_EVERY: Duration = Duration::from_millis(500);
