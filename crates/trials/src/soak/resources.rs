//! The resources that the balancer holds, before the load and after it.

use std::time::{Duration, Instant};

use testkit::Balancer;

/// The resources of the process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Resources {
    pub(crate) sockets: u64,
    /// Pipe ends. Workers keep some pipes in a pool.
    pub(crate) pipes: u64,
    pub(crate) files: u64,
    pub(crate) clients: f64,
    pub(crate) in_flight: f64,
    pub(crate) tunnels: f64,
    pub(crate) target_connections: f64,
    pub(crate) target_in_flight: f64,
    pub(crate) tasks: f64,
    pub(crate) sources: f64,
    pub(crate) leased_bytes: f64,
    pub(crate) panics: f64,
    pub(crate) resident_bytes: u64,
}

impl Resources {
    pub(crate) fn take(balancer: &Balancer) -> Self {
        let page = balancer.metrics();
        let metric = |family: &str| testkit::metric(&page, family, &[]);
        let mut resources = Self {
            clients: metric("evenkeel_worker_connections_open"),
            in_flight: metric("evenkeel_listener_requests_in_flight"),
            tunnels: metric("evenkeel_listener_tunnels_open"),
            target_connections: metric("evenkeel_target_connections_open"),
            target_in_flight: metric("evenkeel_target_requests_in_flight"),
            tasks: metric("evenkeel_worker_tasks"),
            sources: metric("evenkeel_worker_sources"),
            leased_bytes: metric("evenkeel_worker_leased_bytes"),
            panics: metric("evenkeel_worker_task_panics_total"),
            resident_bytes: balancer.resident_bytes(),
            ..Self::default()
        };
        let directory = format!("/proc/{}/fd", balancer.process_id());
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let link = std::fs::read_link(entry.path()).unwrap_or_default();
            let link = link.to_string_lossy();
            let count = match () {
                () if link.starts_with("socket:") => &mut resources.sockets,
                () if link.starts_with("pipe:") => &mut resources.pipes,
                () => &mut resources.files,
            };
            *count += 1;
        }
        resources
    }

    /// The rows of the table: name, before, after, and true if nothing is left over.
    pub(crate) fn rows(&self, before: &Self, workers: u64) -> Vec<(&'static str, f64, f64, bool)> {
        let same = |name, was: f64, is: f64| (name, was, is, is <= was);
        let pipes_max = before.pipes + workers * PIPES_KEPT * 2;
        let mib = |bytes: u64| (bytes as f64 / f64::from(1 << 20) * 10.0).round() / 10.0;
        let resident_max = before.resident_bytes + before.resident_bytes / 4 + RESIDENT_SLACK;
        vec![
            same("sockets", before.sockets as f64, self.sockets as f64),
            ("pipe ends (pooled)", before.pipes as f64, self.pipes as f64, self.pipes <= pipes_max),
            same("other descriptors", before.files as f64, self.files as f64),
            same("client connections", before.clients, self.clients),
            same("requests in flight", before.in_flight, self.in_flight),
            same("tunnels", before.tunnels, self.tunnels),
            same("target connections", before.target_connections, self.target_connections),
            same("attempts in flight", before.target_in_flight, self.target_in_flight),
            same("tasks", before.tasks, self.tasks),
            same("sources", before.sources, self.sources),
            same("leased bytes", before.leased_bytes, self.leased_bytes),
            same("panics", before.panics, self.panics),
            (
                "resident MiB (warm, after)",
                mib(before.resident_bytes),
                mib(self.resident_bytes),
                self.resident_bytes <= resident_max,
            ),
        ]
    }

    /// Waits until nothing is left over, for as long as the timeouts in the config may take.
    pub(crate) fn settled(balancer: &Balancer, before: &Self, workers: u64, within: Duration) -> Self {
        let deadline = Instant::now() + within;
        loop {
            let resources = Self::take(balancer);
            if resources.rows(before, workers).iter().all(|row| row.3) || Instant::now() > deadline {
                return resources;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The pipes that a worker keeps.
const PIPES_KEPT: u64 = 16;
const RESIDENT_SLACK: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_that_are_left_over_are_found() {
        let before = Resources { sockets: 7, tasks: 2.0, resident_bytes: 40 << 20, ..Resources::default() };
        let wrong = |after: Resources| after.rows(&before, 2).into_iter().filter(|row| !row.3).count();
        assert_eq!(wrong(before), 0);
        assert_eq!(wrong(Resources { sockets: 8, ..before }), 1);
        assert_eq!(wrong(Resources { tasks: 3.0, leased_bytes: 4096.0, ..before }), 2);
        assert_eq!(wrong(Resources { pipes: 64, resident_bytes: 57 << 20, ..before }), 0);
        assert_eq!(wrong(Resources { pipes: 65, resident_bytes: 59 << 20, ..before }), 2);
    }
}
