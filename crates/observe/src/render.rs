//! The families of the metrics page: their names, help and sources. The admin API calls these functions. Each
//! writes its families for everything it is given, so call it once per page.

use model::{ContentCoding, Failure, ListenerName, LoadBalancerName, TargetKey};

use crate::{
    CookieRefusal, Counter, EventTotals, Exposition, Gauge, HTTP2_FAULTS, Handshake, Histogram, Kind,
    ListenerCells, LogTotals, MadeBy, PerWorker, ProxyHeader, Refusal, SessionOutcome, StatusClasses,
    TCP_ENDS, TUNNEL_FRAMES, TargetCells, TunnelEnd, WorkerCells,
};

/// Writes one sample per worker.
pub fn render_workers(page: &mut Exposition, workers: &PerWorker<WorkerCells>) {
    for row in WORKER_ROWS {
        let mut family = page.family(row.name, row.help, row.read.kind());
        for (number, cells) in workers.iter().enumerate() {
            let number = number.to_string();
            let labels = [("worker", number.as_str())];
            match row.read {
                Read::Counter(read) => family.sample(&labels, read(cells).read()),
                Read::Gauge(read) => family.sample(&labels, read(cells).read()),
            }
        }
    }
}

/// Writes the sum over all workers, per listener.
pub fn render_listeners(page: &mut Exposition, listeners: &[(ListenerName, &PerWorker<ListenerCells>)]) {
    let labelled: Vec<_> =
        listeners.iter().map(|(name, cells)| (vec![("listener", name.to_string())], *cells)).collect();
    render_rows(page, LISTENER_ROWS, &labelled);
    render_refusals(page, listeners);
    render_responses(page, listeners);
    render_failures(page, listeners);
    render_proxy_headers(page, listeners);
    render_handshakes(page, listeners);
    render_http2_faults(page, listeners);
    render_compressed(page, listeners);
    render_sessions(page, listeners);
    render_phases(page, listeners);
    render_tunnels(page, listeners);
    render_tcp(page, listeners);
}

/// Writes the connections of each load balancer: how many are open, and the limit. A load balancer without a
/// limit has no sample in the second family.
pub fn render_load_balancers(page: &mut Exposition, load_balancers: &[(LoadBalancerName, u32, Option<u32>)]) {
    let help = "Client connections open now, to all listeners of the instance.";
    let mut family = page.family("evenkeel_load_balancer_connections_open", help, Kind::Gauge);
    for (name, open, _) in load_balancers {
        family.sample(&[("load_balancer", name.as_str())], u64::from(*open));
    }
    let help = "What `max_connections` of the instance says.";
    let mut family = page.family("evenkeel_load_balancer_connections_max", help, Kind::Gauge);
    for (name, _, max) in load_balancers {
        max.iter().for_each(|&max| family.sample(&[("load_balancer", name.as_str())], u64::from(max)));
    }
}

/// Writes the limit of each listener that has one of its own.
pub fn render_listener_limits(page: &mut Exposition, listeners: &[(ListenerName, u32)]) {
    let help = "What `max_connections` of the listener says.";
    let mut family = page.family("evenkeel_listener_connections_max", help, Kind::Gauge);
    for (name, max) in listeners {
        family.sample(&[("listener", name.as_str())], u64::from(*max));
    }
}

