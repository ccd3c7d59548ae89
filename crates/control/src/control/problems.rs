//! What is wrong now, where, and what to do: the problems of the status, whose exit code is 1 if there are any.

use observe::LogTrouble;

use super::recent::Refused;
use crate::view::{
    CertificateView, FailureView, ListenerView, ProblemView, SessionGatewayView, SessionStoreView,
    StatusView, TargetView,
};

/// What is known beyond the views. Counts are of the last five minutes; those of `lately`, of the last half minute.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) targets: Vec<TargetView>,
    pub(super) certificates: Vec<CertificateView>,
    pub(super) logs: Vec<LogTrouble>,
    pub(super) lines_dropped: u64,
    pub(super) lines_dropped_lately: u64,
    /// In the order of the status' listeners.
    pub(super) refused: Vec<Refused>,
    pub(super) refused_lately: Vec<Refused>,
    pub(super) panics: u64,
}

pub(super) fn problems(status: &StatusView, facts: &Facts) -> Vec<ProblemView> {
    let mut problems = Vec::new();
    if status.last_reload.as_ref().is_some_and(|reload| !reload.ok) {
        let what = format!("the last reload failed; generation {} is still served", status.generation);
        let place = status.config.as_deref().unwrap_or("configuration");
        problems.push(problem(
            what,
            place,
            "correct its errors, see `evenkeel check`, and `evenkeel reload`",
        ));
    }
    for group in status.groups.iter().filter(|group| group.fail_open) {
        let what = "no target is healthy, so all are tried".to_owned();
        problems.push(problem(what, &format!("target group {}", group.name), "see `evenkeel targets`"));
    }
    problems.extend(status.groups.iter().filter_map(|group| unreachable_group(&group.name, &facts.targets)));
    let target = |target| unhealthy_target(target).or_else(|| failing_target(target));
    problems.extend(facts.targets.iter().filter_map(target).take(EACH_MAX));
    problems.extend(certificates(status, facts));
    problems.extend(logs(facts));
    let refused = facts.refused.iter().zip(&facts.refused_lately);
    for (listener, (all, lately)) in status.listeners.iter().zip(refused) {
        problems.extend(out_of_descriptors(listener, *all, *lately));
        problems.extend(full(listener, *all, *lately));
    }
    problems.extend(status.session_stores.iter().filter_map(troubled_store));
    problems.extend(status.session_gateways.iter().filter_map(deaf_gateway));
    if facts.panics > 0 {
        let what = format!("a bug of Evenkeel ended {} connections in {WINDOW}", facts.panics);
        problems.push(problem(what, "workers", "please report the log lines with `a panic`"));
    }
    problems
}

/// A group that serves no request: the last connect failed to each target that gets requests.
fn unreachable_group(name: &str, targets: &[TargetView]) -> Option<ProblemView> {
    let used = || {
        let of_group = targets.iter().filter(|target| target.group == name);
        of_group.filter(|target| matches!(&*target.health, "healthy" | "unchecked"))
    };
    if !used().all(|target| target.last_connect_failed && !has_recovered(target)) {
        return None;
    }
    let failures = used().filter_map(|target| target.last_failure.as_ref());
    let last = failures.min_by_key(|last| last.seconds_ago)?;
    let what = format!("no target could be connected when that was last tried, {}", told(last));
    (last.seconds_ago <= WINDOW_SECONDS).then(|| problem(what, &format!("target group {name}"), &last.hint))
}

fn unhealthy_target(target: &TargetView) -> Option<ProblemView> {
    if target.health != "unhealthy" {
        return None;
    }
    let error = target.last_error.as_deref().unwrap_or("no probe succeeds");
    let since = target.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    let what = format!("it is unhealthy{since}: {error}");
    Some(problem(what, &place(target), "correct what its health check finds, or remove it from the group"))
}

fn place(target: &TargetView) -> String {
    format!("target {} of {}", target.address, target.group)
}

/// When and why a request failed.
fn told(last: &FailureView) -> String {
    let detail = if last.detail.is_empty() { String::new() } else { format!(" ({})", last.detail) };
    format!("{} s ago: {}{detail}", last.seconds_ago, last.reason)
}

/// A single failure, or few among many requests, are no problem: targets restart.
fn failing_target(target: &TargetView) -> Option<ProblemView> {
    let (failed, all) = (target.recent_failures, target.recent_requests);
    let last = target.last_failure.as_ref().filter(|last| last.seconds_ago <= WINDOW_SECONDS)?;
    if failed < FAILURES_MIN || failed.saturating_mul(SHARE_MIN) < all || has_recovered(target) {
        return None;
    }
    let what = format!("{failed} of {all} requests failed in {WINDOW}, the last {}", told(last));
    Some(match last.served_since {
        0 => problem(what, &place(target), &last.hint),
        served => {
            let what = format!("{what}; {served} were served since");
            problem(what, &place(target), "it serves again; if more requests fail, look at its own log")
        }
    })
}

/// A failure is over half a minute later if the target is known to serve: by its check, or by requests.
fn has_recovered(target: &TargetView) -> bool {
    target.last_failure.as_ref().is_none_or(|last| {
        last.seconds_ago > LATELY_SECONDS && (target.health == "healthy" || last.served_since >= SERVED_MIN)
    })
}

