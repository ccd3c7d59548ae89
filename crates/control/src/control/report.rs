//! Builds the status and target views from the live state.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use model::{Failure, ListenerName};
use observe::{AccessLogs, MadeBy, Refusal, Timestamp};
use proxy::{GroupPlan, Health, LastFailure, ListenerPlan, TargetLive};
use rustix::time::{ClockId, clock_gettime};

use super::certificates::listener_tls;
use super::problems::{Facts, problems};
use super::recent::{Attempts, Losses, Totals};
use super::{Control, Serving};
use crate::view::{
    AddressView, FailureView, GroupView, ListenerView, LoadBalancerView, ReloadView, StatusView, TargetView,
};

impl Control {
    /// The status with its problems.
    pub fn status(&self) -> StatusView {
        let mut status = self.overview();
        status.problems = problems(&status, &self.facts(&status));
        status
    }

    /// What the problems are found from.
    fn facts(&self, status: &StatusView) -> Facts {
        let (now, before) = (self.totals(), self.recent().before());
        let lately = self.recent().losses_before();
        let refused_since = |before: &Losses| {
            let names = status.listeners.iter().map(|listener| ListenerName::new(&listener.name));
            names.map(|name| now.losses.refused_by(&name).since(before.refused_by(&name))).collect()
        };
        let lines_since = |before: &Losses| now.losses.lines.saturating_sub(before.lines);
        Facts {
            targets: self.targets(),
            certificates: self.certificates(),
            logs: self.with_logs(AccessLogs::troubles),
            lines_dropped: lines_since(&before.losses),
            lines_dropped_lately: lines_since(&lately),
            refused: refused_since(&before.losses),
            refused_lately: refused_since(&lately),
            panics: now.panics.saturating_sub(before.panics),
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let snapshot = Arc::clone(&self.state().serving.snapshot);
        let panics = self.live.worker_cells().sum(|cells| cells.task_panics.read());
        Totals::of(&snapshot, self.with_logs(AccessLogs::totals), panics)
    }

    pub(super) fn losses(&self) -> Losses {
        let snapshot = Arc::clone(&self.state().serving.snapshot);
        Losses::of(&snapshot, self.with_logs(AccessLogs::totals))
    }

    /// Nothing during a stop, which then owns the engine.
    fn with_logs<T: Default>(&self, read: impl FnOnce(&AccessLogs) -> T) -> T {
        let engine = self.engine.try_read().ok();
        engine.as_deref().and_then(Option::as_ref).map(|engine| read(engine.logs())).unwrap_or_default()
    }

    /// The status without its problems.
    pub(super) fn overview(&self) -> StatusView {
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
            session_stores: self.session_stores(&state.serving.config),
            session_gateways: self.session_gateways(&state.serving.config, state.stopping),
            problems: Vec::new(),
        }
    }

    /// The targets in the order of the config.
    pub fn targets(&self) -> Vec<TargetView> {
        let (now, before) = (monotonic_millis(), self.recent().before());
        let snapshot = Arc::clone(&self.state().serving.snapshot);
        let of_group = |plan: &Arc<GroupPlan>| -> Vec<_> {
            let weights = plan.group.targets.iter().map(|target| target.weight);
            plan.targets
                .iter()
                .zip(weights)
                .map(|(target, weight)| self.target(target, weight, now, &before))
                .collect()
        };
        snapshot.groups.iter().flat_map(of_group).collect()
    }

    fn target(&self, target: &TargetLive, weight: u32, now_millis: u64, before: &Totals) -> TargetView {
        let key = target.key();
        let findings = self.probes.findings(key);
        let recent = Attempts::of(target).since(before.targets.get(key).copied().unwrap_or_default());
        TargetView {
            group: key.group.to_string(),
            address: key.address.to_string(),
            weight,
            health: target.health().as_str().to_owned(),
            since: findings.as_ref().map(|found| rfc3339(found.since)),
            last_error: findings.and_then(|found| found.last_error),
            in_flight: target.in_flight(),
            passed_over: target.is_passed_over(now_millis),
            last_connect_failed: target.last_connect_failed(),
            requests: target.cells().sum(|cells| cells.requests.read()),
            failures: target
                .cells()
                .sum(|cells| Failure::ALL.iter().map(|&f| cells.failures.read(f)).sum::<u64>()),
            last_failure: target.last_failure().map(|last| failure(&last, now_millis, target.served())),
            recent_requests: recent.requests,
            recent_failures: recent.failures,
        }
    }
}

fn failure(last: &LastFailure, now_millis: u64, served: u64) -> FailureView {
    let outcome = last.failure.outcome();
    FailureView {
        reason: outcome.reason.to_owned(),
        detail: last.detail.to_owned(),
        seconds_ago: now_millis.saturating_sub(last.at_millis) / 1_000,
        served_since: served.saturating_sub(last.served_before),
        hint: outcome.hint.to_owned(),
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
        failures: cells.sum(|c| own_errors(c.responses.by(MadeBy::Evenkeel).read()) + c.tcp.failed()),
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

pub(crate) fn rfc3339(time: SystemTime) -> String {
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
