//! Reads a certificate with its chain and key from an operator's files, and diagnoses problems (CH1, CH2). Bytes in,
//! DER out; called when a configuration is loaded, and by `evenkeel cert check`.

mod certificate;
mod chain;
mod der;
mod diagnosis;
mod key;
mod problem;
mod roots;
mod sections;
mod time;

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use x509_parser::extensions::{GeneralName, ParsedExtension};

pub use self::problem::{Code, Entry, Problem, Severity};
pub use self::roots::KnownRoots;
pub use self::time::text as time_text;

use self::certificate::Certificate;
use self::chain::Chain;
use self::diagnosis::Diagnosis;
use self::key::Key;
use self::problem::{Part, Problems};
use self::sections::{FILE_BYTES_MAX, Sections};
use crate::names;

/// A bundle that can be served.
#[derive(Debug)]
pub struct Bundle {
    /// The leaf, followed by its intermediates, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    /// The same key, ready to sign: parsing it is most of the work.
    pub signing_key: Arc<dyn SigningKey>,
    pub key_kind: KeyKind,
    /// DNS names in lower case, wildcards as `*.example.com`; addresses as text. The common name if there are none.
    pub names: Vec<String>,
    /// Start of the leaf's validity, in seconds since 1970.
    pub not_before: u64,
    /// When the first certificate of the chain expires.
    pub not_after: u64,
    pub leaf_not_after: u64,
    /// In the form of RFC 4514.
    pub subject: String,
    pub issuer: String,
    /// Hexadecimal digits.
    pub serial: String,
    /// SHA-256 of the leaf, in hexadecimal digits.
    pub fingerprint: String,
    /// And that a certificate has expired, which is an error of the bundle but no reason not to serve it.
    pub warnings: Vec<Problem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    Rsa,
    Ecdsa,
    Ed25519,
}

/// One certificate of a chain, for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub fingerprint: String,
    pub not_before: u64,
    pub not_after: u64,
    /// Such as `RSA 2048`, `ECDSA P-256`.
    pub key: String,
}

/// The result of a check, whether the bundle can be served or not.
#[derive(Debug, Default)]
pub struct Report {
    /// What would be served, as far as it is known.
    pub chain: Vec<Summary>,
    /// As in [`Bundle`].
    pub names: Vec<String>,
    /// Errors first.
    pub problems: Vec<Problem>,
}

/// The bytes of a file for [`read`]. A file that is too large is only read up to the point that shows it.
pub fn file(path: &Path) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Problem::new(Code::Unreadable, path.display().to_string(), error.to_string())),
    }
}

/// Reads the file of a chain, and the file of the key if it is separate; `now` in seconds since 1970. Errors are
/// returned together with the warnings.
pub fn read(chain: &[u8], key: Option<&[u8]>, now: u64) -> Result<Bundle, Vec<Problem>> {
    read_below(chain, key, now, &KnownRoots::default())
}

/// Like `read`, but a chain whose last issuer is one of `roots` is complete.
pub fn read_below(
    chain: &[u8],
    key: Option<&[u8]>,
    now: u64,
    roots: &KnownRoots,
) -> Result<Bundle, Vec<Problem>> {
    examine(chain, key, now, roots, |_, _, _| ()).0
}

/// Reports everything about a bundle that shall serve `hosts`.
pub fn check(chain: &[u8], key: Option<&[u8]>, hosts: &[String], now: u64, roots: &KnownRoots) -> Report {
    let summaries = |certificates: &[Certificate<'_>], chain: &Chain, names: &[String]| {
        (chain.served.iter().map(|&place| summary(&certificates[place])).collect(), names.to_vec())
    };
    let (result, shown) = examine(chain, key, now, roots, summaries);
    let (chain, names): (Vec<Summary>, _) = shown.unwrap_or_default();
    let mut problems = result.map_or_else(|problems| problems, |bundle| bundle.warnings);
    if let Some(leaf) = chain.first() {
        problems.extend(uncovered(&names, &leaf.subject, hosts));
        problems.sort_by_key(|problem| problem.severity);
    }
    Report { chain, names, problems }
}

