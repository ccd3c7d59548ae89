//! A request: what is known about it from its first byte to its access record.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use model::{ContentCoding, Failure};
use net::{Buffer, Sys};
use observe::{AccessRecord, Finished, MadeBy, PhaseTimes};
use proto::http1::{BodyLength, Field, Known, Method, RequestHead, ResponseHead, Span, Version, token};

use crate::connection::Client;
use crate::live::TunnelLease;
use crate::local::LocalListener;
use crate::stream::{Agreed, Tls};
use crate::worker::Proxy;

pub(crate) struct Request<S: Sys> {
    pub(super) proxy: Rc<Proxy<S>>,
    /// The listener in the generation with which the request began.
    pub(super) listener: Rc<LocalListener<S>>,
    pub(super) heads: HeadLease,
    /// The bytes of the head, when it is complete.
    pub(super) bytes: Buffer,
    pub(super) is_read: bool,
    pub(super) id: RequestId,
    /// Who connected, or in whose name by a PROXY header.
    pub(super) peer: SocketAddr,
    /// The other end of the socket, for the log.
    connected: SocketAddr,
    /// The client, after trusted proxies were taken into account.
    pub(super) source: IpAddr,
    /// `false`: the source is only the last known of those who passed the request on.
    pub(super) is_source_known: bool,
    /// The peer is a trusted proxy.
    pub(super) is_trusted: bool,
    /// The normalised path, where it differs from the one sent.
    pub(super) normal_path: Option<Vec<u8>>,
    pub(super) number: u32,
    /// It came as a stream of HTTP/2.
    pub(super) is_stream: bool,
    /// Of the connection, where it has TLS.
    pub(super) secured: Option<Rc<Agreed>>,
    /// The client's connection goes on after this request, as far as is known.
    pub(super) persists: bool,
    pub(super) rule: Option<usize>,
    /// The place of the target group in the listener's list.
    pub(super) group: Option<usize>,
    pub(super) target: Option<SocketAddr>,
    pub(super) attempts: u32,
    pub(super) is_reused: bool,
    pub(super) is_tunnel: bool,
    /// It is, or may become, one of its rule's tunnels.
    pub(super) lease: Option<TunnelLease>,
    pub(super) status: u16,
    pub(super) made_by: MadeBy,
    pub(super) failure: Option<Failure>,
    pub(super) detail: &'static str,
    /// The head of a final response has begun to go to the client: no other reply can be made.
    pub(super) is_answered: bool,
    /// An interim response has gone to the client in part.
    pub(super) is_in_interim: bool,
    /// Something of the body was taken from what had come.
    pub(super) has_begun_body: bool,
    /// The client's connection was broken off within the response.
    pub(super) is_cut: bool,
    /// The client sent all that belongs to the request.
    pub(super) is_uploaded: bool,
    pub(super) request_body_bytes: u64,
    pub(super) response_body_bytes: u64,
    /// What the response was compressed with.
    pub(super) coding: Option<ContentCoding>,
    /// Bytes of the target's body, where it was compressed.
    pub(super) plain_body_bytes: u64,
    /// Nanoseconds of the worker's clock.
    pub(super) started: u64,
    pub(super) phases: PhaseTimes,
    is_finished: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum RequestId {
    /// 32 hexadecimal digits of ours.
    Own([u8; 32]),
    /// A trusted proxy's, within the head.
    Theirs(Span),
}

/// Parsed heads, kept by the worker so that their lists of fields are allocated once.
#[expect(clippy::vec_box, reason = "they move in and out as pointers")]
#[derive(Debug, Default)]
pub(crate) struct HeadPool(Rc<RefCell<Vec<Box<Heads>>>>);

#[derive(Debug, Default)]
pub(super) struct Heads {
    pub(super) request: RequestHead,
    pub(super) response: ResponseHead,
}

#[expect(clippy::vec_box, reason = "see `HeadPool`")]
#[derive(Debug)]
pub(super) struct HeadLease {
    heads: Option<Box<Heads>>,
    pool: Rc<RefCell<Vec<Box<Heads>>>>,
}

impl HeadPool {
    fn lease(&self) -> HeadLease {
        let heads = self.0.borrow_mut().pop().unwrap_or_default();
        HeadLease { heads: Some(heads), pool: Rc::clone(&self.0) }
    }
}

impl std::ops::Deref for HeadLease {
    type Target = Heads;

