//! Serves an HTTP/2 connection of a client: the task of the connection, and the tasks of its streams.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response, StatusCode};
use model::HttpSettings;
use net::{Buffer, LARGE, Sys, Ticks};
use proto::http1::Method;
use proto::http2::meter::{Fault, Violation};
use proto::http2::{Asked, Refused, write_request};

use super::client_stream::{ClientStream, RequestFacts};
use super::io::{Io, Owner};
use super::shared::{ConnectionShared, StreamGuard};
use super::websocket::Handshake;
use crate::connection::permit::IdleGuard;
use crate::connection::request_slot;
use crate::connection::{Client, Expected, close_in_stages};
use crate::stream::{Stream, Wire};

/// Serves a connection to its close. `input` has its first bytes; the connection preface in them is not checked yet.
pub(crate) async fn serve_http2<S: Sys>(client: Box<Client<S>>, input: Buffer) {
    let client = Rc::new(*client);
    let shared = Rc::new(ConnectionShared::default());
    // invariant: the listener is borrowed only here. A connection that kept it would keep the snapshot in which it began
    // alive, and would ignore the settings of later ones.
    let (builder, send_timeout, streams_max) = {
        let listener = client.bound.listener.borrow();
        let http = &listener.plan.http;
        client.stream.set_read_deadline(client.proxy.worker.after(http.header_timeout));
        (builder(http), http.send_timeout, http.http2.concurrent_streams as usize)
    };
    let io = Io::new(Rc::clone(&client), Some(Rc::clone(&shared)), input, send_timeout);
    let Ok(connection) = builder.handshake::<_, Bytes>(io).await else {
        return close_in_stages(&client, Expected::More).await;
    };
    shared.is_established.set(true);
    client.cells().http2_connections.increment();
    let session = Session {
        client: Rc::clone(&client),
        shared: Rc::clone(&shared),
        connection,
        streams_count: 0,
        streams_max,
        goaway_millis: None,
    };
    match session.run().await {
        End::Fault(fault) => {
            client.cells().http2_faults.count(fault.reason());
            observe::event(
                observe::Event::Http2CutOff,
                &[("peer", &client.peer), ("reason", &fault.reason())],
            );
        }
        End::Graceful | End::Lost => {}
    }
    // A client that has taken nothing for the send timeout is not waited for once more. If it has closed, this ends at once.
    if !shared.is_write_blocked.get() {
        close_in_stages(&client, Expected::More).await;
    }
}

/// The settings of a connection. With the frame meter they limit everything that a client can make us store or do.
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
        // A browser may open all its streams and reset them before they are accepted here.
        .max_pending_accept_reset_streams((2 * streams).max(RESET_STREAMS_MIN))
        .max_concurrent_reset_streams(streams.max(RESET_STREAMS_MIN))
        .max_local_error_reset_streams(Some(ERROR_RESETS_MAX))
        .reset_stream_duration(RESET_STREAM_DURATION)
        .enable_connect_protocol();
    builder
}

/// The largest head that the HTTP/1 parser accepts, in the units of RFC 9113 §6.5.2. At most the largest block, since the
/// text of a head must fit into one.
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

/// The connection as its task sees it.
struct Session<S: Sys> {
    client: Rc<Client<S>>,
    shared: Rc<ConnectionShared>,
    connection: Connection<Io<S, Rc<Client<S>>>, Bytes>,
    /// Streams so far.
    streams_count: u32,
    /// limit: concurrent streams.
    streams_max: usize,
    /// When GOAWAY was sent; `None`: it was not.
    goaway_millis: Option<u64>,
}

/// How a connection ended.
enum End {
    /// The client flooded us or violated the protocol.
    Fault(Fault),
    /// After our GOAWAY.
    Graceful,
    /// The client closed the connection, or it failed.
    Lost,
}

/// An event that the connection's task handles.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each request, and a box for it would cost more than the move"
)]
enum Event {
    Stream(Request<RecvStream>, SendResponse<Bytes>),
    /// A read has timed out, or the number of live streams has become zero or is no longer zero.
    Idle,
    /// No more streams are to be accepted: the listener closes, or this connection was chosen for eviction.
    Closing,
    Fault(Fault),
    Closed,
}

