//! The record of a probed target: the results of its probes, and the health that the workers see.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use balance::{HealthState, ProbeResult};
use model::HealthCheck;
use observe::Event;
use proxy::{Health, TargetLive};

use super::probe::ProbeError;

#[derive(Debug)]
pub(super) struct Watch {
    target: Arc<TargetLive>,
    record: Mutex<Record>,
}

/// The time of a probe's result, on the probes' monotonic clock and as wall time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) millis: u64,
    pub(super) wall: SystemTime,
}

#[derive(Debug)]
struct Record {
    health: balance::Health,
    since: SystemTime,
    last_error: Option<String>,
    successes: u64,
    failures: u64,
    /// The check was removed. A probe that is still in flight no longer changes anything.
    ended: bool,
}

/// A copy for status and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) since: SystemTime,
    pub(crate) last_error: Option<String>,
    pub(crate) successes: u64,
    pub(crate) failures: u64,
}

impl Watch {
    pub(super) fn new(target: Arc<TargetLive>, check: &HealthCheck, now: Moment) -> Self {
        let record = Record {
            health: balance::Health::new(check, now.millis),
            since: now.wall,
            last_error: None,
            successes: 0,
            failures: 0,
            ended: false,
        };
        Self { target, record: Mutex::new(record) }
    }

    pub(super) fn target(&self) -> &Arc<TargetLive> {
        &self.target
    }

    /// Replaces the check after a reload; the state is kept.
    pub(super) fn set_check(&self, check: &HealthCheck) {
        self.lock().health.set_check(check);
    }

    /// Returns true if the health has changed.
    pub(super) fn observe(&self, outcome: Result<(), ProbeError>, now: Moment) -> bool {
        let mut record = self.lock();
        if record.ended {
            return false;
        }
        let (result, error) = match outcome {
            Ok(()) => (ProbeResult::Success, None),
            Err(ProbeError::Target(error)) => (ProbeResult::Failure, Some(error)),
            Err(ProbeError::Local(error)) => {
                let target = self.target.key().address;
                observe::event(Event::ProbeNotMade, &[("target", &target), ("error", &error)]);
                return false;
            }
        };
        match result {
            ProbeResult::Success => record.successes += 1,
            ProbeResult::Failure => record.failures += 1,
        }
        let change = record.health.observe(result, now.millis);
        // Set each time, not only on a change, so that a diverging copy of the workers is corrected.
        self.target.set_health(worker_health(record.health.state()));
        if change.is_some() {
            record.since = now.wall;
            self.log(result, error.as_deref());
        }
        record.last_error = error.or_else(|| record.last_error.take());
        change.is_some()
    }

    /// Ends the checks of this target. invariant: runs under the record's lock, so that a concurrent result
    /// cannot leave a target that is no longer probed unhealthy forever.
    pub(super) fn end(&self) {
        let mut record = self.lock();
        record.ended = true;
        self.target.set_health(Health::Unchecked);
    }

    pub(super) fn findings(&self) -> Findings {
        let record = self.lock();
        Findings {
            since: record.since,
            last_error: record.last_error.clone(),
            successes: record.successes,
            failures: record.failures,
        }
    }

    fn log(&self, result: ProbeResult, error: Option<&str>) {
        let key = self.target.key();
        match result {
            ProbeResult::Success => {
                observe::event(Event::TargetHealthy, &[("group", &key.group), ("target", &key.address)]);
            }
            ProbeResult::Failure => observe::event(
                Event::TargetUnhealthy,
                &[("group", &key.group), ("target", &key.address), ("reason", &error.unwrap_or(""))],
            ),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn worker_health(state: HealthState) -> Health {
    match state {
        HealthState::Unknown => Health::Unknown,
        HealthState::Healthy => Health::Healthy,
        HealthState::Unhealthy => Health::Unhealthy,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    const CONFIG: &str = "workers = 1\n[listener.web]\nbind = \"127.0.0.1:0\"\nforward = \"app\"\n\
        [target_group.app]\ntargets = [\"127.0.0.1:1\"]\nhealth_check = { type = \"tcp\", healthy = 2, unhealthy = 2 }\n";

    /// A watch without a probe task, for a target of a real engine.
    fn watch() -> Watch {
        let config = config::parse(CONFIG, "e.toml", &config::Disk).unwrap().config;
        let engine = proxy::Engine::start(&config, &tls::Material::default(), [1, 2]).unwrap();
        let snapshot = engine.snapshot();
        engine.stop(Duration::ZERO, HashSet::new(), || {});
        let group = &snapshot.groups[0];
        Watch::new(Arc::clone(&group.targets[0]), group.group.health_check.as_ref().unwrap(), at(0))
    }

    fn at(second: u64) -> Moment {
        Moment { millis: second * 1_000, wall: SystemTime::UNIX_EPOCH + Duration::from_secs(second) }
    }

    fn failure(text: &str) -> Result<(), ProbeError> {
        Err(ProbeError::Target(text.to_owned()))
    }

    #[test]
    fn results_change_the_health_and_are_recorded() {
        let watch = watch();
        assert_eq!(watch.target.health(), Health::Unknown);
        watch.observe(Ok(()), at(1));
        assert_eq!(watch.target.health(), Health::Healthy);
        watch.observe(failure("first"), at(2));
        assert_eq!((watch.target.health(), watch.findings().since), (Health::Healthy, at(1).wall));
        watch.observe(failure("second"), at(3));
        let findings =
            Findings { since: at(3).wall, last_error: Some("second".to_owned()), successes: 1, failures: 2 };
        assert_eq!((watch.target.health(), watch.findings()), (Health::Unhealthy, findings));
    }

    #[test]
    fn a_probe_that_could_not_be_made_has_no_effect() {
        let watch = watch();
        watch.observe(Ok(()), at(1));
        for second in 2..9 {
            watch.observe(Err(ProbeError::Local("no descriptor".to_owned())), at(second));
        }
        assert_eq!((watch.target.health(), watch.findings().failures), (Health::Healthy, 0));
    }

    #[test]
    fn a_result_after_the_end_changes_nothing() {
        let watch = watch();
        watch.observe(failure("down"), at(1));
        watch.end();
        assert_eq!(watch.target.health(), Health::Unchecked);
        watch.observe(failure("down"), at(2));
        assert_eq!((watch.target.health(), watch.findings().failures), (Health::Unchecked, 1));
    }

    #[test]
    fn a_diverging_copy_of_the_workers_is_corrected() {
        let watch = watch();
        watch.observe(failure("down"), at(1));
        watch.target.set_health(Health::Unchecked);
        watch.observe(failure("down"), at(2));
        assert_eq!(watch.target.health(), Health::Unhealthy);
    }
}
