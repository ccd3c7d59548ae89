//! Runs `oracle::cookies`: `cargo +nightly fuzz run cookies`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::cookies(bytes));
