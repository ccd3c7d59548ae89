//! A client's connection, from accept to close.
//!
//! [`accept()`] takes a permit, accepts a connection and spawns [`serve`]. That reads the PROXY header, if one is due, makes
//! the TLS handshake, finds out which protocol the client speaks, and serves requests. Between requests the connection is
//! idle: then it holds its socket, the future of `serve` and nothing else, and may be evicted for another connection.

mod accept;
mod atomics;
mod client;
pub(crate) mod free_slots;
pub(crate) mod idle_connections;
pub(crate) mod limit;
pub(crate) mod permit;
mod protocol;
mod proxy_header;
pub(crate) mod request_slot;
pub(crate) mod revocation_watch;
mod tls;
mod wait;
pub(crate) mod waiters;

use net::{Buffer, Sys};
use observe::Refusal;

pub(crate) use self::accept::accept;
pub(crate) use self::client::Client;
use self::protocol::Protocol;
use self::tls::{Opened, secure, take_rest};
use self::wait::{first_timeout, wait_for_request};
use crate::http::Next;
use crate::http2::serve_http2;

/// Serves a connection until it closes.
// limit: this future and its box are what an idle connection holds. Larger futures are boxed apart, and at most one
// wait is alive at a time.
pub(crate) async fn serve<S: Sys>(mut client: Box<Client<S>>) {
    let is_header_due = proxy_header::is_due(&client.bound, client.peer);
    if is_header_due || client.bound.listener.borrow().plan.tls.is_some() {
        match Box::pin(open(client, is_header_due)).await {
            Some(back) => client = back,
            None => return,
        }
    }
    loop {
        let Some(input) = wait_for_request(&client).await else { return };
        if Protocol::of(&client, &input) == Protocol::Http1 {
            client.permit().stay();
            match request_slot::serve(client, input).await {
                (back, Next::Idle) => client = back,
                (_, Next::Close) => return,
            }
        } else {
            match Box::pin(serve_first(client, input)).await {
                Some(back) => client = back,
                None => return,
            }
        }
    }
}

/// Does what comes before the first request: reads a PROXY header that is due, makes the TLS handshake. Serves the
/// requests that came with it. `None`: the connection ends.
async fn open<S: Sys>(mut client: Box<Client<S>>, is_header_due: bool) -> Option<Box<Client<S>>> {
    let mut input = Buffer::new();
    if is_header_due {
        input = proxy_header::read(&mut client).await?;
        // Without a client's address the connection would be counted for the proxy that sent the header.
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
    if input.is_empty() { Some(client) } else { serve_first(client, input).await }
}

/// Serves a connection by its first bytes, until it is idle between requests. `None`: the connection ends.
async fn serve_first<S: Sys>(client: Box<Client<S>>, mut input: Buffer) -> Option<Box<Client<S>>> {
    client.permit().stay();
    match Protocol::read(&client, &mut input).await {
        Protocol::Http1 | Protocol::Undecided => {
            let (client, next) = request_slot::serve(client, input).await;
            (next == Next::Idle).then_some(client)
        }
        Protocol::Http2 => {
            serve_http2(client, input).await;
            None
        }
        // No reply: the client waits for a TLS record and would not understand it.
        Protocol::Tls => {
            client.cells().connections_refused.count(Refusal::Tls);
            take_rest(&client).await;
            None
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
        assert!(bytes <= 272, "{bytes}");
    }
}
