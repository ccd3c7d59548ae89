//! `[session_store.NAME]`: where sessions are kept (SP9).

use std::collections::HashSet;
use std::time::Duration;

use model::{
    MemcachedAddress, MemcachedServer, SecretUrl, SessionStore, SessionStoreName, SqlDialect, StoreKind,
};

use super::address::without_unix;
use super::{Build, StoreUrl, key_file};
use crate::near::nearest;
use crate::raw::{Data, Table, Value};
use crate::report::Locate;

pub(super) fn session_stores(root: &Table, build: &mut Build<'_, '_>) -> Vec<SessionStore> {
    let tables = root.tables("session_store");
    tables.into_iter().map(|(name, table)| session_store(name, table, build)).collect()
}

fn session_store(name: &str, table: &Table, build: &mut Build<'_, '_>) -> SessionStore {
    let kind = kind(table, build);
    let key = if kind == StoreKind::Memory {
        None
    } else {
        warn_of_own_key(name, table, &kind, build);
        let default_path = build.generated_key_path();
        Some(key_file::key_source(table, default_path, build))
    };
    let store = SessionStoreName::new(name);
    if let Some(value) = table.value("url") {
        let place = build.place(value);
        build.store_urls.push(StoreUrl { store: store.clone(), place });
    }
    SessionStore {
        name: store,
        kind,
        timeout: table.duration("timeout").unwrap_or(TIMEOUT),
        capacity: table.integer("capacity").unwrap_or(CAPACITY),
        key,
    }
}

/// Warns about a store that other processes may share, but not its sessions.
fn warn_of_own_key(name: &str, table: &Table, kind: &StoreKind, build: &mut Build<'_, '_>) {
    // A file of SQLite is on the disk of one machine.
    let is_local = matches!(kind, StoreKind::Memory | StoreKind::Sql { dialect: SqlDialect::Sqlite, .. });
    if is_local || table.has("key_file") || !build.persistent_stores.contains(name) {
        return;
    }
    let path = build.generated_key_path();
    let at = table.value("type").map_or(table as &dyn Locate, |value| value);
    let message = format!("no other balancer finds the sessions in `{name}`, which has no `key_file`");
    build.report.warning(at, message).hint(format!(
        "they are hashed with a secret that is made at the start, in `{}`: name a copy of it as `key_file` in every balancer",
        path.display()
    ));
}

fn kind(table: &Table, build: &mut Build<'_, '_>) -> StoreKind {
    // With an invalid type it is unknown which keys have an effect.
    let Some(word) = table.text("type") else { return StoreKind::Memory };
    for (name, types) in ONLY_WITH {
        if !types.contains(&word) {
            build.ineffective(table, name, &format!("it is only for {}", list_of(types)));
        }
    }
    match word {
        "file" => needed(table, "path", "path = \"/var/lib/evenkeel/sessions\"", build)
            .and_then(|value| build.file(value))
            .map(|path| StoreKind::File { path }),
        "sql" => needed(table, "url", "url = \"sqlite:///var/lib/evenkeel/sessions.db\"", build)
            .and_then(|value| sql(value, build)),
        "memcached" => needed(table, "servers", "servers = [\"10.0.0.1:11211\"]", build)
            .map(|value| StoreKind::Memcached { servers: servers(value, build) }),
        "redis" => needed(table, "url", "url = \"redis://10.0.0.1:6379\"", build)
            .and_then(|value| redis(value, build)),
        _ => Some(StoreKind::Memory),
    }
    .unwrap_or(StoreKind::Memory)
}

/// Reports that the key is missing, with an example.
fn needed<'t>(table: &'t Table, name: &str, example: &str, build: &mut Build<'_, '_>) -> Option<&'t Value> {
    let value = table.value(name);
    if value.is_none()
        && let Some(kind) = table.value("type")
    {
        let message = format!("`type = \"{}\"` needs `{name}`", kind.text().unwrap_or_default());
        build.report.error(kind, message).hint(format!("for example `{example}`"));
    }
    value
}

fn list_of(types: &[&str]) -> String {
    let types: Vec<_> = types.iter().map(|name| format!("`type = \"{name}\"`")).collect();
    match types.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        all => all.join(""),
    }
}

