//! The rule table: which rule of a listener a request matches (HTTP1).
//!
//! Step `route` of `proxy::http` asks it once per request. The order is fixed. The most specific host comes
//! first: exact, longest leading wildcard, longest trailing wildcard, regexes in file order, none. Within a
//! host the most specific path comes first: exact, longest prefix, regexes in file order, none. Among equals
//! the rule with more conditions comes first, then the one earlier in the file. If no rule of a host matches,
//! the next less specific host is tried. A rule that adds a slash to its prefix matches the path without the
//! slash like an exact rule, after the exact rules of that path. Hosts, exact paths and prefixes are looked up
//! by hash, so the number of rules does not matter.

mod conditions;
mod cookies;
mod host;
mod mismatch;
mod paths;
mod regexes;
mod request_view;
mod rewrite;

use model::{HostPattern, Rule};
use regex::bytes::Regex;

use crate::hash::BytesMap;
use host::{HOST_BYTES_MAX, lower_case};
use paths::PathTable;
use regexes::regex_entry;

pub use conditions::Mismatch;
pub use mismatch::{Match, mismatch};
pub use request_view::RequestView;
pub use rewrite::rewrite_path;

/// The compiled rules of one listener. Give each worker its own clone: threads that share a regex contend for
/// its scratch memory, and a clone has its own.
#[derive(Clone, Debug, Default)]
pub struct RuleTable {
    exact: BytesMap<PathTable>,
    /// By `.example.com`.
    leading: BytesMap<PathTable>,
    /// By `www.example.`.
    trailing: BytesMap<PathTable>,
    regexes: Vec<(Regex, PathTable)>,
    any: PathTable,
    /// True if any rule names a host; else the request's host is not read.
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

    /// The index of the rule that the request matches, in the list from which the table was compiled.
    pub fn find<R: RequestView + ?Sized>(&self, request: &R) -> Option<usize> {
        if self.has_hosts
            && request.has_host()
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

/// `.b.c`, `.c` of `a.b.c`: every suffix after at least one label, longest first, none longer than `longest`.
fn suffixes(host: &[u8], longest: usize) -> impl Iterator<Item = &[u8]> {
    let first = host.len().saturating_sub(longest).max(1);
    (first..host.len()).filter(|&start| host[start] == b'.').map(|start| &host[start..])
}

/// `a.b.`, `a.` of `a.b.c`: every prefix before at least one label, longest first, none longer than `longest`.
fn prefixes(host: &[u8], longest: usize) -> impl Iterator<Item = &[u8]> {
    let last = longest.min(host.len().saturating_sub(1));
    (1..=last).rev().filter(|&end| host[end - 1] == b'.').map(|end| &host[..end])
}

#[cfg(test)]
mod tests;
