//! Runs `oracle::response_head`: `cargo +nightly fuzz run response_head`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::response_head(bytes));
