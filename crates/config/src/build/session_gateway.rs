//! `[session_gateway.NAME]`: endpoints with the protocol of memcached (SP12).

use model::{
    GatewayAddress, Limits, SessionGateway, SessionGatewayName, SessionStore, SessionStoreName, StoreKind,
};

use super::address::{socket_address, without_unix};
use super::{Build, bind};
use crate::raw::{Table, Value};

pub(super) fn session_gateways(
    root: &Table,
    stores: &[SessionStore],
    build: &mut Build<'_, '_>,
) -> Vec<SessionGateway> {
    let mut gateways: Vec<SessionGateway> = Vec::new();
    for (name, table) in root.tables("session_gateway") {
        let store = table.value("store").and_then(|value| store(value, build));
        let cache = cache(table, store.as_deref(), stores, build);
        let address = table.value("bind").and_then(|value| address(value, &gateways, build));
        // Everything that is missing was reported.
        let (Some(store), Some(bind)) = (store, address) else { continue };
        gateways.push(SessionGateway {
            name: SessionGatewayName::new(name),
            bind,
            store: SessionStoreName::new(&store),
            cache: cache.map(|name| SessionStoreName::new(&name)),
            item_bytes_max: item_bytes_max(table, stores, build),
        });
    }
    gateways
}

/// Every item must fit into the store and into the cache.
fn item_bytes_max(table: &Table, stores: &[SessionStore], build: &mut Build<'_, '_>) -> u64 {
    let Some(value) = table.value("max_item") else { return Limits::SMALL_ITEM_BYTES_MAX };
    let bytes = value.integer().unwrap_or(Limits::SMALL_ITEM_BYTES_MAX);
    let names = ["store", "cache"].into_iter().filter_map(|key| table.text(key));
    let small = |name: &&str| {
        let is_small = |kind: &StoreKind| matches!(kind, StoreKind::Sql { .. } | StoreKind::Redis { .. });
        stores.iter().any(|store| store.name.as_str() == *name && is_small(&store.kind))
    };
    if bytes > Limits::SMALL_ITEM_BYTES_MAX
        && let Some(name) = names.into_iter().find(small)
    {
        let message = format!("session store `{name}` takes no items over 1MiB");
        build
            .report
            .error(value, message)
            .hint("SQL databases and Redis do not; the other types take up to 16MiB");
    }
    bytes
}

fn store(value: &Value, build: &mut Build<'_, '_>) -> Option<String> {
    let name = value.text()?;
    build.store_exists(name, value).then(|| name.to_owned())
}

fn cache(
    table: &Table,
    truth: Option<&str>,
    stores: &[SessionStore],
    build: &mut Build<'_, '_>,
) -> Option<String> {
    let value = table.value("cache")?;
    let name = store(value, build)?;
    let kind_of =
        |name: &str| stores.iter().find(|store| store.name.as_str() == name).map(|store| &store.kind);
    if truth == Some(&name) {
        build.report.error(value, "`cache` and `store` are the same session store");
    } else if truth.and_then(kind_of) == Some(&StoreKind::Memory) {
        build.ineffective(table, "cache", "the `store` is in memory already");
    } else if matches!(kind_of(&name), Some(StoreKind::File { .. } | StoreKind::Sql { .. })) {
        let problem = build.report.error(value, format!("session store `{name}` cannot be a cache"));
        problem.hint("a cache is of type `memory`, `memcached` or `redis`");
    }
    Some(name)
}

fn address(value: &Value, others: &[SessionGateway], build: &mut Build<'_, '_>) -> Option<GatewayAddress> {
    let text = value.text()?;
    if let Some(path) = text.strip_prefix("unix:") {
        let path = build.socket_path(path, "/run/evenkeel/sessions.sock", value)?;
        if build.sockets.contains(&path) {
            build.report.error(value, "this Unix socket is already used by `[admin]`");
        }
        let address = GatewayAddress::Unix(path);
        if let Some(other) = others.iter().find(|other| other.bind == address) {
            let message = format!("this Unix socket is already used by session gateway `{}`", other.name);
            build.report.error(value, message);
        }
        return Some(address);
    }
    if without_unix(value, build.report) {
        return None;
    }
    let address = socket_address(value, build.report)?;
    if !address.ip().to_canonical().is_loopback() {
        let message = format!("{address} can be reached from other machines");
        build.report.error(value, message).hint(
            "memcached's protocol has no authentication: bind to `unix:` and a path, or to `127.0.0.1`, on \
             every machine with applications",
        );
    }
    let gateways = others.iter().filter_map(|other| match other.bind {
        GatewayAddress::Tcp(bind) => Some((bind, format!("session gateway `{}`", other.name))),
        GatewayAddress::Unix(_) => None,
    });
    let listeners = build.binds.iter().map(|(bind, name)| (*bind, format!("listener `{name}`")));
    let admin = build.admin_addresses.iter().map(|bind| (*bind, "`[admin]`".to_owned()));
    // The kernel chooses two ports for two zeros.
    let mut taken = gateways.chain(listeners).chain(admin).filter(|_| address.port() != 0);
    if let Some((_, owner)) = taken.find(|(bind, _)| bind::overlap(*bind, address)) {
        let message = format!("{address} is already used by {owner}");
        drop(taken);
        build.report.error(value, message);
    }
    Some(GatewayAddress::Tcp(address))
}
