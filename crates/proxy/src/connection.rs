//! A client's connection: idle, in use, closed.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use balance::connection_limit::ClientLimit;
use net::{Buffer, SMALL, Sys};
use observe::{ListenerCells, Refusal};

use crate::arrival::{Arrival, Security};
use crate::http::Next;
use crate::http2::serve_http2;
use crate::io_error;
use crate::local::BoundListener;
use crate::permit::Permit;
use crate::proxy_header::{self, PassedOn};
use crate::relay::End;
use crate::request_slot::RequestSlots;
use crate::secure::{Opened, secure, take_rest};
use crate::stream::{Stream, Tls, Wire};
use crate::worker::Proxy;

/// A client's connection and where it came in.
pub(crate) struct Client<S: Sys> {
    pub(crate) proxy: Rc<Proxy<S>>,
    pub(crate) bound: Rc<BoundListener<S>>,
    pub(crate) stream: Stream<S>,
    /// Who connected, or in whose name by a PROXY header.
    pub(crate) peer: SocketAddr,
    pub(crate) passed_on: Option<Rc<PassedOn>>,
    /// Requests so far.
    pub(crate) requests: u32,
    /// The client was told that the connection ends with this response: it may close its side.
    pub(crate) is_dismissed: Cell<bool>,
    /// It speaks plain HTTP where TLS is spoken.
    pub(crate) is_plain: bool,
    // invariant: it is dropped after the stream: a permit is given back when its connection is closed.
    pub(crate) held: Held<S>,
}

/// What a client's requests come by.
pub(crate) enum Held<S: Sys> {
    /// A connection of its own, with its permit of the listener that accepted it, which a reload may replace.
    Connection(Permit),
    /// One of the streams of this connection.
    Stream(Rc<Client<S>>),
}

impl<S: Sys> Client<S> {
    pub(crate) fn cells(&self) -> &ListenerCells {
        self.permit().cells()
    }

    pub(crate) fn permit(&self) -> &Permit {
        match &self.held {
            Held::Connection(permit) => permit,
            Held::Stream(connection) => connection.permit(),
        }
    }

    /// See [`Permit::count`].
    pub(crate) fn count(&mut self, client: IpAddr) -> Result<(), ClientLimit> {
        match &mut self.held {
            Held::Connection(permit) => permit.count(client),
            Held::Stream(_) => Ok(()),
        }
    }

    /// One of the streams of `connection`, which came as its `number`-th, counted from 0.
    pub(crate) fn for_stream(connection: &Rc<Self>, stream: Stream<S>, number: u32) -> Self {
        Self {
            proxy: Rc::clone(&connection.proxy),
            bound: Rc::clone(&connection.bound),
            stream,
            peer: connection.peer,
            passed_on: connection.passed_on.clone(),
            requests: number,
            is_dismissed: Cell::new(false),
            is_plain: false,
            held: Held::Stream(Rc::clone(connection)),
        }
    }

    /// Whether the request came as one of a connection's streams (HTTP/2).
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.held, Held::Stream(_))
    }

    /// The TLS session of the connection.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match &self.held {
            Held::Connection(_) => self.stream.wire().and_then(Wire::tls),
            Held::Stream(connection) => connection.tls(),
        }
    }

    /// Whether the response that is about to go is the connection's last.
    pub(crate) fn is_last(&self) -> bool {
        self.bound.closing.get() || self.permit().announce_close()
    }

    /// The facts of the connection on which decisions depend.
    pub(crate) fn arrival(&self) -> Arrival {
        Arrival {
            peer: self.peer,
            socket_peer: self.connected(),
            port: self.port(),
            is_peer_known: !self.is_nameless(),
            security: match self.tls().and_then(Tls::agreed) {
                Some(agreed) => Security::Tls(Rc::clone(agreed)),
                None if self.is_plain => Security::PlainOnTls,
                None => Security::Plain,
            },
            is_http2: self.is_stream(),
        }
    }

    /// The connection as one end of an exchange.
    pub(crate) fn end(&self) -> End<'_, S> {
        End::new(&self.stream)
    }

    /// The other end of the socket.
    pub(crate) fn connected(&self) -> SocketAddr {
        self.passed_on.as_ref().map_or(self.peer, |passed_on| passed_on.by)
    }

    /// The port at which the client arrived.
    pub(crate) fn port(&self) -> u16 {
        let told = self.passed_on.as_ref().and_then(|passed_on| passed_on.destination);
        told.unwrap_or(self.bound.address).port()
    }

    /// The connection was passed on, and nobody says for whom.
    pub(crate) fn is_nameless(&self) -> bool {
        self.passed_on.as_ref().is_some_and(|passed_on| passed_on.destination.is_none())
    }
}

