//! The fields of a certificate that webpki does not expose (RFC 5280 §4.1), read by x509-parser. Only the form is
//! checked here: webpki and the verifier check signatures, times and constraints.

use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::RawPublicKeyEntity;
use x509_parser::asn1_rs::{Oid, Tag};
use x509_parser::extensions::{DistributionPointName, GeneralName, KeyUsage, ParsedExtension};
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CRL_DISTRIBUTION_POINTS, OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_SUBJECT_ALT_NAME,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{X509Name, X509Version};

use crate::asn1::{Malformed, Reader, SEQUENCE, Signed};

/// A view on a certificate's DER. Names are the content of their `SEQUENCE`, so that they compare with webpki's.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    parsed: X509Certificate<'a>,
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| Malformed)?;
        if !rest.is_empty() {
            return Err(Malformed);
        }
        let issuer = content(&parsed.tbs_certificate.issuer)?;
        let subject = content(&parsed.tbs_certificate.subject)?;
        Ok(Self { parsed, issuer, subject })
    }

    /// The content of the INTEGER, big-endian.
    pub(crate) fn serial(&self) -> &'a [u8] {
        self.parsed.raw_serial()
    }

    /// Seconds since 1970.
    pub(crate) fn not_before(&self) -> i64 {
        self.parsed.validity().not_before.timestamp()
    }

    pub(crate) fn not_after(&self) -> i64 {
        self.parsed.validity().not_after.timestamp()
    }

    /// SubjectPublicKeyInfo, with its tag.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.parsed.public_key().raw
    }

    /// Whether it may issue certificates. A self-issued certificate of version 1 may: it has no extensions to say so.
    pub(crate) fn is_authority(&self) -> Result<bool, Malformed> {
        match self.extension(&OID_X509_EXT_BASIC_CONSTRAINTS)? {
            Some(ParsedExtension::BasicConstraints(constraints)) => Ok(constraints.ca),
            Some(_) => Err(Malformed),
            None => Ok(self.parsed.version() == X509Version::V1 && self.issuer == self.subject),
        }
    }

    /// Whether its key may sign CRLs. Without a key usage extension it may.
    pub(crate) fn signs_crls(&self) -> Result<bool, Malformed> {
        Ok(self.key_usage()?.is_none_or(KeyUsage::crl_sign))
    }

    /// The same of certificates. Whether it is one of a CA says [`Self::is_authority`].
    pub(crate) fn signs_certificates(&self) -> Result<bool, Malformed> {
        Ok(self.key_usage()?.is_none_or(KeyUsage::key_cert_sign))
    }

    fn key_usage(&self) -> Result<Option<&KeyUsage>, Malformed> {
        match self.extension(&OID_X509_EXT_KEY_USAGE)? {
            Some(ParsedExtension::KeyUsage(usage)) => Ok(Some(usage)),
            Some(_) => Err(Malformed),
            None => Ok(None),
        }
    }

    /// The URIs of its CRL distribution points; empty if there are none.
    pub(crate) fn crl_addresses(&self) -> Result<Vec<&[u8]>, Malformed> {
        let points = match self.extension(&OID_X509_EXT_CRL_DISTRIBUTION_POINTS)? {
            Some(ParsedExtension::CRLDistributionPoints(points)) => points,
            Some(_) => return Err(Malformed),
            None => return Ok(Vec::new()),
        };
        let full_names = points.iter().filter_map(|point| match &point.distribution_point {
            Some(DistributionPointName::FullName(names)) => Some(names),
            _ => None,
        });
        Ok(full_names.flatten().filter_map(uri).collect())
    }

    pub(crate) fn alternative_names(&self) -> Result<&[GeneralName<'a>], Malformed> {
        match self.extension(&OID_X509_EXT_SUBJECT_ALT_NAME)? {
            Some(ParsedExtension::SubjectAlternativeName(names)) => Ok(&names.general_names),
            Some(_) => Err(Malformed),
            None => Ok(&[]),
        }
    }

    /// The extension with this identifier. A duplicate is an error.
    fn extension(&self, id: &Oid<'_>) -> Result<Option<&ParsedExtension<'a>>, Malformed> {
        let found = self.parsed.get_extension_unique(id).map_err(|_| Malformed)?;
        Ok(found.map(|extension| extension.parsed_extension()))
    }
}

/// The content of the name's `SEQUENCE`.
fn content<'a>(name: &X509Name<'a>) -> Result<&'a [u8], Malformed> {
    Ok(Reader::new(name.as_raw()).expect(SEQUENCE)?.content)
}

fn uri<'n>(name: &'n GeneralName<'_>) -> Option<&'n [u8]> {
    match name {
        GeneralName::URI(uri) => Some(uri.as_bytes()),
        // Not UTF-8. URIs are compared as bytes, so it counts.
        GeneralName::Invalid(URI, bytes) => Some(bytes),
        _ => None,
    }
}

/// Whether the signature is one of this key. `None`: the algorithm is unknown, or does not fit the kind of key.
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

// `GeneralName` (RFC 5280 §4.2.1.6), for values that are not UTF-8.
pub(crate) const EMAIL: Tag = Tag(1);
pub(crate) const DNS: Tag = Tag(2);
pub(crate) const URI: Tag = Tag(6);
