//! The PROXY header: a proxy in front of us sends the client's address before the first byte (L47).
//!
//! Whether a connection begins with a header is never guessed: the config names the peers that must send one. From other
//! peers the same bytes are a malformed request.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

use net::{Buffer, SMALL, Sys};
use observe::{Event, ProxyHeader};
use proto::proxy_protocol::{HeaderError, Progress, Told, parse};

use super::client::{Client, PassedOn};
use super::permit::IdleGuard;
use super::wait::{first_timeout, goes_on};
use crate::local::BoundListener;

/// True if connections from `peer` must begin with a header.
pub(crate) fn is_due<S: Sys>(bound: &BoundListener<S>, peer: SocketAddr) -> bool {
    let listener = bound.listener.borrow();
    let senders = &listener.plan.proxy_protocol;
    !senders.is_empty() && senders.iter().any(|range| range.contains(peer.ip()))
}

/// Reads the header, and returns the bytes that came with it. `None`: there was no valid header, and the connection
/// closes without a reply.
pub(crate) async fn read<S: Sys>(client: &mut Client<S>) -> Option<Buffer> {
    match receive(client).await {
        Ok((told, rest)) => {
            let result = take(client, told);
            client.cells().proxy_headers.count(result);
            Some(rest)
        }
        Err(Refusal { result, detail }) => {
            client.cells().proxy_headers.count(result);
            if result != ProxyHeader::Closed {
                observe::event(
                    Event::ProxyHeaderRefused,
                    &[("peer", &client.peer), ("result", &result.as_str()), ("detail", &detail)],
                );
            }
            None
        }
    }
}

/// Replaces the peer's address by the one in the header.
fn take<S: Sys>(client: &mut Client<S>, told: Told) -> ProxyHeader {
    let by = client.peer;
    match told {
        Told::Own => ProxyHeader::NoAddress,
        Told::Unknown => {
            client.passed_on = Some(Rc::new(PassedOn { by, destination: None }));
            ProxyHeader::NoAddress
        }
        Told::Ends(ends) => {
            client.passed_on = Some(Rc::new(PassedOn { by, destination: Some(ends.destination) }));
            client.peer = ends.source;
            ProxyHeader::Address
        }
    }
}

struct Refusal {
    result: ProxyHeader,
    detail: &'static str,
}

async fn receive<S: Sys>(client: &Client<S>) -> Result<(Told, Buffer), Refusal> {
    client.stream.set_read_deadline(client.proxy.worker.after(first_timeout(client)));
    let mut input = Buffer::new();
    let mut silent = Some(client.permit().idle(client.stream.key(), true, client.proxy.now_millis()));
    loop {
        let ready = client.stream.idle().await;
        let is_evicted = silent.as_ref().is_some_and(IdleGuard::is_evicted);
        match ready {
            Ok(()) => {}
            // A header that came just as the connection was evicted is read.
            Err(_) if is_evicted => client.stream.forget_late(),
            Err(error) if goes_on(client, &error) => continue,
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                return Err(Refusal { result: ProxyHeader::TimedOut, detail: "" });
            }
            Err(_) => return Err(closed(&input)),
        }
        match client.stream.try_fill(&mut input, SMALL) {
            None if is_evicted => return Err(closed(&input)),
            None => continue,
            Some(Ok(count)) if count > 0 => {
                if silent.take().is_some() {
                    client.permit().stay();
                }
            }
            Some(_) => return Err(closed(&input)),
        }
        match parse(input.bytes()) {
            Ok(Progress::NeedMore) => input.shrink(),
            Ok(Progress::Complete { told, header_bytes }) => {
                input.consume(header_bytes);
                return Ok((told, input));
            }
            Err(HeaderError::Missing) => return Err(Refusal { result: ProxyHeader::Missing, detail: "" }),
            Err(HeaderError::Malformed(detail)) => {
                return Err(Refusal { result: ProxyHeader::Malformed, detail });
            }
        }
    }
}

/// A connection that closes without a byte, such as a port scan, is not logged.
fn closed(input: &Buffer) -> Refusal {
    let result = if input.is_empty() { ProxyHeader::Closed } else { ProxyHeader::Malformed };
    Refusal { result, detail: "closed within the header" }
}