/// Writes the sum over all workers, per target. A failure that never occurred with a target is left out, since
/// there may be many targets.
pub fn render_targets(page: &mut Exposition, targets: &[(TargetKey, &PerWorker<TargetCells>)]) {
    let labelled: Vec<_> = targets
        .iter()
        .map(|(key, cells)| {
            (vec![("group", key.group.to_string()), ("target", key.address.to_string())], *cells)
        })
        .collect();
    render_rows(page, TARGET_ROWS, &labelled);

    let mut family =
        page.family("evenkeel_target_responses_total", "Responses by class of their status.", Kind::Counter);
    for (labels, cells) in &labelled {
        for (class, label) in StatusClasses::LABELS.iter().enumerate() {
            let count = cells.sum(|c| c.responses.read()[class]);
            family.sample(&with(labels, &[("class", label)]), count);
        }
    }

    let mut family =
        page.family("evenkeel_target_failures_total", "Attempts that failed, by reason.", Kind::Counter);
    for (labels, cells) in &labelled {
        for &failure in Failure::ALL {
            let count = cells.sum(|c| c.failures.read(failure));
            if count > 0 {
                family.sample(&with(labels, &[("reason", failure.outcome().reason)]), count);
            }
        }
    }

    for (name, help, choose) in TARGET_HISTOGRAMS {
        let mut family = page.family(name, help, Kind::Histogram);
        for (labels, cells) in &labelled {
            family.histogram(&with(labels, &[]), &cells.histogram(choose));
        }
    }
}

/// Writes the totals of the access logs.
pub fn render_logs(page: &mut Exposition, totals: &LogTotals) {
    for (name, help, count) in [
        ("evenkeel_access_log_lines_total", "Lines written to access logs.", totals.lines_written),
        (
            "evenkeel_access_log_lines_dropped_total",
            "Lines lost because the disk was too slow or refused them.",
            totals.lines_dropped,
        ),
        (
            "evenkeel_access_log_errors_total",
            "Failed writes to access logs and failed attempts to reopen one.",
            totals.errors,
        ),
    ] {
        page.family(name, help, Kind::Counter).sample(&[], count);
    }
}

/// Writes the totals of the operators' log.
pub fn render_events(page: &mut Exposition, totals: &EventTotals) {
    page.family("evenkeel_operators_log_lines_total", "Lines written to the operators' log.", Kind::Counter)
        .sample(&[], totals.written);
    let help =
        "Lines left out of the operators' log: too many of their kind, or standard error was full or failed.";
    let mut family = page.family("evenkeel_operators_log_lines_left_out_total", help, Kind::Counter);
    for (reason, count) in
        [("too_many", totals.limited), ("queue_full", totals.lost), ("write_failed", totals.failed)]
    {
        family.sample(&[("reason", reason)], count);
    }
}

type Listeners<'c> = [(ListenerName, &'c PerWorker<ListenerCells>)];

fn render_refusals(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "Connections closed without an answer, by reason.";
    let mut family = page.family("evenkeel_listener_connections_refused_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for refusal in Refusal::ALL {
            let labels = [("listener", name.as_str()), ("reason", refusal.as_str())];
            family.sample(&labels, cells.sum(|c| c.connections_refused.read(refusal)));
        }
    }
}

fn render_responses(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "Responses by who made the status and by its class.";
    let mut family = page.family("evenkeel_listener_responses_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for made_by in MadeBy::ALL {
            for (class, label) in StatusClasses::LABELS.iter().enumerate() {
                let labels = [("listener", name.as_str()), ("made_by", made_by.as_str()), ("class", label)];
                family.sample(&labels, cells.sum(|c| c.responses.by(made_by).read()[class]));
            }
        }
    }
}

fn render_failures(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "Requests that failed, by reason.";
    let mut family = page.family("evenkeel_listener_failures_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for &failure in Failure::ALL {
            let labels = [("listener", name.as_str()), ("reason", failure.outcome().reason)];
            family.sample(&labels, cells.sum(|c| c.failures.read(failure)));
        }
    }
}

fn render_proxy_headers(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "PROXY headers that were due, by what came of them.";
    let mut family = page.family("evenkeel_listener_proxy_headers_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for result in ProxyHeader::ALL {
            let labels = [("listener", name.as_str()), ("result", result.as_str())];
            family.sample(&labels, cells.sum(|c| c.proxy_headers.read(result)));
        }
    }
}