    #[expect(clippy::expect_used, reason = "the heads are there until the drop")]
    fn deref(&self) -> &Heads {
        self.heads.as_deref().expect("leased")
    }
}

impl std::ops::DerefMut for HeadLease {
    #[expect(clippy::expect_used, reason = "the heads are there until the drop")]
    fn deref_mut(&mut self) -> &mut Heads {
        self.heads.as_deref_mut().expect("leased")
    }
}

impl Drop for HeadLease {
    fn drop(&mut self) {
        let Some(mut heads) = self.heads.take() else { return };
        let mut pool = self.pool.borrow_mut();
        if pool.len() < POOLED_HEADS_MAX {
            heads.request.clear();
            heads.response.clear();
            pool.push(heads);
        }
    }
}

impl<S: Sys> Request<S> {
    pub(super) fn begin(client: &Client<S>) -> Self {
        let proxy = Rc::clone(&client.proxy);
        let listener = Rc::clone(&client.bound.listener.borrow());
        listener.cells().requests_in_flight.increment();
        let id = new_id(&proxy);
        Self {
            heads: proxy.heads.lease(),
            bytes: Buffer::new(),
            is_read: false,
            id: RequestId::Own(id),
            peer: client.peer,
            connected: client.connected(),
            source: client.peer.ip(),
            is_source_known: !client.is_nameless(),
            is_trusted: false,
            normal_path: None,
            number: client.requests,
            is_stream: client.is_stream(),
            secured: client.tls().and_then(Tls::agreed).cloned(),
            persists: false,
            rule: None,
            group: None,
            target: None,
            attempts: 0,
            is_reused: false,
            is_tunnel: false,
            lease: None,
            status: 0,
            made_by: MadeBy::Evenkeel,
            failure: None,
            detail: "",
            is_answered: false,
            is_in_interim: false,
            has_begun_body: false,
            is_cut: false,
            is_uploaded: false,
            request_body_bytes: 0,
            response_body_bytes: 0,
            coding: None,
            plain_body_bytes: 0,
            started: proxy.worker.now(),
            phases: PhaseTimes::default(),
            is_finished: false,
            proxy,
            listener,
        }
    }

    pub(super) fn head(&self) -> &RequestHead {
        &self.heads.request
    }

    /// The bytes of a part of the head.
    pub(super) fn text(&self, span: Span) -> &[u8] {
        span.of(self.bytes.bytes())
    }

    pub(super) fn field(&self, known: Known) -> Option<&[u8]> {
        self.head().fields_of(known).next().map(|field| self.text(field.value))
    }

    /// Who the client has proved to be.
    fn client_subject(&self) -> &[u8] {
        let identity = self.secured.as_ref().and_then(|agreed| agreed.identity.as_ref());
        identity.map_or(&[], |identity| identity.subject.as_bytes())
    }

    pub(super) fn id(&self) -> &[u8] {
        match &self.id {
            RequestId::Own(id) => id,
            RequestId::Theirs(span) => self.text(*span),
        }
    }

    /// The client asks for a WebSocket, the one protocol that may be switched to: another, such as `h2c`, would run
    /// past rules, limits and logs. It is asked for by a GET without a body (RFC 6455 §4.1): a body would be the
    /// tunnel's first bytes to a target that switches without reading it.
    pub(super) fn asks_for_websocket(&self) -> bool {
        let is_websocket = |field: &Field| token::eq_ignore_case(self.text(field.value), b"websocket");
        let head = self.head();
        head.upgrade()
            && head.method() == Method::Get
            && matches!(head.body(), BodyLength::None | BodyLength::Length(0))
            && head.fields_of(Known::Upgrade).all(is_websocket)
    }

    /// The path by which rules match.
    pub(super) fn path(&self) -> &[u8] {
        match &self.normal_path {
            Some(path) => path,
            None => match self.text(self.head().path()) {
                [] => b"/",
                path => path,
            },
        }
    }

    /// Microseconds since `since` (nanoseconds of the worker's clock).
    pub(super) fn micros_since(&self, since: u64) -> u64 {
        self.proxy.worker.now().saturating_sub(since) / 1_000
    }