fn sql(value: &Value, build: &mut Build<'_, '_>) -> Option<StoreKind> {
    let text = value.text()?;
    let (scheme, rest) = scheme(text);
    let (dialect, url) = match scheme {
        "sqlite" => {
            let (file, options) = rest.split_once('?').map_or((rest, None), |(file, all)| (file, Some(all)));
            if file.is_empty() || file.contains('\0') || options.is_some() {
                let problem = build.report.error(value, "a URL of SQLite is `sqlite://` and a file name");
                problem.hint("such as `\"sqlite:///var/lib/evenkeel/sessions.db\"`");
            }
            (SqlDialect::Sqlite, format!("sqlite://{}", build.path(file).display()))
        }
        "postgres" | "postgresql" => {
            has_host(rest, "postgres://USER:PASSWORD@HOST/DATABASE", value, build);
            (SqlDialect::Postgres, text.to_owned())
        }
        "mysql" | "mariadb" => {
            has_host(rest, "mysql://USER:PASSWORD@HOST/DATABASE", value, build);
            (SqlDialect::Mysql, format!("mysql://{rest}"))
        }
        _ => {
            let problem = build.report.error(value, "this is not the URL of a database");
            problem.hint(match scheme {
                "redis" | "rediss" => "`redis://` is for `type = \"redis\"`",
                _ => "it begins with `sqlite://`, `postgres://` or `mysql://`",
            });
            return None;
        }
    };
    Some(StoreKind::Sql { dialect, url: SecretUrl(url) })
}

fn redis(value: &Value, build: &mut Build<'_, '_>) -> Option<StoreKind> {
    let text = value.text()?;
    let (scheme, rest) = scheme(text);
    match scheme {
        "redis" | "rediss" | "valkey" | "valkeys" => {
            has_host(rest, "redis://HOST:PORT/NUMBER", value, build);
        }
        "redis+sentinel" | "valkey+sentinel" => {
            has_host(rest, "redis+sentinel://HOST:PORT,HOST:PORT/MASTER/NUMBER", value, build);
        }
        "redis+unix" | "valkey+unix" => {}
        _ => {
            let problem = build.report.error(value, "this is not the URL of a Redis server");
            problem.hint(match scheme {
                "sqlite" | "postgres" | "postgresql" | "mysql" | "mariadb" => {
                    "databases are for `type = \"sql\"`"
                }
                _ => "it begins with `redis://`, with `rediss://` for TLS, or with `redis+sentinel://`",
            });
            return None;
        }
    }
    Some(StoreKind::Redis { url: SecretUrl(text.to_owned()) })
}

/// The scheme of a URL; empty if there is none.
fn scheme(text: &str) -> (&str, &str) {
    text.split_once("://").unwrap_or(("", text))
}

/// Reports a URL without a host, and characters that stand in no URL. The text is not shown: it may hold a password.
fn has_host(rest: &str, form: &str, value: &Value, build: &mut Build<'_, '_>) {
    let is_plain = rest.bytes().all(|byte| byte.is_ascii_graphic());
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !is_plain {
        let problem = build.report.error(value, "a URL has no spaces and no characters beyond ASCII");
        problem.hint("other characters of a password are written as `%` and two hexadecimal digits");
    } else if authority.matches('@').count() > 1 || rest.trim_start_matches(authority).contains('@') {
        let problem = build.report.error(value, "`@` stands in a URL only before the host");
        problem.hint("in a password write `@` as `%40`, `/` as `%2F`, `?` as `%3F` and `#` as `%23`");
    } else if host.is_empty() || host.starts_with(':') {
        build.report.error(value, "the URL has no host").hint(format!("its form is `{form}`"));
    } else if let Some((_, port)) = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'))
        && port.parse::<u16>().is_err()
    {
        build.report.error(value, "the port of the URL is not one").hint(format!("its form is `{form}`"));
    }
}

fn servers(value: &Value, build: &mut Build<'_, '_>) -> Vec<MemcachedServer> {
    let values = value.list();
    if values.is_empty() && matches!(value.data, Data::List(_)) {
        let problem = build.report.error(value, "`servers` is empty");
        problem.hint("for example `servers = [\"10.0.0.1:11211\"]`");
    }
    if values.len() > SERVERS_MAX {
        build.report.error(value, format!("a session store has at most {SERVERS_MAX} servers"));
    }
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for value in values {
        let Some(server) = server(value, build) else { continue };
        if !seen.insert(format!("{:?}", server.address)) {
            let problem = build.report.error(value, "this server is listed twice");
            problem.hint("to store more on a server, give it a higher `weight`");
        }
        found.push(server);
    }
    found
}

