//! Sizes of files and functions.

use std::fmt::Write;

use super::exceptions;
use super::source::{Function, Source};

pub(crate) fn problems(sources: &[Source]) -> Vec<String> {
    let mut problems = too_long(sources, exceptions::FILES, exceptions::FUNCTIONS);
    // In a directory of tests cargo takes every file for a test of its own, except this one.
    let misnamed = sources.iter().filter(|s| s.path.ends_with("/mod.rs") && !s.path.contains("/tests/"));
    problems.extend(misnamed.map(|source| {
        format!("{}: name the file after its module and put it beside the directory", source.path)
    }));
    problems
}

/// Medians, maxima and the share of tests, for people.
pub(crate) fn report(sources: &[Source]) -> String {
    let mut files: Vec<_> = product(sources).map(|s| (s.code.len(), s.path.clone())).collect();
    let mut functions: Vec<_> = product(sources)
        .flat_map(|s| s.functions.iter().filter(|f| !f.is_test).map(|f| (f.length, key(s, f))))
        .collect();
    files.sort();
    functions.sort();
    let code: usize = sources.iter().map(|source| source.code.len()).sum();
    let tests: usize = sources.iter().map(|source| source.tests.len()).sum();
    let mut text = String::new();
    for (what, list, limit) in
        [("files", &files, FILE_LINES_MAX), ("functions", &functions, FUNCTION_LINES_MAX)]
    {
        let median = list.get(list.len() / 2).map_or(0, |(length, _)| *length);
        let _ = writeln!(text, "{} {what}, code lines: median {median}, limit {limit}, longest:", list.len());
        for (length, name) in list.iter().rev().take(LONGEST) {
            let _ = writeln!(text, "  {length:4} {name}");
        }
    }
    let ratio = tests as f64 / code.max(1) as f64;
    let _ = write!(text, "{code} lines of code, {tests} of tests: {ratio:.2} (aim: 1.0)");
    text
}

fn too_long(sources: &[Source], files: &[(&str, &str)], functions: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for source in product(sources) {
        found.push((source.path.clone(), source.path.clone(), source.code.len(), FILE_LINES_MAX));
        for function in source.functions.iter().filter(|function| !function.is_test) {
            let place = format!("{}:{}: {}", source.path, function.line, function.name);
            found.push((key(source, function), place, function.length, FUNCTION_LINES_MAX));
        }
    }
    found.retain(|(_, _, length, limit)| length > limit);
    let excepted = || files.iter().chain(functions);
    let unlisted = found
        .iter()
        .filter(|(key, ..)| !excepted().any(|(name, _)| name == key))
        .map(|(_, place, length, limit)| format!("{place}: {length} code lines, limit {limit}"));
    let stale = excepted()
        .filter(|(name, _)| !found.iter().any(|(key, ..)| key == name))
        .map(|(name, _)| format!("{name}: no longer too long: take it off the exceptions"));
    unlisted.chain(stale).collect()
}

fn product(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| !source.code.is_empty())
}

fn key(source: &Source, function: &Function) -> String {
    format!("{} {}", source.path, function.name)
}

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
/// How many of the longest are printed.
const LONGEST: usize = 5;

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;

    /// A file with one function of that many code lines.
    fn source(path: &str, length: usize) -> Source {
        let body = "    f();\n".repeat(length - 2);
        let text = format!("fn long() {{\n{body}}}\n\n#[cfg(test)]\nmod tests {{\n{body}\n}}\n")
            .replace(&format!("mod tests {{\n{body}"), &format!("mod tests {{\nfn test() {{\n{body}}}\n"));
        Source::parse(&Text { path: path.into(), text }).unwrap()
    }

    #[test]
    fn limits_hold_for_what_is_no_test() {
        assert_eq!(too_long(&[source("a.rs", 70)], &[], &[]), [""; 0]);
        let problems = too_long(&[source("a.rs", 71)], &[], &[]);
        assert_eq!(problems, ["a.rs:1: long: 71 code lines, limit 70"]);
        assert_eq!(too_long(&[source("a.rs", 601)], &[], &[]).len(), 2);
    }

    #[test]
    fn exceptions_are_needed_or_stale() {
        let excepted = [("a.rs long", "a table")];
        assert_eq!(too_long(&[source("a.rs", 71)], &[], &excepted), [""; 0]);
        assert!(too_long(&[source("a.rs", 70)], &[], &excepted)[0].contains("no longer"));
    }

    #[test]
    fn the_report_has_medians_and_the_share_of_tests() {
        let report = report(&[source("a.rs", 10), source("b.rs", 20), source("c.rs", 30)]);
        assert!(report.contains("3 files, code lines: median 20"), "{report}");
        assert!(report.contains("60 lines of code, 69 of tests: 1.15"), "{report}");
    }
}