/// Hosts (of rules; wildcards as `*.example.com`) that no name of the certificate covers.
pub fn check_hosts<Host: AsRef<str>>(bundle: &Bundle, hosts: impl IntoIterator<Item = Host>) -> Vec<Problem> {
    uncovered(&bundle.names, &bundle.subject, hosts)
}

fn uncovered<Host: AsRef<str>>(
    names: &[String],
    subject: &str,
    hosts: impl IntoIterator<Item = Host>,
) -> Vec<Problem> {
    let uncovered = hosts.into_iter().filter(|host| !covers(names, host.as_ref()));
    let uncovered = uncovered.map(|host| {
        let names = match names.len() {
            0 => "no host".to_owned(),
            1..=NAMES_SHOWN => names.join(", "),
            count => format!("{}, … ({count} names)", names[..NAMES_SHOWN].join(", ")),
        };
        Problem::new(Code::NameNotCovered, host.as_ref(), format!("the certificate {subject} is for {names}"))
    });
    uncovered.collect()
}

/// RFC 9525 §6.3: a wildcard stands for one whole label, the first.
fn covers(names: &[String], host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return names.contains(&address.to_string());
    }
    let parent = host.split_once('.').map(|(_, parent)| parent);
    names.iter().any(|name| *name == host || name.strip_prefix("*.").is_some_and(|rest| parent == Some(rest)))
}

/// Does everything that is done with the two files; `show` is called while the certificates of the chain are parsed.
fn examine<Shown>(
    chain_file: &[u8],
    key_file: Option<&[u8]>,
    now: u64,
    roots: &KnownRoots,
    show: impl Fn(&[Certificate<'_>], &Chain, &[String]) -> Shown,
) -> (Result<Bundle, Vec<Problem>>, Option<Shown>) {
    let mut problems = Problems::default();
    let sections = Sections::read(chain_file, Part::Chain, &mut problems);
    let key = Key::read(sections.keys, key_file, &mut problems);
    let certificates = parsed(&sections.certificates, &mut problems);
    if certificates.is_empty() {
        if !problems.has_any(EXPLAINS_NO_CERTIFICATE) {
            problems.push(Problem::of_file(Code::NoCertificate, Part::Chain, "the file has no certificate"));
        }
        return (Err(problems.into_vec()), None);
    }
    // In a part of a chain no certificate can be called missing.
    if problems.has(Code::TooManyCertificates) {
        return (Err(problems.into_vec()), None);
    }
    let leaf = leaf(&certificates, key.as_ref(), now, &mut problems);
    if !certificates[leaf].is_served() {
        let message = "it has a form that TLS libraries refuse";
        problems.push(Problem::new(Code::BadCertificate, certificates[leaf].subject(), message));
    }
    let chain = Chain::build(&certificates, leaf, now, roots);
    Diagnosis { certificates: &certificates, chain: &chain, now, roots }.report(&mut problems);
    let names = alternative_names(&certificates[leaf], &mut problems);
    let shown = show(&certificates, &chain, &names);
    let result = match key {
        Some(key) if !problems.has_fatal() => {
            let served = chain.served.iter().map(|&place| &certificates[place]).collect::<Vec<_>>();
            Ok(Bundle { names, warnings: problems.into_vec(), ..bundle(&served, key) })
        }
        _ => Err(problems.into_vec()),
    };
    (result, Some(shown))
}

fn parsed<'a>(certificates: &'a [Vec<u8>], problems: &mut Problems) -> Vec<Certificate<'a>> {
    let mut parsed = Vec::with_capacity(certificates.len());
    for (index, der) in certificates.iter().enumerate() {
        match Certificate::parse(der) {
            Some(certificate) => parsed.push(certificate),
            None => {
                let message = format!("certificate {} of the file cannot be read", index + 1);
                problems.push(Problem::of_file(Code::BadCertificate, Part::Chain, message));
            }
        }
    }
    parsed
}

