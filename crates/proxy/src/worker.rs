//! One worker of the data plane, and the commands from the control plane that change what it serves.

mod proxy;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use balance::Rng;
use model::{Limits, ListenerName};
use net::{Listener, ListenerSocket, Sys, Worker};
use proto::compression::Encoders;
use tokio::sync::{mpsc, oneshot};

use crate::connection::accept;
use crate::connection::free_slots::FreeSlots;
use crate::date::DateCache;
use crate::http::HeadPool;
use crate::live::Live;
use crate::local::{BoundListener, Local};
use crate::nonces::Nonces;
use crate::snapshot::Snapshot;

pub(crate) use self::proxy::Proxy;

/// A command from the control plane. The worker answers it when it is done.
pub(crate) enum Command {
    /// Serve this snapshot from the next request on.
    Adopt { snapshot: Arc<Snapshot>, sockets: Vec<(SocketAddr, ListenerSocket)>, done: oneshot::Sender<()> },
    /// Stop accepting, finish requests and tunnels in flight, and end: at the latest after `within`.
    Stop { within: Duration, done: oneshot::Sender<usize> },
}

/// Runs a worker until it is stopped or the control plane is gone.
pub(crate) async fn run<S: Sys>(
    worker: Worker<S>,
    live: Arc<Live>,
    number: usize,
    seed: u64,
    nonces: Nonces,
    mut commands: mpsc::Receiver<Command>,
) {
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
    while let Some(command) = commands.recv().await {
        match command {
            Command::Adopt { snapshot, sockets, done } => {
                proxy.adopt(&snapshot, sockets);
                // The control plane may have stopped waiting; the snapshot is adopted all the same.
                let _ = done.send(());
            }
            Command::Stop { within, done } => {
                let left = proxy.stop(within).await;
                let _ = done.send(left);
                break;
            }
        }
    }
    // Breaks reference cycles: idle connections hold their target, and the target holds them.
    proxy.local.borrow().targets().for_each(|target| target.retire());
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
                    bound.close();
                    closed = true;
                    false
                }
            }
        });
        for (address, socket) in sockets {
            let Some(listener) = wanted.get(&address).and_then(|name| local.listener(name)) else { continue };
            let actual = socket.local_address().unwrap_or(address);
            let socket = Rc::new(Listener::new(&self.worker, socket));
            let bound = Rc::new(BoundListener::new(actual, Rc::clone(listener), &socket));
            self.worker.spawn(accept(Rc::clone(self), Rc::clone(&bound), socket));
            bound_listeners.insert(address, bound);
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

    /// Stops accepting and waits for connections to close. Returns how many were still open at the deadline.
    async fn stop(&self, within: Duration) -> usize {
        self.stopping.set(true);
        self.bound_listeners.borrow().values().for_each(|bound| bound.close());
        // The accept tasks empty the accept queues first; these connections are served.
        self.worker.yield_now().await;
        self.worker.rouse_idle();
        tokio::select! {
            biased;
            () = self.no_connections() => {}
            () = self.worker.sleep(within) => {}
        }
        self.connections.get()
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
        }
    }

    /// Closes idle target connections that have ended, writes buffered log lines and updates gauges, every half second.
    async fn housekeeping(self: Rc<Self>) {
        loop {
            self.worker.sleep(HOUSEKEEPING_EVERY).await;
            let now = self.now_millis();
            let local = Rc::clone(&self.local.borrow());
            local.targets().for_each(|target| target.prune(now));
            self.live.descriptors().publish_oldest(self.number, local.coldest_since());
            for log in local.listeners.iter().filter_map(|listener| listener.log.as_ref()) {
                log.borrow_mut().flush();
            }
            let (stats, cells) = (self.worker.stats(), self.cells());
            cells.loop_turns.add(stats.turns - cells.loop_turns.read());
            cells.task_panics.add(stats.panics - cells.task_panics.read());
            cells.deadlines_fired.add(stats.deadlines_fired - cells.deadlines_fired.read());
            set(&cells.tasks, stats.tasks);
            set(&cells.sources, stats.sources);
            set(&cells.leased_bytes, stats.leased_bytes);
        }
    }
}

fn set(gauge: &observe::Gauge, value: usize) {
    gauge.add(i64::try_from(value).unwrap_or(i64::MAX) - gauge.read());
}

const HOUSEKEEPING_EVERY: Duration = Duration::from_millis(500);
