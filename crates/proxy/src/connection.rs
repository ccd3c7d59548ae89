//! A client's connection: idle, in use, closed.

mod accept;
mod atomics;
mod client;
pub(crate) mod idle_connections;
pub(crate) mod limit;
pub(crate) mod permit;
mod proxy_header;
pub(crate) mod request_slot;
pub(crate) mod revocation_watch;
mod tls;
mod wait;
pub(crate) mod waiters;

use net::{Buffer, SMALL, Sys};
use observe::Refusal;

pub(crate) use self::accept::accept;
pub(crate) use self::client::Client;
use self::request_slot::RequestSlots;
use self::tls::{Opened, secure, take_rest};
use self::wait::{first_timeout, wait_for_request};
use crate::http::Next;
use crate::http2::serve_http2;

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
