//! Builds the status and target views from the live state.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use model::Failure;
use observe::{MadeBy, Refusal, Timestamp};
use proxy::{GroupPlan, Health, ListenerPlan, TargetLive};
use rustix::time::{ClockId, clock_gettime};

use super::certificates::listener_tls;
use super::{Control, Serving};
use crate::view::{
    AddressView, GroupView, ListenerView, LoadBalancerView, ReloadView, StatusView, TargetView,
};

impl Control {
    pub fn status(&self) -> StatusView {
        let state = self.state();
        let snapshot = &state.serving.snapshot;
        StatusView {
            version: self.version.to_owned(),
            pid: std::process::id(),
            started: rfc3339(self.started),
            uptime_seconds: self.began.elapsed().as_secs(),
            generation: snapshot.generation,
            workers: self.live.workers(),
            stopping: state.stopping,
            config: self.path.as_ref().map(|path| path.display().to_string()),
            certificates: self.certificates_view(&state),
            last_reload: state.last_reload.map(|reload| ReloadView {
                at: rfc3339(reload.at),
                ok: reload.error.is_none(),
                error: reload.error,
            }),
            load_balancers: snapshot
                .load_balancers
                .iter()
                .map(|plan| LoadBalancerView {
                    name: plan.name.to_string(),
                    connections_open: plan.connection_limit.open(),
                    connections_max: plan.connection_limit.max(),
                })
                .collect(),
            listeners: snapshot.listeners.iter().map(|plan| listener(plan, &state.serving)).collect(),
            groups: snapshot.groups.iter().map(|plan| group(plan)).collect(),
        }
    }

    /// The targets in the order of the config.
    pub fn targets(&self) -> Vec<TargetView> {
        let now = monotonic_millis();
        let snapshot = Arc::clone(&self.state().serving.snapshot);
        let of_group = |plan: &Arc<GroupPlan>| -> Vec<_> {
            let weights = plan.group.targets.iter().map(|target| target.weight);
            plan.targets
                .iter()
                .zip(weights)
                .map(|(target, weight)| self.target(target, weight, now))
                .collect()
        };
        snapshot.groups.iter().flat_map(of_group).collect()
    }

    fn target(&self, target: &TargetLive, weight: u32, now_millis: u64) -> TargetView {
        let key = target.key();
        let findings = self.probes.findings(key);
        TargetView {
            group: key.group.to_string(),
            address: key.address.to_string(),
            weight,
            health: target.health().as_str().to_owned(),
            since: findings.as_ref().map(|found| rfc3339(found.since)),
            last_error: findings.and_then(|found| found.last_error),
            in_flight: target.in_flight(),
            passed_over: target.is_passed_over(now_millis),
            requests: target.cells().sum(|cells| cells.requests.read()),
            failures: target
                .cells()
                .sum(|cells| Failure::ALL.iter().map(|&f| cells.failures.read(f)).sum::<u64>()),
        }
    }
}

fn listener(plan: &ListenerPlan, serving: &Serving) -> ListenerView {
    let bound = serving.bound.iter().filter(|bound| bound.listener == plan.name);
    let cells = &plan.cells;
    let own_errors = |classes: [u64; 6]| classes[4] + classes[5];
    ListenerView {
        name: plan.name.to_string(),
        bind: bound
            .map(|bound| AddressView {
                configured: bound.configured.to_string(),
                actual: bound.actual.to_string(),
            })
            .collect(),
        connections_open: cells.sum(|c| c.connections_open.read()),
        connections_max: plan.connection_limit.max(),
        connections_evicted: cells.sum(|c| c.connections_evicted.read()),
        connections_refused: cells
            .sum(|c| Refusal::ALL.iter().map(|&r| c.connections_refused.read(r)).sum::<u64>()),
        waiting: cells.sum(|c| c.accepts_waiting.read()) > 0,
        tunnels_open: cells.sum(|c| c.tunnels.open.read()),
        requests: cells.sum(|c| c.requests.read()),
        requests_in_flight: cells.sum(|c| c.requests_in_flight.read()),
        failures: cells.sum(|c| own_errors(c.responses.by(MadeBy::Evenkeel).read())),
        tls: listener_tls(serving, &plan.name),
    }
}

fn group(plan: &GroupPlan) -> GroupView {
    let count = |health| plan.targets.iter().filter(|target| target.health() == health).count();
    let (healthy, unhealthy) = (count(Health::Healthy), count(Health::Unhealthy));
    let unchecked = count(Health::Unchecked);
    GroupView {
        name: plan.group.name.to_string(),
        targets: plan.targets.len(),
        healthy,
        unhealthy,
        unknown: count(Health::Unknown),
        unchecked,
        // Not before the first probe results: unprobed targets are no reason for an alarm.
        fail_open: unhealthy > 0 && balance::fail_open(healthy + unchecked),
    }
}

/// A wall time in microseconds since 1970; 0 for earlier times.
pub(super) fn unix_micros(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn rfc3339(time: SystemTime) -> String {
    let mut text = Vec::new();
    Timestamp::new().write_seconds(unix_micros(time) / 1_000_000, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// The time of the workers' clock, in which `passed over` times are stored.
fn monotonic_millis() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000).saturating_add(nanos.unwrap_or(0) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_in_utc() {
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(1_767_225_600)), "2026-01-01T00:00:00Z");
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
    }
}