impl<S: Sys> Session<S> {
    /// Runs until the connection ends.
    async fn run(mut self) -> End {
        let client = Rc::clone(&self.client);
        let waiter = client.bound.waiters.waiter();
        let mut idle: Option<IdleGuard<'_>> = None;
        loop {
            self.update_idle(&client, &mut idle);
            let was_busy = idle.is_none();
            let event = poll_fn(|context| {
                self.shared.register(context.waker());
                if let Some(fault) = self.shared.fault.get() {
                    return Poll::Ready(Event::Fault(fault));
                }
                let is_last = client.permit().closes_after_response()
                    || client.bound.poll_closes(context, &waiter).is_ready();
                if is_last && !self.is_shutting_down() {
                    return Poll::Ready(Event::Closing);
                }
                match self.poll_connection(context) {
                    Poll::Pending
                        if self.shared.is_read_late.get() || was_busy != (self.shared.live_streams() > 0) =>
                    {
                        Poll::Ready(Event::Idle)
                    }
                    event => event,
                }
            })
            .await;
            match event {
                Event::Stream(request, respond) => self.start_stream(request, respond),
                Event::Idle => {
                    if self.shared.is_read_late.take() && self.is_expired_or_evicted(&client, idle.as_ref()) {
                        match self.is_shutting_down() {
                            false => self.shut_down(),
                            // The last response waits for the client to read; the write deadline limits that.
                            true if self.shared.is_write_blocked.get() => self.set_close_deadline(),
                            true => return End::Graceful,
                        }
                    }
                }
                Event::Closing => self.shut_down(),
                Event::Fault(fault) => {
                    self.shut_down_for(fault).await;
                    return End::Fault(fault);
                }
                Event::Closed if self.is_shutting_down() => return End::Graceful,
                Event::Closed => return End::Lost,
            }
        }
    }

    fn poll_connection(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        // limit: a stream that was reset counts until its task has ended. Otherwise a client could exceed the limit of
        // concurrent streams by resetting them.
        if self.shared.live_streams() >= 2 * self.streams_max {
            return self.connection.poll_closed(context).map(|_| Event::Closed);
        }
        self.connection.poll_accept(context).map(|accepted| match accepted {
            Some(Ok((request, respond))) => Event::Stream(request, respond),
            Some(Err(_)) | None => Event::Closed,
        })
    }

