//! Reads certificates and keys from a file: PEM (RFC 7468), with any text around and between the sections. Other
//! formats are recognised and reported.

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{SectionKind, SliceIter};

use super::der::{self, Form};
use super::problem::{Code, Part, Problem, Problems};

/// The content of a file, each certificate once.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
}

impl Sections {
    pub(super) fn read(bytes: &[u8], part: Part, problems: &mut Problems) -> Self {
        let mut sections = Self::default();
        if bytes.len() > FILE_BYTES_MAX {
            let message = "the file has more than 1 MiB";
            problems.push(Problem::of_file(Code::TooLarge, part, message));
        } else if contains(bytes, BEGIN) {
            sections.read_pem(bytes, part, problems);
        } else {
            problems.push(without_pem(bytes, part));
        }
        sections
    }

    fn read_pem(&mut self, bytes: &[u8], part: Part, problems: &mut Problems) {
        let mut reader = Reader::new(bytes, part);
        let mut certificates = 0;
        while let Some(section) = reader.next_section(problems) {
            if section.kind == Some(SectionKind::Certificate) {
                certificates += 1;
            }
            if certificates > CERTIFICATES_MAX {
                let message = format!("the file has more than {CERTIFICATES_MAX} certificates");
                problems.push(Problem::of_file(Code::TooManyCertificates, part, message));
                return;
            }
            if self.keys.len() > KEY_SECTIONS_MAX {
                problems.push(Problem::of_file(Code::SeveralKeys, part, "the file has many private keys"));
                return;
            }
            self.take(&section, part, problems);
        }
    }

    fn take(&mut self, section: &Section, part: Part, problems: &mut Problems) {
        if let Some((code, message)) = section.refused() {
            let problem = Problem::of_file(code, part, message);
            problems.push(match code {
                Code::IsPkcs7 => {
                    problem.with_hint("Convert it: `openssl pkcs7 -in FILE -print_certs -out FILE.pem`.")
                }
                _ => problem,
            });
            return;
        }
        let Some(kind) = section.kind else { return };
        let Some(der) = section.decoded() else {
            let message = format!("the {} section at line {} is not base64", section.label, section.line);
            problems.push(Problem::of_file(Code::BadPem, part, message));
            return;
        };
        match kind {
            SectionKind::Certificate if !self.certificates.contains(&der) => self.certificates.push(der),
            SectionKind::PrivateKey => self.keys.push(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::RsaPrivateKey => self.keys.push(PrivateKeyDer::Pkcs1(der.into())),
            SectionKind::EcPrivateKey => self.keys.push(PrivateKeyDer::Sec1(der.into())),
            _ => {}
        }
    }
}

/// From `-----BEGIN …-----` to its end.
struct Section {
    label: String,
    /// The line number, starting at 1.
    line: usize,
    /// `None`: a section that is ignored.
    kind: Option<SectionKind>,
    /// A normalised section for the decoder: the expected label, the base64 lines and the end, without headers.
    text: Vec<u8>,
    is_encrypted: bool,
}

impl Section {
    fn begin(label: &str, line: usize) -> Self {
        let kind = match label {
            // An older label for the same content (RFC 7468 §5.1).
            "CERTIFICATE" | "X509 CERTIFICATE" => Some(SectionKind::Certificate),
            "PRIVATE KEY" => Some(SectionKind::PrivateKey),
            "RSA PRIVATE KEY" => Some(SectionKind::RsaPrivateKey),
            "EC PRIVATE KEY" => Some(SectionKind::EcPrivateKey),
            _ => None,
        };
        let mut section = Self { label: label.to_owned(), line, kind, text: Vec::new(), is_encrypted: false };
        section.mark(BEGIN);
        section
    }

    fn mark(&mut self, what: &[u8]) {
        if let Some(kind) = self.kind {
            self.text.extend_from_slice(what);
            self.text.extend_from_slice(kind_label(kind));
            self.text.extend_from_slice(b"-----\n");
        }
    }

    fn push(&mut self, line: &[u8]) {
        if line.contains(&b':') {
            // A header (RFC 1421), which OpenSSL writes before encrypted keys.
            self.is_encrypted |= line.starts_with(b"Proc-Type:") && contains(line, b"ENCRYPTED");
        } else if self.kind.is_some() {
            self.text.extend_from_slice(line);
            self.text.push(b'\n');
        }
    }

    /// Known formats that are not accepted.
    fn refused(&self) -> Option<(Code, &'static str)> {
        Some(match self.label.as_str() {
            "ENCRYPTED PRIVATE KEY" => (Code::EncryptedKey, "the private key is encrypted"),
            _ if self.is_encrypted => (Code::EncryptedKey, "the private key is encrypted"),
            "TRUSTED CERTIFICATE" => (Code::IsTrusted, "the certificate is in OpenSSL's own form"),
            "PKCS7" | "CMS" => (Code::IsPkcs7, "the file is PKCS#7 in PEM"),
            "DSA PRIVATE KEY" | "OPENSSH PRIVATE KEY" => {
                (Code::UnsupportedKey, "the private key is of a kind that cannot be served")
            }
            _ => return None,
        })
    }

