//! Access lists: which client addresses are allowed (HTTP8).

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::Cidr;

/// The lists of allowed and denied addresses of one load balancer, listener or rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessList {
    /// No range is both allowed and denied.
    pub entries: Vec<AccessEntry>,
    /// For addresses that match no entry.
    pub default: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessEntry {
    pub range: Cidr,
    pub verdict: Verdict,
    /// The entry expires at this time, in seconds since 1970; `None`: never.
    pub until: Option<NonZeroU64>,
}

/// Ordered so that `Deny` is the greater: it wins where two verdicts apply equally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Allow,
    Deny,
}

/// The lists that are checked before the rules. A client must pass both: the listener's list does not replace
/// that of its load balancer. A list can have millions of entries, so lists are shared, never copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLists {
    pub load_balancer: Option<Arc<AccessList>>,
    pub listener: Option<Arc<AccessList>>,
}
