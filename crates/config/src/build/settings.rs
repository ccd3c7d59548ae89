//! The settings that a listener inherits from its load balancer.

use model::{AccessLog, HttpSettings, ListenerSettings, LogFormat, LogPath};

use super::{Build, address, connections, http};
use crate::raw::Table;

/// All that is inherited: settings of every service, and settings of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) listener: ListenerSettings,
    pub(super) http: HttpSettings,
}

/// `inherited`, with the keys that `table` sets replaced.
pub(super) fn settings(inherited: Settings, table: &Table, build: &mut Build<'_, '_>) -> Settings {
    Settings {
        listener: of_every_service(inherited.listener, table, build),
        http: http::settings(inherited.http, table, build),
    }
}

fn of_every_service(
    inherited: ListenerSettings,
    table: &Table,
    build: &mut Build<'_, '_>,
) -> ListenerSettings {
    ListenerSettings {
        tcp_keepalive: connections::tcp_keepalive(inherited.tcp_keepalive, table, build),
        when_full: connections::when_full(inherited.when_full, table),
        proxy_protocol: match table.value("proxy_protocol") {
            Some(value) => address::ranges(value.list(), build.report),
            None => inherited.proxy_protocol,
        },
        access: inherited.access,
        access_log: match table.value("access_log") {
            Some(value) => value.table().and_then(|table| access_log(table, build)),
            None => inherited.access_log,
        },
    }
}

fn access_log(table: &Table, build: &mut Build<'_, '_>) -> Option<AccessLog> {
    let value = table.value("path")?;
    let path = match value.text()? {
        "-" => LogPath::Stdout,
        "" => {
            build.report.error(value, "`path` is empty").hint("a file, or `-` for standard output");
            return None;
        }
        text => {
            let path = build.path(text);
            if let Err(error) = build.files.appendable(&path) {
                let message = format!("cannot write `{}`: {error}", text.escape_debug());
                build.report.file_error(value, message).hint(UNWRITABLE_HINT);
            }
            LogPath::File(path)
        }
    };
    let format = if table.text("format") == Some("json") { LogFormat::Json } else { LogFormat::Text };
    Some(AccessLog { path, format })
}

const UNWRITABLE_HINT: &str =
    "the directory must exist, and the user that runs evenkeel must be allowed to write there";
