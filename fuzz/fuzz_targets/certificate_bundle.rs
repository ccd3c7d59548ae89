//! Runs `oracle::certificate_bundle`: `cargo +nightly fuzz run certificate_bundle`.

#![no_main]

#[path = "../../crates/tls/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::certificate_bundle(bytes));
