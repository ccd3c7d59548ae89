//! Status and targets as text: short, with problems in capitals.

mod certificates;
mod printable;
mod sessions;
mod table;

pub use certificates::certificate_table;
pub use printable::printable;
use sessions::{gateway_table, store_table};
pub use sessions::{session_findings, session_table};
use table::{span, table};

use crate::view::{
    FailureView, GroupView, ListenerView, LoadBalancerView, ProblemView, StatusView, TargetView,
};

pub fn status_page(status: &StatusView) -> String {
    let config = status.config.as_deref().unwrap_or("no configuration file");
    let stopping = if status.stopping { ", STOPPING" } else { "" };
    let mut page = format!(
        "evenkeel {}, pid {}, up {} (since {}){stopping}\n{config}: generation {}, {} {}\n",
        status.version,
        status.pid,
        span(status.uptime_seconds),
        status.started,
        status.generation,
        status.workers,
        if status.workers == 1 { "worker" } else { "workers" },
    );
    match &status.last_reload {
        None => {}
        Some(reload) if reload.ok => page += &format!("last reload: {}, ok\n", reload.at),
        Some(reload) => {
            let error = reload.error.as_deref().unwrap_or_default().trim_end();
            page += &format!(
                "LAST RELOAD FAILED: {}; generation {} is still served\n",
                reload.at, status.generation
            );
            page.extend(error.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n"));
        }
    }
    page += &certificates::summary(&status.certificates);
    page += &problem_list(&status.problems);
    page += &load_balancer_table(&status.load_balancers);
    let head = ["LISTENER", "ADDRESS", "CONNECTIONS", "TUNNELS", "IN FLIGHT", "REQUESTS", "FAILURES", ""];
    page += &format!("\n{}", table(&head, &status.listeners.iter().map(listener_row).collect::<Vec<_>>()));
    page += &certificates::of_listeners(&status.listeners);
    page += &format!("\n{}", group_table(status));
    page + &store_table(&status.session_stores) + &gateway_table(&status.session_gateways)
}

/// What is wrong, before the tables.
fn problem_list(problems: &[ProblemView]) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let line =
        |problem: &ProblemView| format!("  {}: {}\n    {}\n", problem.place, problem.what, problem.remedy);
    format!("\nPROBLEMS\n{}", problems.iter().map(line).collect::<String>())
}

fn listener_row(listener: &ListenerView) -> Vec<String> {
    let addresses: Vec<_> = listener.bind.iter().map(|address| address.actual.as_str()).collect();
    vec![
        listener.name.clone(),
        addresses.join(" "),
        of_most(listener.connections_open, listener.connections_max),
        listener.tunnels_open.to_string(),
        listener.requests_in_flight.to_string(),
        listener.requests.to_string(),
        listener.failures.to_string(),
        limit_effects(listener),
    ]
}

/// The load balancers that have a connection limit.
fn load_balancer_table(all: &[LoadBalancerView]) -> String {
    let limited = all.iter().filter(|one| one.connections_max.is_some());
    let row = |one: &LoadBalancerView| {
        vec![one.name.clone(), of_most(one.connections_open.into(), one.connections_max)]
    };
    let rows: Vec<_> = limited.map(row).collect();
    if rows.is_empty() {
        String::new()
    } else {
        format!("\n{}", table(&["LOAD BALANCER", "CONNECTIONS"], &rows))
    }
}

fn of_most(open: i64, max: Option<u32>) -> String {
    max.map_or_else(|| open.to_string(), |max| format!("{open} of {max}"))
}

/// The effects of the connection limit on a listener.
fn limit_effects(listener: &ListenerView) -> String {
    let mut parts = Vec::new();
    if listener.waiting {
        parts.push("FULL: new connections wait".to_owned());
    }
    for (count, what) in
        [(listener.connections_evicted, "evicted"), (listener.connections_refused, "refused")]
    {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

fn group_table(status: &StatusView) -> String {
    let row = |group: &GroupView| {
        let counts = [group.targets, group.healthy, group.unhealthy, group.unknown, group.unchecked];
        let mut row = vec![group.name.clone()];
        row.extend(counts.map(|count| count.to_string()));
        row.push(if group.fail_open { "ALL UNHEALTHY: every target is tried" } else { "" }.to_owned());
        row
    };
    let head = ["TARGET GROUP", "TARGETS", "HEALTHY", "UNHEALTHY", "UNKNOWN", "UNCHECKED", ""];
    table(&head, &status.groups.iter().map(row).collect::<Vec<_>>())
}

pub fn target_table(targets: &[TargetView]) -> String {
    let row = |target: &TargetView| {
        let passed = if target.passed_over { " (passed over)" } else { "" };
        // The last probe's error of a healthy target is out of date.
        let probe = target.last_error.clone().filter(|_| target.health != "healthy");
        let errors: Vec<_> =
            probe.into_iter().chain(target.last_failure.as_ref().map(last_failure)).collect();
        vec![
            target.group.clone(),
            target.address.clone(),
            target.weight.to_string(),
            format!("{}{passed}", target.health),
            target.since.clone().unwrap_or_else(|| "-".to_owned()),
            target.in_flight.to_string(),
            target.requests.to_string(),
            target.failures.to_string(),
            errors.join("; "),
        ]
    };
    let head = ["GROUP", "TARGET", "WEIGHT", "HEALTH", "SINCE", "IN FLIGHT", "REQUESTS", "FAILURES", "ERROR"];
    table(&head, &targets.iter().map(row).collect::<Vec<_>>())
}

/// The last failed request to a target.
fn last_failure(last: &FailureView) -> String {
    let detail = if last.detail.is_empty() { String::new() } else { format!(" ({})", last.detail) };
    format!("last failed request {} ago: {}{detail}", span(last.seconds_ago), last.reason)
}

#[cfg(test)]
mod tests;
