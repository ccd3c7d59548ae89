//! Runs `oracle::proxy_header`: `cargo +nightly fuzz run proxy_header`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::proxy_header(bytes));