    /// Registers a connection without live streams as idle, so that it can be evicted, and sets its idle deadline. Undoes
    /// both when there are streams.
    fn update_idle<'a>(&self, client: &'a Client<S>, idle: &mut Option<IdleGuard<'a>>) {
        if self.shared.live_streams() > 0 {
            if idle.take().is_some() {
                client.permit().stay();
                client.stream.set_read_deadline(Ticks::NEVER);
                set_idle(client, false);
            }
        } else if idle.is_none() {
            let (proxy, is_new) = (&client.proxy, self.streams_count == 0);
            let timeout = {
                let http = &client.bound.listener.borrow().plan.http;
                match (self.is_shutting_down(), is_new) {
                    (true, _) => CLOSE_TIMEOUT,
                    (false, true) => http.header_timeout,
                    (false, false) => http.keepalive_timeout,
                }
            };
            client.stream.set_read_deadline(proxy.worker.after(timeout));
            set_idle(client, true);
            *idle = Some(client.permit().idle(client.stream.key(), is_new, proxy.now_millis()));
        }
    }

    /// After a timed-out read: whether the idle deadline has passed or the connection was evicted. Otherwise the worker has
    /// only roused it.
    fn is_expired_or_evicted(&self, client: &Client<S>, idle: Option<&IdleGuard<'_>>) -> bool {
        idle.is_some_and(|idle| idle.is_evicted() || !client.stream.has_read_deadline())
    }

    /// Sends GOAWAY. The connection ends with the last stream that the client had opened before it received that.
    fn shut_down(&mut self) {
        if !self.is_shutting_down() {
            self.goaway_millis = Some(self.client.proxy.now_millis());
            self.connection.graceful_shutdown();
            if self.shared.live_streams() == 0 {
                self.set_close_deadline();
            }
        }
    }

    fn is_shutting_down(&self) -> bool {
        self.goaway_millis.is_some()
    }

    /// Whether the client still opens streams long after our GOAWAY. Such a client would otherwise be served without end.
    fn is_goaway_ignored(&self) -> bool {
        let passed = |since| self.client.proxy.now_millis().saturating_sub(since);
        self.goaway_millis.is_some_and(|since| Duration::from_millis(passed(since)) > CLOSE_TIMEOUT)
    }

    /// Limits the wait for the client to close after our GOAWAY.
    fn set_close_deadline(&self) {
        self.client.stream.set_read_deadline(self.client.proxy.worker.after(CLOSE_TIMEOUT));
    }

    /// Sends GOAWAY with the code of `fault`, and waits until it is sent.
    async fn shut_down_for(&mut self, fault: Fault) {
        self.connection.abrupt_shutdown(match fault {
            Fault::Flood(_) => Reason::ENHANCE_YOUR_CALM,
            Fault::Broken(Violation::FrameSize) => Reason::FRAME_SIZE_ERROR,
            Fault::Broken(Violation::Window) => Reason::FLOW_CONTROL_ERROR,
            Fault::Broken(Violation::StreamClosed) => Reason::STREAM_CLOSED,
            Fault::Broken(Violation::Push) => Reason::PROTOCOL_ERROR,
        });
        // limit: the write deadline ends this wait.
        let _ = poll_fn(|context| self.connection.poll_closed(context)).await;
    }

    /// Starts the task of a new stream, unless the stream must be refused.
    fn start_stream(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let listener = Rc::clone(&self.client.bound.listener.borrow());
        let http = &listener.plan.http;
        let number = self.streams_count;
        self.streams_count = self.streams_count.saturating_add(1);
        if self.streams_count >= http.keepalive_requests {
            self.shut_down();
        }
        // The client has already reset the stream: the request must cost nothing, above all no target.
        if respond.poll_reset(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        if self.is_goaway_ignored() {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        let (parts, body) = request.into_parts();
        let Some((facts, input)) = self.translate(&parts, &body, &mut respond, http) else { return };
        let worker = &self.client.proxy.worker;
        let stream = ClientStream::new(worker, &self.shared, body, respond, facts);
        let client = Client::for_stream(&self.client, Stream::http2_client(stream), number);
        worker.spawn(serve_stream(Box::new(client), input, self.shared.count_stream()));
    }

    /// Converts the head to HTTP/1.1 text. If it has no such form, refuses the request and returns `None`.
    fn translate(
        &self,
        head: &http::request::Parts,
        body: &RecvStream,
        respond: &mut SendResponse<Bytes>,
        http: &HttpSettings,
    ) -> Option<(RequestFacts, Buffer)> {
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
                    send_empty_response(respond, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
                    return None;
                }
                let method = Method::of(head.method.as_str().as_bytes());
                let accept = handshake.map(|handshake| handshake.accept);
                Some((RequestFacts { method, framing, accept }, input))
            }
            Err(Refused::Malformed(_)) => {
                respond.send_reset(Reason::PROTOCOL_ERROR);
                None
            }
            Err(Refused::Protocol) => {
                send_empty_response(respond, StatusCode::NOT_IMPLEMENTED);
                None
            }
        }
    }

    fn nonce(&self) -> [u8; 16] {
        self.client.proxy.nonces.borrow_mut().next().to_le_bytes()
    }
}

fn set_idle<S: Sys>(client: &Client<S>, is_idle: bool) {
    if let Some(wire) = client.stream.wire() {
        wire.socket().set_idle(is_idle);
    }
}

/// The task of a stream: serves its one request. The drop of the client ends or resets the stream.
async fn serve_stream<S: Sys>(client: Box<Client<S>>, input: Buffer, guard: StreamGuard) {
    let (client, _) = request_slot::serve(client, input).await;
    drop(client);
    drop(guard);
}

/// Sends a response without a body, to a request that cannot be converted to text.
fn send_empty_response(respond: &mut SendResponse<Bytes>, status: StatusCode) {
    let mut response = Response::new(());
    *response.status_mut() = status;
    // This fails if the client has reset the stream, and then no response is needed.
    let _ = respond.send_response(response, true);
}

/// limit: bytes of one frame; the smallest value that RFC 9113 allows.
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// limit: bytes of one stream that wait to be sent.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// limit: streams that were reset and that `h2` keeps. This is the smallest limit; it grows with `concurrent_streams`.
const RESET_STREAMS_MIN: usize = 20;
/// limit: streams that we reset for the client's errors, before the connection is ended (CVE-2025-8671).
const ERROR_RESETS_MAX: usize = 100;
/// How long `h2` keeps a stream that was reset, to ignore frames that are still in flight.
const RESET_STREAM_DURATION: Duration = Duration::from_secs(5);
/// How long the client may take to close after our GOAWAY.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

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
