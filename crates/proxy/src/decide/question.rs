//! What a decision is made about.

use balance::RuleTable;

use super::caller::Caller;
use crate::arrival::{Arrival, Source};
use crate::head::RequestText;
use crate::snapshot::ListenerPlan;

/// A request at a listener.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) plan: &'a ListenerPlan,
    /// The worker's own clone of the plan's table.
    pub(crate) table: &'a RuleTable,
    pub(crate) arrival: &'a Arrival,
    pub(crate) request: RequestText<'a>,
    /// See [`find_source`](super::find_source).
    pub(crate) source: Source,
    /// Entries of access lists expire by it.
    pub(crate) unix_seconds: u64,
}

impl Question<'_> {
    pub(super) fn caller(&self) -> Caller<'_> {
        Caller { plan: self.plan, source: self.source, unix_seconds: self.unix_seconds }
    }
}
