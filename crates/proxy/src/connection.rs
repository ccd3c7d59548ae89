//! A client's connection, from accept to close.
//!
//! [`accept()`] takes a permit, accepts a connection and spawns [`serve`]. That reads the PROXY header, if one is due, makes
//! the TLS handshake, finds out which protocol the client speaks, and serves requests. Between requests the connection is
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

/// Serves a connection until it closes.
// limit: this future and its box are what an idle connection holds. Larger futures are boxed apart, and at most one
// wait is alive at a time.
pub(crate) async fn serve<S: Sys>(client: Box<Client<S>>) {
    let is_header_due = proxy_header::is_due(&client.bound, client.peer);
    let is_open_due = is_header_due || client.bound.listener.borrow().plan.tls.is_some();
    let mut served = match is_open_due {
        true => Box::pin(open(client, is_header_due)).await,
        false => Served::Idle(client),
    };
    let closing = loop {
        let client = match served {
            Served::Idle(client) => client,
            Served::Ends(client, expected) => break close(client, expected),
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
    if let Some(closing) = closing {
        closing.await;
    }
}

/// What became of a connection.
enum Served<S: Sys> {
    /// It waits for a request.
    Idle(Box<Client<S>>),
    /// It is to be closed.
    Ends(Box<Client<S>>, Expected),
    /// It is closed, or nothing has been sent that a reset could destroy.
    Closed,
}

impl<S: Sys> Served<S> {
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
            Opened::Plain(input) => {
                client.is_plain = true;
                input
            }
            Opened::Ended { is_told: true } => return Served::Ends(client, Expected::More),
            Opened::Ended { is_told: false } => return Served::Closed,
        };
    }
    if input.is_empty() { Served::Idle(client) } else { serve_first(client, input).await }
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
