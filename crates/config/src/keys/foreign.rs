//! Words of other products, and what is written here instead.

use super::{Fields, find};

/// A word of other products for a value of a key.
#[derive(Debug)]
pub(crate) struct ForeignValue {
    /// The key, and one of its words that is meant.
    pub(crate) key: &'static str,
    pub(crate) meant: &'static str,
    pub(crate) word: &'static str,
    /// Other keys that belong to it, as they are written behind it.
    more: &'static str,
    /// Why, or what else there is.
    remark: &'static str,
}

impl ForeignValue {
    pub(crate) fn hint(&self) -> String {
        format!("write `{}`{}", self.written(), self.remark)
    }

    /// A table with everything that it needs, in braces.
    pub(crate) fn table(&self) -> String {
        // The other modes are for a cookie of the application, whose name has no default.
        let name = if self.more.is_empty() { "" } else { ", name = \"JSESSIONID\"" };
        format!("{{ {}{name} }}", self.written())
    }

    fn written(&self) -> String {
        format!("{} = \"{}\"{}", self.key, self.meant, self.more)
    }
}

/// The hint for another product's word for a key of this table.
pub(crate) fn hint_in(fields: Fields, word: &str) -> Option<&'static str> {
    let here = |(name, beside, _): &&(&str, &str, &str)| *name == word && find(fields, beside).is_some();
    let here = WORDS_BESIDE.iter().find(here).map(|(.., hint)| *hint);
    here.or_else(|| hint(word))
}

/// The hint for another product's word for a key.
pub(crate) fn hint(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(name, _)| *name == word).map(|(_, hint)| *hint)
}

/// Words of other products, with a hint to the matching key.
const WORDS: &[(&str, &str)] = &[
    ("acl", "conditions are keys of a `[[listener.NAME.rule]]`; `access` allows and denies clients"),
    ("affinity", PERSISTENCE),
    ("backend", "a set of targets is a `[target_group.NAME]`"),
    ("backends", "a set of targets is a `[target_group.NAME]`"),
    ("balance", "the `algorithm` of a target group is how a target is chosen"),
    ("cluster", "a set of targets is a `[target_group.NAME]`"),
    ("entrypoint", "an address to listen on is the `bind` of a `[listener.NAME]`"),
    ("frontend", "an address to listen on is the `bind` of a `[listener.NAME]`"),
    ("ip_hash", IP_HASH),
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
    ("session_affinity", PERSISTENCE),
    ("session_cookie", PERSISTENCE),
    ("session_persistence", PERSISTENCE),
    ("session_stickiness", PERSISTENCE),
    ("sessions", PERSISTENCE),
    ("stick", PERSISTENCE),
    ("stick_table", PERSISTENCE),
    ("stickiness", PERSISTENCE),
    ("sticky", PERSISTENCE),
    ("sticky_cookie", PERSISTENCE),
    ("sticky_session", PERSISTENCE),
    ("sticky_sessions", PERSISTENCE),
    (
        "timeout",
        "clients: `keepalive_timeout`, `header_timeout`, `body_timeout`, `send_timeout` of a listener; targets: `timeouts` of a target group",
    ),
    ("upstream", "a set of targets is a `[target_group.NAME]`"),
    ("upstreams", "a set of targets is a `[target_group.NAME]`"),
];

/// The same for words that mean this only in tables that have the second key.
const WORDS_BESIDE: &[(&str, &str, &str)] = &[
    (
        "cookie",
        "targets",
        "a cookie of the balancer is `persistence = { type = \"cookie\", name = \"SERVERID\", hide = true }`; `hide` keeps it from the targets",
    ),
    ("database", "capacity", URL),
    ("db", "capacity", URL),
    ("host", "capacity", URL),
    ("password", "capacity", URL),
    ("port", "capacity", URL),
    ("user", "capacity", URL),
    ("username", "capacity", URL),
];

const PERSISTENCE: &str =
    "the `persistence` of a target group or a rule keeps the requests of one client at one target";
const IP_HASH: &str = "`persistence = { type = \"source_ip\" }` keeps a client's address at one target; `algorithm = \"source_ip_hash\"` hashes it and remembers nothing";
const URL: &str = "it is a part of `url`, such as `redis://USER:PASSWORD@HOST:PORT/NUMBER` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; memcached has `servers`";

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
    ("sni", "server_name"),
];

