//! The problems of a CRL, with hints for the operator.

use std::fmt;

use crate::asn1::Malformed;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrlError {
    /// Not a CRL, truncated or damaged.
    Malformed,
    Pem(String),
    /// The file contains no CRL.
    None {
        is_certificate: bool,
    },
    /// The file is longer than `limit` bytes.
    TooLong {
        limit: usize,
    },
    /// The file has more than `limit` lists.
    TooMany {
        limit: usize,
    },
    Version,
    /// A serial number of more than twenty bytes.
    Serial,
    /// An unknown critical extension, as a dotted number: ignoring it could mean trusting a revoked certificate.
    CriticalExtension(String),
    Delta,
    Indirect,
    SomeReasons,
    AttributeCertificates,
    /// No certificate in the CA bundle has the issuer's name.
    UnknownIssuer(String),
    /// The issuer is known, but its key did not make the signature.
    Signature(String),
    Algorithm(String),
    /// The key usage of the issuer's certificate does not allow signing CRLs.
    NotSigner(String),
}

impl CrlError {
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed | Self::Pem(_) => {
                "fetch it again from its authority; `openssl crl -noout -text -in FILE` shows what can be read"
            }
            Self::None { is_certificate: true } => "the file holds certificates; they belong to `ca`",
            Self::None { is_certificate: false } => {
                "a CRL is DER, or PEM between `-----BEGIN X509 CRL-----` and `-----END X509 CRL-----`"
            }
            Self::TooLong { .. } | Self::TooMany { .. } => "split it into several files",
            Self::Version | Self::Serial => {
                "RFC 5280 does not allow this; ask its authority for a correct one"
            }
            Self::CriticalExtension(_) => "ask its authority for a CRL without this extension",
            Self::Delta => "give the complete CRL of which this one tells the changes",
            Self::Indirect => "give the CRL that the certificates' own issuer signs",
            Self::SomeReasons => "give a CRL for all reasons of revocation",
            Self::AttributeCertificates => "give the CRL for public-key certificates",
            Self::UnknownIssuer(_) => "add the certificate of this issuer to `ca`, or remove the CRL",
            Self::Signature(_) => {
                "it is damaged, or from another authority of the same name; fetch it again, or correct `ca`"
            }
            Self::Algorithm(_) => "have it signed with RSA (2048 bits and more), ECDSA or Ed25519, and SHA-2",
            Self::NotSigner(_) => "its certificate's key usage must have `cRLSign`",
        }
    }
}

impl fmt::Display for CrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "not a CRL, or a damaged one"),
            Self::Pem(error) => write!(f, "not readable as PEM: {error}"),
            Self::None { .. } => write!(f, "holds no CRL"),
            Self::TooLong { limit } => write!(f, "longer than {} MiB", limit >> 20),
            Self::TooMany { limit } => write!(f, "more than {limit} CRLs in one file"),
            Self::Version => write!(f, "a CRL of a version that does not exist"),
            Self::Serial => write!(f, "a serial number of more than 20 bytes"),
            Self::CriticalExtension(id) => write!(f, "has the critical extension {id}, which is not known"),
            Self::Delta => write!(f, "a delta CRL, which is not supported"),
            Self::Indirect => write!(f, "an indirect CRL, which is not supported"),
            Self::SomeReasons => {
                write!(f, "a CRL for some reasons of revocation only, which is not supported")
            }
            Self::AttributeCertificates => write!(f, "a CRL for attribute certificates"),
            Self::UnknownIssuer(name) => write!(f, "issued by \"{name}\", which is not among the CAs"),
            Self::Signature(name) => write!(f, "its signature is not one of \"{name}\""),
            Self::Algorithm(name) => {
                write!(f, "signed in a way that is not supported for the key of \"{name}\"")
            }
            Self::NotSigner(name) => write!(f, "issued by \"{name}\", which may not sign CRLs"),
        }
    }
}

impl std::error::Error for CrlError {}

impl From<Malformed> for CrlError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
