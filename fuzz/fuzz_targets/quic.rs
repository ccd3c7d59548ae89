//! Runs `oracle::quic`: `cargo +nightly fuzz run quic`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::quic(bytes));
