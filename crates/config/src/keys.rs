//! The single definition of every key; checks, reference, schema and help are made from it.
//!
//! A key is added together with its feature. `check` gives each value the type of its [`Kind`]; `build`
//! checks what a kind cannot express (an address, a pattern, keys that depend on each other).

mod access;
mod client_auth;
mod compression;
mod connections;
mod http;
mod http2;
mod listener;
mod persistence;
mod rule;
mod session;
mod target_group;
mod tls;
mod top;
mod websocket;

pub(crate) use top::ROOT;

/// A key's definition.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    /// One paragraph.
    pub(crate) help: &'static str,
    /// A line of TOML in the key's table; empty for tables that a header opens.
    pub(crate) example: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Default {
    /// The key is required.
    Required,
    /// The default, as an operator would write it.
    Is(&'static str),
    /// The default, in words.
    Means(&'static str),
}

/// The keys of a table: several groups where tables share some.
pub(crate) type Fields = &'static [&'static [Key]];

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    /// In milliseconds, inclusive.
    Duration(u64, u64),
    /// In bytes, inclusive.
    Size(u64, u64),
    /// Inclusive.
    Integer(u64, u64),
    /// A string, with a word for its content.
    Text(&'static str),
    /// One of the first words; the second list is words of later versions.
    Word(&'static [&'static str], &'static [&'static str]),
    List(&'static Kind),
    /// One value or a list of them.
    OneOrMore(&'static Kind),
    /// Operator-chosen names, with a word for what they name.
    Map(&'static str, &'static Kind),
    /// One kind or the other; their TOML types differ.
    Either(&'static Kind, &'static Kind),
    Table(Fields),
    /// `[[…]]`
    Tables(Fields),
    /// `[….NAME]`
    Named(Fields),
}

impl Kind {
    /// The keys of the table below, and the piece of the path in between.
    pub(crate) fn fields(&self) -> Option<(&'static str, Fields)> {
        match self {
            Self::Table(fields) => Some(("", fields)),
            Self::Tables(fields) => Some(("[]", fields)),
            Self::Named(fields) => Some((".*", fields)),
            Self::Either(one, other) => one.fields().or_else(|| other.fields()),
            Self::List(kind) | Self::OneOrMore(kind) => kind.fields().map(|(_, fields)| ("[]", fields)),
            _ => None,
        }
    }
}

pub(crate) fn find(fields: Fields, name: &str) -> Option<&'static Key> {
    fields.iter().copied().flatten().find(|key| key.name == name)
}

/// Every key with its path (`listener.*.rule[].path`), a table before its keys.
pub(crate) fn all() -> Vec<(String, &'static Key)> {
    let mut found = Vec::new();
    collect("", ROOT, &mut found);
    found
}

