//! The fields of a certificate that decide about it (RFC 5280 §4.1). Nothing is checked here but the form: signatures,
//! times and constraints are webpki's and the verifier's.

use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::RawPublicKeyEntity;

use crate::asn1::{
    self, BIT_STRING, BOOLEAN, CONTEXT_0, CONTEXT_3, Extension, INTEGER, Malformed, Reader, SEQUENCE, Signed,
};

/// Names are what their `SEQUENCE` holds, so that they compare with webpki's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) signed: Signed<'a>,
    pub(crate) is_version_1: bool,
    /// The integer as it stands, big-endian.
    pub(crate) serial: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) subject: &'a [u8],
    /// With its tag.
    pub(crate) public_key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let signed = Signed::read(der)?;
        let mut tbs = signed.message.reader();
        let is_version_1 = tbs.optional(CONTEXT_0)?.is_none();
        let serial = tbs.expect(INTEGER)?.content;
        tbs.expect(SEQUENCE)?;
        let issuer = tbs.expect(SEQUENCE)?.content;
        let mut validity = tbs.expect(SEQUENCE)?.reader();
        let not_before = asn1::seconds(&validity.read()?)?;
        let not_after = asn1::seconds(&validity.read()?)?;
        let subject = tbs.expect(SEQUENCE)?.content;
        let public_key = tbs.expect(SEQUENCE)?.whole;
        let mut extensions: &[u8] = &[];
        while !tbs.is_empty() {
            let element = tbs.read()?;
            // [1] and [2] are the unique identifiers, which nobody uses.
            if element.tag == CONTEXT_3 {
                extensions = element.reader().expect(SEQUENCE)?.content;
            }
        }
        Ok(Self {
            signed,
            is_version_1,
            serial,
            issuer,
            not_before,
            not_after,
            subject,
            public_key,
            extensions,
        })
    }

    /// Whether it may issue certificates. A self-issued one of version 1 may: those have no extensions to say so.
    pub(crate) fn is_authority(&self) -> Result<bool, Malformed> {
        let Some(constraints) = self.extension(BASIC_CONSTRAINTS)? else {
            return Ok(self.is_version_1 && self.issuer == self.subject);
        };
        let mut parts = Reader::new(constraints.value).expect(SEQUENCE)?.reader();
        Ok(parts.optional(BOOLEAN)?.is_some_and(|flag| flag.content != [0]))
    }

    /// Whether it may sign CRLs: where a key's use is told, that is part of it.
    pub(crate) fn signs_crls(&self) -> Result<bool, Malformed> {
        let Some(usage) = self.extension(KEY_USAGE)? else { return Ok(true) };
        let bits = Reader::new(usage.value).expect(BIT_STRING)?.content;
        Ok(bits.get(1).is_some_and(|first| first & CRL_SIGN != 0))
    }

    pub(crate) fn extension(&self, id: &[u8]) -> Result<Option<Extension<'a>>, Malformed> {
        let mut found = None;
        asn1::each_extension(self.extensions, |extension| {
            if extension.id == id && found.replace(extension).is_some() {
                return Err(Malformed);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The addresses of its CRLs, if it names any.
    pub(crate) fn crl_addresses(&self) -> Result<Vec<&'a [u8]>, Malformed> {
        let mut addresses = Vec::new();
        let Some(points) = self.extension(CRL_DISTRIBUTION_POINTS)? else { return Ok(addresses) };
        let mut points = Reader::new(points.value).expect(SEQUENCE)?.reader();
        while !points.is_empty() {
            let mut point = points.expect(SEQUENCE)?.reader();
            if let Some(name) = point.optional(CONTEXT_0)? {
                full_names(name.content, &mut addresses)?;
            }
        }
        Ok(addresses)
    }
}

/// The addresses in what a `DistributionPointName` holds.
pub(crate) fn full_names<'a>(name: &'a [u8], addresses: &mut Vec<&'a [u8]>) -> Result<(), Malformed> {
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

/// Whether a signature is one of this key's. `None`: it is of a kind that we do not know, or not of this kind of key.
pub(crate) fn is_signed_by(
    signed: &Signed<'_>,
    public_key: &[u8],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Option<bool> {
    let public_key = SubjectPublicKeyInfoDer::from(public_key);
    let key = RawPublicKeyEntity::try_from(&public_key).ok()?;
    let mut answer = None;
    for algorithm in algorithms.iter().filter(|known| known.signature_alg_id().as_ref() == signed.algorithm) {
        match key.verify_signature(*algorithm, signed.message.whole, signed.signature) {
            Ok(()) => return Some(true),
            Err(webpki::Error::InvalidSignatureForPublicKey) => answer = Some(false),
            Err(_) => {}
        }
    }
    answer
}

const BASIC_CONSTRAINTS: &[u8] = &[0x55, 29, 19];
const KEY_USAGE: &[u8] = &[0x55, 29, 15];
const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 29, 31];
pub(crate) const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 29, 17];

/// `cRLSign` is bit 6, counted from the highest.
const CRL_SIGN: u8 = 0x02;
pub(crate) const GENERAL_NAME_URI: u8 = 0x86;
