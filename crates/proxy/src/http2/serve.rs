//! A client's connection that speaks HTTP/2: its task, and the tasks of its streams.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response, StatusCode};
use model::{HttpSettings, Limits, LogLevel};
use net::{Buffer, LARGE, Sys, Ticks};
use proto::http1::Method;
use proto::http2::meter::{Fault, Violation};
use proto::http2::{Asked, Refused, write_request};

use super::client_stream::{self, ClientStream};
use super::io::{Io, Owner};
use super::link::{Alive, Link};
use super::websocket::Handshake;
use crate::connection::Client;
use crate::connection::permit::IdleGuard;
use crate::connection::request_slot;
use crate::stream::{Stream, Wire};

/// From the first bytes, which `input` holds, to the close. The preface has not been looked at.
pub(crate) async fn serve_http2<S: Sys>(client: Box<Client<S>>, input: Buffer) {
    let client = Rc::new(*client);
    let link = Rc::new(Link::default());
    // invariant: the listener is not held, or a connection would keep the snapshot in which it began, and its settings.
    let (builder, send_timeout, streams_max) = {
        let listener = client.bound.listener.borrow();
        let http = &listener.plan.http;
        client.stream.set_read_deadline(client.proxy.worker.after(http.header_timeout));
        (builder(http), http.send_timeout, http.http2.concurrent_streams as usize)
    };
    let io = Io::new(Rc::clone(&client), Some(Rc::clone(&link)), input, send_timeout);
    let Ok(connection) = builder.handshake::<_, Bytes>(io).await else { return };
    link.is_open.set(true);
    client.cells().http2_connections.increment();
    let own = Rc::clone(&client);
    let session = Session { client: own, link, connection, streams: 0, streams_max, ended_millis: None };
    match session.run().await {
        End::Fault(fault) => {
            client.cells().http2_faults.count(fault.reason());
            observe::event(
                LogLevel::Info,
                "an HTTP/2 client was cut off",
                &[("peer", &client.peer), ("reason", &fault.reason())],
            );
            linger(&client).await;
        }
        End::Graceful => {
            // Where the client has answered, the crate has done so already.
            let _ = client.stream.shutdown_write();
            linger(&client).await;
        }
        End::Lost => {}
    }
}

/// Everything that a client could make us keep or do has its limit here or in the meter.
fn builder(http: &HttpSettings) -> Builder {
    let settings = http.http2;
    let streams = settings.concurrent_streams as usize;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(settings.concurrent_streams)
        .initial_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(head_bytes_max(http))
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        // A browser may open all its streams and reset them before we come to look at them.
        .max_pending_accept_reset_streams((2 * streams).max(RESET_STREAMS_MIN))
        .max_concurrent_reset_streams(streams.max(RESET_STREAMS_MIN))
        .max_local_error_reset_streams(Some(ERROR_RESETS_MAX))
        .reset_stream_duration(RESET_STREAM_DURATION)
        .enable_connect_protocol();
    builder
}

/// As large as the strict parser takes it, counted as RFC 9113 §6.5.2 counts; and no larger than a block, since the
/// text of a head must stand in one.
fn head_bytes_max(http: &HttpSettings) -> u32 {
    let limits = http.limits;
    let names = 32 * u32::from(limits.fields_count);
    let all = limits.fields_bytes.saturating_add(limits.request_line_bytes).saturating_add(names);
    all.min(u32::try_from(LARGE).unwrap_or(u32::MAX))
}

impl<S: Sys> Owner<S> for Rc<Client<S>> {
    fn wire(&self) -> Option<&Wire<S>> {
        self.stream.wire()
    }
}

struct Session<S: Sys> {
    client: Rc<Client<S>>,
    link: Rc<Link>,
    connection: Connection<Io<S, Rc<Client<S>>>, Bytes>,
    /// So many have come.
    streams: u32,
    /// So many the client may have at a time.
    streams_max: usize,
    /// When the client was told that no more are taken.
    ended_millis: Option<u64>,
}

/// How a connection ended.
enum End {
    /// By the client's.
    Fault(Fault),
    /// After our GOAWAY. The last response may still be on its way.
    Graceful,
    Lost,
}

/// What the connection's task has to do next.
#[expect(
    clippy::large_enum_variant,
    reason = "each request is one, and a box for it would cost more than the move"
)]
enum Event {
    Stream(Request<RecvStream>, SendResponse<Bytes>),
    /// A wait met its deadline or was roused, or the number of streams has come to or left zero.
    Idle,
    Closing,
    Fault(Fault),
    Over,
}