fn render_http2_faults(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "Connections over HTTP/2 that were ended for what their client did, by reason.";
    let mut family = page.family("evenkeel_listener_http2_faults_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for reason in HTTP2_FAULTS {
            let labels = [("listener", name.as_str()), ("reason", reason)];
            family.sample(&labels, cells.sum(|c| c.http2_faults.read(reason)));
        }
    }
}

fn render_handshakes(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "TLS handshakes with clients, by what came of them.";
    let mut family = page.family("evenkeel_listener_tls_handshakes_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for result in Handshake::ALL {
            let labels = [("listener", name.as_str()), ("result", result.as_str())];
            family.sample(&labels, cells.sum(|c| c.handshakes.read(result)));
        }
    }
}

fn render_compressed(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "Responses that Evenkeel compressed, by coding.";
    let mut family = page.family("evenkeel_listener_compressed_responses_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for coding in ContentCoding::ALL {
            let labels = [("listener", name.as_str()), ("coding", coding.as_str())];
            family.sample(&labels, cells.sum(|c| c.compressed.read(coding)));
        }
    }
}

fn render_sessions(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "Requests under persistence, by how they found their target.";
    let mut family = page.family("evenkeel_listener_session_requests_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for outcome in SessionOutcome::ALL {
            let labels = [("listener", name.as_str()), ("session", outcome.as_str())];
            family.sample(&labels, cells.sum(|c| c.sessions.read(outcome)));
        }
    }
    let help = "Session cookies that were taken for absent, by reason.";
    let mut family = page.family("evenkeel_listener_session_cookies_refused_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for refusal in CookieRefusal::ALL {
            let labels = [("listener", name.as_str()), ("reason", refusal.as_str())];
            family.sample(&labels, cells.sum(|c| c.sessions.read_refused(refusal)));
        }
    }
}

fn render_phases(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "How long the phases of requests took; a request that skips a phase is not counted in it.";
    let mut family = page.family("evenkeel_listener_phase_seconds", help, Kind::Histogram);
    for (name, cells) in listeners {
        for (phase, choose) in PHASES {
            let labels = [("listener", name.as_str()), ("phase", phase)];
            family.histogram(&labels, &cells.histogram(choose));
        }
    }
}

fn render_tunnels(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "Upgraded connections that ended, by reason.";
    let mut family = page.family("evenkeel_listener_tunnels_closed_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for (place, end) in TunnelEnd::ALL.into_iter().enumerate() {
            let labels = [("listener", name.as_str()), ("reason", end.as_str())];
            family.sample(&labels, cells.sum(|c| c.tunnels.closed[place].read()));
        }
    }
    let help =
        "Frames of WebSockets whose rule has `ping_interval` or `drain_close_code`, by sender and kind.";
    let mut family = page.family("evenkeel_listener_tunnel_frames_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for (place, kind) in TUNNEL_FRAMES.into_iter().enumerate() {
            let sent_by = |from| [("listener", name.as_str()), ("from", from), ("kind", kind)];
            family.sample(&sent_by("client"), cells.sum(|c| c.tunnels.frames_from_client[place].read()));
            family.sample(&sent_by("target"), cells.sum(|c| c.tunnels.frames_from_target[place].read()));
        }
    }
}

fn render_tcp(page: &mut Exposition, listeners: &Listeners<'_>) {
    let help = "TCP connections that ended, by how and by whom.";
    let mut family = page.family("evenkeel_listener_tcp_connections_ended_total", help, Kind::Counter);
    for (name, cells) in listeners {
        for (place, (end, sides)) in TCP_ENDS.into_iter().enumerate() {
            for &side in sides {
                let labels = [("listener", name.as_str()), ("end", end), ("ended_by", side.as_str())];
                family.sample(&labels, cells.sum(|c| c.tcp.read(place, side)));
            }
        }
    }
}

type Labelled<'c, T> = (Vec<(&'static str, String)>, &'c PerWorker<T>);

