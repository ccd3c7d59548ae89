//! Idle connections to one target, as one worker keeps them: last in, first out, so that few stay warm and the
//! rest can end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use balance::IdleLimit;
use model::{TargetGroup, TargetKeepalive, TcpKeepalive};
use net::Sys;
use observe::TargetCells;
use tls::Connector;

use crate::http2::{Connections, TargetStream};
use crate::io_error;
use crate::live::TargetLive;
use crate::stream::Stream;

/// A target, as one worker sees it.
pub(crate) struct LocalTarget<S: Sys> {
    pub(crate) live: Arc<TargetLive>,
    worker: usize,
    idle: RefCell<Vec<Idle<S>>>,
    limit: RefCell<IdleLimit>,
    keepalive: Cell<TargetKeepalive>,
    tcp_keepalive: Cell<Option<TcpKeepalive>>,
    /// Those that speak HTTP/2.
    pub(crate) http2: Connections,
    /// With whom idle connections were secured, and how.
    connector: RefCell<Option<Arc<Connector>>>,
    is_http2: Cell<bool>,
    /// No longer configured: connections that come back are closed.
    retired: Cell<bool>,
}

struct Idle<S: Sys> {
    connection: TargetConnection<S>,
    since_millis: u64,
}

/// An open connection to a target. Dropping it closes it.
pub(crate) struct TargetConnection<S: Sys> {
    pub(crate) stream: Stream<S>,
    /// How long it was idle before this request; `None`: it is new.
    pub(crate) reused_after_millis: Option<u64>,
    /// Under which it was secured.
    connector: Option<Arc<Connector>>,
    target: Rc<LocalTarget<S>>,
}

impl<S: Sys> Drop for TargetConnection<S> {
    fn drop(&mut self) {
        // A stream is not all of one.
        if self.stream.wire().is_some() {
            self.target.cells().connections_open.decrement();
        }
    }
}

impl<S: Sys> LocalTarget<S> {
    pub(crate) fn new(live: &Arc<TargetLive>, worker: usize) -> Self {
        Self {
            live: Arc::clone(live),
            worker,
            idle: RefCell::default(),
            limit: RefCell::default(),
            keepalive: Cell::new(TargetKeepalive::default()),
            tcp_keepalive: Cell::new(None),
            http2: Connections::default(),
            connector: RefCell::default(),
            is_http2: Cell::new(false),
            retired: Cell::new(false),
        }
    }

    pub(crate) fn cells(&self) -> &TargetCells {
        self.live.cells().of(self.worker)
    }

    pub(crate) fn configure(&self, group: &TargetGroup, connector: Option<&Arc<Connector>>) {
        self.keepalive.set(group.keepalive);
        self.tcp_keepalive.set(group.tcp_keepalive);
        // invariant: a connection is used with the settings under which it was made, or not at all.
        let known = self.connector.replace(connector.cloned());
        let is_http2 = self.is_http2.replace(group.protocol.is_http2());
        if !Connector::are_same(known.as_ref(), connector) || is_http2 != group.protocol.is_http2() {
            self.close_all();
        }
        self.retired.set(false);
    }

    /// How new connections are secured.
    pub(crate) fn connector(&self) -> Option<Arc<Connector>> {
        self.connector.borrow().clone()
    }

    pub(crate) fn tcp_keepalive(&self) -> Option<TcpKeepalive> {
        self.tcp_keepalive.get()
    }

    pub(crate) fn retire(&self) {
        self.retired.set(true);
        self.close_all();
    }

    /// Of a target that is no longer configured, connections end with their streams: nobody looks after idle ones.
    pub(crate) fn forget_if_retired(&self) {
        if self.retired.get() {
            self.http2.clear();
        }
    }

    /// What is in use goes on.
    fn close_all(&self) {
        self.idle.borrow_mut().clear();
        self.http2.clear();
    }

    /// The warmest idle connection that is still good. One that is near the target's idle limit is left where it is:
    /// how it ends tells whether the limit is right.
    pub(crate) fn reuse(&self, now_millis: u64) -> Option<TargetConnection<S>> {
        loop {
            let mut idle = self.idle.borrow_mut().pop()?;
            let idle_millis = now_millis.saturating_sub(idle.since_millis);
            if !self.is_good(&idle, idle_millis, now_millis) {
                continue;
            }
            if !self.limit.borrow().may_reuse(idle_millis) {
                self.idle.borrow_mut().push(idle);
                return None;
            }
            idle.connection.reused_after_millis = Some(idle_millis);
            return Some(idle.connection);
        }
    }

    /// A connection that had been idle so long turned out to be closed when it was reused.
    pub(crate) fn learn_closed(&self, idle_millis: u64, now_millis: u64) {
        self.limit.borrow_mut().observe_closed(idle_millis, now_millis);
    }

