//! The metrics page: the families of the data plane, the process, reloads and probes.

use std::sync::Arc;

use observe::{EventTotals, Exposition, Kind, Value};
use proxy::{Health, Snapshot, TargetLive};

use super::report::unix_micros;
use super::{Control, State, certificates};
use crate::prepared::seconds;
use crate::process;

impl Control {
    /// The page in the Prometheus text format. It reads `/proc`, so it must be called where blocking is
    /// allowed.
    pub fn metrics(&self) -> String {
        let state = self.state();
        let snapshot = Arc::clone(&state.serving.snapshot);
        let mut page = Exposition::new();
        self.render_process(&mut page);
        render_reloads(&mut page, &state);
        certificates::render(&mut page, &state, seconds((self.wall)()));
        observe::render_workers(&mut page, self.live.worker_cells());
        let listeners: Vec<_> =
            snapshot.listeners.iter().map(|plan| (plan.name.clone(), &*plan.cells)).collect();
        observe::render_listeners(&mut page, &listeners);
        let limits = snapshot
            .listeners
            .iter()
            .filter_map(|plan| Some((plan.name.clone(), plan.connection_limit.max()?)));
        observe::render_listener_limits(&mut page, &limits.collect::<Vec<_>>());
        let instances = snapshot.load_balancers.iter();
        let instances = instances
            .map(|plan| (plan.name.clone(), plan.connection_limit.open(), plan.connection_limit.max()));
        observe::render_load_balancers(&mut page, &instances.collect::<Vec<_>>());
        let targets: Vec<_> =
            targets(&snapshot).map(|target| (target.key().clone(), target.cells())).collect();
        observe::render_targets(&mut page, &targets);
        self.render_health(&mut page, &snapshot);
        self.render_sessions(&mut page);
        observe::render_events(&mut page, &EventTotals::read());
        // `None` during a stop, which then owns the engine.
        let engine = self.engine.try_read().ok();
        if let Some(engine) = engine.as_deref().and_then(Option::as_ref) {
            observe::render_logs(&mut page, &engine.logs().totals());
        }
        page.into_string()
    }

    fn render_process(&self, page: &mut Exposition) {
        page.family("evenkeel_build_info", "The version that runs; always 1.", Kind::Gauge)
            .sample(&[("version", self.version)], 1_u64);
        let numbers = process::read();
        let start = Value::Micros(unix_micros(self.started));
        for (name, help, value) in [
            ("evenkeel_process_start_time_seconds", "When the process started, since 1970.", start),
            ("evenkeel_process_open_descriptors", "Open file descriptors.", numbers.open_descriptors.into()),
            (
                "evenkeel_process_descriptors_max",
                "Limit of open file descriptors.",
                numbers.descriptors_max.into(),
            ),
            ("evenkeel_process_resident_bytes", "Resident memory.", numbers.resident_bytes.into()),
        ] {
            page.family(name, help, Kind::Gauge).sample(&[], value);
        }
    }

    fn render_health(&self, page: &mut Exposition, snapshot: &Snapshot) {
        let help = "1 for the target's current state, 0 for the others.";
        let mut family = page.family("evenkeel_target_health", help, Kind::Gauge);
        for target in targets(snapshot) {
            let [group, address] = names(target);
            for state in STATES {
                let labels =
                    [("group", group.as_str()), ("target", address.as_str()), ("state", state.as_str())];
                family.sample(&labels, u64::from(target.health() == state));
            }
        }
        let help = "Finished probes by result.";
        let mut family = page.family("evenkeel_target_probes_total", help, Kind::Counter);
        for target in targets(snapshot) {
            let Some(found) = self.probes.findings(target.key()) else { continue };
            let [group, address] = names(target);
            for (result, count) in [("success", found.successes), ("failure", found.failures)] {
                let labels = [("group", group.as_str()), ("target", address.as_str()), ("result", result)];
                family.sample(&labels, count);
            }
        }
    }
}

fn render_reloads(page: &mut Exposition, state: &State) {
    let ok = state.last_reload.as_ref().is_none_or(|reload| reload.error.is_none());
    let served_since = Value::Micros(unix_micros(state.last_success));
    for (name, help, value) in [
        (
            "evenkeel_config_generation",
            "The generation of the config that is served.",
            state.serving.snapshot.generation.into(),
        ),
        ("evenkeel_config_last_reload_successful", "1 unless the last reload failed.", u64::from(ok).into()),
        (
            "evenkeel_config_last_success_time_seconds",
            "When the config that is served was loaded, since 1970.",
            served_since,
        ),
    ] {
        page.family(name, help, Kind::Gauge).sample(&[], value);
    }
}

fn targets(snapshot: &Snapshot) -> impl Iterator<Item = &TargetLive> {
    snapshot.groups.iter().flat_map(|group| group.targets.iter().map(|target| &**target))
}

fn names(target: &TargetLive) -> [String; 2] {
    [target.key().group.to_string(), target.key().address.to_string()]
}

const STATES: [Health; 4] = [Health::Unchecked, Health::Unknown, Health::Healthy, Health::Unhealthy];
