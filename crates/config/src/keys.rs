//! The single definition of every key; checks, reference, schema and help are made from it.
//!
//! A key is added together with its feature. `check` gives each value the type of its [`Kind`]; `build`
//! checks what a kind cannot express (an address, a pattern, keys that depend on each other).

mod access;
mod client_auth;
mod compression;
mod connections;
mod every;
pub(crate) mod foreign;
mod http;
mod http2;
mod listener;
mod persistence;
mod rule;
mod session;
mod target_group;
mod tcp;
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

/// Whether only listeners that serve HTTP have a key of this name.
pub(crate) fn is_only_http(name: &str) -> bool {
    find(&[http::KEYS], name).is_some()
}

/// Whether only listeners with TCP have a key of this name.
pub(crate) fn is_only_tcp(name: &str) -> bool {
    find(&[tcp::KEYS], name).is_some()
}

/// The keys of a listener with TCP, without those of TLS.
pub(crate) fn of_tcp() -> impl Iterator<Item = &'static str> {
    let tables = [listener::KEYS, tcp::KEYS, every::KEYS, connections::OF_LISTENER, connections::INHERITED];
    tables.into_iter().flatten().map(|key| key.name)
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
}