/// From accept to close. Between requests this future, its socket and nothing else is held.
pub(crate) async fn serve<S: Sys>(mut client: Box<Client<S>>) {
    let is_due = proxy_header::is_due(&client.bound, client.peer);
    if is_due || client.bound.listener.borrow().plan.tls.is_some() {
        match Box::pin(open(client, is_due)).await {
            Some(back) => client = back,
            None => return,
        }
    }
    loop {
        // Nothing but the client and one wait is alive at a time: what is more stands in every idle connection.
        let served = match wait_for_request(&client).await {
            Some(input) if is_undecided(&client, &input) => match Box::pin(decide(client, input)).await {
                Some(back) => {
                    client = back;
                    continue;
                }
                None => return,
            },
            Some(input) if speaks_http2(&client, &input) => {
                client.permit().stay();
                return Box::pin(serve_http2(client, input)).await;
            }
            Some(input) if speaks_tls(&client, &input) => return Box::pin(refuse_tls(client)).await,
            Some(input) => {
                client.permit().stay();
                RequestSlots::serve(client, input)
            }
            None => return,
        };
        match served.await {
            (back, Next::Idle) => client = back,
            (_, Next::Close) => return,
        }
    }
}

/// Whether a connection begins as HTTP/2 does (RFC 9113 §3.4), which under TLS is agreed on by ALPN. No method of
/// HTTP/1.1 has this name.
fn speaks_http2<S: Sys>(client: &Client<S>, input: &Buffer) -> bool {
    client.requests == 0
        && client.tls().is_none()
        && input.bytes().starts_with(b"PRI ")
        && client.bound.listener.borrow().plan.http.http2.is_enabled
}

/// Whether what has come so far could be either.
fn is_undecided<S: Sys>(client: &Client<S>, input: &Buffer) -> bool {
    let (bytes, preface) = (input.bytes(), b"PRI ");
    client.requests == 0
        && client.tls().is_none()
        && bytes.len() < preface.len()
        && preface.starts_with(bytes)
        && client.bound.listener.borrow().plan.http.http2.is_enabled
}

/// Reads until it is clear which version the client speaks, and serves it; `None`: the connection ends.
async fn decide<S: Sys>(client: Box<Client<S>>, mut input: Buffer) -> Option<Box<Client<S>>> {
    client.permit().stay();
    let timeout = client.bound.listener.borrow().plan.http.header_timeout;
    client.stream.set_read_deadline(client.proxy.worker.after(timeout));
    while is_undecided(&client, &input) {
        match client.stream.fill(&mut input, SMALL).await {
            Ok(count) if count > 0 => {}
            // It shows again where the head is read.
            _ => break,
        }
    }
    if speaks_http2(&client, &input) {
        serve_http2(client, input).await;
        return None;
    }
    let (client, next) = RequestSlots::serve(client, input).await;
    (next == Next::Idle).then_some(client)
}

/// Whether a connection begins as a TLS handshake does where none is spoken (TLS4). No request begins so.
fn speaks_tls<S: Sys>(client: &Client<S>, input: &Buffer) -> bool {
    client.requests == 0 && client.tls().is_none() && matches!(input.bytes(), [0x16] | [0x16, 3, ..])
}

/// Whoever speaks TLS would not understand an answer.
async fn refuse_tls<S: Sys>(client: Box<Client<S>>) {
    client.permit().stay();
    client.cells().connections_refused.count(Refusal::Tls);
    take_rest(&client).await;
}

