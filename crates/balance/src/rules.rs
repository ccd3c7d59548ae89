//! The rule table: which rule of a listener a request meets (HTTP1).
//!
//! Step `route` of `proxy::http` asks once per request. The order is settled: the most specific host first
//! (exact, longest leading wildcard, longest trailing wildcard, regexes in file order, none); within a host the
//! most specific path (exact, longest prefix, regexes in file order, none); between equals the rule with more
//! conditions, then the one that stands first. Where nothing of a host matches, the next less specific host is
//! tried. A rule that adds a slash to its prefix counts, for the path without it, as an exact one behind those that
//! are. Hosts, exact paths and prefixes are looked up, not searched: the number of rules costs nothing.

mod conditions;
mod mismatch;
mod paths;
mod rewrite;

use std::net::IpAddr;

use model::{HostPattern, Rule};
use regex::bytes::Regex;

use crate::hash::BytesMap;
use paths::PathTable;

pub use mismatch::{Match, Mismatch, mismatch};
pub use rewrite::rewrite_path;

/// What the table reads of a request. Conditions are read only where a rule that fits host and path has some.
pub trait RequestView {
    /// The host's name in any case, without port and final dot; empty where the request has none.
    fn host(&self) -> &[u8];
    /// The normalised path, without the query.
    fn path(&self) -> &[u8];
    fn method(&self) -> &[u8];
    /// The query as sent, without `?`.
    fn query(&self) -> Option<&[u8]>;
    /// The client, after trusted proxies were taken into account; `None` where nobody knows, which no range holds.
    fn source(&self) -> Option<IpAddr>;
    /// Hands the value of every field line of this name to `each`, until that returns true; says whether it did.
    /// `name` is lower case and compares without case; values come without white space around them.
    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool;

    /// The same for the cookies of this name, in the order sent (RFC 6265 §4.2.1).
    fn cookie_values(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.header_values("cookie", &mut |line| conditions::cookie_values(line, name, each))
    }
}

/// The compiled rules of one listener. Give each worker its own clone: threads that share a regex contend for
/// its scratch memory, a clone has its own.
#[derive(Clone, Debug, Default)]
pub struct RuleTable {
    exact: BytesMap<PathTable>,
    /// By `.example.com`.
    leading: BytesMap<PathTable>,
    /// By `www.example.`.
    trailing: BytesMap<PathTable>,
    regexes: Vec<(Regex, PathTable)>,
    any: PathTable,
    /// Whether any rule names a host; without one the request's host is not looked at.
    has_hosts: bool,
}

impl RuleTable {
    pub fn compile(rules: &[Rule]) -> Self {
        let mut table = Self::default();
        for (index, rule) in rules.iter().enumerate() {
            table.has_hosts |= !matches!(rule.host, HostPattern::Any);
            table.paths_of(&rule.host).insert(index, rule);
        }
        table.sort();
        table
    }

    /// The index, within the rules the table was compiled from, of the rule that the request meets.
    pub fn find<R: RequestView + ?Sized>(&self, request: &R) -> Option<usize> {
        if self.has_hosts
            && let Some(index) = self.find_by_host(request)
        {
            return Some(index);
        }
        self.any.find(request)
    }

    fn paths_of(&mut self, host: &HostPattern) -> &mut PathTable {
        match host {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(name) => self.exact.entry(name.as_bytes()),
            HostPattern::LeadingWildcard(suffix) => self.leading.entry(suffix.as_bytes()),
            HostPattern::TrailingWildcard(prefix) => self.trailing.entry(prefix.as_bytes()),
            HostPattern::Regex(regex) => regex_entry(&mut self.regexes, regex),
        }
    }

    fn sort(&mut self) {
        self.any.sort();
        let maps = [&mut self.exact, &mut self.leading, &mut self.trailing];
        maps.into_iter().flat_map(BytesMap::values_mut).for_each(PathTable::sort);
        self.regexes.iter_mut().for_each(|(_, paths)| paths.sort());
    }

    fn find_by_host<R: RequestView + ?Sized>(&self, request: &R) -> Option<usize> {
        let mut scratch = [0; HOST_BYTES_MAX];
        let host = lower_case(request.host(), &mut scratch)?;
        let find = |paths: &PathTable| paths.find(request);
        (self.exact.get(host).and_then(find))
            .or_else(|| {
                suffixes(host, self.leading.longest()).find_map(|key| self.leading.get(key).and_then(find))
            })
            .or_else(|| {
                prefixes(host, self.trailing.longest()).find_map(|key| self.trailing.get(key).and_then(find))
            })
            .or_else(|| {
                self.regexes
                    .iter()
                    .filter(|(regex, _)| regex.is_match(host))
                    .find_map(|(_, paths)| find(paths))
            })
    }
}

/// The entry of this regex; two rules that spell the same regex are equals, as two of the same name are.
fn regex_entry<'a, V: Default>(entries: &'a mut Vec<(Regex, V)>, regex: &Regex) -> &'a mut V {
    let known = entries.iter().position(|(entry, _)| entry.as_str() == regex.as_str());
    let place = known.unwrap_or_else(|| {
        entries.push((regex.clone(), V::default()));
        entries.len() - 1
    });
    &mut entries[place].1
}

/// `None` for what is too long to be a name.
fn lower_case<'a>(host: &'a [u8], scratch: &'a mut [u8; HOST_BYTES_MAX]) -> Option<&'a [u8]> {
    let lower = scratch.get_mut(..host.len())?;
    if !host.iter().any(u8::is_ascii_uppercase) {
        return Some(host);
    }
    lower.copy_from_slice(host);
    lower.make_ascii_lowercase();
    Some(lower)
}

/// `.b.c`, `.c` of `a.b.c`: every suffix behind at least one label, the longest first, none longer than `longest`.
fn suffixes(host: &[u8], longest: usize) -> impl Iterator<Item = &[u8]> {
    let first = host.len().saturating_sub(longest).max(1);
    (first..host.len()).filter(|&start| host[start] == b'.').map(|start| &host[start..])
}

/// `a.b.`, `a.` of `a.b.c`: every prefix before at least one label, the longest first, none longer than `longest`.
fn prefixes(host: &[u8], longest: usize) -> impl Iterator<Item = &[u8]> {
    let last = longest.min(host.len().saturating_sub(1));
    (1..=last).rev().filter(|&end| host[end - 1] == b'.').map(|end| &host[..end])
}

// limit: a name has at most 253 bytes (RFC 1035 §2.3.4); a longer one meets only rules without a host.
const HOST_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests;
