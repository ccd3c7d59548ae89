//! The examples of the hand-written pages load without a warning.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::{Path, PathBuf};

use config::{Files, parse};

struct AnyPage;

impl Files for AnyPage {
    fn read(&self, path: &Path, _bytes_max: usize) -> io::Result<Vec<u8>> {
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("token") => b"0123456789abcdef".to_vec(),
            Some("key") => b"0123456789abcdef".repeat(4),
            _ => b"# page".to_vec(),
        })
    }
}

/// README.md and everything in docs, except the generated reference, which has a test of its own.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    let entries = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    pages.retain(|path| path.file_name().unwrap() != "configuration.md");
    pages.sort();
    pages
}

/// The TOML blocks, each with its page and the line on which it begins.
fn examples(page: &Path) -> Vec<(String, String)> {
    let name = page.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(page).unwrap();
    let (mut found, mut block) = (Vec::new(), None::<(usize, String)>);
    for (number, line) in text.lines().enumerate() {
        match &mut block {
            Some(_) if line.trim() == "```" => {
                let (begin, example) = block.take().unwrap();
                found.push((format!("{name}, example at line {begin}"), example));
            }
            Some((_, example)) => *example += &format!("{line}\n"),
            None if line.trim() == "```toml" => block = Some((number + 2, String::new())),
            None => {}
        }
    }
    assert!(block.is_none(), "{name}: a block without an end");
    found
}

/// Completes an example that shows only a key of a listener.
fn whole(example: &str) -> String {
    if example.contains("[target_group.") {
        return example.to_owned();
    }
    let header = if example.contains("[admin]") { "[listener.web]\n" } else { "" };
    let listener = if header.is_empty() && example.contains("bind =") {
        ""
    } else {
        "bind = \"127.0.0.1:8\"\nforward = \"app\"\n"
    };
    format!("{example}{header}{listener}[target_group.app]\ntargets = [\"127.0.0.1:1\"]\n")
}

#[test]
fn every_example_of_the_pages_loads_without_a_warning() {
    let examples: Vec<_> = pages().iter().flat_map(|page| examples(page)).collect();
    assert!(examples.len() >= 10, "{}", examples.len());
    for (place, example) in examples {
        match parse(&whole(&example), "example.toml", &AnyPage) {
            Ok(loaded) => assert!(loaded.warnings.is_empty(), "{place}: {:?}", loaded.warnings),
            Err(errors) => panic!("{place}:\n{errors}"),
        }
    }
}
