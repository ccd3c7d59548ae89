//! Connections that are refused or must wait, and handshakes that fail: counted, and told to operators.

use std::net::SocketAddr;

use balance::connection_limit::Scope;
use net::Sys;
use observe::{Event, Fields, Handshake, ListenerCells, Refusal};

use crate::local::{BoundListener, LocalListener};

/// Counts and tells of a connection from `peer` that is refused.
#[cold]
pub(super) fn refused<S: Sys>(
    cells: &ListenerCells,
    bound: &BoundListener<S>,
    peer: SocketAddr,
    reason: Refusal,
) {
    cells.connections_refused.count(reason);
    let listener = bound.listener.borrow();
    let name = &listener.plan.name;
    match reason {
        Refusal::Full => {
            // `None`: a connection has closed meanwhile.
            let own =
                || ("listener", listener.idle_connections.limits.limit(Scope::Listener).max().unwrap_or(0));
            let (of, limit) = reached(&listener).unwrap_or_else(own);
            let fields: Fields<'_> = &[("listener", name), ("peer", &peer), ("of", &of), ("limit", &limit)];
            observe::event(Event::ConnectionsRefused, fields);
        }
        Refusal::ClientLimit => {
            let limits = &listener.idle_connections.limits;
            let limit = limits.limit(Scope::Listener).per_client();
            let limit = limit.or_else(|| limits.limit(Scope::LoadBalancer).per_client()).unwrap_or(0);
            let fields: Fields<'_> = &[("listener", name), ("peer", &peer), ("limit", &limit)];
            observe::event(Event::ClientLimited, fields);
        }
        Refusal::Descriptors => {
            let fields: Fields<'_> =
                &[("listener", name), ("peer", &peer), ("limit", &net::raise_descriptor_limit())];
            observe::event(Event::DescriptorsUsedUp, fields);
        }
        Refusal::Tls => observe::event(Event::PlainListener, &[("listener", name), ("peer", &peer)]),
    }
}

/// Tells of plain text where a handshake is due, on a listener that cannot answer it.
#[cold]
pub(super) fn not_tls<S: Sys>(listener: &LocalListener<S>, peer: SocketAddr) {
    observe::event(Event::PlainClient, &[("listener", &listener.plan.name), ("peer", &peer)]);
}

/// Tells that a new connection waits until another one closes.
#[cold]
pub(super) fn waits<S: Sys>(bound: &BoundListener<S>) {
    let listener = bound.listener.borrow();
    // Without one it waits for a file descriptor, which is soon free, or else it is refused.
    let Some((of, limit)) = reached(&listener) else { return };
    let fields: Fields<'_> = &[("listener", &listener.plan.name), ("of", &of), ("limit", &limit)];
    observe::event(Event::ConnectionsWait, fields);
}

/// The limit that is reached, if one is: its owner and its value.
fn reached<S: Sys>(listener: &LocalListener<S>) -> Option<(&'static str, u32)> {
    let limits = &listener.idle_connections.limits;
    let max = |scope| limits.limit(scope).max().filter(|&max| limits.limit(scope).open() >= max);
    let of_listener = max(Scope::Listener).map(|max| ("listener", max));
    of_listener.or_else(|| Some(("load_balancer", max(Scope::LoadBalancer)?)))
}

/// Counts and tells of a handshake with `peer` that failed. `server_name`: for which the client asked, if it is known.
#[cold]
pub(super) fn handshake_failed<S: Sys>(
    listener: &LocalListener<S>,
    peer: SocketAddr,
    server_name: Option<&str>,
    result: Handshake,
) {
    listener.cells().handshakes.count(result);
    let (name, reason) = (&listener.plan.name, result.as_str());
    // An empty value is written as "-".
    let server_name = server_name.unwrap_or_default();
    let event = match result {
        Handshake::ClientCertificateMissing
        | Handshake::ClientCertificateExpired
        | Handshake::ClientCertificateRevoked
        | Handshake::ClientCertificateUnknownCa
        | Handshake::ClientCertificate => Event::ClientCertificateRefused,
        Handshake::CertificateRefused => {
            let fields: Fields<'_> = &[("listener", name), ("server_name", &server_name), ("peer", &peer)];
            return observe::event(Event::CertificateRefused, fields);
        }
        // A port scan or a health check of a peer: no news.
        Handshake::Closed => return,
        _ => Event::HandshakeFailed,
    };
    let fields: Fields<'_> =
        &[("reason", &reason), ("listener", name), ("server_name", &server_name), ("peer", &peer)];
    observe::event(event, fields);
}
