//! What access lists are asked about.

use crate::arrival::Source;
use crate::snapshot::ListenerPlan;

/// The client of a request or of a connection, at a listener, at a time.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) plan: &'a ListenerPlan,
    pub(super) source: Source,
    pub(super) unix_seconds: u64,
}
