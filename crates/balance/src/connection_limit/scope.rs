//! What limits apply to, and where accepts must be woken.

use super::{CLOCKS_APART_MILLIS, SILENT_AT_LEAST_MILLIS};

/// What a limit applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Listener,
    LoadBalancer,
    /// The process, which file descriptors limit. Connections to targets count, but wait for no permit.
    Process,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Listener, Self::LoadBalancer, Self::Process];
    /// Those in which a blocked accept may wait.
    pub(super) const WAITS: [Self; 2] = [Self::Listener, Self::LoadBalancer];

    /// True if a connection that counts as idle since `since_millis` may be evicted. A silent one counts as idle
    /// [`SILENT_AT_LEAST_MILLIS`] after it was accepted.
    pub(super) fn may_evict(self, since_millis: u64, now_millis: u64) -> bool {
        let early = match self {
            Self::Listener | Self::LoadBalancer => 0,
            // Otherwise a newcomer would be refused.
            Self::Process => SILENT_AT_LEAST_MILLIS,
        };
        since_millis <= now_millis.saturating_add(CLOCKS_APART_MILLIS).saturating_add(early)
    }
}

/// The pools in which all waiting accepts must be woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Wakes([bool; 3]);

impl Wakes {
    pub(super) fn of(scope: Scope) -> Self {
        let mut wakes = Self::default();
        wakes.add(scope);
        wakes
    }

    pub(super) fn add(&mut self, scope: Scope) {
        self.0[scope as usize] = true;
    }

    pub fn scopes(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |&scope| self.0[scope as usize])
    }
}
