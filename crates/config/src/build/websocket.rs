//! A rule's WebSocket settings. Reports settings that contradict each other.

use std::time::Duration;

use model::{OriginPattern, WebSocket};

use super::{Build, pattern};
use crate::raw::{Data, Table, Value};
use crate::units::print_duration;

pub(super) fn websocket(table: &Table, build: &mut Build<'_, '_>) -> WebSocket {
    let default = WebSocket::default();
    let found = WebSocket {
        enabled: table.bool("enabled").unwrap_or(default.enabled),
        idle_timeout: table.duration("idle_timeout").unwrap_or(default.idle_timeout),
        max_lifetime: table.duration("max_lifetime"),
        max_connections: table.integer("max_connections"),
        allowed_origins: list(table, "allowed_origins", origin, build),
        allowed_subprotocols: list(table, "allowed_subprotocols", subprotocol, build),
        ping_interval: table.duration("ping_interval"),
        drain_close_code: table.value("drain_close_code").and_then(|value| close_code(value, build)),
    };
    if found.enabled {
        check_times(table, &found, build);
    } else {
        for entry in table.entries.iter().filter(|entry| entry.name != "enabled") {
            build.ineffective(table, &entry.name, "`enabled = false` refuses every WebSocket of this rule");
        }
    }
    found
}

/// Reports a time that has no effect because a shorter one ends the tunnel first.
fn check_times(table: &Table, found: &WebSocket, build: &mut Build<'_, '_>) {
    let mut shorter =
        |name: &str, time: Option<Duration>, other: &str, limit: Option<Duration>, hint: &str| {
            let (Some(value), Some(time), Some(limit)) = (table.value(name), time, limit) else { return };
            if time >= limit {
                let message = format!("`{name}` must be shorter than `{other}` ({})", print_duration(limit));
                build.report.error(value, message).hint(hint);
            }
        };
    let idle = Some(found.idle_timeout);
    shorter(
        "ping_interval",
        found.ping_interval,
        "idle_timeout",
        idle,
        "a silent client would be closed before it gets a ping",
    );
    shorter(
        "ping_interval",
        found.ping_interval,
        "max_lifetime",
        found.max_lifetime,
        "a ping would never be sent",
    );
    shorter("idle_timeout", idle, "max_lifetime", found.max_lifetime, "the timeout would never be reached");
}

fn list<T>(
    table: &Table,
    name: &str,
    read: fn(&Value, &mut Build<'_, '_>) -> Option<T>,
    build: &mut Build<'_, '_>,
) -> Vec<T> {
    if let Some(value) = table.value(name)
        && matches!(&value.data, Data::List(values) if values.is_empty())
    {
        let problem = build.report.error(value, format!("`{name}` is empty: no client could connect"));
        problem.hint("leave it out to allow all, or set `enabled = false`");
    }
    table.list(name).iter().filter_map(|value| read(value, build)).collect()
}

fn origin(value: &Value, build: &mut Build<'_, '_>) -> Option<OriginPattern> {
    let text = value.text()?;
    let found = OriginPattern::parse(text).ok().filter(|_| !is_of_websocket(text));
    if found.is_none() {
        let problem = build.report.error(value, format!("`{}` is not an origin", text.escape_debug()));
        problem.hint(origin_hint(text));
    }
    found
}

fn is_of_websocket(text: &str) -> bool {
    text.starts_with("ws://") || text.starts_with("wss://")
}

fn origin_hint(text: &str) -> &'static str {
    if text == "*" {
        "leave `allowed_origins` out to allow every origin"
    } else if is_of_websocket(text) {
        "write the origin of the page, `http://…` or `https://…`, not that of the WebSocket"
    } else if !text.is_ascii() {
        "write international names in their `xn--` form (punycode)"
    } else if text.contains('*') {
        "`*.` matches one or more labels at the beginning of the host"
    } else if let Some((_, rest)) = text.split_once("://") {
        if rest.contains('/') { "without a path, and without `/` at the end" } else { EXAMPLE }
    } else {
        EXAMPLE
    }
}

/// Reads a subprotocol, which is a token (RFC 6455 §4.1).
fn subprotocol(value: &Value, build: &mut Build<'_, '_>) -> Option<String> {
    let text = value.text()?;
    if !pattern::is_token(text) {
        let problem = build.report.error(value, format!("`{}` is not a subprotocol", text.escape_debug()));
        problem.hint("one token without spaces and commas, such as `\"mqtt\"`");
    }
    Some(text.to_owned())
}

fn close_code(value: &Value, build: &mut Build<'_, '_>) -> Option<u16> {
    let code = u16::try_from(value.integer()?).ok()?;
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        let problem = build.report.error(value, format!("a Close frame cannot have the status {code}"));
        problem.hint("1000–1003, 1007–1014 and 3000–4999 can be sent (RFC 6455 section 7.4)");
    }
    Some(code)
}

const EXAMPLE: &str = "scheme, host, and port unless it is the scheme's default: `https://shop.example.com`";
