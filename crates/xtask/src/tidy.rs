//! `cargo xtask tidy`: what no compiler checks. It is a test too.
//!
//! Floors of the crates, import circles, sizes of files and functions, banned words and names, pages that cite what does
//! not exist, and tags of requirements.

mod attributes;
mod circles;
mod comments;
mod exceptions;
mod floors;
mod pages;
mod prose;
mod requirements;
mod sizes;
mod source;
mod text;
mod words;

use std::path::Path;

use source::Source;
use text::Text;

use crate::{Outcome, workspace};

/// `cargo xtask tidy`, or `cargo xtask tidy circles [CRATE]`.
pub(crate) fn task(arguments: &[String]) -> Outcome {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => run(),
        ["circles"] => show_circles(None),
        ["circles", package] => show_circles(Some(package)),
        _ => Err("usage: cargo xtask tidy [circles [CRATE]]".into()),
    }
}

fn show_circles(package: Option<&str>) -> Outcome {
    let tree = Tree::read(&workspace::root())?;
    print!("{}", circles::report(&tree.texts, &tree.sources, package)?);
    Ok(())
}

pub(crate) fn run() -> Outcome {
    let root = workspace::root();
    let tree = Tree::read(&root)?;
    println!("{}", sizes::report(&tree.sources));
    match problems(&root, &tree)?.as_slice() {
        [] => Ok(()),
        problems => Err(format!("{} problems\n{}", problems.len(), problems.join("\n"))),
    }
}

/// For `cargo xtask docs`.
pub(crate) fn write_requirements() -> Outcome {
    let root = workspace::root();
    requirements::write(&root, &text::read(&root)?)
}

/// All files that are ours and are text.
#[derive(Debug)]
struct Tree {
    sources: Vec<Source>,
    texts: Vec<Text>,
}

impl Tree {
    fn read(root: &Path) -> Outcome<Self> {
        let texts = text::read(root)?;
        let rust: Vec<&Text> = texts.iter().filter(|text| text.path.ends_with(".rs")).collect();
        let mut sources = parse(&rust)?;
        source::mark_test_files(&mut sources);
        Ok(Self { sources, texts })
    }
}

/// On all cores: parsing is what takes time here.
fn parse(texts: &[&Text]) -> Outcome<Vec<Source>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let parse = |part: &[&Text]| part.iter().map(|text| Source::parse(text)).collect::<Outcome<Vec<_>>>();
        let parts = texts.chunks(texts.len().div_ceil(threads).max(1));
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || parse(part))).collect();
        let mut sources = Vec::with_capacity(texts.len());
        for thread in threads {
            sources.extend(thread.join().map_err(|_| "a parser panicked".to_owned())??);
        }
        Ok(sources)
    })
}

fn problems(root: &Path, tree: &Tree) -> Outcome<Vec<String>> {
    let mut problems = floors::problems(root)?;
    problems.extend(sizes::problems(&tree.sources));
    problems.extend(circles::problems(&tree.texts, &tree.sources));
    problems.extend(words::problems(&tree.texts, &tree.sources));
    problems.extend(prose::problems(&tree.texts));
    problems.extend(pages::problems(root, &tree.texts, &tree.sources));
    problems.extend(requirements::problems(&tree.texts));
    Ok(problems)
}

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
