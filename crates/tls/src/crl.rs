//! Certificate revocation lists (RFC 5280 §5): reads a file into sets of serial numbers. Reading a million entries is
//! slow, so it is done off the workers. Memory: the file, its DER if it was PEM, and twenty bytes per entry; no
//! allocation depends on a length that the list only claims.

mod error;
mod parse;
mod scope;
pub(crate) mod serials;

use aws_lc_rs::digest;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use crate::asn1::{Reader, SEQUENCE, Signed};

pub use error::CrlError;
pub(crate) use scope::Scope;
use serials::{Serial, Serials};

/// One list. The caller must verify its signature, as `ClientPolicy::load` does.
#[derive(Debug)]
pub struct Crl {
    /// The content of the name's `SEQUENCE`.
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: i64,
    pub(crate) next_update: Option<i64>,
    pub(crate) number: Option<Serial>,
    pub(crate) scope: Scope,
    pub(crate) serials: Serials,
    /// SHA-256 of its DER.
    pub(crate) digest: [u8; 32],
}

impl Crl {
    pub fn entry_count(&self) -> usize {
        self.serials.len()
    }

    /// Whether the list contains this serial number, given as the content of an INTEGER.
    pub fn contains(&self, integer: &[u8]) -> bool {
        serials::serial(integer).is_some_and(|serial| self.serials.contains(&serial))
    }

    /// Whether it is newer than another list of the same issuer and scope: by its number, or if one of them has none,
    /// by `thisUpdate`.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        match (self.number, other.number) {
            (Some(own), Some(others)) if own != others => own > others,
            _ => self.this_update > other.this_update,
        }
    }
}

/// Reads all lists in a file, PEM or DER, without verifying signatures. For tests and fuzzing.
pub fn read(bytes: &[u8]) -> Result<Vec<Crl>, CrlError> {
    let mut crls = Vec::new();
    each(bytes, |crl, _| {
        crls.push(crl);
        Ok(())
    })?;
    Ok(crls)
}

/// Calls `accept` for each list in a file in turn, so that the DER of only one is in memory.
pub(crate) fn each(
    bytes: &[u8],
    mut accept: impl FnMut(Crl, &Signed<'_>) -> Result<(), CrlError>,
) -> Result<(), CrlError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(CrlError::TooLong { limit: FILE_BYTES_MAX });
    }
    let mut count = 0;
    for der in ders(bytes) {
        count += 1;
        if count > LISTS_MAX {
            return Err(CrlError::TooMany { limit: LISTS_MAX });
        }
        let der = der?;
        let signed = Signed::read(&der)?;
        let mut crl = parse::list(&signed)?;
        crl.digest = sha256(&der);
        accept(crl, &signed)?;
    }
    if count == 0 {
        return Err(CrlError::None { is_certificate: contains(bytes, b"-----BEGIN CERTIFICATE") });
    }
    Ok(())
}

type Der<'a> = Result<CertificateRevocationListDer<'a>, CrlError>;

fn ders<'a>(bytes: &'a [u8]) -> Box<dyn Iterator<Item = Der<'a>> + 'a> {
    let mut reader = Reader::new(bytes);
    if reader.expect(SEQUENCE).is_ok() && reader.is_empty() {
        return Box::new(std::iter::once(Ok(bytes.into())));
    }
    if bytes.first() == Some(&SEQUENCE) && !contains(bytes, b"-----BEGIN ") {
        return Box::new(std::iter::once(Err(CrlError::Malformed)));
    }
    let sections = CertificateRevocationListDer::pem_slice_iter(bytes);
    Box::new(sections.map(|section| section.map_err(|error| CrlError::Pem(error.to_string()))))
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut value = [0; 32];
    value.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    value
}

/// limit: size of one file. The smallest entry has twenty bytes, so there are at most five million entries.
pub const FILE_BYTES_MAX: usize = 100 << 20;
/// limit: lists in one file.
const LISTS_MAX: usize = 1000;
