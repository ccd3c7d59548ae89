//! All problems of a certificate bundle in one table, from which `docs/certificates.md` is generated.

use std::path::Path;

/// A problem, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub severity: Severity,
    /// The certificate's subject in the form of RFC 4514, or the name of the file or host.
    pub subject: String,
    pub message: String,
    /// How to fix it.
    pub hint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The bundle is not served; one that has expired is, if nothing better was served before.
    Error,
    /// The bundle is served, but an operator should look at it.
    Warning,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The stable identifier.
    pub word: &'static str,
    pub severity: Severity,
    pub what: &'static str,
    pub hint: &'static str,
}

macro_rules! codes {
    ($($name:ident => $word:literal $severity:ident, $what:literal, $hint:literal;)*) => {
        /// The kinds of problems.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($name,)*
        }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The row of the table.
            pub fn entry(self) -> Entry {
                match self {
                    $(Self::$name => Entry { word: $word, severity: Severity::$severity, what: $what, hint: $hint },)*
                }
            }
        }
    };
}

codes! {
    Unreadable => "unreadable" Error, "A file cannot be opened or read.", "Look at the file's path and permissions.";
    TooLarge => "too_large" Error, "A file is larger than 1 MiB and was not read.", "Name the file with this certificate only, not a store of many.";
    NotPem => "not_pem" Error, "A file holds neither PEM nor another form of certificates that we know.", "A PEM file is text with lines like `-----BEGIN CERTIFICATE-----`.";
    IsDer => "is_der" Error, "A file is DER (binary), not PEM.", "Convert it: `openssl x509 -inform DER -in FILE -out FILE.pem`, for a key `openssl pkey -inform DER -in FILE -out FILE.pem`.";
    IsPkcs7 => "is_pkcs7" Error, "A file is PKCS#7 (`.p7b`), not a PEM bundle.", "Convert it: `openssl pkcs7 -in FILE -print_certs -out FILE.pem`, with `-inform DER` where it is binary.";
    IsPfx => "is_pfx" Error, "A file is PKCS#12 (`.pfx`, `.p12`), not PEM.", "Convert it: `openssl pkcs12 -in FILE -nodes -out FILE.pem`.";
    IsTrusted => "is_trusted" Error, "A certificate is in OpenSSL's own form `TRUSTED CERTIFICATE`.", "Convert it: `openssl x509 -in FILE -out FILE.pem`.";
    BadPem => "bad_pem" Error, "A PEM section has no end or is not base64.", "The file was cut or edited; copy it again.";
    BadCertificate => "bad_certificate" Error, "A certificate cannot be read.", "Look at it with `openssl x509 -in FILE -noout -text`, and get it anew.";
    TooManyCertificates => "too_many_certificates" Error, "A file holds more than 100 certificates.", "A bundle is the certificate and those between it and its root, not a store of roots.";
    NoCertificate => "no_certificate" Error, "The file holds no certificate.", "Add the certificate and its intermediate certificates, as PEM.";
    NoKey => "no_key" Error, "There is no private key.", "Add the key to the file, or name its own file.";
    EncryptedKey => "encrypted_key" Error, "The private key is encrypted, and no password can be typed here.", "Decrypt it: `openssl pkey -in FILE -out FILE.key`, readable for the service only.";
    SeveralKeys => "several_keys" Error, "There are several different private keys.", "Keep the one that belongs to the certificate.";
    UnsupportedKey => "unsupported_key" Error, "The private key is broken or of a kind that cannot be served.", "Use RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) or Ed25519.";
    KeyMismatch => "key_mismatch" Error, "The private key belongs to none of the certificates.", "Put the key there that the certificate was requested with, or request a new certificate.";
    MissingLink => "missing_link" Error, "A certificate between the leaf and its root is missing.", "Add it to the file.";
    BadSignature => "bad_signature" Error, "A certificate was not signed by the key of the CA that it names.", "The CA has changed its key or the file is damaged: get the CA's certificates anew.";
    Loop => "loop" Error, "CAs certify each other in a circle, and no way leads to a root.", "Add the root, or leave out the cross-signed certificate.";
    NotACa => "not_a_ca" Error, "A certificate signs others without being a CA.", "Get the certificate issued by a CA: `basicConstraints` CA, and `keyCertSign` where there is `keyUsage`.";
    PathLength => "path_length" Error, "There are more CAs below a CA than its `pathLenConstraint` allows.", "Clients refuse the chain: have the leaf issued by a CA that may, or the CA's certificate anew.";
    Expired => "expired" Error, "A certificate of the served chain is no longer valid.", "Renew it.";
    NotYetValid => "not_yet_valid" Error, "A certificate of the served chain is not valid yet.", "Look at this machine's clock, or wait.";
    WeakKey => "weak_key" Error, "A key of the served chain is RSA with fewer than 2048 bits.", "Make a new key, of 2048 bits or more or ECDSA, and a certificate for it.";
    WeakSignature => "weak_signature" Error, "A certificate of the served chain is signed with SHA-1, MD5 or MD2.", "Clients refuse it: have it issued anew, with SHA-256.";
    NameNotCovered => "name_not_covered" Error, "No name of the certificate covers a host that it is to be served for.", "Request a certificate with that name.";
    UnknownIssuer => "unknown_issuer" Warning, "The issuer of the chain's last certificate is not in the file. That is right when it is a root that the clients have.", "Unless clients have that issuer as a root, add its certificate to the file. A root may be in the file: it is not sent.";
    SelfSigned => "self_signed" Warning, "The certificate is its own issuer. Only clients that were given it trust it.", "For others, get one from a CA.";
    ExpiresSoon => "expires_soon" Warning, "A certificate of the served chain ends within 14 days, or within a third of its life where that is less.", "Renew it.";
    UncheckedSignature => "unchecked_signature" Warning, "A certificate's signature is of a kind that cannot be checked here.", "Few clients will check it; have it issued with RSA or ECDSA and SHA-256.";
    NoAlternativeName => "no_alternative_name" Warning, "The certificate has no `subjectAltName`; clients ignore the common name.", "Request a certificate with a `subjectAltName`.";
    ExpiredUnused => "expired_unused" Warning, "A CA in the file is no longer valid, often a cross-signed one. The chain goes another way, and it is not sent.", "Take it out.";
    Unrelated => "unrelated_certificate" Warning, "A certificate in the file belongs to no chain of the leaf and is not sent.", "Take it out.";
}