fn certificates(status: &StatusView, facts: &Facts) -> Vec<ProblemView> {
    const RENEW: &str = "renew the file; it is then served without a reload";
    let mut problems = Vec::new();
    for expired in &status.certificates.expired {
        let (file, what) = expired.split_once(": ").unwrap_or((expired, "has expired"));
        problems.push(problem(format!("expired: {what}"), file, RENEW));
    }
    let soon = facts.certificates.iter().filter(|one| one.days_left >= 0 && !one.is_fine());
    for one in soon.take(EACH_MAX) {
        let days = if one.days_left == 1 { "day" } else { "days" };
        let what = format!("{} expires in {} {days}, at {}", one.subject, one.days_left, one.not_after);
        problems.push(problem(what, &one.path, RENEW));
    }
    if let Some(failed) = &status.certificates.failed_swap {
        let what = format!("changed files are not served since {}", failed.at);
        problems.push(problem(
            what,
            "certificates",
            "correct the errors above; the files are tried again every minute",
        ));
    }
    problems
}

fn logs(facts: &Facts) -> Vec<ProblemView> {
    let mut problems = Vec::new();
    for LogTrouble { path, message, error } in &facts.logs {
        let remedy = "make room on the disk; the directory must exist, and the user that runs evenkeel may write there";
        problems.push(problem(format!("{message}: {error}"), &format!("access log {path}"), remedy));
    }
    let is_now = facts.lines_dropped_lately > 0 || !facts.logs.is_empty();
    if facts.lines_dropped > 0 && is_now {
        let what = format!("{} lines were lost in {WINDOW}", facts.lines_dropped);
        problems.push(problem(
            what,
            "access logs",
            "let the disk have room, and be fast enough for the logs",
        ));
    }
    problems
}

fn out_of_descriptors(listener: &ListenerView, refused: Refused, lately: Refused) -> Option<ProblemView> {
    let what = format!(
        "{} connections were refused in {WINDOW}, {LATELY}: no file descriptor was free",
        refused.descriptors
    );
    let remedy = "raise the limit (`LimitNOFILE=` or `ulimit -n`), or set `max_connections`";
    (lately.descriptors > 0).then(|| problem(what, &listener_place(listener), remedy))
}

fn full(listener: &ListenerView, refused: Refused, lately: Refused) -> Option<ProblemView> {
    let has_room = listener.connections_max.is_none_or(|max| listener.connections_open < max.into());
    let count = refused.full;
    let (verb, why) = match (listener.waiting, has_room) {
        (true, _) => ("is", "new connections wait".to_owned()),
        (false, false) if count > 0 => ("is", format!("{count} connections were refused in {WINDOW}")),
        (false, true) if lately.full > 0 => {
            ("was", format!("{count} connections were refused in {WINDOW}, {LATELY}"))
        }
        _ => return None,
    };
    let max = listener.connections_max.map(|max| format!(" ({max})")).unwrap_or_default();
    let what = format!("the connection limit{max} {verb} reached: {why}");
    Some(problem(
        what,
        &listener_place(listener),
        "raise `max_connections` of the listener or its load balancer, or look for clients that hold connections",
    ))
}

fn troubled_store(store: &SessionStoreView) -> Option<ProblemView> {
    let (what, remedy) = match &*store.state {
        "serves" => return None,
        "refuses" => {
            ("it takes nothing", "make room in the store, or let the user that Evenkeel has there write")
        }
        "away" if store.writes_fail => (
            "its writes fail",
            "look for what holds a lock in the store, or makes it slow; raise its `timeout` if it is only slow",
        ),
        "away" => (
            "it is away, and is tried again all the time",
            "look at the store and the way to it, and at its user and password; raise its `timeout` if it is only slow",
        ),
        _ => ("it cannot be opened", "correct its `url`, see the log"),
    };
    let error = store.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    Some(problem(format!("{what}{error}"), &format!("session store {}", store.name), remedy))
}

fn deaf_gateway(gateway: &SessionGatewayView) -> Option<ProblemView> {
    let what = format!("it does not listen at {}: {}", gateway.bind, gateway.trouble.as_ref()?);
    let remedy = "end what uses the address, or change its `bind`; the directory of a Unix socket must exist";
    Some(problem(what, &format!("session gateway {}", gateway.name), remedy))
}

fn listener_place(listener: &ListenerView) -> String {
    format!("listener {}", listener.name)
}

fn problem(what: String, place: &str, remedy: &str) -> ProblemView {
    ProblemView { what, place: place.to_owned(), remedy: remedy.to_owned() }
}

const WINDOW: &str = "the last 5 minutes";
const WINDOW_SECONDS: u64 = 300;
/// Samples are up to ten seconds apart.
const LATELY: &str = "the last of them less than 40 s ago";
const LATELY_SECONDS: u64 = 30;
/// Fewer failures in the window are no problem.
const FAILURES_MIN: u64 = 3;
/// Nor is less than one in a hundred.
const SHARE_MIN: u64 = 100;
/// As many requests served since the last failure tell that a target serves again.
const SERVED_MIN: u64 = 3;
// limit: problems of one kind in a status.
const EACH_MAX: usize = 100;

#[cfg(test)]
mod tests;
