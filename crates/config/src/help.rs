//! The help text of a key, for `evenkeel help KEY`.

use std::fmt::Write;

use crate::keys::{self, Default, Key, Kind, foreign};
use crate::near::nearest;
use crate::units::{print_duration, print_size};

/// The help of a key by its name (`keepalive_timeout`) or path (`listener.keepalive_timeout`,
/// `listener.web.rule.path`), with one part for every table that has a key of that name. `None` if no key has
/// that name; see [`nearest_key`].
pub fn help(key: &str) -> Option<String> {
    let wanted: Vec<_> = key.split('.').collect();
    let found: Vec<_> = keys::all().into_iter().filter(|(path, _)| names(path, &wanted)).collect();
    let parts: Vec<_> = found.iter().map(|(path, key)| entry(path, key)).collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// The key with the most similar name.
pub fn nearest_key(key: &str) -> Option<&'static str> {
    let name = key.rsplit('.').next().unwrap_or(key);
    nearest(name, keys::all().into_iter().map(|(_, key)| key.name))
}

/// What is written here for another product's word for a key.
pub fn foreign_word(word: &str) -> Option<&'static str> {
    foreign::hint(&word.replace('-', "_"))
}

/// Whether `wanted` names the end of a key's path. Operator-chosen names may be given, left out or `*`.
fn names(path: &str, wanted: &[&str]) -> bool {
    let mut wanted = wanted.iter().rev().map(|piece| piece.trim_end_matches("[]")).peekable();
    for piece in path.rsplit('.') {
        let Some(next) = wanted.peek() else { return true };
        if piece.trim_end_matches("[]") == *next {
            wanted.next();
        } else if piece == "*" {
            // An operator-chosen name, unless only the table's name is left.
            if wanted.clone().nth(1).is_some() {
                wanted.next();
            }
        } else {
            return false;
        }
    }
    wanted.peek().is_none()
}

fn entry(path: &str, key: &Key) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{path}\n  {}", key.help.replace('`', ""));
    let _ = writeln!(out, "  type: {}", kind(&key.kind).replace('`', ""));
    let _ = writeln!(out, "  {}", default(key.default).replace('`', ""));
    if !key.example.is_empty() {
        let _ = writeln!(out, "  example: {}", key.example);
    }
    out
}

/// A kind in words, with its range, in Markdown.
pub(crate) fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Duration(first, last) => {
            let [first, last] = [first, last].map(|n| print_duration(std::time::Duration::from_millis(*n)));
            format!("duration, {first}–{last}")
        }
        Kind::Size(first, last) => format!("size, {}–{}", print_size(*first), print_size(*last)),
        Kind::Integer(first, last) => format!("integer, {first}–{last}"),
        Kind::Text(what) => format!("string ({what})"),
        Kind::Word(words, _) => {
            let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
        Kind::List(of) => format!("list of: {}", self::kind(of)),
        Kind::OneOrMore(of) => format!("one or a list of: {}", self::kind(of)),
        Kind::Map(name, of) => format!("table, {name} = {}", self::kind(of)),
        Kind::Either(one, other) => format!("{}; or {}", self::kind(one), self::kind(other)),
        Kind::Table(_) => "table".to_owned(),
        Kind::Tables(_) => "tables, each with `[[…]]`".to_owned(),
        Kind::Named(_) => "tables by name".to_owned(),
    }
}

/// A default in words, in Markdown.
pub(crate) fn default(default: Default) -> String {
    match default {
        Default::Required => "required".to_owned(),
        Default::Is(value) => format!("default: `{value}`"),
        Default::Means(words) => format!("default: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_help_by_name_and_by_path() {
        for (path, key) in keys::all() {
            let text = help(&path).unwrap_or_else(|| panic!("{path}"));
            assert!(text.starts_with(&format!("{path}\n")), "{path}: {text}");
            assert!(help(key.name).unwrap().contains(&format!("{path}\n")), "{path}");
        }
    }

    #[test]
    fn paths_may_name_the_operators_own_tables() {
        for (wanted, path) in [
            ("listener.keepalive_timeout", "listener.*.keepalive_timeout"),
            ("listener.web.keepalive_timeout", "listener.*.keepalive_timeout"),
            ("listener.web.rule.path", "listener.*.rule[].path"),
            ("rule.path", "listener.*.rule[].path"),
            ("limits.body", "load_balancer.*.limits.body"),
            ("health_check.timeout", "target_group.*.health_check.timeout"),
        ] {
            let text = help(wanted).unwrap_or_else(|| panic!("{wanted}"));
            assert!(text.starts_with(&format!("{path}\n")), "{wanted}: {text}");
        }
        for wanted in ["", "listener.web.targets", "x.y.keepalive_timeout", "keepalive", "nothing"] {
            let found = help(wanted).unwrap_or_default();
            assert!(!found.contains("listener"), "{wanted}: {found}");
        }
    }

    #[test]
    fn says_type_range_default_and_example() {
        let text = help("target_group.weight").unwrap_or_default() + &help("weight").unwrap();
        assert!(text.contains("integer, 0–1000") && text.contains("default: 1"), "{text}");
    }

    #[test]
    fn a_slip_finds_the_nearest_key() {
        assert_eq!(nearest_key("keepalive_timout"), Some("keepalive_timeout"));
        assert_eq!(nearest_key("listener.web.forwrad"), Some("forward"));
        assert_eq!(nearest_key("zzzzzzzz"), None);
    }

    #[test]
    fn words_of_other_products_are_known() {
        for word in ["sticky", "stick-table", "affinity", "ip_hash"] {
            assert!(foreign_word(word).unwrap().contains("persistence"), "{word}");
        }
        assert_eq!(foreign_word("persistence"), None);
    }
}
