//! Waits of a connection that has no request: for its first byte, and for the next request.

use std::io;
use std::time::Duration;

use net::{Buffer, SMALL, Sys};

use super::client::Client;
use crate::io_error;

/// Waits until a request begins, and returns the bytes that were read. `None`: the connection closes.
pub(super) async fn wait_for_request<S: Sys>(client: &Client<S>) -> Option<Buffer> {
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
            // invariant: only a byte begins a request. A stream counts as readable until a read finds it empty. A silent
            // connection must stay idle, or a stop could not rouse it.
            Ok(()) => {
                let mut input = Buffer::new();
                match client.stream.try_fill(&mut input, SMALL) {
                    None => {}
                    Some(Ok(0)) => return None,
                    Some(Err(error)) if io_error::is_dead(&error) => {
                        client.cells().dead_peers.increment();
                        return None;
                    }
                    Some(Ok(_)) if client.requests > 0 && is_empty_line(&input) => {}
                    // An error shows again when the head is read.
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

/// How long a new connection may be silent.
pub(super) fn first_timeout<S: Sys>(client: &Client<S>) -> Duration {
    let listener = client.bound.listener.borrow();
    let timeout = match &listener.plan.tls {
        Some(tls) if client.tls().is_none() => tls.handshake_timeout,
        _ => listener.plan.edge.first_timeout,
    };
    // A new connection may have a request on the way.
    if client.bound.closing.get() { timeout.min(FIRST_REQUEST_WHEN_CLOSING) } else { timeout }
}

/// True if a wait ended only because another bound listener closed and all idle connections were roused.
pub(super) fn goes_on<S: Sys>(client: &Client<S>, error: &io::Error) -> bool {
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

/// The bytes of a request that came just before the connection closes; the request is served.
fn last_request<S: Sys>(client: &Client<S>) -> Option<Buffer> {
    client.stream.forget_late();
    let mut input = Buffer::new();
    match client.stream.try_fill(&mut input, SMALL) {
        Some(Ok(count)) if count > 0 && !is_empty_line(&input) => Some(input),
        _ => None,
    }
}

/// Whether these bytes begin no request, but end the one before: old clients send a CRLF behind a body (RFC 9112 §2.2). A
/// connection on which no more comes is idle.
pub(crate) fn is_empty_line(input: &Buffer) -> bool {
    input.bytes() == b"\r\n"
}

const FIRST_REQUEST_WHEN_CLOSING: Duration = Duration::from_secs(1);
