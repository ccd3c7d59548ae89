//! The commands of the control plane to a worker.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use net::ListenerSocket;
use tokio::sync::oneshot;

use crate::snapshot::Snapshot;

/// A command from the control plane. The worker answers it when it is done.
pub(crate) enum Command {
    /// Serve this snapshot from the next request on.
    Adopt { snapshot: Arc<Snapshot>, sockets: Vec<(SocketAddr, ListenerSocket)>, done: oneshot::Sender<()> },
    /// The first half of a stop: end every connection as a stop does, but go on accepting, and lend the listener sockets to
    /// a process that may take over.
    Lend { done: oneshot::Sender<Lent> },
    /// Stop accepting, finish requests and tunnels in flight, and end: at the latest after `within`.
    Stop { stop: Stop, done: oneshot::Sender<usize> },
    /// Die of a bug.
    #[cfg(test)]
    Die,
}

/// How a worker is to stop.
pub(crate) struct Stop {
    pub(crate) within: Duration,
    /// Addresses whose accept queues another process empties.
    pub(crate) handed_over: Arc<HashSet<SocketAddr>>,
    /// Is told, or dropped, when no listener socket is left.
    pub(crate) closed: oneshot::Sender<()>,
}

/// The listener sockets of one worker, by configured address.
pub(crate) type Lent = Vec<(SocketAddr, std::io::Result<Vec<ListenerSocket>>)>;
