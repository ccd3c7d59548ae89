//! Parses any bytes as a file of CRLs. It must not panic, and the result must not be larger than the input.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(crls) = tls::crl::read(bytes) {
        let entries: usize = crls.iter().map(tls::Crl::entry_count).sum();
        // The smallest entry is a sequence of a number and a time.
        assert!(entries * 18 <= bytes.len());
    }
});
