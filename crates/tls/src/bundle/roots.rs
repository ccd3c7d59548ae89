//! The subjects of the roots that clients are assumed to have: a chain that ends below one of them is complete.

use std::collections::HashSet;

use rustls::pki_types::CertificateDer;

use super::certificate::Certificate;

/// Subjects of root certificates. If empty, every issuer that is not in the bundle causes a warning.
#[derive(Clone, Debug, Default)]
pub struct KnownRoots(HashSet<Vec<u8>>);

impl KnownRoots {
    pub fn new<'a>(roots: impl IntoIterator<Item = &'a CertificateDer<'a>>) -> Self {
        let roots = roots.into_iter().take(ROOTS_MAX).filter_map(|root| Certificate::parse(root));
        Self(roots.map(|root| root.parsed.subject().as_raw().to_vec()).collect())
    }

    /// The roots that this system trusts; none if it has no store. Reads files.
    pub fn of_system() -> Self {
        Self::new(&rustls_native_certs::load_native_certs().certs)
    }

    pub(super) fn has(&self, subject: &[u8]) -> bool {
        self.0.contains(subject)
    }
}

// limit: systems have about 150.
const ROOTS_MAX: usize = 10_000;
