//! `persistence` of a group or a rule (SP1–SP7).

use std::sync::Arc;
use std::time::Duration;

use model::{
    ClientPrefix, CookieAttributes, CookieMode, CookiePersistence, Persistence, SameSite, SessionStoreName,
    SourceFrom, SourceIpPersistence,
};

use super::{Build, cookie_scope, key_file, pattern};
use crate::raw::{Table, Value};

/// `None`: there is none, or it has an error that was reported.
pub(super) fn persistence(table: &Table, build: &mut Build<'_, '_>) -> Option<Arc<Persistence>> {
    let table = table.table("persistence")?;
    let found = match table.text("type")? {
        "cookie" => Persistence::Cookie(cookie(table, build)),
        _ => Persistence::SourceIp(source_ip(table, build)),
    };
    Some(Arc::new(found))
}

fn cookie(table: &Table, build: &mut Build<'_, '_>) -> CookiePersistence {
    for name in OF_SOURCE_IP {
        let why = match *name {
            "timeout" => "it is only for `type = \"source_ip\"`; of a cookie it is `ttl`",
            _ => "it is only for `type = \"source_ip\"`",
        };
        build.ineffective(table, name, why);
    }
    let mode = mode(table);
    // With an invalid mode it is unknown which keys have an effect.
    if table.text("mode").is_some() || !table.has("mode") {
        for (name, modes, why) in ONLY_WITH {
            if !modes.contains(&mode) {
                build.ineffective(table, name, why);
            }
        }
    }
    let key = (mode != CookieMode::Learn).then(|| {
        let default_path = build.generated_key_path();
        key_file::key_source(table, default_path, build)
    });
    let found = CookiePersistence {
        name: name(table, mode, build),
        mode,
        ttl: table.duration("ttl"),
        attributes: attributes(table, build),
        key,
        hide: table.bool("hide").unwrap_or(false),
        store: if mode == CookieMode::Learn { store(table, build) } else { None },
    };
    if mode == CookieMode::Insert {
        cookie_scope::check_attributes(table, &found, build);
    }
    found
}

fn mode(table: &Table) -> CookieMode {
    match table.text("mode") {
        Some("rewrite") => CookieMode::Rewrite,
        Some("learn") => CookieMode::Learn,
        _ => CookieMode::Insert,
    }
}

/// Reads the name, which is a token (RFC 6265 §4.1.1).
fn name(table: &Table, mode: CookieMode, build: &mut Build<'_, '_>) -> String {
    let Some(value) = table.value("name") else {
        if mode != CookieMode::Insert
            && let Some(value) = table.value("mode")
        {
            let word = value.text().unwrap_or_default();
            let problem = build.report.error(value, format!("`mode = \"{word}\"` needs `name`"));
            problem.hint("the name of the application's cookie, such as `name = \"PHPSESSID\"`");
        }
        return NAME.to_owned();
    };
    let name = value.text().unwrap_or(NAME);
    if !pattern::is_token(name) {
        let problem = build.report.error(value, format!("`{}` is not a cookie's name", name.escape_debug()));
        problem.hint("letters, digits and characters such as `-`, `.` and `_`, without spaces");
    } else if name.len() > NAME_BYTES_MAX {
        build.report.error(value, format!("a cookie's name has at most {NAME_BYTES_MAX} characters"));
    }
    name.to_owned()
}

fn attributes(table: &Table, build: &mut Build<'_, '_>) -> CookieAttributes {
    let path = table.value("path");
    CookieAttributes {
        domain: table.value("domain").and_then(|value| cookie_scope::domain(value, build)),
        path: path.and_then(|value| cookie_path(value, build)).unwrap_or_else(|| "/".to_owned()),
        http_only: table.bool("http_only").unwrap_or(true),
        secure: table.bool("secure"),
        same_site: match table.text("same_site") {
            Some("strict") => Some(SameSite::Strict),
            Some("lax") => Some(SameSite::Lax),
            Some(_) => Some(SameSite::None),
            None => None,
        },
    }
}

/// Reads the path, which has no `;` and no control characters (RFC 6265 §4.1.1).
fn cookie_path(value: &Value, build: &mut Build<'_, '_>) -> Option<String> {
    let text = value.text()?;
    if !text.starts_with('/') {
        let problem = build.report.error(value, format!("`{}` is not a path", text.escape_debug()));
        problem.hint("it begins with `/`; a browser would ignore it otherwise");
    } else if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, ';' | '?' | '#')) {
        let message = format!("the path of a cookie cannot contain `{}`", wrong.escape_debug());
        build.report.error(value, message).hint("write it percent-encoded, as browsers do");
    }
    Some(text.to_owned())
}

fn source_ip(table: &Table, build: &mut Build<'_, '_>) -> SourceIpPersistence {
    for name in OF_COOKIES {
        let why = match *name {
            "ttl" => "it is only for `type = \"cookie\"`; of an address it is `timeout`",
            _ => "it is only for `type = \"cookie\"`",
        };
        build.ineffective(table, name, why);
    }
    SourceIpPersistence {
        timeout: table.duration("timeout").unwrap_or(TIMEOUT),
        prefix: ClientPrefix {
            v4_bits: table.integer("prefix_v4").unwrap_or(32),
            v6_bits: table.integer("prefix_v6").unwrap_or(64),
        },
        from: match table.text("from") {
            Some("forwarded") => SourceFrom::Forwarded,
            _ => SourceFrom::Connection,
        },
        spill: table.integer("spill"),
        store: store(table, build),
    }
}

fn store(table: &Table, build: &mut Build<'_, '_>) -> Option<SessionStoreName> {
    let value = table.value("store")?;
    let name = value.text()?;
    build.persistent_stores.insert(name.to_owned());
    build.store_exists(name, value).then(|| SessionStoreName::new(name))
}

/// Keys of cookies, the modes for which they have an effect, and a hint.
const ONLY_WITH: &[(&str, &[CookieMode], &str)] = &[
    ("domain", INSERT, OF_OURS),
    ("path", INSERT, OF_OURS),
    ("http_only", INSERT, OF_OURS),
    ("secure", INSERT, OF_OURS),
    ("same_site", INSERT, OF_OURS),
    ("hide", INSERT, "it is only for `mode = \"insert\"`: targets need their own cookie"),
    (
        "key_file",
        &[CookieMode::Insert, CookieMode::Rewrite],
        "a learned cookie is not changed, so that there is nothing to seal",
    ),
    (
        "store",
        &[CookieMode::Learn],
        "the cookie itself says the target; a store is for `mode = \"learn\"` and `type = \"source_ip\"`",
    ),
];
const INSERT: &[CookieMode] = &[CookieMode::Insert];
const OF_OURS: &str = "it is only for `mode = \"insert\"`: the application sets the attributes of its cookie";
const OF_SOURCE_IP: &[&str] = &["timeout", "prefix_v4", "prefix_v6", "from", "spill"];
const OF_COOKIES: &[&str] =
    &["mode", "name", "domain", "path", "ttl", "http_only", "secure", "same_site", "key_file", "hide"];
const NAME: &str = "EKSESSION";
/// limit: the name is written into responses and sent with every request.
const NAME_BYTES_MAX: usize = 128;
const TIMEOUT: Duration = Duration::from_secs(300);
