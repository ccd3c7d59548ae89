//! Totals of the last minutes, by which status tells what happens now from what happened once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::{Failure, ListenerName, Side, TargetKey};
use observe::{LogTotals, Refusal};
use proxy::{Snapshot, TargetLive};

/// Samples of the totals, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Arc<Totals>>);

#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) logs: LogTotals,
    /// Refused connections, by listener.
    pub(super) refused: HashMap<ListenerName, Refused>,
    pub(super) targets: HashMap<TargetKey, Attempts>,
    /// Tasks that panicked.
    pub(super) panics: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) full: u64,
    pub(super) descriptors: u64,
}

/// Attempts at a target, and those that failed by its fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    pub(super) requests: u64,
    pub(super) failures: u64,
}

impl Recent {
    pub(super) fn add(&mut self, totals: Totals) {
        self.0.push_back(Arc::new(totals));
        while self.0.len() > SAMPLES_MAX {
            self.0.pop_front();
        }
    }

    /// The totals at the begin of the window; all zero in the first minutes.
    pub(super) fn before(&self) -> Arc<Totals> {
        let is_full = self.0.len() == SAMPLES_MAX;
        self.0.front().filter(|_| is_full).cloned().unwrap_or_default()
    }
}

impl Totals {
    pub(super) fn of(snapshot: &Snapshot, logs: LogTotals, panics: u64) -> Self {
        let listeners = snapshot.listeners.iter();
        let refused = listeners.map(|plan| {
            let by = |refusal| plan.cells.sum(|cells| cells.connections_refused.read(refusal));
            let refused = Refused { full: by(Refusal::Full), descriptors: by(Refusal::Descriptors) };
            (plan.name.clone(), refused)
        });
        let targets = snapshot.groups.iter().flat_map(|plan| &plan.targets);
        let targets = targets.map(|target| (target.key().clone(), Attempts::of(target)));
        Self { logs, refused: refused.collect(), targets: targets.collect(), panics }
    }
}

impl Refused {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            full: self.full.saturating_sub(before.full),
            descriptors: self.descriptors.saturating_sub(before.descriptors),
        }
    }
}

impl Attempts {
    pub(super) fn of(target: &TargetLive) -> Self {
        let faults = Failure::ALL.iter().filter(|failure| failure.outcome().side == Side::Target);
        Self {
            requests: target.cells().sum(|cells| cells.requests.read()),
            failures: faults.map(|&failure| target.cells().sum(|cells| cells.failures.read(failure))).sum(),
        }
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            failures: self.failures.saturating_sub(before.failures),
        }
    }
}

/// How often a sample is taken; the window is between five and six of these.
pub(super) const INTERVAL: Duration = Duration::from_secs(60);
// limit: samples kept.
const SAMPLES_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut recent = Recent::default();
        for minute in 1..=7 {
            assert_eq!(recent.before().panics, minute.max(6) - 6, "minute {minute}");
            recent.add(Totals { panics: minute, ..Totals::default() });
        }
    }
}
