//! What holds for connections before any request is read.

use std::time::Duration;

use model::{ClientPrefix, ConnectionLimits, LoadBalancer, LoadBalancerName, TcpKeepalive, WhenFull};

use super::{Build, DEFAULT_INSTANCE, listener};
use crate::raw::Table;

/// In the order of the file; `default` is always there.
pub(super) fn load_balancers(root: &Table) -> Vec<LoadBalancer> {
    let load_balancer = |(name, table)| LoadBalancer {
        name: LoadBalancerName::new(name),
        connections: limits(ConnectionLimits::default().client, table),
    };
    let mut all: Vec<_> = root.tables("load_balancer").into_iter().map(load_balancer).collect();
    if !all.iter().any(|one| one.name.as_str() == DEFAULT_INSTANCE) {
        let connections = ConnectionLimits::default();
        all.push(LoadBalancer { name: LoadBalancerName::new(DEFAULT_INSTANCE), connections });
    }
    all
}

/// A listener's own limits, with the prefixes of its load balancer.
pub(super) fn of_listener(table: &Table, root: &Table) -> ConnectionLimits {
    let instance = instance_of(table, root).map(|table| limits(ConnectionLimits::default().client, table));
    limits(instance.unwrap_or_default().client, table)
}

fn limits(inherited: ClientPrefix, table: &Table) -> ConnectionLimits {
    ConnectionLimits {
        max: table.integer("max_connections"),
        per_client: table.integer("max_connections_per_client"),
        client: ClientPrefix {
            v4_bits: table.integer("client_prefix_v4").unwrap_or(inherited.v4_bits),
            v6_bits: table.integer("client_prefix_v6").unwrap_or(inherited.v6_bits),
        },
    }
}

pub(super) fn when_full(inherited: WhenFull, table: &Table) -> WhenFull {
    match table.text("when_full") {
        Some("refuse") => WhenFull::Refuse,
        Some(_) => WhenFull::Wait,
        None => inherited,
    }
}

fn instance_of<'r>(table: &Table, root: &'r Table) -> Option<&'r Table> {
    let wanted = listener::instance_name(table);
    root.tables("load_balancer").into_iter().find(|(name, _)| *name == wanted).map(|(_, table)| table)
}

/// Keys about a limit that nobody has, and limits that cannot be reached.
pub(super) fn check(root: &Table, build: &mut Build<'_, '_>) {
    let listeners = root.tables("listener");
    for (name, table) in root.tables("load_balancer") {
        let own = listeners.iter().filter(|(_, listener)| listener::instance_name(listener) == name);
        let tables: Vec<_> = own.map(|(_, listener)| *listener).chain([table]).collect();
        effective(table, &tables, &tables, build);
    }
    for (_, table) in listeners {
        let instance = instance_of(table, root);
        let both: Vec<_> = [table].into_iter().chain(instance).collect();
        // What the instance counts is by its own prefix.
        effective(table, &both, &[table], build);
        let within = instance.and_then(|instance| instance.integer::<u32>("max_connections"));
        if let (Some(own), Some(within)) = (table.integer::<u32>("max_connections"), within)
            && own > within
            && let Some(value) = table.value("max_connections")
        {
            let message = format!("its load balancer has no more than {within} connections");
            build.report.warning(value, message).hint("the smaller limit counts");
        }
    }
}

fn effective(table: &Table, limited: &[&Table], counted: &[&Table], build: &mut Build<'_, '_>) {
    if !limited.iter().any(|table| table.has("max_connections")) {
        build.ineffective(table, "when_full", "it is about `max_connections`, which is not set");
    }
    if !counted.iter().any(|table| table.has("max_connections_per_client")) {
        for key in ["client_prefix_v4", "client_prefix_v6"] {
            let why = "it is about `max_connections_per_client`, which is not set";
            build.ineffective(table, key, why);
        }
    }
}

/// `inherited` with what stands in `table` in its place; each key for itself.
pub(super) fn tcp_keepalive(
    inherited: Option<TcpKeepalive>,
    table: &Table,
    build: &mut Build<'_, '_>,
) -> Option<TcpKeepalive> {
    let Some(value) = table.value("tcp_keepalive") else { return inherited };
    let table = value.table()?;
    let inherited = inherited.unwrap_or_default();
    Some(TcpKeepalive {
        idle: whole_seconds(table, "idle", build).unwrap_or(inherited.idle),
        interval: whole_seconds(table, "interval", build).unwrap_or(inherited.interval),
        probes: table.integer("probes").unwrap_or(inherited.probes),
    })
}

/// The kernel counts no less.
fn whole_seconds(table: &Table, name: &str, build: &mut Build<'_, '_>) -> Option<Duration> {
    let duration = table.duration(name)?;
    if duration.subsec_nanos() != 0
        && let Some(value) = table.value(name)
    {
        build.report.error(value, format!("`{name}` must be whole seconds"));
    }
    Some(duration)
}
