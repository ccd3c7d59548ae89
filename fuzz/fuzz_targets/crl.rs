//! Any bytes as a file of CRLs: no panic, and nothing that is longer than what it was read from.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(crls) = tls::crl::read(bytes) {
        let entries: usize = crls.iter().map(tls::Crl::entry_count).sum();
        // The smallest entry: a sequence of a number and a time.
        assert!(entries * 18 <= bytes.len());
    }
});
