//! Binds the addresses of a snapshot, or takes them over from a process that is stopping.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use model::{ListenerName, TcpKeepalive};
use net::{AddressLock, Claim, ListenerSocket, Predecessor};

use crate::snapshot::Snapshot;

#[derive(Debug)]
pub(super) struct Bound {
    pub(super) actual: SocketAddr,
    pub(super) lock: AddressLock,
}

/// Listener sockets for one address, at least one, not yet handed to the workers.
pub(super) struct Fresh {
    pub(super) address: SocketAddr,
    pub(super) bound: Bound,
    pub(super) sockets: Vec<ListenerSocket>,
    listener: ListenerName,
    keepalive: Option<TcpKeepalive>,
    /// Waits to be told that the workers accept.
    pub(super) predecessor: Option<Predecessor>,
}

pub(super) struct BindError {
    pub(super) listener: ListenerName,
    pub(super) address: SocketAddr,
    pub(super) error: String,
}

/// Binds the addresses of `snapshot` that are not in `bound` yet, or takes them over. See [`complete`].
pub(super) fn bind_all(
    snapshot: &Snapshot,
    bound: &HashMap<SocketAddr, Bound>,
) -> Result<Vec<Fresh>, BindError> {
    let addresses = snapshot.listeners.iter().flat_map(|l| l.bind.iter().map(move |&address| (l, address)));
    addresses
        .filter(|(_, address)| !bound.contains_key(address))
        .map(|(listener, address)| {
            let ours: Vec<_> = bound.values().filter(|other| overlaps(other.actual, address)).collect();
            let name = listener.name.clone();
            bind_one(address, &name, listener.tcp_keepalive, &ours).map_err(|error| BindError {
                listener: name,
                address,
                error,
            })
        })
        .collect()
}

/// Binds sockets until each worker has one for each address.
// invariant: nothing that can fail comes between this and the workers, since the kernel gives these sockets their share of
// the connections at once, and resets them if the sockets close.
pub(super) fn complete(fresh: &mut [Fresh], workers: usize) -> Result<(), BindError> {
    for Fresh { address, bound, sockets, listener, keepalive, .. } in fresh {
        while sockets.len() < workers {
            let socket = net::bind(bound.actual, *keepalive).map_err(|error| BindError {
                listener: listener.clone(),
                address: *address,
                error: error.to_string(),
            })?;
            sockets.push(socket);
        }
    }
    Ok(())
}

/// True if there is an address and port at which both accept connections.
fn overlaps(one: SocketAddr, other: SocketAddr) -> bool {
    let is_wide = one.ip().is_unspecified() || other.ip().is_unspecified() || one.ip() == other.ip();
    is_wide && one.port() == other.port()
}

/// `ours`: what this process listens at already, where that overlaps `address`.
fn bind_one(
    address: SocketAddr,
    listener: &ListenerName,
    keepalive: Option<TcpKeepalive>,
    ours: &[&Bound],
) -> Result<Fresh, String> {
    let (lock, sockets, predecessor) = if address.port() == 0 {
        let first = net::bind(address, keepalive).map_err(text)?;
        // The kernel has chosen a free port.
        let lock = AddressLock::take(first.local_address().map_err(text)?, true).map_err(text)?;
        (lock, vec![first], None)
    } else if let Some(same) = ours.iter().find(|other| other.actual == address) {
        // The port that the kernel chose before is configured now.
        (same.lock.try_clone().map_err(text)?, vec![net::bind(address, keepalive).map_err(text)?], None)
    } else {
        match net::claim(address, !ours.is_empty()).map_err(text)? {
            Claim::Free(lock) => (lock, vec![net::bind(address, keepalive).map_err(text)?], None),
            Claim::HandedOver { lock, sockets, predecessor } => (lock, sockets, Some(predecessor)),
        }
    };
    let actual = sockets.first().map_or(Ok(address), ListenerSocket::local_address).map_err(text)?;
    if predecessor.is_some() {
        sockets.iter().try_for_each(|socket| socket.set_keepalive(keepalive)).map_err(text)?;
    }
    let (bound, listener) = (Bound { actual, lock }, listener.clone());
    Ok(Fresh { address, bound, sockets, listener, keepalive, predecessor })
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}
