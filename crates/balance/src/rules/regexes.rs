//! Entries that are found by matching a regex.

use regex::bytes::Regex;

/// The entry of this regex. Two rules with the same regex text share an entry, like two rules with the same
/// name.
pub(super) fn regex_entry<'a, V: Default>(entries: &'a mut Vec<(Regex, V)>, regex: &Regex) -> &'a mut V {
    let known = entries.iter().position(|(entry, _)| entry.as_str() == regex.as_str());
    let place = known.unwrap_or_else(|| {
        entries.push((regex.clone(), V::default()));
        entries.len() - 1
    });
    &mut entries[place].1
}
