//! Bundles made by OpenSSL: a chain of six, broken in each of the ways that occur in practice, and the conversions in
//! our hints.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::UNIX_EPOCH;

use tls::Code;
use tls::bundle::{self, Problem};

/// A directory in which `openssl` runs.
struct Workshop {
    directory: tempfile::TempDir,
}

impl Workshop {
    /// `root`, `i1` … `i4` and `leaf`, each with its `.pem` and `.key`.
    fn with_six() -> Self {
        let workshop = Self { directory: tempfile::tempdir().unwrap() };
        workshop.root("root");
        for (name, issuer) in [("i1", "root"), ("i2", "i1"), ("i3", "i2"), ("i4", "i3")] {
            workshop.issue(name, issuer, CA, EC, "");
        }
        workshop.issue("leaf", "i4", LEAF, EC, "");
        workshop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn openssl(&self, line: &str) {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn root(&self, name: &str) {
        self.openssl(&format!(
            "req -x509 {EC} -nodes -subj /CN={name} -days 400 -keyout {name}.key -out {name}.pem"
        ));
    }

    fn issue(&self, name: &str, issuer: &str, extensions: &str, key: &str, more: &str) {
        fs::write(self.path("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "req -new {key} -nodes -subj /O=Example/CN={name} -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 300 \
             -extfile extensions -out {name}.pem {more}"
        ));
    }

    /// Joins several files.
    fn file(&self, names: &[&str]) -> Vec<u8> {
        names.iter().flat_map(|name| fs::read(self.path(name)).unwrap()).collect()
    }

    /// An hour after the root was made.
    fn now(&self) -> u64 {
        let made = fs::metadata(self.path("root.pem")).unwrap().modified().unwrap();
        made.duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600
    }

    fn problems(&self, names: &[&str]) -> Vec<Problem> {
        self.problems_at(names, self.now())
    }

    fn problems_at(&self, names: &[&str], now: u64) -> Vec<Problem> {
        match bundle::read(&self.file(names), None, now) {
            Ok(bundle) => bundle.warnings,
            Err(problems) => problems,
        }
    }
}

const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n\
                  subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
const LEAF: &str = "subjectAltName=DNS:www.example.com,IP:192.0.2.1\nextendedKeyUsage=serverAuth\n\
                    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

#[test]
fn six_unordered_certificates_become_five_in_order_that_verify() {
    let workshop = Workshop::with_six();
    let file = workshop.file(&["i2.pem", "root.pem", "leaf.key", "i4.pem", "i1.pem", "leaf.pem", "i3.pem"]);
    let bundle = bundle::read(&file, None, workshop.now()).unwrap();
    assert_eq!(bundle.warnings, []);
    let served: Vec<_> = bundle.chain.iter().map(|der| tls::Identity::of(der).unwrap().subject).collect();
    assert_eq!(served, ["leaf", "i4", "i3", "i2", "i1"].map(|name| format!("CN={name},O=Example")),);
    assert_eq!(bundle.names, ["www.example.com", "192.0.2.1"]);
    // OpenSSL verifies what we send.
    for (place, der) in bundle.chain.iter().enumerate() {
        fs::write(workshop.path(&format!("{place}.der")), der).unwrap();
        workshop.openssl(&format!("x509 -inform DER -in {place}.der -out {place}.pem"));
    }
    fs::write(workshop.path("sent.pem"), workshop.file(&["1.pem", "2.pem", "3.pem", "4.pem"])).unwrap();
    workshop.openssl("verify -CAfile root.pem -untrusted sent.pem 0.pem");
}

/// Sixteen broken bundles, fifteen diagnoses, each of them the only one.
#[test]
fn every_broken_bundle_has_exactly_one_diagnosis() {
    let workshop = Workshop::with_six();
    workshop.issue("sha1", "i4", LEAF, EC, "-sha1");
    workshop.issue("weak", "i4", LEAF, "-newkey rsa:1024", "");
    workshop.issue("limited", "root", &CA.replace("CA:TRUE", "CA:TRUE,pathlen:0"), EC, "");
    workshop.issue("below", "limited", CA, EC, "");
    workshop.issue("too_deep", "below", LEAF, EC, "");
    workshop.issue("under_leaf", "leaf", LEAF, EC, "");
    let with_url = format!("{LEAF}authorityInfoAccess=caIssuers;URI:http://ca.example/i4.crt\n");
    workshop.issue("with_url", "i4", &with_url, EC, "");
    workshop.issue("other", "i4", LEAF, EC, "");
    let whole = ["leaf.key", "leaf.pem", "i4.pem", "i3.pem", "i2.pem", "i1.pem", "root.pem"];
    let above = ["i4.pem", "i3.pem", "i2.pem", "i1.pem", "root.pem"];
    let with = |first: &[&'static str]| [first, &above].concat();
    let now = workshop.now();
    let year = 365 * 86_400;
    // The same names with other keys.
    let rekeyed = Workshop::with_six();
    fs::copy(rekeyed.path("i3.pem"), workshop.path("rekeyed_i3.pem")).unwrap();

    for (names, code, subject) in [
        (
            vec!["leaf.key", "leaf.pem", "i4.pem", "i2.pem", "i1.pem", "root.pem"],
            Code::MissingLink,
            "CN=i4,O=Example",
        ),
        (vec!["with_url.key", "with_url.pem"], Code::MissingLink, "CN=with_url,O=Example"),
        (vec!["leaf.key", "leaf.pem", "i4.pem", "i3.pem"], Code::UnknownIssuer, "CN=i3,O=Example"),
        (
            vec!["leaf.key", "leaf.pem", "i4.pem", "rekeyed_i3.pem", "i2.pem", "i1.pem", "root.pem"],
            Code::BadSignature,
            "CN=i4,O=Example",
        ),
        (with(&["sha1.key", "sha1.pem"]), Code::WeakSignature, "CN=sha1,O=Example"),
        (with(&["under_leaf.key", "under_leaf.pem", "leaf.pem"]), Code::NotACa, "CN=leaf,O=Example"),
        (
            vec!["too_deep.key", "too_deep.pem", "below.pem", "limited.pem", "root.pem"],
            Code::PathLength,
            "CN=limited,O=Example",
        ),
        (with(&["leaf.key", "other.pem"]), Code::KeyMismatch, "CN=other,O=Example"),
        (with(&["leaf.key", "other.key", "leaf.pem"]), Code::SeveralKeys, "certificate file"),
        (with(&["leaf.pem"]), Code::NoKey, "certificate file"),
        (with(&["leaf.key", "leaf.pem", "other.pem"]), Code::Unrelated, "CN=other,O=Example"),
        (vec!["root.key", "root.pem"], Code::SelfSigned, "CN=root"),
    ] {
        // The lone root has no host names either.
        let mut problems = workshop.problems(&names);
        problems.retain(|problem| problem.code != Code::NoAlternativeName);
        assert_eq!(problems.len(), 1, "{names:?}: {problems:#?}");
        assert_eq!((problems[0].code, problems[0].subject.as_str()), (code, subject));
    }
    let codes = |time| -> Vec<_> {
        let mut codes: Vec<_> =
            workshop.problems_at(&whole, time).iter().map(|problem| problem.code).collect();
        codes.dedup();
        codes
    };
    assert_eq!(codes(now), []);
    assert_eq!(codes(now + year), [Code::Expired]);
    assert_eq!(codes(now - 86_400), [Code::NotYetValid]);
    assert_eq!(codes(now + 290 * 86_400), [Code::ExpiresSoon]);
    let weak = workshop.problems(&with(&["weak.key", "weak.pem"]));
    assert!(weak.iter().all(|problem| problem.code == Code::WeakKey) && !weak.is_empty(), "{weak:#?}");
}

/// Runs the command in a hint, as an operator would.
fn convert(workshop: &Workshop, problem: Problem, file: &str) {
    let problem = problem.in_files(file.as_ref(), None);
    let command = problem.hint.split('`').nth(1).unwrap().strip_prefix("openssl ").unwrap();
    let password = if command.starts_with("pkcs12") || problem.code == Code::EncryptedKey {
        " -passin pass:x"
    } else {
        ""
    };
    workshop.openssl(&format!("{command}{password}"));
}

#[test]
fn the_conversions_in_hints_work() {
    let workshop = Workshop::with_six();
    fs::write(
        workshop.path("above.pem"),
        workshop.file(&["i4.pem", "i3.pem", "i2.pem", "i1.pem", "root.pem"]),
    )
    .unwrap();
    for line in [
        "pkcs12 -export -in leaf.pem -inkey leaf.key -certfile above.pem -passout pass:x -out site.pfx",
        "crl2pkcs7 -nocrl -certfile leaf.pem -certfile above.pem -outform DER -out der.p7b",
        "crl2pkcs7 -nocrl -certfile leaf.pem -certfile above.pem -out pem.p7b",
        "x509 -in leaf.pem -outform DER -out leaf.der",
        "x509 -in leaf.pem -trustout -out trusted.crt",
        "pkey -in leaf.key -outform DER -out key.der",
        "pkey -in leaf.key -aes256 -passout pass:x -out locked",
        "ec -in leaf.key -aes256 -passout pass:x -out locked_sec1",
        "pkcs8 -topk8 -in leaf.key -outform DER -passout pass:x -out locked.der",
        "ec -in leaf.key -out sec1.key",
    ] {
        workshop.openssl(line);
    }
    for (file, code, converted, rest) in [
        ("site.pfx", Code::IsPfx, "site.pfx.pem", &[][..]),
        ("der.p7b", Code::IsPkcs7, "der.p7b.pem", &["leaf.key"]),
        ("pem.p7b", Code::IsPkcs7, "pem.p7b.pem", &["leaf.key"]),
        ("leaf.der", Code::IsDer, "leaf.der.pem", &["leaf.key", "above.pem"]),
        ("trusted.crt", Code::IsTrusted, "trusted.crt.pem", &["leaf.key", "above.pem"]),
        ("key.der", Code::IsDer, "key.der.pem", &["leaf.pem", "above.pem"]),
        ("locked", Code::EncryptedKey, "locked.key", &["leaf.pem", "above.pem"]),
        ("locked_sec1", Code::EncryptedKey, "locked_sec1.key", &["leaf.pem", "above.pem"]),
        ("locked.der", Code::EncryptedKey, "locked.der.pem", &["leaf.pem", "above.pem"]),
    ] {
        let problem = workshop.problems(&[file]).remove(0);
        assert_eq!(problem.code, code, "{file}: {problem:#?}");
        convert(&workshop, problem, file);
        let names = [&[converted], rest].concat();
        assert_eq!(workshop.problems(&names), [], "{file}");
    }
    assert_eq!(workshop.problems(&["sec1.key", "leaf.pem", "above.pem"]), []);
}

/// PKCS#1, and RSA for the whole chain.
#[test]
fn rsa_chains_are_served_too() {
    let workshop = Workshop { directory: tempfile::tempdir().unwrap() };
    let rsa = "-newkey rsa:2048";
    workshop
        .openssl(&format!("req -x509 {rsa} -nodes -subj /CN=root -days 400 -keyout root.key -out root.pem"));
    workshop.issue("i", "root", CA, rsa, "-sha384");
    workshop.issue("leaf", "i", LEAF, rsa, "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1");
    workshop.openssl("rsa -in leaf.key -traditional -out pkcs1.key");
    assert!(workshop.file(&["pkcs1.key"]).starts_with(b"-----BEGIN RSA PRIVATE KEY"));
    assert_eq!(workshop.problems(&["pkcs1.key", "i.pem", "leaf.pem", "root.pem"]), []);
}
