//! No text makes the parser panic, and the same text always gives the same result.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::Path;

use config::{Files, Loaded, parse};
use proptest::prelude::*;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &Path, _bytes_max: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The complete result of a parse, as text.
fn outcome(text: &str) -> String {
    match parse(text, "x.toml", &NoFiles) {
        Ok(Loaded { config, warnings }) => format!("{config:?} {warnings:?}"),
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.render(true) + &errors.to_json()
        }
    }
}

const FULL: &str = concat!(include_str!("full.toml"), include_str!("tls.toml"));

/// Pieces that combine to almost valid texts.
fn piece() -> impl Strategy<Value = String> {
    let lines: Vec<String> = FULL.lines().map(|line| format!("{line}\n")).collect();
    let odd = &[
        "[",
        "]",
        "{",
        "}",
        "=",
        "\"",
        "'''",
        "\\",
        "é",
        "\u{0}",
        "\r",
        "$",
        "~ (",
        "-1",
        "99999999999999999999",
    ];
    let odd: Vec<String> = odd.iter().map(|odd| (*odd).to_owned()).collect();
    prop_oneof![6 => proptest::sample::select(lines), 1 => proptest::sample::select(odd)]
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{ a = ", "}"), ("a.", "")] {
        let text = format!("workers = {}1{}", open.repeat(100_000), close.repeat(100_000));
        outcome(&text);
        outcome(&format!("{}b = 1", open.repeat(100_000)));
    }
}

#[test]
fn thousands_of_errors_are_all_reported() {
    let mut text = String::new();
    for number in 0..20_000 {
        text += &format!("key{number} = {number}\n");
    }
    let errors = parse(&text, "x.toml", &NoFiles).unwrap_err();
    assert_eq!(errors.0.len(), 20_001, "and no listener");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_text_does_not_panic(text in "\\PC{0,200}") {
        prop_assert_eq!(outcome(&text), outcome(&text));
    }

    #[test]
    fn almost_valid_text_does_not_panic(pieces in proptest::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        prop_assert_eq!(outcome(&text), outcome(&text));
    }

    #[test]
    fn a_configuration_with_a_part_removed_does_not_panic(cut in 0..FULL.len(), length in 0usize..40) {
        let end = (cut + length).min(FULL.len());
        let (before, after) = (FULL.get(..cut).unwrap_or(""), FULL.get(end..).unwrap_or(""));
        outcome(&format!("{before}{after}"));
    }

    #[test]
    fn errors_point_into_the_text(text in proptest::collection::vec(piece(), 0..20)) {
        let text = text.concat();
        if let Err(errors) = parse(&text, "x.toml", &NoFiles) {
            for error in errors.0 {
                let line = text.split('\n').nth(error.line - 1);
                let width = line.map(|line| line.chars().count());
                prop_assert!(width.is_some_and(|width| error.column <= width + 1), "{:?}", error);
            }
        }
    }
}
