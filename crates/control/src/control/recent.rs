//! Totals of the last minutes, by which status tells what happens now from what happened once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::{Failure, ListenerName, Side, TargetKey};
use observe::{LogTotals, Refusal};
use proxy::{Snapshot, TargetLive};

/// Samples, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    totals: VecDeque<Arc<Totals>>,
    losses: VecDeque<Losses>,
}

#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) losses: Losses,
    pub(super) targets: HashMap<TargetKey, Attempts>,
    /// Tasks that panicked.
    pub(super) panics: u64,
}

/// The totals of what can be over half a minute later.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    /// Lines of access logs.
    pub(super) lines: u64,
    /// Connections, by listener.
    pub(super) refused: HashMap<ListenerName, Refused>,
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
        self.totals.push_back(Arc::new(totals));
        while self.totals.len() > TOTALS_MAX {
            self.totals.pop_front();
        }
    }

    pub(super) fn add_losses(&mut self, losses: Losses) {
        self.losses.push_back(losses);
        while self.losses.len() > LOSSES_MAX {
            self.losses.pop_front();
        }
    }

    /// The totals at the begin of the window; all zero in the first minutes.
    pub(super) fn before(&self) -> Arc<Totals> {
        let is_full = self.totals.len() == TOTALS_MAX;
        self.totals.front().filter(|_| is_full).cloned().unwrap_or_default()
    }

    /// The losses of half a minute ago; all zero in the first half minute.
    pub(super) fn losses_before(&self) -> Losses {
        let is_full = self.losses.len() == LOSSES_MAX;
        self.losses.front().filter(|_| is_full).cloned().unwrap_or_default()
    }
}

impl Totals {
    pub(super) fn of(snapshot: &Snapshot, logs: LogTotals, panics: u64) -> Self {
        let targets = snapshot.groups.iter().flat_map(|plan| &plan.targets);
        let targets = targets.map(|target| (target.key().clone(), Attempts::of(target)));
        Self { losses: Losses::of(snapshot, logs), targets: targets.collect(), panics }
    }
}

impl Losses {
    pub(super) fn of(snapshot: &Snapshot, logs: LogTotals) -> Self {
        let listeners = snapshot.listeners.iter();
        let refused = listeners.map(|plan| {
            let by = |refusal| plan.cells.sum(|cells| cells.connections_refused.read(refusal));
            let refused = Refused { full: by(Refusal::Full), descriptors: by(Refusal::Descriptors) };
            (plan.name.clone(), refused)
        });
        Self { lines: logs.lines_dropped, refused: refused.collect() }
    }

    pub(super) fn refused_by(&self, listener: &ListenerName) -> Refused {
        self.refused.get(listener).copied().unwrap_or_default()
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

/// How often the losses are sampled.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// Every how many samples of the losses there is one of the totals. The window is between five and six of these.
pub(super) const LOSSES_PER_TOTALS: u32 = 6;
// limit: samples kept.
const TOTALS_MAX: usize = 6;
const LOSSES_MAX: usize = 4;

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

    #[test]
    fn losses_are_of_the_last_half_minute() {
        let mut recent = Recent::default();
        for sample in 1..=5 {
            assert_eq!(recent.losses_before().lines, sample.max(4) - 4, "sample {sample}");
            recent.add_losses(Losses { lines: sample, ..Losses::default() });
        }
    }
}