/// What comes before the first request: a PROXY header that is due, the TLS handshake. Serves what came with it; `None`:
/// the connection ends.
async fn open<S: Sys>(mut client: Box<Client<S>>, is_header_due: bool) -> Option<Box<Client<S>>> {
    let mut input = Buffer::new();
    if is_header_due {
        input = proxy_header::read(&mut client).await?;
        // Who is passed on without a name would be counted for who passes him on.
        let peer = client.peer.ip();
        if !client.is_nameless() && client.count(peer).is_err() {
            client.cells().connections_refused.count(Refusal::ClientLimit);
            return None;
        }
    }
    let is_tls = client.bound.listener.borrow().plan.tls.is_some();
    if is_tls {
        let deadline = client.proxy.worker.after(first_timeout(&client));
        if input.is_empty() {
            input = wait_for_request(&client).await?;
            client.permit().stay();
        }
        input = match secure(&mut client, input, deadline).await {
            Opened::Secure { is_http2: true } => {
                serve_http2(client, Buffer::new()).await;
                return None;
            }
            Opened::Secure { is_http2: false } => Buffer::new(),
            Opened::Plain(input) => {
                client.is_plain = true;
                input
            }
            Opened::Ended => return None,
        };
    }
    if input.is_empty() {
        return Some(client);
    }
    if speaks_tls(&client, &input) {
        refuse_tls(client).await;
        return None;
    }
    if speaks_http2(&client, &input) {
        serve_http2(client, input).await;
        return None;
    }
    let (client, next) = RequestSlots::serve(client, input).await;
    (next == Next::Idle).then_some(client)
}

/// Waits for the first byte of a request; `None`: the connection ends instead. The buffer holds what had to be read to
/// know.
async fn wait_for_request<S: Sys>(client: &Client<S>) -> Option<Buffer> {
    let timeout = if client.requests == 0 {
        first_timeout(client)
    } else if client.bound.closing.get() {
        return last_request(client);
    } else {
        client.bound.listener.borrow().plan.http.keepalive_timeout
    };
    client.stream.set_read_deadline(client.proxy.worker.after(timeout));
    let idle = client.permit().idle(client.stream.key(), client.requests == 0, client.proxy.now_millis());
    loop {
        match client.stream.idle().await {
            // invariant: only a byte begins a request. A stream counts as readable until a read finds it empty; who
            // says nothing must stay idle, or a stop could not rouse it.
            Ok(()) => {
                let mut input = Buffer::new();
                match client.stream.try_fill(&mut input, SMALL) {
                    None => {}
                    Some(Ok(0)) => return None,
                    Some(Err(error)) if io_error::is_dead(&error) => {
                        client.cells().dead_peers.increment();
                        return None;
                    }
                    // An error shows again where the head is read.
                    Some(_) => return Some(input),
                }
            }
            Err(_) if idle.is_evicted() => return last_request(client),
            Err(error) if goes_on(client, &error) => {}
            Err(_) if client.bound.closing.get() && client.requests > 0 => return last_request(client),
            Err(_) => return None,
        }
    }
}

/// How long a new connection may say nothing.
pub(crate) fn first_timeout<S: Sys>(client: &Client<S>) -> Duration {
    let listener = client.bound.listener.borrow();
    let timeout = match &listener.plan.tls {
        Some(tls) if client.tls().is_none() => tls.handshake_timeout,
        _ => listener.plan.http.header_timeout,
    };
    // Who has only just come may have a request on the way.
    if client.bound.closing.get() { timeout.min(FIRST_REQUEST_WHEN_CLOSING) } else { timeout }
}

/// Whether a wait that ended with `error` was only roused, because some bound closes, and goes on.
pub(crate) fn goes_on<S: Sys>(client: &Client<S>, error: &io::Error) -> bool {
    let is_roused = error.kind() == io::ErrorKind::TimedOut && client.stream.has_read_deadline();
    match (is_roused, client.bound.closing.get()) {
        (false, _) => false,
        (true, false) => {
            client.stream.forget_late();
            true
        }
        (true, true) if client.requests == 0 => {
            client.stream.set_read_deadline(client.proxy.worker.after(FIRST_REQUEST_WHEN_CLOSING));
            true
        }
        (true, true) => false,
    }
}

/// A request that came just as the connection was to be closed is served.
fn last_request<S: Sys>(client: &Client<S>) -> Option<Buffer> {
    client.stream.forget_late();
    let mut input = Buffer::new();
    match client.stream.try_fill(&mut input, SMALL) {
        Some(Ok(count)) if count > 0 => Some(input),
        _ => None,
    }
}

impl<S: Sys> Drop for Client<S> {
    fn drop(&mut self) {
        if let Held::Connection(permit) = &self.held {
            permit.cells().connections_open.decrement();
            self.proxy.connection_closed();
        }
    }
}

const FIRST_REQUEST_WHEN_CLOSING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use net::Linux;

    fn size_of_future<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_an_idle_connection_holds_is_small() {
        let bytes = size_of_future(super::serve::<Linux>) + size_of::<super::Client<Linux>>();
        assert!(bytes <= 272, "{bytes}");
    }
}
