//! `docs/configuration.md`, made from the definitions of the keys.

use std::fmt::Write;

use crate::help;
use crate::keys::{self, Key};

/// The reference of all keys, in Markdown. `examples/generate_docs.rs` writes the page, and a test checks
/// that it is up to date.
pub fn reference_markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    for section in SECTIONS {
        let _ = write!(out, "\n## {}\n\n{}\n", section.title, section.text());
        if !section.example.is_empty() {
            let _ = write!(out, "\n```toml\n{}```\n", section.example);
        }
        for (path, key) in section.keys() {
            entry(&mut out, &path, key);
        }
    }
    out
}

/// A chapter: the keys of one table.
struct Section {
    title: &'static str,
    /// The table's own path; empty for the top level.
    table: &'static str,
    /// The prefix of the paths of its keys.
    prefix: &'static str,
    /// Keys that are in other chapters.
    without: &'static [&'static str],
    /// A complete configuration.
    example: &'static str,
}

impl Section {
    /// Its keys with their paths within the table.
    fn keys(&self) -> Vec<(String, &'static Key)> {
        let mut found = Vec::new();
        for (path, key) in keys::all() {
            let Some(inner) = path.strip_prefix(self.prefix) else { continue };
            let elsewhere = self.without.iter().any(|other| is_or_is_below(inner, other));
            let inherited = self.prefix == LISTENER && is_inherited(inner);
            if !elsewhere && !inherited && !is_repeated(&path) {
                found.push((inner.to_owned(), key));
            }
        }
        found
    }

    fn text(&self) -> &'static str {
        let table = keys::all().into_iter().find(|(path, _)| path == self.table);
        table.map_or("Keys before the first table.", |(_, key)| key.help)
    }
}

fn is_inherited(inner: &str) -> bool {
    keys::all().iter().any(|(path, _)| path.strip_prefix(LOAD_BALANCER) == Some(inner))
}

fn is_repeated(path: &str) -> bool {
    REPEATED.iter().any(|table| path.starts_with(table))
}

