//! The page of requirements: what the tags mean that comments name in brackets, and which files name them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::comments::comments;
use super::text::Text;
use crate::Outcome;

/// Files by the tag that they name.
type Named = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn problems(texts: &[Text]) -> Vec<String> {
    let page = texts.iter().find(|text| text.path == PAGE).map_or("", |text| &text.text);
    let named = named(texts);
    let known: BTreeSet<&str> = page.lines().filter_map(row).map(|(tag, _)| tag).collect();
    let mut problems = Vec::new();
    for (tag, files) in named.iter().filter(|(tag, _)| !known.contains(tag.as_str())) {
        let file = files.first().map_or("", String::as_str);
        problems.push(format!("{file}: {tag} has no row in {PAGE}"));
    }
    for tag in known.iter().filter(|tag| !named.contains_key(**tag)) {
        problems.push(format!("{PAGE}: no test and no source file names {tag}"));
    }
    if problems.is_empty() && page != fresh(page, &named) {
        problems.push(format!("{PAGE} is stale: run `cargo xtask docs`"));
    }
    problems
}

/// Writes the files that name each tag into the page. The meanings are kept.
pub(crate) fn write(root: &Path, texts: &[Text]) -> Outcome {
    let page = texts.iter().find(|text| text.path == PAGE).map_or("", |text| &text.text);
    std::fs::write(root.join(PAGE), fresh(page, &named(texts))).map_err(|error| format!("{PAGE}: {error}"))
}

fn fresh(page: &str, named: &Named) -> String {
    let none = BTreeSet::new();
    let line = |line: &str| match row(line) {
        Some((tag, meaning)) => {
            let files = named.get(tag).unwrap_or(&none);
            let files: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
            format!("| {tag} | {meaning} | {} |\n", files.join(", "))
        }
        None => format!("{line}\n"),
    };
    page.lines().map(line).collect()
}

/// Tag and meaning of a row `| tag | meaning | files |`.
fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let (tag, meaning) = (cells.next()?, cells.next()?);
    is_tag(tag).then_some((tag, meaning))
}

fn named(texts: &[Text]) -> Named {
    let mut named = Named::new();
    for text in texts.iter().filter(|text| text.path.ends_with(".rs")) {
        for (_, comment) in comments(text) {
            // `PROTOCOL-HTTP2` and `TLS13_SUITES` are words.
            let words = comment.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
            for tag in words.filter(|word| is_tag(word)) {
                named.entry(tag.to_owned()).or_default().insert(text.path.clone());
            }
        }
    }
    named
}

fn is_tag(word: &str) -> bool {
    let mut numbers = AREAS.iter().filter_map(|area| word.strip_prefix(area));
    numbers.any(|number| matches!(number.len(), 1 | 2) && number.bytes().all(|byte| byte.is_ascii_digit()))
}

const PAGE: &str = "docs/requirements.md";
const AREAS: &[&str] = &["KA", "WS", "TLS", "CH", "MT", "SP", "L4", "BAL", "HTTP", "OP"];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str, code: &str) -> Vec<String> {
        let text = |path: &str, text: &str| Text { path: path.into(), text: text.into() };
        problems(&[text("crates/a/src/lib.rs", code), text(PAGE, page)])
    }

    #[test]
    fn page_and_comments_name_the_same_tags() {
        let page = "| tag | meaning | named in |\n|---|---|---|\n| KA1 | text | `crates/a/src/lib.rs` |\n";
        for (code, problem) in [
            ("//! A (KA1).", None),
            ("// KA1, \nfn f() { \"KA2\" }", None),
            ("/// KA1: PROTOCOL-HTTP2, KA3_X, WSS1, KA, KA123", None),
            ("//! A (KA1, HTTP12).", Some("crates/a/src/lib.rs: HTTP12 has no row")),
            ("fn f() { \"KA1\" }", Some("no test and no source file names KA1")),
        ] {
            let found = found(page, code);
            assert_eq!(found.len(), usize::from(problem.is_some()), "{code}: {found:?}");
            assert!(problem.is_none_or(|text| found[0].contains(text)), "{code}: {found:?}");
        }
    }

    #[test]
    fn a_stale_column_is_a_problem_and_is_written_anew() {
        let stale = "# Page\n\n| KA1 | a *text* | `gone.rs` |\n";
        assert!(found(stale, "//! (KA1)")[0].contains("stale"));
        let files = BTreeSet::from(["b.rs".to_owned(), "a.rs".to_owned()]);
        let fresh = fresh(stale, &Named::from([("KA1".to_owned(), files)]));
        assert_eq!(fresh, "# Page\n\n| KA1 | a *text* | `a.rs`, `b.rs` |\n");
    }
}
