//! The record of one probed target: what its probes found, and what the workers are told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use balance::{HealthState, ProbeResult};
use model::{HealthCheck, LogLevel};
use proxy::{Health, TargetLive};

use super::probe::ProbeError;

#[derive(Debug)]
pub(super) struct Watch {
    target: Arc<TargetLive>,
    record: Mutex<Record>,
}

/// Where a probe's result comes from in time: on the probes' own clock, and by the wall.
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
    /// The check is gone: a probe that was in flight then changes nothing any more.
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

    /// A reload changed the check; what is known stays.
    pub(super) fn set_check(&self, check: &HealthCheck) {
        self.lock().health.set_check(check);
    }

    pub(super) fn observe(&self, outcome: Result<(), ProbeError>, now: Moment) {
        let mut record = self.lock();
        if record.ended {
            return;
        }
        let (result, error) = match outcome {
            Ok(()) => (ProbeResult::Success, None),
            Err(ProbeError::Target(error)) => (ProbeResult::Failure, Some(error)),
            Err(ProbeError::Local(error)) => {
                let target = self.target.key().address;
                observe::event(
                    LogLevel::Error,
                    "a probe could not be made",
                    &[("target", &target), ("error", &error)],
                );
                return;
            }
        };
        match result {
            ProbeResult::Success => record.successes += 1,
            ProbeResult::Failure => record.failures += 1,
        }
        let change = record.health.observe(result, now.millis);
        // Told each time and not only on a change: were the workers' copy ever set otherwise, it would stay so.
        self.target.set_health(told(record.health.state()));
        if change.is_some() {
            record.since = now.wall;
            self.log(result, error.as_deref());
        }
        record.last_error = error.or_else(|| record.last_error.take());
    }

    /// Nothing is probed any more. invariant: under the record's lock, so that a result that comes in at the same
    /// moment cannot leave an unprobed target unhealthy for ever.
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
            ProbeResult::Success => observe::event(
                LogLevel::Info,
                "a target is healthy",
                &[("group", &key.group), ("target", &key.address)],
            ),
            ProbeResult::Failure => observe::event(
                LogLevel::Warning,
                "a target is unhealthy",
                &[("group", &key.group), ("target", &key.address), ("reason", &error.unwrap_or(""))],
            ),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn told(state: HealthState) -> Health {
    match state {
        HealthState::Unknown => Health::Unknown,
        HealthState::Healthy => Health::Healthy,
        HealthState::Unhealthy => Health::Unhealthy,
    }
}