/// The word for a value of this key, if the value that is meant is one of `words`.
pub(crate) fn value(key: &str, word: &str, words: &[&str]) -> Option<&'static ForeignValue> {
    VALUES.iter().find(|value| value.key == key && value.word == word && words.contains(&value.meant))
}

const VALUES: &[ForeignValue] = &[
    kind("address", "source_ip", "", ""),
    kind("client_ip", "source_ip", "", ""),
    kind("ip", "source_ip", "", ""),
    kind("ip_hash", "source_ip", "", ""),
    kind("source", "source_ip", "", ""),
    kind("app_cookie", "cookie", LEARN, ""),
    kind("insert", "cookie", "", ": `mode = \"insert\"` is its default"),
    kind("lb_cookie", "cookie", "", ""),
    kind("learn", "cookie", LEARN, ""),
    kind("passive", "cookie", LEARN, ""),
    kind("prefix", "cookie", REWRITE, ""),
    kind("rewrite", "cookie", REWRITE, ""),
    kind("sqlite", "sql", "", ": the `url` says which database"),
    kind("postgres", "sql", "", ": the `url` says which database"),
    kind("postgresql", "sql", "", ": the `url` says which database"),
    kind("mysql", "sql", "", ": the `url` says which database"),
    kind("mariadb", "sql", "", ": the `url` says which database"),
    kind("valkey", "redis", "", ", which is for Valkey, too"),
    mode("app_cookie", "learn", ": the cookie is the application's, and stays as it is"),
    mode("passive", "learn", ": the cookie is the application's, and stays as it is"),
    mode("prefix", "rewrite", ": the target is written behind the application's value"),
    ForeignValue { key: "algorithm", word: "ip_hash", meant: "source_ip_hash", more: "", remark: REMEMBERED },
    ForeignValue { key: "algorithm", word: "source", meant: "source_ip_hash", more: "", remark: REMEMBERED },
];

const fn kind(
    word: &'static str,
    meant: &'static str,
    more: &'static str,
    remark: &'static str,
) -> ForeignValue {
    ForeignValue { key: "type", meant, word, more, remark }
}

const fn mode(word: &'static str, meant: &'static str, remark: &'static str) -> ForeignValue {
    ForeignValue { key: "mode", meant, word, more: "", remark }
}

const LEARN: &str = ", mode = \"learn\"";
const REWRITE: &str = ", mode = \"rewrite\"";
const REMEMBERED: &str = "; with `persistence = { type = \"source_ip\" }` clients also stay where they are when targets come and go";

/// Keys that later versions will add.
pub(crate) const LATER_KEYS: &[&str] = &["acme"];

#[cfg(test)]
mod tests {
    use super::super::{Kind, all};
    use super::*;

    #[test]
    fn hints_do_not_hide_keys() {
        let names: Vec<_> = all().into_iter().map(|(_, key)| key.name).collect();
        for word in WORDS.iter().map(|(word, _)| word).chain(LATER_KEYS) {
            // They are keys of a health check and of a session store, whose tables are searched first.
            let elsewhere = ["timeout", "servers"].contains(word);
            assert!(elsewhere || !names.contains(word), "{word}");
        }
    }

    #[test]
    fn words_in_some_tables_have_such_tables_and_are_no_keys_there() {
        let keys = all();
        let tables: Vec<_> = keys.iter().filter_map(|(_, key)| Some(key.kind.fields()?.1)).collect();
        for (word, beside, _) in WORDS_BESIDE {
            let mut here = tables.iter().filter(|fields| find(fields, beside).is_some()).peekable();
            assert!(here.peek().is_some() && here.all(|fields| find(fields, word).is_none()), "{word}");
        }
    }

    #[test]
    fn values_that_are_meant_exist() {
        let keys = all();
        for value in VALUES {
            let is_known = keys.iter().any(|(_, key)| {
                matches!(key.kind, Kind::Word(words, _) if key.name == value.key
                    && words.contains(&value.meant) && !words.contains(&value.word))
            });
            assert!(is_known, "{value:?}");
        }
    }
}