fn render_rows<T>(page: &mut Exposition, rows: &[Row<T>], labelled: &[Labelled<'_, T>]) {
    for row in rows {
        let mut family = page.family(row.name, row.help, row.read.kind());
        for (labels, cells) in labelled {
            let labels = with(labels, &[]);
            match row.read {
                Read::Counter(read) => family.sample(&labels, cells.sum(|c| read(c).read())),
                Read::Gauge(read) => family.sample(&labels, cells.sum(|c| read(c).read())),
            }
        }
    }
}

fn with<'l>(labels: &'l [(&'static str, String)], more: &[(&'l str, &'l str)]) -> Vec<(&'l str, &'l str)> {
    labels.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect()
}

struct Row<T> {
    name: &'static str,
    help: &'static str,
    read: Read<T>,
}

enum Read<T> {
    Counter(fn(&T) -> &Counter),
    Gauge(fn(&T) -> &Gauge),
}

impl<T> Read<T> {
    const fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
        }
    }
}

const fn counter<T>(name: &'static str, help: &'static str, read: fn(&T) -> &Counter) -> Row<T> {
    Row { name, help, read: Read::Counter(read) }
}

const fn gauge<T>(name: &'static str, help: &'static str, read: fn(&T) -> &Gauge) -> Row<T> {
    Row { name, help, read: Read::Gauge(read) }
}

const WORKER_ROWS: &[Row<WorkerCells>] = &[
    counter("evenkeel_worker_connections_accepted_total", "Client connections accepted.", |c| {
        &c.connections_accepted
    }),
    gauge("evenkeel_worker_connections_open", "Client connections open now.", |c| &c.connections_open),
    counter("evenkeel_worker_accept_errors_total", "Failed calls to accept a connection.", |c| {
        &c.accept_errors
    }),
    counter("evenkeel_worker_loop_turns_total", "Turns of the worker's loop.", |c| &c.loop_turns),
    counter("evenkeel_worker_task_panics_total", "Tasks that panicked: bugs, please report them.", |c| {
        &c.task_panics
    }),
    counter("evenkeel_worker_deadlines_fired_total", "Deadlines that passed and ended a wait.", |c| {
        &c.deadlines_fired
    }),
    counter(
        "evenkeel_worker_deaths_total",
        "Workers that died and were replaced: bugs, please report them.",
        |c| &c.deaths,
    ),
    gauge("evenkeel_worker_tasks", "Tasks of the worker's loop, twice a second.", |c| &c.tasks),
    gauge("evenkeel_worker_sources", "Sockets of the worker's loop, twice a second.", |c| &c.sources),
    gauge("evenkeel_worker_leased_bytes", "Bytes of the buffers in use, twice a second.", |c| {
        &c.leased_bytes
    }),
];

