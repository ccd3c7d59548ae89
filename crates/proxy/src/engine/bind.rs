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

/// Listener sockets for one address, at least one for each worker, not yet handed to them.
pub(super) struct Fresh {
    pub(super) address: SocketAddr,
    pub(super) bound: Bound,
    pub(super) sockets: Vec<ListenerSocket>,
    /// Waits to be told that the workers accept.
    pub(super) predecessor: Option<Predecessor>,
}

pub(super) struct BindError {
    pub(super) listener: ListenerName,
    pub(super) address: SocketAddr,
    pub(super) error: String,
}

/// Binds the addresses of `snapshot` that are not in `bound` yet.
pub(super) fn bind_all(
    snapshot: &Snapshot,
    workers: usize,
    bound: &HashMap<SocketAddr, Bound>,
) -> Result<Vec<Fresh>, BindError> {
    let addresses = snapshot.listeners.iter().flat_map(|l| l.bind.iter().map(move |&address| (l, address)));
    addresses
        .filter(|(_, address)| !bound.contains_key(address))
        .map(|(listener, address)| {
            let ours: Vec<_> = bound.values().filter(|other| overlaps(other.actual, address)).collect();
            bind_one(address, listener.tcp_keepalive, workers, &ours).map_err(|error| BindError {
                listener: listener.name.clone(),
                address,
                error,
            })
        })
        .collect()
}

/// True if there is an address and port at which both accept connections.
fn overlaps(one: SocketAddr, other: SocketAddr) -> bool {
    let is_wide = one.ip().is_unspecified() || other.ip().is_unspecified() || one.ip() == other.ip();
    is_wide && one.port() == other.port()
}

/// `ours`: what this process listens at already, where that overlaps `address`.
fn bind_one(
    address: SocketAddr,
    keepalive: Option<TcpKeepalive>,
    workers: usize,
    ours: &[&Bound],
) -> Result<Fresh, String> {
    let (lock, mut sockets, predecessor) = if address.port() == 0 {
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
    while sockets.len() < workers {
        sockets.push(net::bind(actual, keepalive).map_err(text)?);
    }
    Ok(Fresh { address, bound: Bound { actual, lock }, sockets, predecessor })
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}
