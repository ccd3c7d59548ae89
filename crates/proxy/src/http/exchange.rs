//! An exchange: a request and its response, from the request's first byte to its record.

use std::rc::Rc;

use model::{Failure, FieldEdits};
use net::{Buffer, Sys};
use observe::{AccessRecord, Finished};
use proto::http1::{Known, Span, Version};

use super::heads::HeadLease;
use super::record::{Record, Route};
use super::request_id::RequestId;
use super::state::{RequestBody, ResponseState};
use super::tell::{self, FailedRequest};
use crate::arrival::{Arrival, Security, Source};
use crate::compose::ResponseComposer;
use crate::connection::Client;
use crate::date::Date;
use crate::decide::{Decision, Question};
use crate::failed::Failed;
use crate::head::{RequestText, ResponseText};
use crate::live::TunnelLease;
use crate::local::LocalListener;
use crate::relay::Meter;
use crate::session::Session;

pub(super) struct Exchange<'c, S: Sys> {
    pub(super) client: &'c Client<S>,
    pub(super) meter: &'c Meter,
    /// The listener in the generation with which the request began.
    pub(super) listener: Rc<LocalListener<S>>,
    pub(super) arrival: Arrival,
    pub(super) heads: HeadLease,
    /// The bytes of the request's head; empty until it is complete.
    pub(super) bytes: Buffer,
    pub(super) is_read: bool,
    pub(super) id: RequestId,
    pub(super) source: Source,
    /// The path by which rules match, where it differs from the path as sent.
    pub(super) normal_path: Option<Vec<u8>>,
    /// The number of the request on its connection, from 1.
    pub(super) number: u32,
    /// The client's connection goes on after this request, as far as is known.
    pub(super) persists: bool,
    pub(super) route: Route,
    pub(super) body: RequestBody,
    pub(super) response: ResponseState,
    /// The exchange is, or may become, one of its rule's tunnels.
    pub(super) tunnel: Option<TunnelLease>,
    /// `None`: there is no persistence.
    pub(super) session: Option<Session<S>>,
    pub(super) record: Record,
}

impl<'c, S: Sys> Exchange<'c, S> {
    pub(super) fn begin(client: &'c Client<S>, meter: &'c Meter) -> Self {
        let (proxy, arrival) = (&client.proxy, client.arrival());
        let listener = Rc::clone(&client.bound.listener.borrow());
        listener.cells().requests_in_flight.increment();
        let source =
            Source { address: arrival.peer.ip(), is_known: arrival.is_peer_known, is_trusted: false };
        Self {
            client,
            meter,
            listener,
            arrival,
            heads: proxy.heads.lease(),
            bytes: Buffer::new(),
            is_read: false,
            id: RequestId::new(proxy.nonces.borrow_mut().next()),
            source,
            normal_path: None,
            number: client.requests,
            persists: false,
            route: Route::default(),
            body: RequestBody::default(),
            response: ResponseState::default(),
            tunnel: None,
            session: None,
            record: Record::begin(proxy.worker.now()),
        }
    }

