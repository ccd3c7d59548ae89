//! The documentation of the operators' log matches the code.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../examples/generate_docs.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod generate_docs;

use observe::Event;

#[test]
fn every_kind_is_on_the_page_as_in_the_code() {
    let page = std::fs::read_to_string(generate_docs::path()).unwrap();
    let fresh = generate_docs::with_kinds(&page);
    assert!(page == fresh, "docs/operators-log.md is stale: run `cargo xtask docs`");
    for event in Event::ALL {
        assert_eq!(page.matches(&format!("\n### {}\n", event.row().message)).count(), 1, "{event:?}");
    }
}
