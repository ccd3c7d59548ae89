//! HTTP/2 of a load balancer or a listener.

use model::Http2;

use super::Build;
use crate::raw::Table;

/// `inherited`, with the keys that `table` sets replaced one by one.
pub(super) fn http2(inherited: Http2, table: &Table, build: &mut Build<'_, '_>) -> Http2 {
    let Some(value) = table.value("http2") else { return inherited };
    let Some(table) = value.table() else {
        return Http2 { is_enabled: value.text() != Some("off"), ..inherited };
    };
    let found = Http2 {
        is_enabled: true,
        concurrent_streams: table.integer("concurrent_streams").unwrap_or(inherited.concurrent_streams),
        stream_window_bytes: table.integer("stream_window").unwrap_or(inherited.stream_window_bytes),
        connection_window_bytes: table
            .integer("connection_window")
            .unwrap_or(inherited.connection_window_bytes),
    };
    let written: Vec<_> =
        ["stream_window", "connection_window"].into_iter().filter_map(|name| table.value(name)).collect();
    let are_right = written.iter().all(|value| value.integer().is_some());
    if are_right
        && found.stream_window_bytes > found.connection_window_bytes
        && let [at, ..] = *written
    {
        let problem =
            build.report.error(at, "the window of one stream is larger than that of the connection");
        problem.hint("raise `http2.connection_window` or lower `http2.stream_window`");
    }
    found
}
