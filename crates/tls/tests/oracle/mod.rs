//! Invariants that hold for any input. The fuzz targets call these checks with generated input, the tests beside this
//! file with the corpus and with properties.

#![allow(dead_code, reason = "every test and fuzz target uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a check fails by panicking")]

use tls::KnownRoots;
use tls::bundle::{self, Problem};

/// 2026-07-01.
pub(crate) const NOW: u64 = 1_782_864_000;

/// A bundle in one file, in two files with the same bytes, and as the file of a certificate with a separate file of its
/// key.
pub(crate) fn certificate_bundle(bytes: &[u8]) {
    let cut = bytes.windows(11).position(|window| window == b"-----BEGIN ").unwrap_or(0);
    let (key, chain) = bytes.split_at(cut);
    for (chain, key) in [(bytes, None), (bytes, Some(bytes)), (chain, Some(key))] {
        let report = bundle::check(chain, key, &["www.example.com".to_owned()], NOW, &KnownRoots::default());
        assert!(report.problems.len() <= 201);
        for problem in &report.problems {
            assert!(problem.subject.len() < 2000 && problem.message.len() < 4000, "{problem:?}");
            assert!(!problem.subject.is_empty() && !problem.message.is_empty() && !problem.hint.is_empty());
            assert!(!problem.message.contains(|c: char| c.is_control()), "{problem:?}");
            assert!(!problem.hint.contains(|c: char| c.is_control()), "{problem:?}");
        }
        match bundle::read(chain, key, NOW) {
            Ok(bundle) => {
                assert!((1..=100).contains(&bundle.chain.len()));
                assert_eq!(bundle.chain.len(), report.chain.len());
                assert!(bundle.not_after <= bundle.leaf_not_after && NOW <= bundle.not_after);
                rustls::sign::CertifiedKey::new(bundle.chain, bundle.signing_key).keys_match().unwrap();
            }
            Err(problems) => assert!(problems.iter().any(Problem::is_error)),
        }
    }
}