fn server(value: &Value, build: &mut Build<'_, '_>) -> Option<MemcachedServer> {
    let (at, weight) = match value.table() {
        Some(table) => (table.value("address")?, table.integer("weight").unwrap_or(1)),
        None => (value, 1),
    };
    let text = at.text()?;
    let address = match text.strip_prefix("unix:") {
        Some(path) => MemcachedAddress::Unix(build.socket_path(path, "/run/memcached.sock", at)?),
        None if without_unix(at, build.report) => return None,
        None => match host_and_port(text) {
            Ok((host, port)) => MemcachedAddress::Tcp { host, port },
            Err(hint) => {
                let message = format!("`{}` is not a host with a port", text.escape_debug());
                build.report.error(at, message).hint(hint);
                return None;
            }
        },
    };
    Some(MemcachedServer { address, weight })
}

/// Splits `host:port`; the brackets of an IPv6 address are not part of its host. The error is a hint.
fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let example =
        || "such as `\"10.0.0.1:11211\"`, `\"cache.internal:11211\"` or `\"[::1]:11211\"`".to_owned();
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(format!("add the port: `\"[{text}]:11211\"`"));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("add the port: `\"{}:11211\"`", text.escape_debug()));
    };
    let port = port.parse::<u16>().ok().filter(|&port| port != 0).ok_or_else(example)?;
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let is_address = inner.parse::<std::net::Ipv6Addr>().is_ok();
        return if is_address { Ok((inner.to_owned(), port)) } else { Err(example()) };
    }
    let is_host = (1..=253).contains(&host.len())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if is_host { Ok((host.to_owned(), port)) } else { Err(example()) }
}

impl Build<'_, '_> {
    /// Whether `[session_store.NAME]` exists, which counts as a use of it. Reports at `at` if it does not.
    pub(super) fn store_exists(&mut self, name: &str, at: &dyn Locate) -> bool {
        if self.stores.contains(&name) {
            self.used_stores.insert(name.to_owned());
            return true;
        }
        let hint = match nearest(name, self.stores.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write a `[session_store.{}]`", name.escape_debug()),
        };
        let message = format!("there is no session store `{}`", name.escape_debug());
        self.report.error(at, message).hint(hint);
        false
    }

    /// Warns about stores that nothing has asked for with [`Build::store_exists`]. After an error it is not known what
    /// would.
    pub(super) fn unused_stores(&mut self, root: &Table) {
        if self.report.error_count() > 0 {
            return;
        }
        for (name, table) in root.tables("session_store") {
            if !self.used_stores.contains(name) {
                self.report.warning(table, format!("nothing is kept in session store `{name}`"));
            }
        }
    }
}

/// Keys, and the types for which they have an effect.
const ONLY_WITH: &[(&str, &[&str])] = &[
    ("path", &["file"]),
    ("url", &["sql", "redis"]),
    ("servers", &["memcached"]),
    ("timeout", &["file", "sql", "memcached", "redis"]),
    ("key_file", &["file", "sql", "memcached", "redis"]),
];
const TIMEOUT: Duration = Duration::from_millis(10);
const CAPACITY: u32 = 1_000_000;
// limit: of the hash ring.
const SERVERS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_ports() {
        for (text, expected) in [
            ("10.0.0.1:11211", Ok(("10.0.0.1", 11211))),
            ("cache-1.internal:1", Ok(("cache-1.internal", 1))),
            ("[::1]:11211", Ok(("::1", 11211))),
            ("10.0.0.1", Err("add the port: `\"10.0.0.1:11211\"`")),
            ("::1", Err("add the port: `\"[::1]:11211\"`")),
            ("cache:0", Err("such as")),
            ("cache:70000", Err("such as")),
            (":11211", Err("such as")),
            ("[cache]:11211", Err("such as")),
            ("a b:11211", Err("such as")),
            ("user@cache:11211", Err("such as")),
            ("memcached://cache:11211", Err("such as")),
        ] {
            match (host_and_port(text), expected) {
                (Ok((host, port)), Ok(expected)) => assert_eq!((host.as_str(), port), expected, "{text}"),
                (Err(hint), Err(start)) => assert!(hint.starts_with(start), "{text}: {hint}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn types_are_listed() {
        assert_eq!(list_of(&["file"]), "`type = \"file\"`");
        assert_eq!(list_of(&["a", "b", "c"]), "`type = \"a\"`, `type = \"b\"` and `type = \"c\"`");
    }
}
