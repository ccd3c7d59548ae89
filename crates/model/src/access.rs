//! Who may come (HTTP8).

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::Cidr;

/// The lists of allowed and denied addresses of one load balancer, listener or rule.
#[derive(Clone, Debug)]
pub struct AccessList {
    /// No range is both allowed and denied.
    pub entries: Vec<AccessEntry>,
    /// For addresses that no entry holds.
    pub default: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessEntry {
    pub range: Cidr,
    pub verdict: Verdict,
    /// It counts before this time, in seconds since 1970; `None`: always.
    pub until: Option<NonZeroU64>,
}

/// `Deny` is the greater: between equals it wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Allow,
    Deny,
}

/// The lists in front of the rules. Each that is there must let a client pass; a listener's does not replace the
/// other. Lists have up to millions of entries: they are shared, never copied.
#[derive(Clone, Debug, Default)]
pub struct AccessLists {
    pub load_balancer: Option<Arc<AccessList>>,
    pub listener: Option<Arc<AccessList>>,
}
