//! The documentation of the operators' log matches the code.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../examples/generate_docs.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod generate_docs;

use observe::{Event, Handshake};

#[test]
fn every_kind_is_on_the_page_as_in_the_code() {
    let page = std::fs::read_to_string(generate_docs::path()).unwrap();
    let fresh = generate_docs::with_kinds(&page);
    assert!(page == fresh, "docs/operators-log.md is stale: run `cargo xtask docs`");
    for event in Event::ALL {
        assert_eq!(page.matches(&format!("\n### {}\n", event.row().message)).count(), 1, "{event:?}");
    }
}

#[test]
fn every_result_of_a_handshake_is_on_the_page_of_tls() {
    let path = generate_docs::path().with_file_name("tls.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, table) = page.split_once("\n| result | meaning |\n|---|---|\n").unwrap();
    let results = table.lines().take_while(|line| line.starts_with("| ")).flat_map(|line| {
        let words = line.split('|').nth(1).unwrap_or_default();
        words.split(", ").map(|word| word.trim().trim_matches('`'))
    });
    let mut documented: Vec<_> = results.collect();
    let mut known: Vec<_> = Handshake::ALL.iter().map(|result| result.as_str()).collect();
    documented.sort_unstable();
    known.sort_unstable();
    assert_eq!(documented, known);
}