impl<S: Sys> Session<S> {
    /// Until the connection is over.
    async fn run(mut self) -> End {
        let client = Rc::clone(&self.client);
        let waiter = client.bound.waiters.waiter();
        let mut idle: Option<IdleGuard<'_>> = None;
        loop {
            self.attend_idleness(&client, &mut idle);
            let was_busy = idle.is_none();
            let event = poll_fn(|context| {
                self.link.leave(context.waker());
                if let Some(fault) = self.link.fault.get() {
                    return Poll::Ready(Event::Fault(fault));
                }
                let is_last = client.permit().closes_after_response()
                    || client.bound.poll_closes(context, &waiter).is_ready();
                if is_last && !self.ends() {
                    return Poll::Ready(Event::Closing);
                }
                match self.poll_connection(context) {
                    Poll::Pending if self.link.is_late.get() || was_busy != (self.link.live() > 0) => {
                        Poll::Ready(Event::Idle)
                    }
                    event => event,
                }
            })
            .await;
            match event {
                Event::Stream(request, respond) => self.begin(request, respond),
                Event::Idle => {
                    if self.link.is_late.take() && self.is_unwanted(&client, idle.as_ref()) {
                        match self.ends() {
                            false => self.end(),
                            // The deadline of the write ends a client that takes nothing.
                            true if self.link.is_blocked.get() => self.await_goodbye(),
                            true => return End::Graceful,
                        }
                    }
                }
                Event::Closing => self.end(),
                Event::Fault(fault) => {
                    self.refuse(fault).await;
                    return End::Fault(fault);
                }
                Event::Over if self.ends() => return End::Graceful,
                Event::Over => return End::Lost,
            }
        }
    }

    fn poll_connection(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        // limit: streams that were reset count until their tasks have ended, or resets would be a way around the limit.
        if self.link.live() >= 2 * self.streams_max {
            return self.connection.poll_closed(context).map(|_| Event::Over);
        }
        self.connection.poll_accept(context).map(|accepted| match accepted {
            Some(Ok((request, respond))) => Event::Stream(request, respond),
            Some(Err(_)) | None => Event::Over,
        })
    }

