//! The scope of a CRL: which of its issuer's certificates it covers (RFC 5280 §5.2.5).

use super::error::CrlError;
use crate::asn1::{CONTEXT_0, Malformed, Reader, SEQUENCE};
use crate::fields::Fields;

/// By default all certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    holders: Holders,
    /// URIs of distribution points: covers certificates that name one of these, and certificates that name none. Empty:
    /// covers all.
    addresses: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Holders {
    #[default]
    All,
    Clients,
    Authorities,
}

impl Scope {
    /// Reads the value of an issuing distribution point. x509-parser's reader skips unknown parts, so that a list that
    /// covers only some certificates could be taken for one that covers all.
    pub(super) fn read(value: &[u8]) -> Result<Self, CrlError> {
        let mut scope = Self::default();
        let mut parts = Reader::new(value).expect(SEQUENCE)?.reader();
        if let Some(name) = parts.optional(CONTEXT_0)? {
            let mut addresses = Vec::new();
            full_names(name.content, &mut addresses)?;
            if addresses.is_empty() {
                // The distribution point is not named by a URI, so it cannot be compared with those in certificates.
                return Err(CrlError::CriticalExtension("2.5.29.28 without an address".to_owned()));
            }
            scope.addresses = addresses.into_iter().map(<[u8]>::to_vec).collect();
        }
        while !parts.is_empty() {
            let part = parts.read()?;
            let is_set = part.content != [0];
            match part.tag {
                ONLY_CLIENTS if is_set => scope.holders = Holders::Clients,
                ONLY_AUTHORITIES if is_set => scope.holders = Holders::Authorities,
                ONLY_SOME_REASONS => return Err(CrlError::SomeReasons),
                INDIRECT if is_set => return Err(CrlError::Indirect),
                ONLY_ATTRIBUTES if is_set => return Err(CrlError::AttributeCertificates),
                ONLY_CLIENTS | ONLY_AUTHORITIES | INDIRECT | ONLY_ATTRIBUTES => {}
                _ => return Err(CrlError::Malformed),
            }
        }
        Ok(scope)
    }

    /// Whether the list covers this certificate, given as DER, which is only parsed if the scope has URIs.
    pub(crate) fn covers(&self, certificate: &[u8], is_client: bool) -> Result<bool, Malformed> {
        let is_holder = match self.holders {
            Holders::All => true,
            Holders::Clients => is_client,
            Holders::Authorities => !is_client,
        };
        if !is_holder || self.addresses.is_empty() {
            return Ok(is_holder);
        }
        let fields = Fields::read(certificate)?;
        let named = fields.crl_addresses()?;
        Ok(named.is_empty() || named.iter().any(|name| self.addresses.iter().any(|address| address == name)))
    }
}

/// Appends the URIs in the content of a `DistributionPointName`.
fn full_names<'a>(name: &'a [u8], addresses: &mut Vec<&'a [u8]>) -> Result<(), Malformed> {
    let Some(names) = Reader::new(name).optional(CONTEXT_0)? else { return Ok(()) };
    let mut names = names.reader();
    while !names.is_empty() {
        let name = names.read()?;
        if name.tag == GENERAL_NAME_URI {
            addresses.push(name.content);
        }
    }
    Ok(())
}

const GENERAL_NAME_URI: u8 = 0x86;
const ONLY_CLIENTS: u8 = 0x81;
const ONLY_AUTHORITIES: u8 = 0x82;
/// A bit string.
const ONLY_SOME_REASONS: u8 = 0x83;
const INDIRECT: u8 = 0x84;
const ONLY_ATTRIBUTES: u8 = 0x85;
