//! Runs `oracle::path`: `cargo +nightly fuzz run path`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::path(bytes));
