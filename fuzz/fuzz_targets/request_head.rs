//! Runs `oracle::request_head`: `cargo +nightly fuzz run request_head`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::request_head(bytes));
