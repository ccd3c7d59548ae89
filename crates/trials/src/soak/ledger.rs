//! The ledger of faults: which target had which fault, and when. Only an entry in it excuses a lost request.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use balance::Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It stops listening and resets every connection; later it listens again.
    Killed,
    /// It accepts and reads, but sends nothing.
    Stalled,
    /// It resets the connection within each response body.
    Reset,
    /// Its responses are not HTTP.
    Garbage,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Killed, Self::Stalled, Self::Reset, Self::Garbage];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Stalled => "stalled",
            Self::Reset => "reset",
            Self::Garbage => "garbage",
        }
    }
}

/// A fault that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Time from the start of the load.
    pub(crate) at: Duration,
    pub(crate) lasts: Duration,
    /// The place in the list of targets.
    pub(crate) target: usize,
    pub(crate) fault: Fault,
}

/// Plans one fault at a time, with a pause after each, until `total`. The same seed gives the same plan.
pub(crate) fn plan(seed: u64, total: Duration, targets: usize) -> Vec<Planned> {
    let mut random = Rng::new(seed);
    let (mut planned, mut at) = (Vec::new(), FIRST);
    while at + LONGEST < total {
        let lasts = Duration::from_millis(500 + random.below(1_500));
        let target = random.below(targets as u64) as usize;
        let fault = Fault::ALL[random.below(Fault::ALL.len() as u64) as usize];
        planned.push(Planned { at, lasts, target, fault });
        at += lasts + Duration::from_millis(300 + random.below(1_500));
    }
    planned
}

/// The faults that happened.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    target: SocketAddr,
    fault: Fault,
    from: Instant,
    until: Instant,
}

impl Ledger {
    pub(crate) fn enter(&mut self, target: SocketAddr, fault: Fault, from: Instant, until: Instant) {
        self.0.push(Entry { target, fault, from, until });
    }

    /// A fault of this target while the request was in flight.
    pub(crate) fn excuse(&self, target: SocketAddr, began: Instant, ended: Instant) -> Option<Fault> {
        let overlaps = |entry: &&Entry| {
            let until = match entry.fault {
                // A later connect is refused, and the request goes to another target.
                Fault::Killed => entry.from + IN_FLIGHT,
                _ => entry.until + IN_FLIGHT,
            };
            entry.target == target && began <= until && ended >= entry.from
        };
        self.0.iter().find(overlaps).map(|entry| entry.fault)
    }

    pub(crate) fn count(&self, fault: Fault) -> usize {
        self.0.iter().filter(|entry| entry.fault == fault).count()
    }
}

const FIRST: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_secs(6);
/// Requests that were sent before the start or the end of a fault may still be affected.
const IN_FLIGHT: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_follows_from_its_seed_and_ends_in_time() {
        let total = Duration::from_secs(120);
        let planned = plan(3, total, 6);
        assert_eq!(planned, plan(3, total, 6));
        assert_ne!(planned, plan(4, total, 6));
        assert!(planned.len() > 20 && planned.iter().all(|one| one.at + one.lasts < total && one.target < 6));
        assert!(Fault::ALL.iter().all(|fault| planned.iter().any(|one| one.fault == *fault)));
    }

    #[test]
    fn only_a_fault_of_the_same_target_at_that_time_is_an_excuse() {
        let (one, other) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut ledger = Ledger::default();
        ledger.enter(one, Fault::Stalled, at(1_000), at(2_000));
        ledger.enter(one, Fault::Killed, at(5_000), at(9_000));
        for (target, began, ended, expected) in [
            (one, 0, 999, None),
            (one, 0, 1_000, Some(Fault::Stalled)),
            (one, 2_200, 3_000, Some(Fault::Stalled)),
            (one, 2_300, 4_900, None),
            (other, 0, 9_000, None),
            (one, 4_990, 5_001, Some(Fault::Killed)),
            (one, 6_000, 8_000, None),
        ] {
            assert_eq!(ledger.excuse(target, at(began), at(ended)), expected, "{began} {ended}");
        }
    }
}