impl Code {
    pub fn word(self) -> &'static str {
        self.entry().word
    }
}

impl Problem {
    /// With the hint from the table.
    pub(crate) fn new(code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        let Entry { severity, hint, .. } = code.entry();
        Self { code, severity, subject: subject.into(), message: message.into(), hint: hint.to_owned() }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// For a file whose name is not known yet.
    pub(crate) fn of_file(code: Code, part: Part, message: impl Into<String>) -> Self {
        Self::new(code, part.word(), message)
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Whether the bundle cannot be served at all. One that has expired can: that comes with time, also while it is
    /// served, and must not hold back anything else.
    pub(crate) fn is_fatal(&self) -> bool {
        self.is_error() && self.code != Code::Expired
    }

    /// Inserts the file names, which [`read`](super::read) does not know: commands contain `FILE` as a placeholder.
    #[must_use]
    pub fn in_files(mut self, chain: &Path, key: Option<&Path>) -> Self {
        let is_key = self.subject == Part::Key.word();
        let path = if is_key { key.unwrap_or(chain) } else { chain };
        if is_key || self.subject == Part::Chain.word() {
            self.subject = path.display().to_string();
        }
        // Also in `FILE.pem` and `FILE.key`, which stay one word of the shell.
        self.hint = self.hint.replace("FILE", &shell_word(&path.display().to_string()));
        self
    }
}

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Chain,
    Key,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Chain => "certificate file",
            Self::Key => "key file",
        }
    }
}

/// Quotes a word for a shell's command line.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The problems that were found, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.0.len() < PROBLEMS_MAX && !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    pub(crate) fn has(&self, code: Code) -> bool {
        self.0.iter().any(|problem| problem.code == code)
    }

    pub(crate) fn has_any(&self, codes: &[Code]) -> bool {
        codes.iter().any(|&code| self.has(code))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn has_fatal(&self) -> bool {
        self.0.iter().any(Problem::is_fatal)
    }

    /// Errors first, otherwise in the order in which they were found.
    pub(crate) fn into_vec(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.severity);
        self.0
    }
}

// limit: a file of 100 certificates can produce more, but it would not be read.
const PROBLEMS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_unique_and_snake_case() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for word in words {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || b"_7".contains(&byte)), "{word}");
        }
    }

    #[test]
    fn files_are_named_and_quoted_in_commands() {
        let (chain, key) = (Path::new("my site.pfx"), Path::new("key.der"));
        let problem = |part| Problem::of_file(Code::IsPfx, part, "x").in_files(chain, Some(key));
        assert_eq!(problem(Part::Chain).subject, "my site.pfx");
        assert_eq!(
            problem(Part::Chain).hint,
            "Convert it: `openssl pkcs12 -in 'my site.pfx' -nodes -out 'my site.pfx'.pem`."
        );
        assert_eq!(problem(Part::Key).subject, "key.der");
        assert!(problem(Part::Key).hint.contains("-in key.der -nodes -out key.der.pem"));
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }

    #[test]
    fn problems_are_bounded_and_errors_come_first() {
        let mut problems = Problems::default();
        problems.push(Problem::new(Code::Unrelated, "a", "a"));
        for number in 0..1000 {
            problems.push(Problem::new(Code::Expired, format!("{number}"), "b"));
        }
        let problems = problems.into_vec();
        assert_eq!(problems.len(), PROBLEMS_MAX);
        assert_eq!(problems[PROBLEMS_MAX - 1].code, Code::Unrelated);
    }
}
