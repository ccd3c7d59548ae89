//! Target groups: targets, algorithm, timeouts.

use std::collections::HashSet;
use std::net::SocketAddr;

use model::{
    Algorithm, HashKey, Limits, Listener, ProxyVersion, Target, TargetGroup, TargetGroupName,
    TargetKeepalive, TargetProtocol, TargetTimeouts, TcpKeepalive,
};

use super::{Build, address, bind, connections, edits, health_check, persistence, target_tls, tcp};
use crate::raw::{Table, Value};

pub(super) fn target_groups(
    root: &Table,
    listeners: &[Listener],
    build: &mut Build<'_, '_>,
) -> Vec<TargetGroup> {
    let tables = root.tables("target_group");
    tables.into_iter().map(|(name, table)| target_group(name, table, listeners, build)).collect()
}

fn target_group(name: &str, table: &Table, listeners: &[Listener], build: &mut Build<'_, '_>) -> TargetGroup {
    let protocol = target_tls::protocol(name, table, listeners, build);
    if protocol == TargetProtocol::Tcp {
        tcp::check_group(table, build);
    } else {
        let why = "it is only for groups of TCP listeners: a connection to an HTTP target carries the requests of many clients, and `Forwarded` or `X-Forwarded-For` names each";
        build.ineffective(table, "proxy_protocol_out", why);
    }
    let check = table.table("health_check");
    TargetGroup {
        name: TargetGroupName::new(name),
        protocol,
        tls: target_tls::target_tls(table, protocol, build),
        targets: targets(table, build),
        algorithm: algorithm(table, build),
        persistence: persistence::persistence(table, build),
        health_check: check.and_then(|check| health_check::health_check(check, protocol, build)),
        timeouts: table.table("timeouts").map(timeouts).unwrap_or_default(),
        keepalive: table.table("keepalive").map(keepalive).unwrap_or_default(),
        tcp_keepalive: connections::tcp_keepalive(Some(TcpKeepalive::default()), table, build),
        proxy_protocol_out: table.text("proxy_protocol_out").and_then(proxy_version),
        max_connections: table.integer("max_connections"),
    }
}

fn proxy_version(word: &str) -> Option<ProxyVersion> {
    match word {
        "v1" => Some(ProxyVersion::V1),
        "v2" => Some(ProxyVersion::V2),
        _ => None,
    }
}

fn targets(table: &Table, build: &mut Build<'_, '_>) -> Vec<Target> {
    let values = table.list("targets");
    let mut targets = Vec::new();
    let mut seen = HashSet::new();
    for value in values {
        let Some(target) = target(value, build) else { continue };
        let address = SocketAddr::new(target.address.ip().to_canonical(), target.address.port());
        if !seen.insert(address) {
            let problem = build.report.error(value, format!("target {address} is listed twice"));
            problem.hint("to send a target more requests, give it a higher `weight`");
        }
        targets.push(target);
    }
    let Some(at) = table.value("targets") else { return targets };
    if matches!(&at.data, crate::raw::Data::List(values) if values.is_empty()) {
        build.report.error(at, "a target group needs at least one target");
    }
    if values.len() > Limits::TARGETS_MAX {
        build.report.error(at, format!("a target group has at most {} targets", Limits::TARGETS_MAX));
    }
    if !targets.is_empty() && targets.iter().all(|target| target.weight == 0) {
        build.report.warning(at, "every target has weight 0: none gets new requests");
    }
    targets
}

fn target(value: &Value, build: &mut Build<'_, '_>) -> Option<Target> {
    let (at, weight) = match value.table() {
        Some(table) => (table.value("address")?, table.integer("weight").unwrap_or(1)),
        None => (value, 1),
    };
    let address = address::socket_address(at, build.report)?;
    let ip = address.ip().to_canonical();
    if address.port() == 0 {
        build.report.error(at, "a target's port cannot be 0");
    } else if ip.is_unspecified() || ip.is_multicast() {
        let problem = build.report.error(at, format!("{ip} is not the address of a single target"));
        problem.hint("a target on this machine is `127.0.0.1` or `[::1]`");
    } else if let Some((own, name)) = build.binds.iter().find(|(own, _)| bind::reaches(address, *own)) {
        let message = format!("target {address} is listener `{name}` itself, at {own}");
        build
            .report
            .error(at, message)
            .hint("requests would go round in a circle: name the server behind it");
    }
    Some(Target { address, weight })
}

fn algorithm(table: &Table, build: &mut Build<'_, '_>) -> Algorithm {
    let word = table.text("algorithm").unwrap_or("weighted_round_robin");
    if word != "hash" {
        build.ineffective(table, "hash_on", "it is only for `algorithm = \"hash\"`");
    }
    match word {
        "least_connections" => Algorithm::LeastConnections,
        "random_two" => Algorithm::RandomTwo,
        "source_ip_hash" => Algorithm::SourceIpHash,
        "hash" => hash(table, build),
        _ => Algorithm::WeightedRoundRobin,
    }
}

fn hash(table: &Table, build: &mut Build<'_, '_>) -> Algorithm {
    let header = table.table("hash_on").and_then(|table| table.value("header"));
    if !table.has("hash_on")
        && let Some(value) = table.value("algorithm")
    {
        let problem = build.report.error(value, "`algorithm = \"hash\"` needs `hash_on`");
        problem.hint("for example `hash_on = { header = \"X-User\" }`");
    }
    let name = header.and_then(Value::text).unwrap_or("");
    if let Some(value) = header {
        edits::check_name(name, value, build.report);
    }
    Algorithm::Hash(HashKey::Header(name.to_ascii_lowercase()))
}

fn timeouts(table: &Table) -> TargetTimeouts {
    let default = TargetTimeouts::default();
    TargetTimeouts {
        connect: table.duration("connect").unwrap_or(default.connect),
        response: table.duration("response").unwrap_or(default.response),
        idle: table.duration("idle").unwrap_or(default.idle),
    }
}

fn keepalive(table: &Table) -> TargetKeepalive {
    let default = TargetKeepalive::default();
    TargetKeepalive {
        idle_timeout: table.duration("idle_timeout").unwrap_or(default.idle_timeout),
        idle_max: table.integer("idle_max").unwrap_or(default.idle_max),
    }
}