/// The certificate that the key belongs to. If there are several (one renewed), the one that is best now. Without a
/// key, the first certificate that is not a CA.
fn leaf(certificates: &[Certificate<'_>], key: Option<&Key>, now: u64, problems: &mut Problems) -> usize {
    let first = certificates.iter().position(|certificate| !certificate.is_ca()).unwrap_or(0);
    let Some(key) = key else { return first };
    let own = (0..certificates.len()).filter(|&place| certificates[place].public_key() == key.public);
    let best = own.max_by_key(|&place| {
        let certificate = &certificates[place];
        (!certificate.is_ca(), certificate.is_valid_at(now), certificate.not_after(), certificate.der)
    });
    best.unwrap_or_else(|| {
        let message = match certificates.len() {
            1 => "the private key does not belong to this certificate".to_owned(),
            count => format!("the private key belongs to none of the {count} certificates in the file"),
        };
        problems.push(Problem::new(Code::KeyMismatch, certificates[first].subject(), message));
        first
    })
}

/// Without names and warnings.
fn bundle(served: &[&Certificate<'_>], key: Key) -> Bundle {
    let leaf = summary(served[0]);
    Bundle {
        chain: served.iter().map(|certificate| CertificateDer::from(certificate.der.to_vec())).collect(),
        key: key.der,
        signing_key: key.signing,
        key_kind: key.kind,
        names: Vec::new(),
        not_before: leaf.not_before,
        not_after: served.iter().map(|certificate| certificate.not_after()).min().unwrap_or(leaf.not_after),
        leaf_not_after: leaf.not_after,
        subject: leaf.subject,
        issuer: leaf.issuer,
        serial: leaf.serial,
        fingerprint: leaf.fingerprint,
        warnings: Vec::new(),
    }
}

fn summary(certificate: &Certificate<'_>) -> Summary {
    Summary {
        subject: certificate.subject(),
        issuer: certificate.issuer(),
        serial: certificate.serial(),
        fingerprint: names::hex(digest::digest(&digest::SHA256, certificate.der).as_ref()),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        key: certificate.key_text(),
    }
}

/// The purposes of the certificate (RFC 5280 §4.2.1.6).
fn alternative_names(certificate: &Certificate<'_>, problems: &mut Problems) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for extension in certificate.parsed.iter_extensions() {
        if let ParsedExtension::SubjectAlternativeName(alternatives) = extension.parsed_extension() {
            names.extend(alternatives.general_names.iter().filter_map(host_name));
        }
    }
    if names.is_empty() {
        let message = "it has no subjectAltName with a host: clients ignore the common name";
        problems.push(Problem::new(Code::NoAlternativeName, certificate.subject(), message));
        names.extend(names::common_name(certificate.parsed.subject()).filter(|name| is_host(name)));
    }
    names.iter_mut().for_each(|name| name.make_ascii_lowercase());
    names
}

/// Whether a text can be a host name. Other texts are neither matched nor quoted in messages.
fn is_host(name: &str) -> bool {
    // limit: RFC 1035 §2.3.4.
    (1..=253).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*:".contains(&byte))
}

fn host_name(name: &GeneralName<'_>) -> Option<String> {
    match *name {
        GeneralName::DNSName(name) => {
            Some(name.trim_end_matches('.').to_owned()).filter(|name| is_host(name))
        }
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()?;
            Some(address.to_string())
        }
        _ => None,
    }
}

/// Reported for the chain's file, or for the whole.
const EXPLAINS_NO_CERTIFICATE: &[Code] = &[
    Code::TooLarge,
    Code::NotPem,
    Code::IsDer,
    Code::IsPkcs7,
    Code::IsPfx,
    Code::IsTrusted,
    Code::BadPem,
    Code::BadCertificate,
    Code::TooManyCertificates,
    Code::NoCertificate,
];

const NAMES_SHOWN: usize = 5;
