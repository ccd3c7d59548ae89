//! Runs `oracle::memcached`: `cargo +nightly fuzz run memcached`.

#![no_main]

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::memcached(bytes));
