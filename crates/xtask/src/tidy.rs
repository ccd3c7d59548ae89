//! `cargo xtask tidy`: what no compiler checks. It is a test too.
//!
//! Floors of the crates, sizes of files and functions, banned words and names, and pages that cite what does not exist.

mod exceptions;
mod floors;
mod pages;
mod sizes;
mod source;
mod words;

use std::path::Path;

use source::Source;

use crate::{Outcome, workspace};

pub(crate) fn run() -> Outcome {
    let root = workspace::root();
    let tree = Tree::read(&root)?;
    println!("{}", sizes::report(&tree.sources));
    match problems(&root, &tree)?.as_slice() {
        [] => Ok(()),
        problems => Err(format!("{} problems\n{}", problems.len(), problems.join("\n"))),
    }
}

/// All files that are ours and are text.
#[derive(Debug)]
struct Tree {
    sources: Vec<Source>,
    texts: Vec<Text>,
}

/// A text file; `path` is relative to the root.
#[derive(Debug)]
struct Text {
    path: String,
    text: String,
}

impl Tree {
    fn read(root: &Path) -> Outcome<Self> {
        let mut texts = Vec::new();
        walk(root, root, &mut texts)?;
        texts.sort_by(|a, b| a.path.cmp(&b.path));
        let rust = texts.iter().filter(|text| text.path.ends_with(".rs"));
        let mut sources = rust.map(Source::parse).collect::<Outcome<Vec<_>>>()?;
        source::mark_test_files(&mut sources);
        Ok(Self { sources, texts })
    }
}

fn problems(root: &Path, tree: &Tree) -> Outcome<Vec<String>> {
    let mut problems = floors::problems(root)?;
    problems.extend(sizes::problems(&tree.sources));
    problems.extend(words::problems(&tree.texts, &tree.sources));
    problems.extend(pages::problems(root, &tree.texts, &tree.sources));
    Ok(problems)
}

fn walk(root: &Path, directory: &Path, texts: &mut Vec<Text>) -> Outcome {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for entry in std::fs::read_dir(directory).map_err(|error| failed(directory, error))?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_ref()) {
                walk(root, &path, texts)?;
            }
        } else if TEXT.iter().any(|extension| name.ends_with(extension)) {
            let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            let relative = path.strip_prefix(root).unwrap_or(&path);
            texts.push(Text { path: relative.display().to_string(), text });
        }
    }
    Ok(())
}

/// Built, fetched or found by fuzzing.
const NOT_OURS: &[&str] = &[".git", "target", "node_modules", "corpus", "artifacts"];
const TEXT: &[&str] =
    &[".rs", ".md", ".toml", ".yml", ".cfg", ".conf", ".sh", ".service", ".html", ".js", ".css"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let root = workspace::root();
        let problems = problems(&root, &Tree::read(&root).unwrap()).unwrap();
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }
}