fn collect(prefix: &str, fields: Fields, found: &mut Vec<(String, &'static Key)>) {
    for key in fields.iter().copied().flatten() {
        let path = format!("{prefix}{}", key.name);
        found.push((path.clone(), key));
        if let Some((piece, below)) = key.kind.fields() {
            collect(&format!("{path}{piece}."), below, found);
        }
    }
}

/// Words of other products, with a hint to the matching key.
pub(crate) const FOREIGN_WORDS: &[(&str, &str)] = &[
    ("acl", "conditions are keys of a `[[listener.NAME.rule]]`; `access` allows and denies clients"),
    ("affinity", PERSISTENCE),
    ("backend", "a set of targets is a `[target_group.NAME]`"),
    ("backends", "a set of targets is a `[target_group.NAME]`"),
    ("balance", "the `algorithm` of a target group is how a target is chosen"),
    ("cluster", "a set of targets is a `[target_group.NAME]`"),
    ("entrypoint", "an address to listen on is the `bind` of a `[listener.NAME]`"),
    ("frontend", "an address to listen on is the `bind` of a `[listener.NAME]`"),
    ("listen", "an address to listen on is the `bind` of a `[listener.NAME]`"),
    ("location", "a path is a condition of a `[[listener.NAME.rule]]`"),
    ("pool", "a set of targets is a `[target_group.NAME]`"),
    ("proxy_pass", "`forward` names the target group that gets the requests"),
    ("route", "a `[[listener.NAME.rule]]` says which requests go where"),
    ("routes", "a `[[listener.NAME.rule]]` says which requests go where"),
    (
        "server",
        "an address to listen on is a `[listener.NAME]`, a backend server is one of the `targets` of a `[target_group.NAME]`",
    ),
    ("servers", "backend servers are the `targets` of a `[target_group.NAME]`"),
    (
        "timeout",
        "clients: `keepalive_timeout`, `header_timeout`, `body_timeout`, `send_timeout` of a listener; targets: `timeouts` of a target group",
    ),
    ("session_affinity", PERSISTENCE),
    ("session_persistence", PERSISTENCE),
    ("session_stickiness", PERSISTENCE),
    ("sessions", PERSISTENCE),
    ("stick_table", PERSISTENCE),
    ("stickiness", PERSISTENCE),
    ("sticky", PERSISTENCE),
    ("sticky_cookie", PERSISTENCE),
    ("sticky_session", PERSISTENCE),
    ("sticky_sessions", PERSISTENCE),
    ("upstream", "a set of targets is a `[target_group.NAME]`"),
    ("upstreams", "a set of targets is a `[target_group.NAME]`"),
];

const PERSISTENCE: &str =
    "the `persistence` of a target group or a rule keeps the requests of one client at one target";

/// Words of other products for keys, which are hinted at in tables with such a key.
pub(crate) const SYNONYMS: &[(&str, &str)] = &[
    ("cookie_name", "name"),
    ("cookie_path", "path"),
    ("cookie_domain", "domain"),
    ("expires", "ttl"),
    ("expiry", "ttl"),
    ("httponly", "http_only"),
    ("max_age", "ttl"),
    ("samesite", "same_site"),
];

/// Words of other products for a `type`, the `type` that is meant, and what is to be written.
pub(crate) const FOREIGN_TYPES: &[(&str, &str, &str)] = &[
    ("address", "source_ip", "write `type = \"source_ip\"`"),
    ("client_ip", "source_ip", "write `type = \"source_ip\"`"),
    ("ip", "source_ip", "write `type = \"source_ip\"`"),
    ("ip_hash", "source_ip", "write `type = \"source_ip\"`"),
    ("source", "source_ip", "write `type = \"source_ip\"`"),
    ("insert", "cookie", "write `type = \"cookie\"`: `mode = \"insert\"` is its default"),
    ("rewrite", "cookie", "write `type = \"cookie\", mode = \"rewrite\"`"),
    ("learn", "cookie", "write `type = \"cookie\", mode = \"learn\"`"),
    ("sqlite", "sql", "write `type = \"sql\"`: the `url` says which database"),
    ("postgres", "sql", "write `type = \"sql\"`: the `url` says which database"),
    ("postgresql", "sql", "write `type = \"sql\"`: the `url` says which database"),
    ("mysql", "sql", "write `type = \"sql\"`: the `url` says which database"),
    ("mariadb", "sql", "write `type = \"sql\"`: the `url` says which database"),
    ("valkey", "redis", "write `type = \"redis\"`, which is for Valkey, too"),
];

/// Keys that later versions will add.
pub(crate) const LATER_KEYS: &[&str] = &["acme"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_complete() {
        for (path, key) in all() {
            assert!(!key.help.is_empty() && key.help.ends_with('.'), "{path}: help");
            assert!(!key.help.contains('\n'), "{path}: one paragraph");
            let headed = matches!(key.kind, Kind::Named(_) | Kind::Tables(_));
            assert_eq!(key.example.is_empty(), headed || path == "admin", "{path}: example");
        }
    }

    #[test]
    fn no_table_defines_a_key_twice() {
        let mut paths: Vec<_> = all().into_iter().map(|(path, _)| path).collect();
        let count = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }

    #[test]
    fn hints_do_not_hide_keys() {
        let names: Vec<_> = all().into_iter().map(|(_, key)| key.name).collect();
        for word in FOREIGN_WORDS.iter().map(|(word, _)| word).chain(LATER_KEYS) {
            // They are keys of a health check and of a session store, whose tables are searched first.
            let elsewhere = ["timeout", "servers"].contains(word);
            assert!(elsewhere || !names.contains(word), "{word}");
        }
    }
}
