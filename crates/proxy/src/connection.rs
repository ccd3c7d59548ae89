//! A client's connection, from accept to close.
//!
//! [`accept()`] takes a permit, accepts a connection and spawns [`serve`]. That reads the PROXY header, if one is due, makes
//! the TLS handshake, finds out which protocol the client speaks, and serves requests; or it passes the bytes on, if the
//! listener's service is TCP. Between requests the connection is
//! idle: then it holds its socket, the future of `serve` and nothing else, and may be evicted for another connection.

mod accept;
mod accept_error;
pub(crate) mod atomics;
mod client;
mod close;
pub(crate) mod free_slots;
pub(crate) mod idle_connections;
pub(crate) mod limit;
pub(crate) mod permit;
mod protocol;
mod proxy_header;
mod refused;
pub(crate) mod request_slot;
pub(crate) mod revocation_watch;
mod tls;
mod wait;
pub(crate) mod waiters;

use std::pin::Pin;

use net::{Buffer, Sys};
use observe::Refusal;

pub(crate) use self::accept::accept;
pub(crate) use self::client::Client;
use self::close::close;
pub(crate) use self::close::{Expected, close_in_stages};
use self::protocol::Protocol;
use self::refused::refused;
use self::tls::{Opened, secure};
pub(crate) use self::wait::is_empty_line;
use self::wait::{first_timeout, wait_for_request};
use crate::http::Next;
use crate::http2::serve_http2;
use crate::tcp;

/// Serves a connection until it closes.
// limit: this future and its box are what an idle connection holds. Larger futures are boxed apart, and at most one
// wait is alive at a time.
pub(crate) async fn serve<S: Sys>(client: Box<Client<S>>) {
    let is_header_due = proxy_header::is_due(&client.bound, client.peer);
    let is_open_due = is_header_due || client.bound.listener.borrow().plan.tls.is_some();
    let mut served = match is_open_due {
        true => Box::pin(open(client, is_header_due)).await,
        false => Served::new(client, Buffer::new()),
    };
    let rest = loop {
        let client = match served {
            Served::Idle(client) => client,
            Served::Ends(client, expected) => break close(client, expected),
            Served::Apart(story) => break Some(*story),
            Served::Closed => break None,
        };
        let Some(input) = wait_for_request(&client).await else { break close(client, Expected::Nothing) };
        served = if Protocol::of(&client, &input) == Protocol::Http1 {
            client.permit().stay();
            Served::after(request_slot::serve(client, input).await)
        } else {
            Box::pin(serve_first(client, input)).await
        };
    };
    if let Some(rest) = rest {
        rest.await;
    }
}

/// What became of a connection.
enum Served<S: Sys> {
    /// It waits for a request.
    Idle(Box<Client<S>>),
    /// Another story serves it to its end. Boxed twice for a moment: a wider variant would make every idle connection larger.
    Apart(Box<Story>),
    /// It is to be closed.
    Ends(Box<Client<S>>, Expected),
    /// It is closed, or nothing has been sent that a reset could destroy.
    Closed,
}

type Story = Pin<Box<dyn Future<Output = ()>>>;

impl<S: Sys> Served<S> {
    /// A connection that begins. `input` is what the client has sent of its bytes, if they are to be passed on.
    fn new(client: Box<Client<S>>, input: Buffer) -> Self {
        if !is_tcp(&client) {
            return Self::Idle(client);
        }
        client.stream.count_for(client.permit().traffic(), input.len());
        Self::Apart(Box::new(Box::pin(tcp::serve(client, input))))
    }

    fn after((client, next): (Box<Client<S>>, Next)) -> Self {
        match next {
            Next::Idle => Self::Idle(client),
            Next::Close { expected } => Self::Ends(client, expected),
            Next::Reset => Self::Closed,
        }
    }
}

/// Does what comes before the first request: reads a PROXY header that is due, makes the TLS handshake. Serves the
/// requests that came with it.
async fn open<S: Sys>(mut client: Box<Client<S>>, is_header_due: bool) -> Served<S> {
    let mut input = Buffer::new();
    if is_header_due {
        let Some(rest) = proxy_header::read(&mut client).await else { return Served::Closed };
        input = rest;
        // Without a client's address the connection would be counted for the proxy that sent the header.
        let peer = client.peer.ip();
        if !client.is_nameless() && client.count(peer).is_err() {
            refused(client.cells(), &client.bound, client.peer, Refusal::ClientLimit);
            if is_tcp(&client) {
                client.stream.abort_on_close();
            }
            return Served::Closed;
        }
    }
    let is_tls = client.bound.listener.borrow().plan.tls.is_some();
    if is_tls {
        let deadline = client.proxy.worker.after(first_timeout(&client));
        if input.is_empty() {
            let Some(first) = wait_for_request(&client).await else { return Served::Closed };
            input = first;
            client.permit().stay();
        }
        input = match secure(&mut client, input, deadline).await {
            Opened::Secure { is_http2: true } => {
                serve_http2(client, Buffer::new()).await;
                return Served::Closed;
            }
            Opened::Secure { is_http2: false } => Buffer::new(),
            Opened::Plain(_) if is_tcp(&client) => return Served::Closed,
            Opened::Plain(input) => {
                client.is_plain = true;
                input
            }
            Opened::Ended { is_told: true } => return Served::Ends(client, Expected::More),
            Opened::Ended { is_told: false } => return Served::Closed,
        };
    }
    if input.is_empty() || is_tcp(&client) {
        Served::new(client, input)
    } else {
        serve_first(client, input).await
    }
}

/// Whether the bytes of a connection that begins now are passed on as they are.
fn is_tcp<S: Sys>(client: &Client<S>) -> bool {
    client.bound.listener.borrow().plan.is_tcp()
}

/// Serves a connection by its first bytes, until it is idle between requests or ends.
async fn serve_first<S: Sys>(client: Box<Client<S>>, mut input: Buffer) -> Served<S> {
    client.permit().stay();
    match Protocol::read(&client, &mut input).await {
        Protocol::Http1 | Protocol::Undecided => Served::after(request_slot::serve(client, input).await),
        Protocol::Http2 => {
            serve_http2(client, input).await;
            Served::Closed
        }
        // No reply: the client waits for a TLS record and would not understand it.
        Protocol::Tls => {
            refused(client.cells(), &client.bound, client.peer, Refusal::Tls);
            Served::Ends(client, Expected::More)
        }
    }
}

#[cfg(test)]
mod tests {
    use net::Linux;

    fn size_of_future<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_an_idle_connection_holds_is_small() {
        let bytes = size_of_future(super::serve::<Linux>) + size_of::<super::Client<Linux>>();
        assert!(bytes <= 280, "{bytes}");
    }
}