    /// The request's head. Its parts mean something when it is complete.
    pub(super) fn request(&self) -> RequestText<'_> {
        RequestText { head: &self.heads.request, bytes: self.bytes.bytes() }
    }

    /// The head of the target's response, which stands in `input`.
    pub(super) fn response_text<'a>(&'a self, input: &'a Buffer) -> ResponseText<'a> {
        ResponseText { head: &self.heads.response, bytes: input.bytes() }
    }

    pub(super) fn id(&self) -> &[u8] {
        self.id.text(self.bytes.bytes())
    }

    /// The path by which rules match.
    pub(super) fn path(&self) -> &[u8] {
        self.normal_path.as_deref().unwrap_or(self.request().path())
    }

    /// Composes responses to the client. `rule`: the rule whose edits they get, if one was found.
    pub(super) fn composer(&self, rule: Option<usize>) -> ResponseComposer<'_> {
        let (plan, proxy) = (&self.listener.plan, &self.client.proxy);
        ResponseComposer {
            plan,
            edits: rule.map_or(&NO_EDITS, |rule| &plan.rules[rule].response_fields),
            arrival: &self.arrival,
            request: self.is_read.then(|| self.request()),
            id: self.id(),
            persists: self.persists,
            date: Date { cache: &proxy.date, unix_seconds: proxy.worker.wall() / 1_000_000 },
            is_target_http2: self.route.is_http2,
            session: None,
        }
    }

    /// Composes responses of a target, which carry the session.
    pub(super) fn composer_of_target(&self, rule: usize) -> ResponseComposer<'_> {
        let session = self.session.as_ref().and_then(|session| {
            let proxy = &self.client.proxy;
            let is_tls = matches!(self.arrival.security, Security::Tls(_));
            session.field(|| proxy.nonces.borrow_mut().next(), proxy.worker.wall() / 1_000_000, is_tls)
        });
        ResponseComposer { session, ..self.composer(Some(rule)) }
    }

    /// What is to be decided about the request.
    pub(super) fn question(&self) -> Question<'_> {
        Question {
            plan: &self.listener.plan,
            table: &self.listener.table,
            arrival: &self.arrival,
            request: self.request(),
            source: self.source,
            unix_seconds: self.client.proxy.worker.wall() / 1_000_000,
        }
    }

    /// Keeps what a decision found.
    pub(super) fn note(&mut self, decision: Decision) {
        self.normal_path = decision.normal_path;
        self.route.rule = decision.rule;
    }

    /// Microseconds since `since` (nanoseconds of the worker's clock).
    pub(super) fn micros_since(&self, since: u64) -> u64 {
        self.client.proxy.worker.now().saturating_sub(since) / 1_000
    }

    /// Counts and logs the exchange: called once, by `finish`, or by the drop of an exchange that was cut off.
    pub(super) fn write_record(&mut self) {
        self.record.is_written = true;
        self.record.phases.total = self.micros_since(self.record.started);
        let cells = self.listener.cells();
        cells.requests_in_flight.decrement();
        let (record, meter) = (&self.record, self.meter);
        if record.status == 0 {
            // The connection ended before there was a request.
            return;
        }
        cells.count(&Finished {
            status: record.status,
            made_by: record.made_by,
            failure: record.failure,
            attempts: self.route.attempts,
            phases: record.phases,
            coding: record.coding,
            plain_body_bytes: meter.plain.get(),
            response_body_bytes: meter.down.get(),
            session: self.session.as_ref().map(|session| session.outcome),
        });
        if let Some(failure) = record.failure {
            self.tell_failed(Failed { failure, detail: record.detail });
        }
        if let Some(log) = &self.listener.log {
            log.borrow_mut().record(&self.access_record());
        }
    }

    #[cold]
    fn tell_failed(&self, failed: Failed) {
        let route = &self.route;
        tell::request_failed(&FailedRequest {
            failed,
            status: self.record.status,
            listener: &self.listener.plan.name,
            group: route.group.and_then(|group| self.listener.group_name(group)),
            target: route.target,
            attempts: route.attempts,
            client: self.source.address,
            id: self.id(),
        });
    }

    fn access_record(&self) -> AccessRecord<'_> {
        let plan = &self.listener.plan;
        let (request, is_read) = (self.request(), self.is_read);
        let (record, route, meter) = (&self.record, &self.route, self.meter);
        let text = |span: Span| if is_read { request.text(span) } else { &[] };
        let tls_facts = self.arrival.security.tls_facts();
        let identity = tls_facts.and_then(|tls_facts| tls_facts.identity.as_ref());
        AccessRecord {
            unix_micros: self.client.proxy.worker.wall(),
            request_id: self.id(),
            listener: &plan.name,
            client: self.source.address,
            peer: self.arrival.socket_peer,
            method: text(request.head.method_span()),
            host: request.head.host().map_or(&[], text),
            request_target: text(request.head.target()),
            version: match (is_read, request.head.version()) {
                (true, _) if self.arrival.is_http2 => "2",
                (false, _) => "",
                (true, Version::Http10) => "1.0",
                (true, Version::Http11) => "1.1",
            },
            status: record.status,
            made_by: record.made_by,
            failure: record.failure,
            detail: record.detail,
            rule: plan.number_of(route.rule),
            group: route.group.and_then(|group| self.listener.group_name(group)),
            target: route.target,
            attempts: route.attempts,
            reused: route.is_reused,
            session: self.session.as_ref().map(|session| session.outcome),
            request_body_bytes: meter.up.get(),
            response_body_bytes: meter.down.get(),
            coding: record.coding,
            plain_body_bytes: meter.plain.get(),
            phases: record.phases,
            user_agent: is_read.then(|| request.field(Known::UserAgent)).flatten(),
            referer: is_read.then(|| request.field(Known::Referer)).flatten(),
            tunnel: self.response == ResponseState::Tunnel,
            tls_version: tls_facts.map_or("", |tls_facts| tls_facts.version),
            tls_cipher: tls_facts.map_or("", |tls_facts| tls_facts.suite),
            client_subject: identity.map_or(&[], |identity| identity.subject.as_bytes()),
            connection_request: self.number,
        }
    }

    /// The head of the target's final response, or its 101, begins to go to the client.
    pub(super) fn answer(&mut self, status: u16) {
        self.record.answered(status);
        self.response = ResponseState::Begun;
    }
}

/// An exchange that ends without `finish` was cut off: by the deadline of a graceful stop, or by a panic.
impl<S: Sys> Drop for Exchange<'_, S> {
    fn drop(&mut self) {
        if self.record.is_written {
            return;
        }
        if self.record.status != 0 || self.is_read {
            let is_stop = self.client.proxy.stopping.get();
            let failure = if is_stop { Failure::Stopped } else { Failure::Internal };
            (self.record.failure, self.record.status) = (Some(failure), failure.outcome().status);
        }
        self.write_record();
    }
}

static NO_EDITS: FieldEdits = FieldEdits { set: Vec::new(), add: Vec::new(), remove: Vec::new() };
