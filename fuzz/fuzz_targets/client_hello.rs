//! Runs `oracle::client_hello`: `cargo +nightly fuzz run client_hello`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::client_hello(bytes));
