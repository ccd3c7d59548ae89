//! A session with a request in flight.

use std::sync::Arc;

use balance::session::{Hold, SessionKey};
use net::{Sys, Worker};

use super::table::SessionTable;

/// Holds a session open until the drop, which starts its clock (SP1): a response, an abort or the end of a tunnel.
pub(crate) struct Lease<S: Sys> {
    table: Arc<SessionTable>,
    key: SessionKey,
    hold: Hold,
    worker: Worker<S>,
}

impl<S: Sys> Lease<S> {
    pub(crate) fn new(table: &Arc<SessionTable>, key: SessionKey, hold: Hold, worker: &Worker<S>) -> Self {
        Self { table: Arc::clone(table), key, hold, worker: worker.clone() }
    }
}

impl<S: Sys> Drop for Lease<S> {
    fn drop(&mut self) {
        self.table.end(self.key, self.hold, self.worker.now() / 1_000_000);
    }
}
