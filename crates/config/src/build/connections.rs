//! Connection limits and TCP keepalive.

use std::time::Duration;

use model::{ClientPrefix, ConnectionLimits, LoadBalancer, LoadBalancerName, TcpKeepalive, WhenFull};

use super::{Build, DEFAULT_LOAD_BALANCER, listener};
use crate::raw::Table;

/// The load balancers in the order of the file; always includes `default`.
pub(super) fn load_balancers(root: &Table) -> Vec<LoadBalancer> {
    let load_balancer = |(name, table)| LoadBalancer {
        name: LoadBalancerName::new(name),
        connections: limits(ConnectionLimits::default().client, table),
    };
    let mut all: Vec<_> = root.tables("load_balancer").into_iter().map(load_balancer).collect();
    if !all.iter().any(|one| one.name.as_str() == DEFAULT_LOAD_BALANCER) {
        let connections = ConnectionLimits::default();
        all.push(LoadBalancer { name: LoadBalancerName::new(DEFAULT_LOAD_BALANCER), connections });
    }
    all
}

/// A listener's own limits, with the prefixes of its load balancer.
pub(super) fn of_listener(table: &Table, root: &Table) -> ConnectionLimits {
    let load_balancer =
        load_balancer_of(table, root).map(|table| limits(ConnectionLimits::default().client, table));
    limits(load_balancer.unwrap_or_default().client, table)
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

/// Whether `when_full` is set for this listener.
pub(super) fn says_when_full(table: &Table, root: &Table) -> bool {
    [table].into_iter().chain(load_balancer_of(table, root)).any(|table| table.has("when_full"))
}

fn load_balancer_of<'r>(table: &Table, root: &'r Table) -> Option<&'r Table> {
    let wanted = listener::load_balancer_name(table);
    root.tables("load_balancer").into_iter().find(|(name, _)| *name == wanted).map(|(_, table)| table)
}

/// Reports keys that refine a limit that is not set, and limits that cannot be reached.
pub(super) fn check(root: &Table, build: &mut Build<'_, '_>) {
    let listeners = root.tables("listener");
    for (name, table) in root.tables("load_balancer") {
        let own = listeners.iter().filter(|(_, listener)| listener::load_balancer_name(listener) == name);
        let tables: Vec<_> = own.map(|(_, listener)| *listener).chain([table]).collect();
        effective(table, &tables, &tables, build);
    }
    for (_, table) in listeners {
        let load_balancer = load_balancer_of(table, root);
        let both: Vec<_> = [table].into_iter().chain(load_balancer).collect();
        // The load balancer counts clients by its own prefix.
        effective(table, &both, &[table], build);
        let within = load_balancer.and_then(|load_balancer| load_balancer.integer::<u32>("max_connections"));
        if let (Some(own), Some(within)) = (table.integer::<u32>("max_connections"), within)
            && own > within
            && let Some(value) = table.value("max_connections")
        {
            let message = format!("its load balancer allows only {within} connections");
            build.report.warning(value, message).hint("the smaller limit applies");
        }
    }
}

fn effective(table: &Table, limited: &[&Table], counted: &[&Table], build: &mut Build<'_, '_>) {
    if !limited.iter().any(|table| table.has("max_connections")) {
        build.ineffective(table, "when_full", "it needs `max_connections`, which is not set");
    }
    if !counted.iter().any(|table| table.has("max_connections_per_client")) {
        for key in ["client_prefix_v4", "client_prefix_v6"] {
            let why = "it needs `max_connections_per_client`, which is not set";
            build.ineffective(table, key, why);
        }
    }
}

/// `inherited`, with the keys that `table` sets replaced one by one.
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

/// Reads a duration in whole seconds, the unit of the kernel.
fn whole_seconds(table: &Table, name: &str, build: &mut Build<'_, '_>) -> Option<Duration> {
    let duration = table.duration(name)?;
    if duration.subsec_nanos() != 0
        && let Some(value) = table.value(name)
    {
        build.report.error(value, format!("`{name}` must be whole seconds"));
    }
    Some(duration)
}
