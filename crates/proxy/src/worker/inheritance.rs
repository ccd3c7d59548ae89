//! What a worker that dies leaves to the next one in its thread.
//!
//! Its connections are lost. Connections in its accept queues are not: its listener sockets stay open, and the next worker
//! accepts from them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use net::ListenerSocket;
use tokio::sync::mpsc;

use super::command::Command;
use crate::snapshot::Snapshot;

/// Listener sockets by configured address.
type Sockets = Vec<(SocketAddr, ListenerSocket)>;

/// What outlives a worker.
#[derive(Debug)]
pub(crate) struct Inheritance {
    commands: Mutex<mpsc::Receiver<Command>>,
    served: Mutex<Served>,
}

/// What the worker serves.
#[derive(Debug, Default)]
struct Served {
    snapshot: Option<Arc<Snapshot>>,
    /// Duplicates of its listener sockets, by configured address.
    sockets: HashMap<SocketAddr, Vec<ListenerSocket>>,
    is_stopping: bool,
}

impl Inheritance {
    pub(crate) fn new(commands: mpsc::Receiver<Command>) -> Self {
        Self { commands: Mutex::new(commands), served: Mutex::default() }
    }

    /// The next command, which a worker that dies leaves to the next one. `None`: the control plane is gone.
    pub(super) async fn next_command(&self) -> Option<Command> {
        poll_fn(|context| lock(&self.commands).poll_recv(context)).await
    }

    /// Notes what the worker is about to serve.
    // invariant: a duplicate is closed before the worker closes its own socket, so that no connection is queued at a
    // socket from which no worker accepts.
    pub(super) fn note(&self, snapshot: &Arc<Snapshot>, sockets: &[(SocketAddr, ListenerSocket)]) {
        let mut served = lock(&self.served);
        let is_bound = |address: &SocketAddr| snapshot.listeners.iter().any(|l| l.bind.contains(address));
        served.sockets.retain(|address, _| is_bound(address));
        for (address, socket) in sockets {
            // Without a duplicate the address is lost with the worker.
            let copy = socket.duplicate().ok().flatten();
            served.sockets.entry(*address).or_default().extend(copy);
        }
        served.snapshot = Some(Arc::clone(snapshot));
    }

    /// The worker stops, and none follows it.
    pub(super) fn note_stop(&self) {
        let mut served = lock(&self.served);
        served.is_stopping = true;
        served.sockets.clear();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        lock(&self.served).is_stopping
    }

    /// What the worker before this one served; `None`: this one is the first.
    pub(super) fn inherit(&self) -> Option<(Arc<Snapshot>, Sockets)> {
        let served = lock(&self.served);
        let all =
            served.sockets.iter().flat_map(|(address, of)| of.iter().map(move |socket| (*address, socket)));
        let sockets = all.filter_map(|(address, socket)| Some((address, socket.duplicate().ok().flatten()?)));
        Some((Arc::clone(served.snapshot.as_ref()?), sockets.collect()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
