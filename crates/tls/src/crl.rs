//! Certificate revocation lists (RFC 5280 §5): from a file's bytes to a set of serial numbers. Reading is a plain function that
//! takes its time with a million entries, so it is called off the workers. Memory: the file, its DER where it was PEM,
//! and twenty bytes for each entry; nothing that a list claims to be long is believed before it is there.

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

/// One list. Whether its signature is the issuer's is for the caller to see: `ClientPolicy::load` does.
#[derive(Debug)]
pub struct Crl {
    /// What the name's `SEQUENCE` holds.
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

    /// Whether the list names this number, an INTEGER's bytes.
    pub fn contains(&self, integer: &[u8]) -> bool {
        serials::serial(integer).is_some_and(|serial| self.serials.contains(&serial))
    }

    /// Whether it says more recent things than another of the same issuer and scope: a higher number, or where one of them
    /// has none, a later `thisUpdate`.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        match (self.number, other.number) {
            (Some(own), Some(others)) if own != others => own > others,
            _ => self.this_update > other.this_update,
        }
    }
}

/// All lists in a file, PEM or DER, without a look at their signatures. For tests and fuzzing.
pub fn read(bytes: &[u8]) -> Result<Vec<Crl>, CrlError> {
    let mut crls = Vec::new();
    each(bytes, |crl, _| {
        crls.push(crl);
        Ok(())
    })?;
    Ok(crls)
}

/// Calls `accept` for every list in a file, one after the other, so that only one's DER is held at a time.
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

/// limit: of one file. The smallest entry takes twenty bytes, so this limits the entries too, to five millions.
pub const FILE_BYTES_MAX: usize = 100 << 20;
/// limit: lists in one file.
const LISTS_MAX: usize = 1000;
