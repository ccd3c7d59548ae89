//! What a gateway has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters of one gateway.
#[derive(Debug, Default)]
pub struct GatewayFigures {
    commands: [[AtomicU64; RESULTS.len()]; COMMANDS.len()],
    pub(super) open: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    place: Mutex<Place>,
}

/// Whether it listens.
#[derive(Clone, Debug, Default)]
enum Place {
    #[default]
    NotYet,
    /// At this address.
    Bound(String),
    /// It is tried again all the time.
    Failed(String),
}

/// A kind of command, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub command: &'static str,
    pub result: &'static str,
    pub count: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Get,
    Store,
    Delete,
    Add,
    Touch,
    Flush,
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Result {
    Hit,
    Miss,
    Refused,
    Error,
}

impl GatewayFigures {
    pub(super) fn count(&self, command: Command, result: Result) {
        let row = self.commands.get(command as usize);
        if let Some(cell) = row.and_then(|row| row.get(result as usize)) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every kind of command with every result, in an order that does not change.
    pub fn commands(&self) -> Vec<Counted> {
        let rows = COMMANDS.iter().zip(&self.commands);
        rows.flat_map(|(command, row)| {
            RESULTS.iter().zip(row).map(|(result, cell)| Counted {
                command,
                result,
                count: cell.load(Ordering::Relaxed),
            })
        })
        .collect()
    }

    /// The address at which it listens. `None`: it does not.
    pub fn address(&self) -> Option<String> {
        match &*self.place() {
            Place::Bound(address) => Some(address.clone()),
            Place::NotYet | Place::Failed(_) => None,
        }
    }

    /// Why it does not listen.
    pub fn trouble(&self) -> Option<String> {
        match &*self.place() {
            Place::Failed(error) => Some(error.clone()),
            Place::NotYet | Place::Bound(_) => None,
        }
    }

    pub(super) fn bound(&self, address: String) {
        *self.place() = Place::Bound(address);
    }

    pub(super) fn not_bound(&self, error: String) {
        *self.place() = Place::Failed(error);
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn connections_open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    pub fn connections_accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Received and sent.
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes_in.load(Ordering::Relaxed), self.bytes_out.load(Ordering::Relaxed))
    }
}

/// In the order of [`Command`].
const COMMANDS: [&str; 7] = ["get", "store", "delete", "add", "touch", "flush", "other"];
/// In the order of [`Result`].
const RESULTS: [&str; 4] = ["hit", "miss", "refused", "error"];
