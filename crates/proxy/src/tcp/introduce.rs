//! The PROXY header with which a connection to a target begins (L47): it names the client, which the target does not see.

use std::io;

use model::ProxyVersion;
use net::{Buffer, Sys};
use proto::proxy_protocol::{Ends, Ssl, Told, Transport, Values, write_v1, write_v2};

use super::exchange::TcpExchange;
use crate::stream::Stream;

/// Sends the header together with `input`, what the client has sent so far.
///
/// # Errors
/// Those of the connection to the target. A part may have gone, so no other target may be tried.
pub(super) async fn introduce<S: Sys>(
    exchange: &TcpExchange<'_, S>,
    version: ProxyVersion,
    target: &Stream<S>,
    input: &mut Buffer,
) -> io::Result<()> {
    let mut header = Buffer::new();
    header.extend(&header_of(exchange, version)).map_err(|_| io::ErrorKind::OutOfMemory)?;
    exchange.meter.up.set(exchange.meter.up.get() + input.len() as u64);
    target.write_all(&mut header, input).await
}

fn header_of<S: Sys>(exchange: &TcpExchange<'_, S>, version: ProxyVersion) -> Vec<u8> {
    let (ends, mut header) = (ends(exchange), Vec::new());
    match version {
        ProxyVersion::V1 => write_v1(ends, &mut header),
        ProxyVersion::V2 => {
            let told = ends.map_or(Told::Unknown, Told::Ends);
            let facts = exchange.arrival.security.tls_facts();
            let identity = facts.and_then(|facts| facts.identity.as_ref());
            let common_name = identity.and_then(tls::Identity::common_name);
            let version = facts.map(|facts| format!("TLSv{}", facts.version));
            let ssl = facts.map(|facts| Ssl {
                is_tls: true,
                has_certificate: identity.is_some(),
                has_session_certificate: identity.is_some(),
                is_verified: identity.is_some(),
                version: version.as_deref(),
                common_name: common_name.as_deref(),
                cipher: Some(facts.suite),
            });
            let seen = exchange.hello.as_ref().and_then(|hello| hello.server_name.as_deref());
            let values = Values {
                alpn: facts.and_then(|facts| facts.protocol.as_deref()),
                authority: facts.and_then(|facts| facts.server_name.as_deref()).or(seen),
                unique_id: None,
                ssl,
            };
            // A client chooses how long its names are. Addresses alone always fit.
            if write_v2(told, Transport::Stream, &values, false, &mut header).is_err() {
                let _ = write_v2(told, Transport::Stream, &Values::default(), false, &mut header);
            }
        }
    }
    header
}

/// The client, and the address at which it arrived; `None` if either is not known.
fn ends<S: Sys>(exchange: &TcpExchange<'_, S>) -> Option<Ends> {
    let (client, arrival) = (exchange.client, &exchange.arrival);
    if !arrival.is_peer_known {
        return None;
    }
    let destination = match &client.passed_on {
        Some(passed_on) => passed_on.destination?,
        None => client.stream.wire()?.socket().local_address().ok()?,
    };
    Some(Ends { source: arrival.peer, destination })
}