    fn decoded(&self) -> Option<Vec<u8>> {
        let (_, der) = SliceIter::<(SectionKind, Vec<u8>)>::new(&self.text).next()?.ok()?;
        Some(der)
    }
}

fn kind_label(kind: SectionKind) -> &'static [u8] {
    match kind {
        SectionKind::Certificate => b"CERTIFICATE",
        SectionKind::RsaPrivateKey => b"RSA PRIVATE KEY",
        SectionKind::EcPrivateKey => b"EC PRIVATE KEY",
        _ => b"PRIVATE KEY",
    }
}

/// Splits a file into sections.
struct Reader<'a> {
    lines: Box<dyn Iterator<Item = (usize, &'a [u8])> + 'a>,
    part: Part,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], part: Part) -> Self {
        let lines = bytes.split(|&byte| byte == b'\n').enumerate().flat_map(|(index, line)| {
            let pieces = line.split(|&byte| byte == b'\r').flat_map(begins);
            pieces.map(move |piece| (index + 1, piece.trim_ascii()))
        });
        Self { lines: Box::new(lines), part }
    }

    fn next_section(&mut self, problems: &mut Problems) -> Option<Section> {
        let mut section: Option<Section> = None;
        for (number, line) in self.lines.by_ref() {
            if let Some(label) = label(line, BEGIN) {
                if let Some(open) = section {
                    problems.push(endless(&open, self.part));
                }
                section = Some(Section::begin(label, number));
            } else if let Some(open) = &mut section {
                if label(line, END) == Some(&open.label) {
                    open.mark(END);
                    return section;
                }
                open.push(line);
            }
        }
        problems.push(endless(&section?, self.part));
        None
    }
}

/// Splits a line at a section that begins within it: `cat` joins a file without a final newline with the next file.
fn begins(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let start = line.windows(BEGIN.len()).position(|window| window == BEGIN).unwrap_or(0);
    let (before, after) = line.split_at(start);
    [before, after].into_iter().skip(usize::from(start == 0))
}

fn endless(section: &Section, part: Part) -> Problem {
    let message = format!("the {} section at line {} has no end", section.label, section.line);
    Problem::of_file(Code::BadPem, part, message)
}

/// The label after `-----BEGIN ` or `-----END `.
fn label<'a>(line: &'a [u8], mark: &[u8]) -> Option<&'a str> {
    let rest = line.strip_prefix(mark)?;
    let end = rest.windows(5).position(|window| window == b"-----")?;
    let label = std::str::from_utf8(&rest[..end]).ok()?;
    let is_sane = label.len() <= LABEL_BYTES_MAX && label.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    is_sane.then_some(label)
}

/// Reports a file without any PEM section.
fn without_pem(bytes: &[u8], part: Part) -> Problem {
    let problem = |code, message: &str| Problem::of_file(code, part, message);
    let convert = |command: &str| format!("Convert it: `openssl {command}`.");
    match der::form(bytes) {
        Some(Form::Certificate) => problem(Code::IsDer, "the file is a certificate in DER, not PEM")
            .with_hint(convert("x509 -inform DER -in FILE -out FILE.pem")),
        Some(Form::Key) => problem(Code::IsDer, "the file is a private key in DER, not PEM")
            .with_hint(convert("pkey -inform DER -in FILE -out FILE.pem")),
        Some(Form::EncryptedKey) => {
            problem(Code::EncryptedKey, "the file is an encrypted private key in DER")
                .with_hint(convert("pkey -inform DER -in FILE -out FILE.pem"))
        }
        Some(Form::Pkcs7) => problem(Code::IsPkcs7, "the file is PKCS#7 in DER")
            .with_hint(convert("pkcs7 -inform DER -in FILE -print_certs -out FILE.pem")),
        Some(Form::Pkcs12) => problem(Code::IsPfx, "the file is PKCS#12"),
        None if bytes.trim_ascii().is_empty() => match part {
            Part::Chain => problem(Code::NoCertificate, "the file is empty"),
            Part::Key => problem(Code::NoKey, "the file is empty"),
        },
        None if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => {
            problem(Code::NotPem, "the file is text in UTF-16")
                .with_hint("Save it as ASCII or UTF-8: `iconv -f UTF-16 -t ASCII FILE > FILE.pem`.")
        }
        None => problem(Code::NotPem, "the file is not PEM"),
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

// limit: a bundle of a few certificates has some KiB; a larger file is something else.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;
// limit: chains have up to about six.
pub(super) const CERTIFICATES_MAX: usize = 100;
// limit: the same key may occur in several forms.
const KEY_SECTIONS_MAX: usize = 10;
// limit: labels are quoted in messages.
const LABEL_BYTES_MAX: usize = 40;
