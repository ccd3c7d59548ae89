//! The bytes of streams in the metrics.

use std::sync::Arc;

use observe::{Counter, ListenerCells, PerWorker};

use crate::live::TargetLive;

/// Which counters the bytes of a stream are added to, while they move: those of a listener or of a target, of one worker.
#[derive(Debug)]
pub(crate) enum Traffic {
    Client(Arc<PerWorker<ListenerCells>>, usize),
    Target(Arc<TargetLive>, usize),
}

impl Traffic {
    /// Bytes that the peer sent.
    pub(crate) fn received(&self, count: usize) {
        self.counters().0.add(count as u64);
    }

    /// Bytes that were sent to the peer.
    pub(crate) fn sent(&self, count: usize) {
        self.counters().1.add(count as u64);
    }

    fn counters(&self) -> (&Counter, &Counter) {
        match self {
            Self::Client(cells, worker) => {
                let cells = cells.of(*worker);
                (&cells.received_bytes, &cells.sent_bytes)
            }
            Self::Target(live, worker) => {
                let cells = live.cells().of(*worker);
                (&cells.received_bytes, &cells.sent_bytes)
            }
        }
    }
}
