//! The identity of a client, from its verified certificate (MT3), for headers to targets and for allow-lists. All texts
//! are visible ASCII whatever the certificate contains, so that they can be used in a header unchanged.

mod headers;
pub(crate) mod name;

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use model::IdentityPattern;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::asn1::Malformed;
use crate::crl::sha256;
use crate::fields::{DNS, EMAIL, Fields, URI};
use crate::names::common_name;

pub use headers::write_headers;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// In the form of RFC 4514. Bytes that are not visible ASCII are written as `\` and two hexadecimal digits.
    pub subject: String,
    /// `DNS:…`, `email:…`, `URI:…`, `IP:…` in the certificate's order; other kinds are left out. `,`, `\` and bytes
    /// that are not visible ASCII are written as `\` and two digits, so that joining the names with `, ` is
    /// unambiguous.
    pub sans: Vec<String>,
    /// Hexadecimal, upper-case, two digits a byte.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    certificate: Box<[u8]>,
}

impl Identity {
    /// The first common name of the subject, if it is text.
    pub fn common_name(&self) -> Option<String> {
        let (_, certificate) = X509Certificate::from_der(&self.certificate).ok()?;
        common_name(certificate.subject())
    }
}

/// The names in the certificate cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Identity {
    pub fn of(leaf: &CertificateDer<'_>) -> Result<Self, Unreadable> {
        let fields = Fields::read(leaf)?;
        Ok(Self {
            subject: name::rfc4514(fields.subject)?,
            sans: alternative_names(&fields)?,
            serial: serial(fields.serial()),
            fingerprint: sha256(leaf),
            certificate: leaf.as_ref().into(),
        })
    }

    /// Whether one of the patterns matches. An empty list matches every client.
    pub fn matches(&self, patterns: &[IdentityPattern]) -> bool {
        patterns.is_empty() || patterns.iter().any(|pattern| self.fits(pattern))
    }

    fn fits(&self, pattern: &IdentityPattern) -> bool {
        match pattern {
            IdentityPattern::Subject(subject) => *subject == self.subject,
            IdentityPattern::San(san) => self.sans.iter().any(|own| is_same_san(own, san)),
            IdentityPattern::Fingerprint(fingerprint) => *fingerprint == self.fingerprint,
        }
    }

    /// Appends the certificate as percent-encoded PEM, in the form of nginx's `$ssl_client_escaped_cert`.
    pub fn write_certificate(&self, out: &mut Vec<u8>) {
        headers::write_certificate(&self.certificate, out);
    }
}

fn is_same_san(own: &str, pattern: &str) -> bool {
    own == pattern || (own.starts_with("DNS:") && own.eq_ignore_ascii_case(pattern))
}

fn alternative_names(fields: &Fields<'_>) -> Result<Vec<String>, Malformed> {
    let mut sans = Vec::new();
    for name in fields.alternative_names()? {
        let (kind, value) = match name {
            GeneralName::RFC822Name(text) => ("email:", text.as_bytes()),
            GeneralName::Invalid(EMAIL, bytes) => ("email:", *bytes),
            GeneralName::DNSName(text) => ("DNS:", text.as_bytes()),
            GeneralName::Invalid(DNS, bytes) => ("DNS:", *bytes),
            GeneralName::URI(text) => ("URI:", text.as_bytes()),
            GeneralName::Invalid(URI, bytes) => ("URI:", *bytes),
            GeneralName::IPAddress(bytes) => {
                sans.push(ip_address(bytes)?);
                continue;
            }
            _ => continue,
        };
        let mut san = kind.to_owned();
        for &byte in value {
            if byte.is_ascii_graphic() && byte != b',' && byte != b'\\' {
                san.push(char::from(byte));
            } else {
                name::push_escaped(&mut san, byte);
            }
        }
        sans.push(san);
    }
    Ok(sans)
}

fn ip_address(bytes: &[u8]) -> Result<String, Malformed> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(format!("IP:{}", Ipv4Addr::from(v4)));
    }
    let v6 = <[u8; 16]>::try_from(bytes).map_err(|_| Malformed)?;
    Ok(format!("IP:{}", Ipv6Addr::from(v6)))
}

fn serial(integer: &[u8]) -> String {
    // A leading zero only marks the number as positive.
    let digits = if integer.len() > 1 && integer[0] == 0 { &integer[1..] } else { integer };
    let mut text = String::with_capacity(digits.len() * 2);
    for byte in digits {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the certificate's names cannot be read")
    }
}

impl std::error::Error for Unreadable {}
