//! Runs `oracle::frames`: `cargo +nightly fuzz run frames`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::frames(bytes));
