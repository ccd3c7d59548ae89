//! Pages: no line numbers, and what they cite exists.

use std::collections::HashSet;
use std::path::Path;

use super::source::Source;
use super::text::Text;

pub(crate) fn problems(root: &Path, texts: &[Text], sources: &[Source]) -> Vec<String> {
    let words: HashSet<&str> = sources.iter().flat_map(|source| &source.words).map(String::as_str).collect();
    let known = Known { root, words };
    let pages = texts.iter().filter(|text| text.path.ends_with(".md"));
    pages.flat_map(|page| known.problems(page)).collect()
}

struct Known<'a> {
    root: &'a Path,
    words: HashSet<&'a str>,
}

impl Known<'_> {
    fn problems(&self, page: &Text) -> Vec<String> {
        let mut problems = Vec::new();
        let mut in_block = false;
        for (number, line) in page.text.lines().enumerate() {
            let place = format!("{}:{}", page.path, number + 1);
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            }
            if has_line_number(line) {
                problems.push(format!("{place}: line numbers go stale; name the function"));
            }
            if in_block {
                continue;
            }
            for cited in line.split('`').skip(1).step_by(2) {
                if !self.exists(cited) {
                    problems.push(format!("{place}: `{cited}` does not exist"));
                }
            }
            for link in links(line).filter(|link| !self.link_exists(page, link)) {
                problems.push(format!("{place}: the link {link} leads nowhere"));
            }
        }
        problems
    }

    /// True for what is neither a path of ours nor a Rust path.
    fn exists(&self, cited: &str) -> bool {
        if let Some((first, _)) = cited.split_once('/')
            && PLACES.contains(&first)
        {
            return is_pattern(cited) || self.root.join(cited).exists();
        }
        let segments: Vec<&str> = cited.trim_end_matches("()").trim_end_matches('!').split("::").collect();
        let is_rust_path = segments.len() > 1 && segments.iter().all(|segment| is_word(segment));
        !is_rust_path
            || FOREIGN.contains(&segments[0])
            || segments.last().is_some_and(|last| self.words.contains(last))
    }

    fn link_exists(&self, page: &Text, link: &str) -> bool {
        let path = link.split('#').next().unwrap_or_default();
        let from = self.root.join(&page.path);
        path.is_empty()
            || path.contains("://")
            || path.starts_with("mailto:")
            || from.parent().is_some_and(|directory| directory.join(path).exists())
    }
}

/// `file.rs:17`, `file.rs line 17`, `file.rs#L17`.
fn has_line_number(line: &str) -> bool {
    line.match_indices(".rs").any(|(at, suffix)| {
        let rest = &line[at + suffix.len()..];
        [":", "#L", " line ", "`:", "` line "].iter().any(|mark| {
            rest.strip_prefix(mark).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    })
}

/// Targets of `](…)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// `crates/NAME`, `crates/*/src`, `crates/xtask/src/…`.
fn is_pattern(cited: &str) -> bool {
    cited.contains(['*', '{', '<', '…', ' ']) || cited.split('/').any(|part| part.starts_with("NAME"))
}

fn is_word(segment: &str) -> bool {
    !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// First parts of paths that are the project's.
const PLACES: &[&str] = &["crates", "docs", "bench", "fuzz", ".ci", ".cargo", "packaging"];
/// Crates whose insides a page may cite.
const FOREIGN: &[&str] = &["std", "core", "tokio", "rustls", "clippy", "syn", "rustix"];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let root = crate::workspace::root();
        let known = Known { root: &root, words: HashSet::from(["Failure", "ALL"]) };
        known.problems(&Text { path: "docs/page.md".into(), text: text.into() })
    }

    #[test]
    fn what_is_cited_exists() {
        for (text, fine) in [
            ("see `crates/xtask/src/main.rs`", true),
            ("see `crates/xtask`", true),
            ("see `crates/xtask/src/gone.rs`", false),
            ("see `crates/NAME/src`", true),
            ("`GET /crates/x`", true),
            ("`Failure::ALL` and `model::Failure`", true),
            ("`Failure::GONE`", false),
            ("`std::thread::sleep`", true),
            ("`text/plain`", true),
            ("[here](../crates/xtask/Cargo.toml#part)", true),
            ("[here](gone.md)", false),
            ("[there](https://example.com/gone.md)", true),
            ("[part](#part)", true),
            ("```\n`crates/gone`\n```", true),
        ] {
            assert_eq!(found(text).is_empty(), fine, "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn line_numbers_are_refused() {
        for text in ["http.rs:17", "`http.rs`:17", "http.rs line 3", "http.rs#L9"] {
            assert!(has_line_number(text), "{text}");
        }
        for text in ["http.rs: 17 lines", "http.rs", "127.0.0.1:80"] {
            assert!(!has_line_number(text), "{text}");
        }
    }
}