const LISTENER_ROWS: &[Row<ListenerCells>] = &[
    counter("evenkeel_listener_connections_accepted_total", "Client connections accepted.", |c| {
        &c.connections_accepted
    }),
    gauge("evenkeel_listener_connections_open", "Client connections open now.", |c| &c.connections_open),
    counter(
        "evenkeel_listener_connections_evicted_total",
        "Connections closed to make room for others, idle or behind a response.",
        |c| &c.connections_evicted,
    ),
    counter(
        "evenkeel_listener_connections_revoked_total",
        "Connections closed because their client's certificate was revoked.",
        |c| &c.connections_revoked,
    ),
    counter(
        "evenkeel_listener_http2_connections_total",
        "Client connections on which HTTP/2 was spoken.",
        |c| &c.http2_connections,
    ),
    gauge(
        "evenkeel_listener_accepts_waiting",
        "Workers that leave new connections in the kernel's queue, because there is no place for them.",
        |c| &c.accepts_waiting,
    ),
    counter("evenkeel_listener_requests_total", "Finished requests.", |c| &c.requests),
    gauge("evenkeel_listener_requests_in_flight", "Requests in flight now.", |c| &c.requests_in_flight),
    counter("evenkeel_listener_received_bytes_total", "Bytes received from clients.", |c| &c.received_bytes),
    counter("evenkeel_listener_sent_bytes_total", "Bytes sent to clients.", |c| &c.sent_bytes),
    counter("evenkeel_listener_retries_total", "Attempts beyond a request's first.", |c| &c.retries),
    counter(
        "evenkeel_listener_client_aborts_total",
        "Requests whose client went away or stalled before it had its response.",
        |c| &c.client_aborts,
    ),
    counter(
        "evenkeel_listener_dead_peers_total",
        "Idle connections closed because their client vanished: keepalive probes went unanswered.",
        |c| &c.dead_peers,
    ),
    counter("evenkeel_listener_tunnels_opened_total", "Upgraded connections.", |c| &c.tunnels.opened),
    gauge("evenkeel_listener_tunnels_open", "Upgraded connections open now.", |c| &c.tunnels.open),
    counter("evenkeel_listener_tunnel_received_bytes_total", "Bytes from clients in tunnels.", |c| {
        &c.tunnels.received_bytes
    }),
    counter("evenkeel_listener_tunnel_sent_bytes_total", "Bytes from targets in tunnels.", |c| {
        &c.tunnels.sent_bytes
    }),
    counter("evenkeel_listener_tunnel_pings_total", "Pings that silent clients were sent.", |c| {
        &c.tunnels.pings
    }),
    counter(
        "evenkeel_listener_compression_input_bytes_total",
        "Bytes of bodies that were compressed, as targets sent them.",
        |c| &c.compression_input_bytes,
    ),
    counter(
        "evenkeel_listener_compression_output_bytes_total",
        "Bytes of bodies that were compressed, as clients got them.",
        |c| &c.compression_output_bytes,
    ),
    counter(
        "evenkeel_listener_compression_skipped_total",
        "Responses sent as they were because too many were being compressed at the time.",
        |c| &c.compression_skipped,
    ),
];

const TARGET_ROWS: &[Row<TargetCells>] = &[
    counter("evenkeel_target_requests_total", "Attempts, also those that failed.", |c| &c.requests),
    gauge("evenkeel_target_requests_in_flight", "Attempts in flight now.", |c| &c.requests_in_flight),
    counter("evenkeel_target_connections_opened_total", "Connections opened.", |c| &c.connections_opened),
    counter("evenkeel_target_connections_reused_total", "Attempts that took an idle connection.", |c| {
        &c.connections_reused
    }),
    gauge("evenkeel_target_connections_open", "Connections open now, idle ones included.", |c| {
        &c.connections_open
    }),
    counter(
        "evenkeel_target_dead_peers_total",
        "Idle connections closed because the target vanished: keepalive probes went unanswered.",
        |c| &c.dead_peers,
    ),
    counter("evenkeel_target_received_bytes_total", "Bytes received from the target.", |c| &c.received_bytes),
    counter("evenkeel_target_sent_bytes_total", "Bytes sent to the target.", |c| &c.sent_bytes),
];

type Choose<T> = fn(&T) -> &Histogram;

const PHASES: [(&str, Choose<ListenerCells>); 5] = [
    ("read_head", |c| &c.phases.read_head),
    ("connect", |c| &c.phases.connect),
    ("respond", |c| &c.phases.respond),
    ("relay", |c| &c.phases.relay),
    ("total", |c| &c.phases.total),
];

const TARGET_HISTOGRAMS: [(&str, &str, Choose<TargetCells>); 2] = [
    ("evenkeel_target_connect_seconds", "How long opening a connection took.", |c| &c.connect),
    ("evenkeel_target_respond_seconds", "Time from the request to the response's first byte.", |c| {
        &c.respond
    }),
];

#[cfg(test)]
mod tests;
