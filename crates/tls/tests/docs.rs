//! The documentation of certificates matches the code.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../examples/generate_docs.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod generate_docs;

use tls::Code;

#[test]
fn the_table_of_codes_is_fresh() {
    let page = std::fs::read_to_string(generate_docs::path()).unwrap();
    assert!(
        page == generate_docs::with_table(&page),
        "docs/certificates.md is stale: run `cargo xtask docs`"
    );
    for code in Code::ALL {
        assert_eq!(page.matches(&format!("| `{}` | ", code.word())).count(), 1, "{}", code.word());
    }
}