    /// A response began so long after its request was sent.
    pub(crate) fn learn_response(&self, micros: u64) {
        self.limit.borrow_mut().observe_response(micros);
    }

    /// Takes a new connection into account.
    pub(crate) fn opened(
        self: &Rc<Self>,
        stream: Stream<S>,
        connector: Option<Arc<Connector>>,
    ) -> TargetConnection<S> {
        let cells = self.cells();
        cells.connections_opened.increment();
        cells.connections_open.increment();
        TargetConnection { stream, reused_after_millis: None, connector, target: Rc::clone(self) }
    }

    /// A stream of a connection that is kept elsewhere.
    pub(crate) fn on_stream(self: &Rc<Self>, stream: TargetStream<S>) -> TargetConnection<S> {
        if stream.is_reused() {
            self.cells().connections_reused.increment();
        }
        let stream = Stream::of_target(stream);
        TargetConnection { stream, reused_after_millis: None, connector: None, target: Rc::clone(self) }
    }

    /// `Keep-Alive: timeout=` of a response.
    pub(crate) fn learn_timeout(&self, seconds: u32) {
        self.limit.borrow_mut().observe_keep_alive_timeout(seconds);
    }

    /// Since when the connection is idle that has been so longest.
    pub(crate) fn coldest_since(&self) -> Option<u64> {
        self.idle.borrow().first().map(|idle| idle.since_millis)
    }

    /// Closes it; false: there is none.
    pub(crate) fn close_coldest(&self) -> bool {
        let mut idle = self.idle.borrow_mut();
        let coldest = (!idle.is_empty()).then(|| idle.remove(0));
        drop(idle);
        coldest.is_some()
    }

    /// Closes what is too old, what the target closed, and what said something unasked.
    pub(crate) fn prune(&self, now_millis: u64) {
        self.http2.prune(now_millis, self.keepalive.get().idle_timeout);
        if self.idle.borrow().is_empty() {
            return;
        }
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        let is_good =
            |idle: &Idle<S>| self.is_good(idle, now_millis.saturating_sub(idle.since_millis), now_millis);
        let good: Vec<_> = idle.into_iter().filter(is_good).collect();
        *self.idle.borrow_mut() = good;
    }

    fn is_good(&self, idle: &Idle<S>, idle_millis: u64, now_millis: u64) -> bool {
        let mut limit = self.limit.borrow_mut();
        if let Some(closed_millis) = idle.connection.stream.closed_for_millis() {
            // Who vanished closed nothing: it says nothing about how long connections may be idle.
            if io_error::died(&idle.connection.stream) {
                self.cells().dead_peers.increment();
            } else {
                limit.observe_closed(idle_millis.saturating_sub(closed_millis), now_millis);
            }
            return false;
        }
        let timeout = u64::try_from(self.keepalive.get().idle_timeout.as_millis()).unwrap_or(u64::MAX);
        if idle_millis >= timeout {
            limit.observe_survived(idle_millis, now_millis);
            return false;
        }
        idle.connection.stream.is_quiet()
    }

    fn keep(&self, connection: TargetConnection<S>, now_millis: u64) {
        let keepalive = self.keepalive.get();
        if !Connector::are_same(connection.connector.as_ref(), self.connector.borrow().as_ref()) {
            return;
        }
        if self.retired.get() || keepalive.idle_timeout.is_zero() || !connection.stream.check_quiet() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= keepalive.idle_max as usize {
            // The coldest waits for its end where it may not be reused; it shall not keep a good one out.
            let is_spent =
                |idle: &Idle<S>| !self.limit.borrow().may_reuse(now_millis.saturating_sub(idle.since_millis));
            if !idle.first().is_some_and(is_spent) {
                return;
            }
            idle.remove(0);
        }
        idle.push(Idle { connection, since_millis: now_millis });
    }
}

impl<S: Sys> TargetConnection<S> {
    pub(crate) fn is_reused(&self) -> bool {
        self.reused_after_millis.is_some() || self.stream.as_target().is_some_and(TargetStream::is_reused)
    }

    /// Gives the connection back for the next request.
    // invariant: called in one place, after complete success; everything else drops the connection.
    pub(crate) fn give_back(self, now_millis: u64) {
        let target = Rc::clone(&self.target);
        let Some(stream) = self.stream.as_target() else { return target.keep(self, now_millis) };
        if !stream.is_over() {
            let worker = self.stream.worker().clone();
            worker.spawn(async move {
                if let Some(stream) = self.stream.as_target() {
                    stream.ended().await;
                }
            });
        }
    }
}
