//! A connection that is passed on, from its first byte to its record.

use std::net::SocketAddr;
use std::rc::Rc;

use model::{ConnectionEnd, Failure};
use net::Sys;
use observe::{ConnectionRecord, EndedConnection, SessionOutcome};
use proto::client_hello::{Alert, ClientHello};

use super::tell::{self, FailedConnection};
use crate::arrival::{Arrival, Security, Source};
use crate::connection::Client;
use crate::decide::TcpQuestion;
use crate::failed::Failed;
use crate::local::LocalListener;
use crate::relay::Meter;
use crate::session::Session;

pub(super) struct TcpExchange<'c, S: Sys> {
    pub(super) client: &'c Client<S>,
    pub(super) meter: &'c Meter,
    /// The listener in the generation with which the connection began. It is kept to the end, however long that takes.
    pub(super) listener: Rc<LocalListener<S>>,
    pub(super) arrival: Arrival,
    pub(super) source: Source,
    /// What its client says of itself, if its TLS is passed on and rules ask for that.
    pub(super) hello: Option<Box<ClientHello>>,
    /// For a client whose ClientHello cannot be read.
    pub(super) alert: Option<Alert>,
    pub(super) route: Route,
    /// `None`: there is no persistence. It is held to the end, with which its clock starts (SP1).
    pub(super) session: Option<Session<S>>,
    /// Nanoseconds of the worker's clock.
    began: u64,
    pub(super) connect_micros: Option<u64>,
    is_written: bool,
}

/// Where a connection went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Route {
    /// The index of the rule in the listener's plan.
    pub(super) rule: Option<usize>,
    /// The index of the target group in the plan's groups.
    pub(super) group: Option<usize>,
    /// The target of the last attempt.
    pub(super) target: Option<SocketAddr>,
    pub(super) attempts: u32,
}

impl<'c, S: Sys> TcpExchange<'c, S> {
    pub(super) fn begin(client: &'c Client<S>, meter: &'c Meter) -> Self {
        let (arrival, listener) = (client.arrival(), Rc::clone(&client.bound.listener.borrow()));
        listener.cells().requests.increment();
        listener.cells().requests_in_flight.increment();
        let source =
            Source { address: arrival.peer.ip(), is_known: arrival.is_peer_known, is_trusted: false };
        Self {
            client,
            meter,
            listener,
            arrival,
            source,
            hello: None,
            alert: None,
            route: Route::default(),
            session: None,
            began: client.proxy.worker.now(),
            connect_micros: None,
            is_written: false,
        }
    }

    /// Whether rules ask for what the client says in its ClientHello. A reload may have taken the TLS off that ends here.
    pub(super) fn is_look_due(&self) -> bool {
        self.listener.plan.looks_at_hello && matches!(self.arrival.security, Security::Plain)
    }

    /// What is to be decided about the connection.
    pub(super) fn question(&self) -> TcpQuestion<'_> {
        TcpQuestion {
            plan: &self.listener.plan,
            table: &self.listener.table,
            arrival: &self.arrival,
            hello: self.hello.as_deref(),
            source: self.source,
            unix_seconds: self.client.proxy.worker.wall() / 1_000_000,
        }
    }

    /// Microseconds since `since` (nanoseconds of the worker's clock).
    pub(super) fn micros_since(&self, since: u64) -> u64 {
        self.client.proxy.worker.now().saturating_sub(since) / 1_000
    }

    /// Counts and logs the connection: called once, by `finish`, or by the drop of an exchange that was cut off.
    pub(super) fn write_record(&mut self, end: ConnectionEnd, detail: &'static str) {
        self.is_written = true;
        let total = self.micros_since(self.began);
        self.listener.cells().requests_in_flight.decrement();
        self.listener.cells().count_connection(&EndedConnection {
            end,
            attempts: self.route.attempts,
            connect: self.connect_micros,
            total,
            session: self.outcome(),
        });
        if let Some(failure) = end.failure() {
            self.tell_failed(Failed { failure, detail });
        }
        let Some(log) = &self.listener.log else { return };
        let record = self.record(end, detail, total);
        let mut log = log.borrow_mut();
        log.record_connection(&record);
        if !Rc::ptr_eq(&self.listener, &self.client.bound.listener.borrow()) {
            // The worker flushes the logs of the present generation only.
            log.flush();
        }
    }

    fn tell_failed(&self, failed: Failed) {
        let route = &self.route;
        tell::connection_failed(&FailedConnection {
            failed,
            listener: &self.listener.plan.name,
            group: route.group.and_then(|group| self.listener.group_name(group)),
            target: route.target,
            attempts: route.attempts,
            client: self.source.address,
        });
    }

    fn outcome(&self) -> Option<SessionOutcome> {
        self.session.as_ref().map(|session| session.outcome)
    }

    fn record(&self, end: ConnectionEnd, detail: &'static str, total_micros: u64) -> ConnectionRecord<'_> {
        let (plan, route) = (&self.listener.plan, &self.route);
        let tls_facts = self.arrival.security.tls_facts();
        let identity = tls_facts.and_then(|tls_facts| tls_facts.identity.as_ref());
        ConnectionRecord {
            unix_micros: self.client.proxy.worker.wall(),
            end,
            detail,
            total_micros,
            connect_micros: self.connect_micros,
            listener: &plan.name,
            rule: plan.number_of(route.rule),
            group: route.group.and_then(|group| self.listener.group_name(group)),
            target: route.target,
            attempts: route.attempts,
            session: self.outcome(),
            client: self.source.address,
            peer: self.arrival.socket_peer,
            tls_version: tls_facts.map_or("", |tls_facts| tls_facts.version),
            tls_cipher: tls_facts.map_or("", |tls_facts| tls_facts.suite),
            server_name: (tls_facts.and_then(|facts| facts.server_name.as_deref()))
                .or_else(|| self.hello.as_ref()?.server_name.as_deref())
                .unwrap_or_default()
                .as_bytes(),
            client_subject: identity.map_or(&[], |identity| identity.subject.as_bytes()),
            bytes_in: self.meter.up.get(),
            bytes_out: self.meter.down.get(),
        }
    }
}

/// An exchange that ends without `finish` was cut off: by the deadline of a graceful stop, or by a panic.
impl<S: Sys> Drop for TcpExchange<'_, S> {
    fn drop(&mut self) {
        if !self.is_written {
            let is_stop = self.client.proxy.stopping.get();
            let failure = if is_stop { Failure::Stopped } else { Failure::Internal };
            self.write_record(ConnectionEnd::Failed(failure), "");
        }
    }
}