fn is_or_is_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn entry(out: &mut String, path: &str, key: &Key) {
    let path = path.replace("[]", "");
    let (kind, default) = (help::kind(&key.kind), capitalised(&help::default(key.default)));
    // Writing to a String cannot fail.
    let _ = write!(out, "\n### `{path}`\n\nType: {kind}. {default}.\n\n{}\n", key.help);
    if !key.example.is_empty() {
        let _ = write!(out, "\n```toml\n{}\n```\n", key.example);
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

const LOAD_BALANCER: &str = "load_balancer.*.";
const LISTENER: &str = "listener.*.";
/// Tables whose keys would be listed a second time.
const REPEATED: &[&str] = &["listener.*.certificates[].client_auth.", "listener.*.rule[].persistence."];

const SECTIONS: &[Section] = &[
    Section {
        title: "Top level",
        table: "",
        prefix: "",
        without: &["admin", "load_balancer", "listener", "target_group", "session_store", "session_gateway"],
        example: "",
    },
    Section { title: "`[admin]`", table: "admin", prefix: "admin.", without: &[], example: "" },
    Section {
        title: "`[load_balancer.NAME]`",
        table: "load_balancer",
        prefix: LOAD_BALANCER,
        without: &[],
        example: r#"[load_balancer.shop]
keepalive_timeout = "30s"
limits = { body = "10MiB" }

[listener.web]
load_balancer = "shop"
bind = "0.0.0.0:8080"
keepalive_timeout = "5s"         # overrides the inherited 30 s
forward = "app"

[target_group.app]
targets = ["127.0.0.1:9001"]
"#,
    },
    Section {
        title: "`[listener.NAME]`",
        table: "listener",
        prefix: LISTENER,
        without: &["rule"],
        example: r#"[listener.web]
bind = ["0.0.0.0:443", "[2001:db8::1]:443"]
protocol = "https"
certificates = ["example.com.pem", { cert = "example.org.crt", key = "example.org.key" }]
redirect_http = 80               # redirects to https, on the same addresses
hsts = { max_age = "30d" }
access_log = { path = "access.log", format = "json" }
forward = "app"

[target_group.app]
targets = ["127.0.0.1:9001"]
"#,
    },
    Section {
        title: "`[[listener.NAME.rule]]`",
        table: "listener.*.rule",
        prefix: "listener.*.rule[].",
        without: &[],
        example: r#"[listener.web]
bind = "0.0.0.0:8080"
forward = "app"

[[listener.web.rule]]
host = "*.example.com"
path = "/api/"
forward = { api = 90, api-next = 10 }
rewrite = "/"

[[listener.web.rule]]
path = "= /old"
redirect = { to = "https://example.com/new", code = 308 }

[[listener.web.rule]]
path = "~ ^/v(?<major>[0-9]+)/"
method = ["GET", "HEAD"]
header = { X-Canary = "*" }
source = ["10.0.0.0/8"]
forward = "api-next"
rewrite = "/next/${major}/"

[target_group.app]
targets = ["127.0.0.1:9001"]

[target_group.api]
targets = ["127.0.0.1:9002"]

[target_group.api-next]
targets = ["127.0.0.1:9003"]
"#,
    },
    Section {
        title: "`[target_group.NAME]`",
        table: "target_group",
        prefix: "target_group.*.",
        without: &[],
        example: r#"[listener.web]
bind = "0.0.0.0:8080"
forward = "app"

[target_group.app]
targets = [{ address = "10.0.0.1:8080", weight = 10 }, "10.0.0.2:8080"]
algorithm = "least_connections"
health_check = { type = "http", path = "/healthz", interval = "2s", timeout = "1s" }
timeouts = { connect = "1s", response = "30s" }
"#,
    },
    Section {
        title: "`[session_store.NAME]`",
        table: "session_store",
        prefix: "session_store.*.",
        without: &[],
        example: "",
    },
    Section {
        title: "`[session_gateway.NAME]`",
        table: "session_gateway",
        prefix: "session_gateway.*.",
        without: &[],
        example: r#"[listener.web]
bind = "0.0.0.0:8080"
forward = "app"

[target_group.app]
targets = ["10.0.0.1:8080", "10.0.0.2:8080"]

[session_store.database]
type = "sql"
url = "postgres://evenkeel:secret@db.internal/sessions"
timeout = "100ms"

[session_store.copies]
type = "redis"
url = "redis://10.0.0.9:6379"

[session_gateway.shop]
bind = "unix:/run/evenkeel/sessions.sock"
store = "database"
cache = "copies"
"#,
    },
];

const INTRODUCTION: &str = r#"# Configuration

<!-- Generated by `cargo run -p config --example generate_docs`; edit the text in crates/config/src/keys. -->

Evenkeel reads one TOML file. `evenkeel check FILE` reports all its errors at once, each with its position;
`evenkeel help KEY` shows the entry of a key on this page; `configuration.schema.json` is for editors.

A minimal configuration:

```toml
[listener.web]
bind = "0.0.0.0:8080"
forward = "app"

[target_group.app]
targets = ["127.0.0.1:9001", "127.0.0.1:9002"]
```

- **Durations** are a whole number and a unit: `ms`, `s`, `m`, `h` or `d`, as in `"75s"`.
- **Sizes** are a whole number and a unit: `B`, `KiB` (1024 bytes), `MiB` or `GiB`, as in `"16KiB"`.
- **Names** of load balancers, listeners, target groups, session stores and gateways have 1–64 letters (a–z, A–Z), digits, `-` and `_`.
- **Relative paths** are relative to the directory of the file.
- **Regular expressions** are those of the Rust crate `regex`, in linear time; they match anywhere unless anchored with `^` and `$`.
- An unknown key is an error, and so is a key that has no effect.
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_exactly_one_chapter() {
        let mut expected: Vec<_> = keys::all().into_iter().map(|(path, _)| path).collect();
        expected.retain(|path| !path.strip_prefix(LISTENER).is_some_and(is_inherited) && !is_repeated(path));
        let tables = [
            "admin",
            "load_balancer",
            "listener",
            "listener.*.rule",
            "target_group",
            "session_store",
            "session_gateway",
        ];
        expected.retain(|path| !tables.contains(&path.as_str()));
        let chapters =
            SECTIONS.iter().flat_map(|s| s.keys().into_iter().map(move |(p, _)| format!("{}{p}", s.prefix)));
        let mut found: Vec<_> = chapters.collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}
