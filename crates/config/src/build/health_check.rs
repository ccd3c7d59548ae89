//! The settings of a health check.

use std::time::Duration;

use model::{CheckKind, HealthCheck, StatusSet, TargetProtocol};

use super::{Build, pattern, status};
use crate::raw::{Data, Table, Value};

pub(super) fn health_check(
    table: &Table,
    protocol: TargetProtocol,
    build: &mut Build<'_, '_>,
) -> Option<HealthCheck> {
    let interval = table.duration("interval").unwrap_or(INTERVAL);
    let timeout = table.duration("timeout").unwrap_or(TIMEOUT.min(interval));
    if timeout > interval
        && let Some(value) = table.value("timeout")
    {
        let problem = build.report.error(value, "`timeout` is longer than `interval`");
        problem.hint("a probe must end before the next one begins");
    }
    Some(HealthCheck {
        kind: kind(table, protocol, build)?,
        interval,
        timeout,
        healthy: table.integer("healthy").unwrap_or(3),
        unhealthy: table.integer("unhealthy").unwrap_or(3),
        port: table.integer("port"),
    })
}

fn kind(table: &Table, protocol: TargetProtocol, build: &mut Build<'_, '_>) -> Option<CheckKind> {
    let word = table.text("type")?;
    if word == "tcp" {
        for name in ["path", "host", "expected"] {
            build.ineffective(table, name, "it is only for `type = \"http\"` and `\"https\"`");
        }
        return Some(CheckKind::Tcp);
    }
    let is_tls = word == "https";
    if let Some(value) = table.value("type") {
        if is_tls && !protocol.is_tls() {
            let problem =
                build.report.error(value, "`type = \"https\"` is for groups that speak TLS to their targets");
            problem.hint("`protocol = \"https\"` or `\"h2\"` for the group, or `type = \"http\"` here");
        } else if !is_tls && protocol.is_tls() && !table.has("port") {
            let problem = build
                .report
                .error(value, "`type = \"http\"` probes without TLS, but these targets speak TLS");
            problem.hint("use `type = \"https\"`, or a `port` where the targets answer checks without TLS");
        }
    }
    let expected = match table.value("expected") {
        Some(value) => expected(value, build),
        None => StatusSet { ranges: vec![(200, 399)] },
    };
    let path = path(table, build);
    Some(CheckKind::Http { is_tls, path, host: host(table, build), expected })
}

fn path(table: &Table, build: &mut Build<'_, '_>) -> String {
    let path = table.text("path").unwrap_or("/");
    let clean = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if let Some(value) = table.value("path").filter(|_| !clean || !path.starts_with('/')) {
        let message = format!("`{}` is not a path", path.escape_debug());
        build
            .report
            .error(value, message)
            .hint("it starts with `/`, and characters that are not ASCII are percent-encoded");
    }
    path.to_owned()
}

/// The `Host` of the probe; it may have a port.
fn host(table: &Table, build: &mut Build<'_, '_>) -> Option<String> {
    let value = table.value("host")?;
    let text = value.text()?;
    let name = match text.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => text,
    };
    if !pattern::is_host(name) {
        build.report.error(value, format!("`{}` is not a host", text.escape_debug()));
    }
    Some(text.to_owned())
}

fn expected(list: &Value, build: &mut Build<'_, '_>) -> StatusSet {
    if matches!(&list.data, Data::List(values) if values.is_empty()) {
        build.report.error(list, "the list of expected statuses is empty");
    }
    let mut ranges = Vec::new();
    for value in list.list() {
        if let Some(status) = value.integer().and_then(|status| u16::try_from(status).ok()) {
            ranges.push((status, status));
        }
        let Some(text) = value.text() else { continue };
        match status::parse(text, 200, 599) {
            Some(range) => ranges.push(range),
            None => {
                let problem =
                    build.report.error(value, format!("`{}` is not a set of statuses", text.escape_debug()));
                problem
                    .hint("a status (`200`), a class (`\"2xx\"`) or a range (`\"200-399\"`) within 200–599");
            }
        }
    }
    status::set(ranges)
}

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);
