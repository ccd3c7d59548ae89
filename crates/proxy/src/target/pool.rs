//! The connections of one worker to one target. Idle ones are kept last in, first out: a few stay in use and the rest
//! can expire.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use balance::IdleLimit;
use model::{TargetGroup, TargetKeepalive, TcpKeepalive};
use net::Sys;
use observe::TargetCells;
use tls::Connector;

use crate::http2::{Connections, TargetStream};
use crate::live::TargetLive;
use crate::relay::End;
use crate::stream::Stream;
use crate::traffic::Traffic;

/// A target, as one worker sees it.
pub(crate) struct LocalTarget<S: Sys> {
    pub(crate) live: Arc<TargetLive>,
    worker: usize,
    idle: RefCell<Vec<Idle<S>>>,
    limit: RefCell<IdleLimit>,
    keepalive: Cell<TargetKeepalive>,
    tcp_keepalive: Cell<Option<TcpKeepalive>>,
    /// The connections that speak HTTP/2.
    pub(crate) http2: Connections,
    /// The TLS settings of the idle connections.
    connector: RefCell<Option<Arc<Connector>>>,
    is_http2: Cell<bool>,
    /// No longer configured: connections that are given back are closed.
    retired: Cell<bool>,
    traffic: Rc<Traffic>,
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
    /// The TLS settings under which it was made.
    connector: Option<Arc<Connector>>,
    target: Rc<LocalTarget<S>>,
}

impl<S: Sys> Drop for TargetConnection<S> {
    fn drop(&mut self) {
        // A stream is only a part of a connection.
        if self.stream.wire().is_some() {
            self.target.cells().connections_open.decrement();
            self.target.live.descriptors().vacate();
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
            traffic: Rc::new(Traffic::Target(Arc::clone(live), worker)),
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

    /// The TLS settings of new connections.
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

    /// The HTTP/2 connections of a target that is no longer configured end with their streams: idle ones are not pruned.
    pub(crate) fn forget_if_retired(&self) {
        if self.retired.get() {
            self.http2.clear();
        }
    }

    /// Connections in use go on.
    fn close_all(&self) {
        self.idle.borrow_mut().clear();
        self.http2.clear();
    }

    /// Takes the idle connection that was used last, if it is still good. A connection near the target's idle limit is
    /// left in place: when it ends shows whether the learned limit is right.
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

    /// Learns that a connection reused after `idle_millis` had been closed.
    pub(crate) fn learn_closed(&self, idle_millis: u64, now_millis: u64) {
        self.limit.borrow_mut().observe_closed(idle_millis, now_millis);
    }

    /// Learns how long after its request a response began.
    pub(crate) fn learn_response(&self, micros: u64) {
        self.limit.borrow_mut().observe_response(micros);
    }

    /// Counts a new connection.
    pub(crate) fn opened(
        self: &Rc<Self>,
        stream: Stream<S>,
        connector: Option<Arc<Connector>>,
    ) -> TargetConnection<S> {
        let cells = self.cells();
        cells.connections_opened.increment();
        cells.connections_open.increment();
        self.live.descriptors().occupy(stream.worker().now() / 1_000_000);
        self.connection(stream, connector)
    }

    /// Counts a stream of an HTTP/2 connection, which is kept in `http2`.
    pub(crate) fn on_stream(self: &Rc<Self>, stream: TargetStream<S>) -> TargetConnection<S> {
        if stream.is_reused() {
            self.cells().connections_reused.increment();
        }
        self.connection(Stream::http2_target(stream), None)
    }

    fn connection(
        self: &Rc<Self>,
        stream: Stream<S>,
        connector: Option<Arc<Connector>>,
    ) -> TargetConnection<S> {
        stream.count_for(&self.traffic, 0);
        TargetConnection { stream, reused_after_millis: None, connector, target: Rc::clone(self) }
    }

    /// `Keep-Alive: timeout=` of a response.
    pub(crate) fn learn_timeout(&self, seconds: u32) {
        self.limit.borrow_mut().observe_keep_alive_timeout(seconds);
    }

    /// Since when the longest-idle connection has been idle.
    pub(crate) fn coldest_since(&self) -> Option<u64> {
        let first = self.idle.borrow().first().map(|idle| idle.since_millis);
        first.into_iter().chain(self.http2.coldest_since()).min()
    }

    /// Closes the longest-idle connection; false: there is none.
    pub(crate) fn close_coldest(&self) -> bool {
        let first = self.idle.borrow().first().map_or(u64::MAX, |idle| idle.since_millis);
        if self.http2.coldest_since().is_some_and(|since| since < first) {
            return self.http2.close_coldest();
        }
        let mut idle = self.idle.borrow_mut();
        let coldest = (!idle.is_empty()).then(|| idle.remove(0));
        drop(idle);
        coldest.is_some()
    }

    /// Closes idle connections that are too old, that the target closed, or that received bytes without a request.
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
            // A target that vanished did not close the connection: this tells nothing about its idle limit.
            if idle.connection.stream.is_peer_dead() {
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
            // If the longest-idle one only waits to expire, it must not keep a good one out.
            let is_spent =
                |idle: &Idle<S>| !self.limit.borrow().may_reuse(now_millis.saturating_sub(idle.since_millis));
            if !idle.first().is_some_and(is_spent) {
                return;
            }
            idle.remove(0);
        }
        idle.push(Idle { connection, since_millis: now_millis });
        self.live.descriptors().enter_idle(self.worker, now_millis);
    }
}

impl<S: Sys> TargetConnection<S> {
    /// The connection as one end of an exchange.
    pub(crate) fn end(&self) -> End<'_, S> {
        End::new(&self.stream)
    }

    pub(crate) fn is_reused(&self) -> bool {
        self.reused_after_millis.is_some()
            || self.stream.as_http2_target().is_some_and(TargetStream::is_reused)
    }

    /// The target has reset this stream, and not its connection.
    pub(crate) fn is_stream_reset(&self) -> bool {
        self.stream.as_http2_target().is_some_and(TargetStream::is_reset)
    }

    /// The target says that it has not acted on the request (RFC 9113 §8.7).
    pub(crate) fn is_stream_refused(&self) -> bool {
        self.stream.as_http2_target().is_some_and(TargetStream::is_refused)
    }

    /// Gives the connection back for the next request.
    // invariant: called in one place, after complete success; everything else drops the connection.
    pub(crate) fn give_back(self, now_millis: u64) {
        let target = Rc::clone(&self.target);
        let Some(stream) = self.stream.as_http2_target() else { return target.keep(self, now_millis) };
        if !stream.has_ended() {
            let worker = self.stream.worker().clone();
            worker.spawn(async move {
                if let Some(stream) = self.stream.as_http2_target() {
                    stream.wait_for_end().await;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
