//! The commands that ask a running evenkeel.

use std::process::ExitCode;

use control::{AdminAddress, Client, ClientError, ListenerView, Reply, StatusView, TargetView};
use serde_json::Value;
use tokio::runtime::Builder;

use crate::output::{done, failed, say, tell};
use crate::table::{span, table};

pub(crate) fn status(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.read("/status").await?;
        let status: StatusView = client.decode(&reply)?;
        say(&if json { json_line(&reply) } else { status_page(&status) });
        Ok(if status.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

pub(crate) fn targets(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.read("/targets").await?;
        if json {
            let targets: Vec<Value> = client.decode(&reply)?;
            return Ok(done(&targets.iter().map(|target| format!("{target}\n")).collect::<String>()));
        }
        Ok(done(&target_table(&client.decode::<Vec<TargetView>>(&reply)?)))
    })
}

pub(crate) fn reload(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.order("/reload").await?;
        if json {
            say(&json_line(&reply));
            return Ok(if reply.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let rendered = answer["rendered"].as_str().unwrap_or_default();
        if reply.status == 200 {
            tell(rendered);
            return Ok(done(&format!("reloaded: generation {} serves\n", answer["generation"])));
        }
        tell(&format!("{}\n", rendered.trim_end()));
        Ok(failed("not reloaded: what was served before is served still"))
    })
}

pub(crate) fn reopen_logs(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.order("/logs/reopen").await?;
        client.decode::<Value>(&reply)?;
        Ok(if json { done(&json_line(&reply)) } else { done("reopened the access logs\n") })
    })
}

fn ask(
    admin: Option<AdminAddress>,
    story: impl AsyncFnOnce(&Client) -> Result<ExitCode, ClientError>,
) -> ExitCode {
    let client = Client::new(admin.unwrap_or_else(AdminAddress::default_place));
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(story(&client)).unwrap_or_else(|error| failed(&error.to_string())),
        Err(error) => failed(&format!("cannot start: {error}")),
    }
}

fn json_line(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).trim_end().to_owned() + "\n"
}

fn status_page(status: &StatusView) -> String {
    let config = status.config.as_deref().unwrap_or("the demo's");
    let stopping = if status.stopping { ", STOPPING" } else { "" };
    let mut page = format!(
        "evenkeel {}, pid {}, up {} (since {}){stopping}\n{config}: generation {}, {} workers\n",
        status.version,
        status.pid,
        span(status.uptime_seconds),
        status.started,
        status.generation,
        status.workers,
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
            page.extend(error.lines().map(|line| format!("  {line}\n")));
        }
    }
    let head = ["LISTENER", "ADDRESS", "CONNECTIONS", "TUNNELS", "IN FLIGHT", "REQUESTS", "FAILURES"];
    page += &format!("\n{}", table(&head, &status.listeners.iter().map(listener_row).collect::<Vec<_>>()));
    page + "\n" + &group_table(status)
}

fn listener_row(listener: &ListenerView) -> Vec<String> {
    let addresses: Vec<_> = listener.bind.iter().map(|address| address.actual.as_str()).collect();
    vec![
        listener.name.clone(),
        addresses.join(" "),
        listener.connections_open.to_string(),
        listener.tunnels_open.to_string(),
        listener.requests_in_flight.to_string(),
        listener.requests.to_string(),
        listener.failures.to_string(),
    ]
}

fn group_table(status: &StatusView) -> String {
    let row = |group: &control::GroupView| {
        let counts = [group.targets, group.healthy, group.unhealthy, group.unknown, group.unchecked];
        let mut row = vec![group.name.clone()];
        row.extend(counts.map(|count| count.to_string()));
        row.push(if group.fail_open { "ALL UNHEALTHY: every target is tried" } else { "" }.to_owned());
        row
    };
    let head = ["TARGET GROUP", "TARGETS", "HEALTHY", "UNHEALTHY", "UNKNOWN", "UNCHECKED", ""];
    table(&head, &status.groups.iter().map(row).collect::<Vec<_>>())
}

fn target_table(targets: &[TargetView]) -> String {
    let row = |target: &TargetView| {
        let passed = if target.passed_over { " (passed over)" } else { "" };
        // An error of the past is no news about a healthy target.
        let error = target.last_error.as_deref().filter(|_| target.health != "healthy");
        vec![
            target.group.clone(),
            target.address.clone(),
            target.weight.to_string(),
            format!("{}{passed}", target.health),
            target.since.clone().unwrap_or_else(|| "-".to_owned()),
            target.in_flight.to_string(),
            target.requests.to_string(),
            target.failures.to_string(),
            error.unwrap_or_default().to_owned(),
        ]
    };
    let head = ["GROUP", "TARGET", "WEIGHT", "HEALTH", "SINCE", "IN FLIGHT", "REQUESTS", "FAILURES", "ERROR"];
    table(&head, &targets.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
