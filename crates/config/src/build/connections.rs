//! What holds for connections before any request is read.

use std::time::Duration;

use model::TcpKeepalive;

use super::Build;
use crate::raw::Table;

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
