//! Runs `oracle::chunks`: `cargo +nightly fuzz run chunks`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::chunks(bytes));
