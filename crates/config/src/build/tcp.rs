//! What a listener that passes bytes on has, and what it has not, because only messages have it (L41).

use model::TcpSettings;

use super::Build;
use crate::keys;
use crate::raw::Table;

/// Whether the listener passes bytes on as they are.
pub(super) fn is_tcp(listener: &Table) -> bool {
    matches!(listener.text("protocol"), Some("tcp" | "tcp_ssl"))
}

/// Whether a client's first message decides, though its TLS does not end here.
pub(super) fn looks_at_hello(listener: &Table) -> bool {
    let mut rules = listener.tables("rule").into_iter();
    listener.text("protocol") == Some("tcp")
        && rules.any(|(_, rule)| OF_TLS.iter().any(|name| rule.has(name)))
}

pub(super) fn settings(listener: &Table) -> TcpSettings {
    let default = TcpSettings::default();
    TcpSettings {
        idle_timeout: listener.duration("idle_timeout").unwrap_or(default.idle_timeout),
        hello_timeout: listener.duration("handshake_timeout").unwrap_or(default.hello_timeout),
    }
}

/// Reports keys of the other kind of listeners.
pub(super) fn check_keys(listener: &Table, build: &mut Build<'_, '_>) {
    if !is_tcp(listener) {
        // With an invalid protocol it is unknown which keys have an effect.
        let is_known = listener.text("protocol").is_some() || !listener.has("protocol");
        for entry in listener.entries.iter().filter(|entry| is_known && keys::is_only_tcp(&entry.name)) {
            build.ineffective(listener, &entry.name, "it is only for `protocol = \"tcp\"` and `\"tcp_ssl\"`");
        }
        for (_, rule) in listener.tables("rule").into_iter().filter(|_| is_known) {
            for (name, instead) in
                OF_TLS.into_iter().zip(["; `host` is the condition on the host of a request", ""])
            {
                let why = format!("it is only for `protocol = \"tcp\"` and `\"tcp_ssl\"`{instead}");
                build.ineffective(rule, name, &why);
            }
        }
        return;
    }
    let own: Vec<_> = keys::of_tcp().map(|name| format!("`{name}`")).collect();
    let why = format!("it is only for HTTP; a listener with TCP has {}", own.join(", "));
    for entry in listener.entries.iter().filter(|entry| keys::is_only_http(&entry.name)) {
        build.ineffective(listener, &entry.name, &why);
    }
    for (_, rule) in listener.tables("rule") {
        for entry in rule.entries.iter().filter(|entry| !OF_RULE.contains(&entry.name.as_str())) {
            let why = match entry.name.as_str() {
                "host" => "it is only for HTTP; `sni` is the name that a TLS client asks for",
                _ => {
                    "it is only for HTTP; a rule of a listener with TCP has `source`, `sni`, `alpn`, `forward`, `access` and `persistence`"
                }
            };
            build.ineffective(rule, &entry.name, why);
        }
        check_persistence(rule, build);
    }
    let of_certificates = listener.list("certificates").iter().filter_map(|value| value.table());
    for table in of_certificates.chain([listener]).filter_map(|table| table.table("client_auth")) {
        build.ineffective(table, "headers", "the bytes of a TCP connection are passed on as they are");
    }
}

/// Reports keys of a target group that have no effect on TCP connections.
pub(super) fn check_group(group: &Table, build: &mut Build<'_, '_>) {
    build.ineffective(group, "keepalive", "each TCP connection has a connection of its own to its target");
    for name in ["response", "idle"] {
        if let Some(timeouts) = group.table("timeouts") {
            let why =
                "it is only for HTTP; `idle_timeout` of a listener limits the pauses of TCP connections";
            build.ineffective(timeouts, name, why);
        }
    }
    if let Some(value) = group.value("algorithm").filter(|value| value.text() == Some("hash")) {
        let problem = build.report.error(value, "`hash` is only for HTTP: a TCP connection has no headers");
        problem.hint("`source_ip_hash` hashes the client's address");
    }
    check_persistence(group, build);
}

/// Of a group or a rule.
fn check_persistence(table: &Table, build: &mut Build<'_, '_>) {
    let Some(persistence) = table.table("persistence") else { return };
    if let Some(value) = persistence.value("type").filter(|value| value.text() == Some("cookie")) {
        let problem = build.report.error(value, "a TCP connection has no cookies");
        problem.hint("`type = \"source_ip\"` keeps the connections of one address at one target");
    }
    let why = "no header says where a TCP connection comes from; `proxy_protocol` of the listener does";
    build.ineffective(persistence, "from", why);
}

const OF_RULE: [&str; 6] = ["source", "sni", "alpn", "forward", "access", "persistence"];
/// Conditions on what a TLS client says first.
const OF_TLS: [&str; 2] = ["sni", "alpn"];