    /// Counts and logs the request. Called once, by `finish`, or by the drop of a request that was cut off.
    pub(super) fn record(&mut self) {
        self.is_finished = true;
        self.phases.total = self.micros_since(self.started);
        let cells = self.listener.cells();
        cells.requests_in_flight.decrement();
        if self.status == 0 {
            // The connection ended before a request was there.
            return;
        }
        cells.count(&Finished {
            status: self.status,
            made_by: self.made_by,
            failure: self.failure,
            attempts: self.attempts,
            phases: self.phases,
            coding: self.coding,
            plain_body_bytes: self.plain_body_bytes,
            response_body_bytes: self.response_body_bytes,
        });
        cells.received_bytes.add(self.request_body_bytes + self.bytes.len() as u64);
        cells.sent_bytes.add(self.response_body_bytes);
        if let Some(log) = &self.listener.log {
            log.borrow_mut().record(&self.access_record());
        }
    }

    fn access_record(&self) -> AccessRecord<'_> {
        let plan = &self.listener.plan;
        let (head, read) = (self.head(), self.is_read);
        let text = |span: Span| if read { self.text(span) } else { &[] };
        AccessRecord {
            unix_micros: self.proxy.worker.wall(),
            request_id: self.id(),
            listener: &plan.name,
            client: self.source,
            peer: self.connected,
            method: text(head.method_span()),
            host: head.host().map_or(&[], text),
            request_target: text(head.target()),
            version: match (read, head.version()) {
                (true, _) if self.is_stream => "2",
                (false, _) => "",
                (true, Version::Http10) => "1.0",
                (true, Version::Http11) => "1.1",
            },
            status: self.status,
            made_by: self.made_by,
            failure: self.failure,
            detail: self.detail,
            rule: self
                .rule
                .filter(|&rule| !plan.has_default || rule + 1 < plan.rules.len())
                .and_then(|r| r.try_into().ok()),
            group: self.group.and_then(|place| self.listener.group_name(place)),
            target: self.target,
            attempts: self.attempts,
            reused: self.is_reused,
            request_body_bytes: self.request_body_bytes,
            response_body_bytes: self.response_body_bytes,
            coding: self.coding,
            plain_body_bytes: self.plain_body_bytes,
            phases: self.phases,
            user_agent: read.then(|| self.field(Known::UserAgent)).flatten(),
            referer: read.then(|| self.field(Known::Referer)).flatten(),
            tunnel: self.is_tunnel,
            tls_version: self.secured.as_ref().map_or("", |agreed| agreed.version),
            tls_cipher: self.secured.as_ref().map_or("", |agreed| agreed.suite),
            client_subject: self.client_subject(),
            connection_request: self.number,
        }
    }
}

/// A request that ends without `finish` was cut off: by the deadline of a graceful stop, or by a panic.
impl<S: Sys> Drop for Request<S> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        if self.status != 0 || self.is_read {
            let failure = if self.proxy.stopping.get() { Failure::Stopped } else { Failure::Internal };
            (self.failure, self.status) = (Some(failure), failure.outcome().status);
        }
        self.record();
    }
}

fn new_id<S: Sys>(proxy: &Proxy<S>) -> [u8; 32] {
    let mut random = proxy.random.borrow_mut();
    let mut id = [0; 32];
    for pair in id.as_chunks_mut::<16>().0 {
        let bits = random.next_u64();
        let [low, high] = [bits as u32, (bits >> 32) as u32].map(|half| u128::from(hex(half)));
        *pair = (low | high << 64).to_le_bytes();
    }
    id
}

/// Eight hexadecimal digits, one a byte. All are made at once, where a loop over 32 of them would be felt.
fn hex(bits: u32) -> u64 {
    let each = |byte: u64| byte * 0x0101_0101_0101_0101;
    let mut digits = u64::from(bits);
    for (shift, kept) in [(16, 0x0000_ffff_0000_ffff), (8, 0x00ff_00ff_00ff_00ff), (4, each(0x0f))] {
        digits = (digits | digits << shift) & kept;
    }
    let is_letter = (digits + each(6)) >> 4 & each(1);
    digits + each(b'0'.into()) + is_letter * u64::from(b'a' - b'0' - 10)
}

// limit: parsed heads kept by a worker.
const POOLED_HEADS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for bits in [0, 1, 0x0123_4567, 0x89ab_cdef, 0xa0b1_c2d3, u32::MAX] {
            let mut digits = hex(bits).to_le_bytes();
            // The lowest digit comes first, which a random number does not mind.
            digits.reverse();
            assert_eq!(String::from_utf8_lossy(&digits), format!("{bits:08x}"));
        }
    }
}
