//! Session persistence.

pub(crate) mod seal;

/// A target as all nodes know it: a stable hash of its group and its address. Clients never see it in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TargetId(pub(crate) u64);