    /// A connection without streams is one of the idle ones, and may be told to leave.
    fn attend_idleness<'a>(&self, client: &'a Client<S>, idle: &mut Option<IdleGuard<'a>>) {
        if self.link.live() > 0 {
            if idle.take().is_some() {
                client.permit().stay();
                client.stream.set_read_deadline(Ticks::NEVER);
                set_idle(client, false);
            }
        } else if idle.is_none() {
            let (proxy, is_new) = (&client.proxy, self.streams == 0);
            let timeout = {
                let http = &client.bound.listener.borrow().plan.http;
                match (self.ends(), is_new) {
                    (true, _) => GOODBYE,
                    (false, true) => http.header_timeout,
                    (false, false) => http.keepalive_timeout,
                }
            };
            client.stream.set_read_deadline(proxy.worker.after(timeout));
            set_idle(client, true);
            *idle = Some(client.permit().idle(client.stream.key(), is_new, proxy.now_millis()));
        }
    }

    /// Whether a late connection has been idle as long as it may, or is to make room; else it was only roused.
    fn is_unwanted(&self, client: &Client<S>, idle: Option<&IdleGuard<'_>>) -> bool {
        idle.is_some_and(|idle| idle.is_evicted() || !client.stream.has_read_deadline())
    }

    /// Takes no more streams; the connection is over with the last that there is.
    fn end(&mut self) {
        if !self.ends() {
            self.ended_millis = Some(self.client.proxy.now_millis());
            self.connection.graceful_shutdown();
            if self.link.live() == 0 {
                self.await_goodbye();
            }
        }
    }

    fn ends(&self) -> bool {
        self.ended_millis.is_some()
    }

    /// A client that never answers our GOAWAY would be served for ever.
    fn is_too_late(&self) -> bool {
        let passed = |ended| self.client.proxy.now_millis().saturating_sub(ended);
        self.ended_millis.is_some_and(|ended| Duration::from_millis(passed(ended)) > GOODBYE)
    }

    fn await_goodbye(&self) {
        self.client.stream.set_read_deadline(self.client.proxy.worker.after(GOODBYE));
    }

    /// Says why, and waits until that is said.
    async fn refuse(&mut self, fault: Fault) {
        self.connection.abrupt_shutdown(match fault {
            Fault::Flood(_) => Reason::ENHANCE_YOUR_CALM,
            Fault::Broken(Violation::FrameSize) => Reason::FRAME_SIZE_ERROR,
            Fault::Broken(Violation::Window) => Reason::FLOW_CONTROL_ERROR,
            Fault::Broken(Violation::StreamClosed) => Reason::STREAM_CLOSED,
            Fault::Broken(Violation::Push) => Reason::PROTOCOL_ERROR,
        });
        // The deadline of the write ends the wait.
        let _ = poll_fn(|context| self.connection.poll_closed(context)).await;
    }

    fn begin(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let listener = Rc::clone(&self.client.bound.listener.borrow());
        let http = &listener.plan.http;
        let number = self.streams;
        self.streams = self.streams.saturating_add(1);
        if self.streams >= http.keepalive_requests {
            self.end();
        }
        // Nobody waits any more: no work is begun for it, at a target least of all.
        if respond.poll_reset(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        if self.is_too_late() {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        let (parts, body) = request.into_parts();
        let Some((asked, input)) = self.translate(&parts, &body, &mut respond, http) else { return };
        let worker = &self.client.proxy.worker;
        let stream = ClientStream::new(worker, &self.link, body, respond, asked);
        let client = Client::for_stream(&self.client, Stream::http2_client(stream), number);
        worker.spawn(serve_stream(Box::new(client), input, self.link.begin()));
    }

    /// The head as text. What has none is refused here.
    fn translate(
        &self,
        head: &http::request::Parts,
        body: &RecvStream,
        respond: &mut SendResponse<Bytes>,
        http: &HttpSettings,
    ) -> Option<(client_stream::Asked, Buffer)> {
        let protocol = head.extensions.get::<h2::ext::Protocol>().map(h2::ext::Protocol::as_str);
        let handshake = protocol.map(|_| Handshake::new(self.nonce()));
        let asked = Asked {
            protocol,
            ends: body.is_end_stream(),
            key: handshake.as_ref().map_or(&[], |handshake| &handshake.key),
            fields_count: http.limits.fields_count,
        };
        let mut text = self.client.proxy.scratch.borrow_mut();
        text.clear();
        match write_request(head, asked, &mut text) {
            Ok(framing) => {
                let mut input = Buffer::new();
                if input.extend(&text).is_err() {
                    answer(respond, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
                    return None;
                }
                let method = Method::of(head.method.as_str().as_bytes());
                let accept = handshake.map(|handshake| handshake.accept);
                Some((client_stream::Asked { method, framing, accept }, input))
            }
            Err(Refused::Malformed(_)) => {
                respond.send_reset(Reason::PROTOCOL_ERROR);
                None
            }
            Err(Refused::Protocol) => {
                answer(respond, StatusCode::NOT_IMPLEMENTED);
                None
            }
        }
    }

    fn nonce(&self) -> [u8; 16] {
        let mut random = self.client.proxy.random.borrow_mut();
        let words = [random.next_u64(), random.next_u64()].map(u64::to_le_bytes);
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&words[0]);
        nonce[8..].copy_from_slice(&words[1]);
        nonce
    }
}

fn set_idle<S: Sys>(client: &Client<S>, is_idle: bool) {
    if let Some(wire) = client.stream.wire() {
        wire.socket().set_idle(is_idle);
    }
}

/// One request. The drop of its stream ends it, whatever has come of it.
async fn serve_stream<S: Sys>(client: Box<Client<S>>, input: Buffer, alive: Alive) {
    let (client, _) = request_slot::serve(client, input).await;
    drop(client);
    drop(alive);
}

/// A reply without a body to what cannot become text.
fn answer(respond: &mut SendResponse<Bytes>, status: StatusCode) {
    let mut response = Response::new(());
    *response.status_mut() = status;
    // The stream may be gone, and then nobody waits for it.
    let _ = respond.send_response(response, true);
}

/// Reads on for a moment what still comes: closing at once would reset the connection, and with it the reason.
async fn linger<S: Sys>(client: &Client<S>) {
    let patience = Duration::from_millis(Limits::LINGER_MILLISECONDS);
    client.stream.set_read_deadline(client.proxy.worker.after(patience));
    let (mut input, mut left) = (Buffer::new(), Limits::LINGER_BYTES_MAX);
    while left > 0 {
        input.consume(input.len());
        match client.stream.fill(&mut input, LARGE).await {
            Ok(count) if count > 0 => left = left.saturating_sub(count as u64),
            _ => return,
        }
    }
}

/// limit: bytes of one frame; the least that may be offered.
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// limit: bytes of one stream that wait to be sent.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// limit: streams that were reset and are remembered, at least.
const RESET_STREAMS_MIN: usize = 20;
/// limit: streams of a connection that we reset because of the client's errors; more end it (CVE-2025-8671).
const ERROR_RESETS_MAX: usize = 100;
const RESET_STREAM_DURATION: Duration = Duration::from_secs(5);
/// For the client's answer to our GOAWAY.
const GOODBYE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use observe::HTTP2_FAULTS;
    use proto::http2::meter::Flood;

    use super::*;

    #[test]
    fn every_fault_is_counted_under_its_reason() {
        let floods = Flood::ALL.into_iter().map(Fault::Flood);
        let faults = floods.chain(Violation::ALL.into_iter().map(Fault::Broken));
        assert!(faults.map(Fault::reason).eq(HTTP2_FAULTS));
    }
}
