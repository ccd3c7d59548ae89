//! The paths of one host, and the rules of each path.

use std::cmp::Reverse;

use model::{Conditions, PathPattern, Rule};
use regex::bytes::Regex;

use super::conditions;
use super::regexes::regex_entry;
use super::request_view::RequestView;
use crate::hash::BytesMap;

/// All rules of one host.
#[derive(Clone, Debug, Default)]
pub(super) struct PathTable {
    exact: BytesMap<Equals>,
    prefixes: BytesMap<Equals>,
    regexes: Vec<(Regex, Equals)>,
    any: Equals,
}

impl PathTable {
    pub(super) fn insert(&mut self, index: usize, rule: &Rule) {
        let equals = match &rule.path {
            PathPattern::Any => &mut self.any,
            PathPattern::Exact(path) => self.exact.entry(path.as_bytes()),
            PathPattern::Prefix(prefix) => self.prefixes.entry(prefix.as_bytes()),
            PathPattern::Regex(regex) => regex_entry(&mut self.regexes, regex),
        };
        let entry = |is_exact| Entry { index, is_exact, conditions: condition_box(&rule.conditions) };
        equals.0.push(entry(true));
        if let (true, PathPattern::Prefix(prefix)) = (rule.adds_slash, &rule.path)
            && let Some(bare) = prefix.strip_suffix('/')
        {
            self.exact.entry(bare.as_bytes()).0.push(entry(false));
        }
    }

    pub(super) fn sort(&mut self) {
        self.any.sort();
        self.exact.values_mut().for_each(Equals::sort);
        self.prefixes.values_mut().for_each(Equals::sort);
        self.regexes.iter_mut().for_each(|(_, equals)| equals.sort());
    }

    pub(super) fn find<R: RequestView + ?Sized>(&self, request: &R) -> Option<usize> {
        let path = request.path();
        let find = |equals: &Equals| equals.find(request);
        (self.exact.get(path).and_then(find))
            .or_else(|| {
                borders(path, self.prefixes.longest()).find_map(|key| self.prefixes.get(key).and_then(find))
            })
            .or_else(|| {
                self.regexes
                    .iter()
                    .filter(|(regex, _)| regex.is_match(path))
                    .find_map(|(_, equals)| find(equals))
            })
            .or_else(|| find(&self.any))
    }
}

/// Rules with the same host and path, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
struct Equals(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    index: usize,
    /// `false`: the path lacks the slash that the rule adds. Rules for exactly that path are tried first.
    is_exact: bool,
    /// `None`: the rule has no conditions.
    conditions: Option<Box<Conditions>>,
}

impl Equals {
    fn sort(&mut self) {
        // A stable sort: rules with equally many conditions stay in file order.
        self.0.sort_by_key(|entry| {
            let count = entry.conditions.as_ref().map_or(0, |conditions| conditions.count());
            Reverse((entry.is_exact, count))
        });
    }

    fn find<R: RequestView + ?Sized>(&self, request: &R) -> Option<usize> {
        let holds = |entry: &&Entry| entry.conditions.as_ref().is_none_or(|c| conditions::hold(c, request));
        self.0.iter().find(holds).map(|entry| entry.index)
    }
}

fn condition_box(conditions: &Conditions) -> Option<Box<Conditions>> {
    (conditions.count() > 0).then(|| Box::new(conditions.clone()))
}

/// The path itself and every part of it that ends before or after a slash, longest first.
// limit: parts longer than the longest configured prefix are skipped, so that a path with ten thousand slashes
// costs no more than a short one.
fn borders(path: &[u8], longest: usize) -> impl Iterator<Item = &[u8]> {
    let is_border = |&end: &usize| path.get(end).is_none_or(|&byte| byte == b'/') || path[end - 1] == b'/';
    (1..=longest.min(path.len())).rev().filter(is_border).map(|end| &path[..end])
}
