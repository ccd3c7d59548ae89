//! One bundle for each code of the table (CH2).

#![allow(clippy::unwrap_used, reason = "tests")]

mod factory;

use std::collections::BTreeSet;

use factory::{
    Holder, NOW, ca, ca_params, issued, issuer_url, key, leaf, leaf_params, params, pem, pem_with_key, root,
    six,
};
use rcgen::{BasicConstraints, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd};
use tls::bundle::{self, Problem};
use tls::{Code, Severity};

/// All problems of the file of a chain and the file of a key.
fn problems(chain: impl AsRef<[u8]>, key: Option<&str>) -> Vec<Problem> {
    match bundle::read(chain.as_ref(), key.map(str::as_bytes), NOW) {
        Ok(bundle) => {
            // One that has expired can be served: what comes with time must not hold back anything else.
            let is_served = |problem: &Problem| !problem.is_error() || problem.code == Code::Expired;
            assert!(bundle.warnings.iter().all(is_served));
            bundle.warnings
        }
        Err(problems) => {
            assert!(problems.iter().any(Problem::is_error));
            problems
        }
    }
}

fn codes(problems: &[Problem]) -> Vec<Code> {
    problems.iter().map(|problem| problem.code).collect()
}

/// The only problem.
fn only(chain: impl AsRef<[u8]>, key: Option<&str>) -> Problem {
    let mut problems = problems(chain, key);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

#[test]
fn a_gap_in_the_chain_is_reported_with_both_sides() {
    let six = six();
    for gap in 1..=4 {
        let kept: Vec<_> = (0..6).filter(|&place| place != gap).map(|place| &six[place]).collect();
        let problem = only(pem_with_key(&kept), None);
        assert_eq!(problem.code, Code::MissingLink);
        let below = if gap == 1 { "www.example.com".to_owned() } else { format!("Intermediate {}", 6 - gap) };
        assert_eq!(problem.subject, format!("CN={below}"));
        assert!(problem.message.contains(&format!("CN=Intermediate {}", 5 - gap)), "{problem:?}");
    }
}

#[test]
fn a_leaf_with_a_fetchable_issuer_has_a_missing_link() {
    let middle = ca("CA", &root("Root"));
    let mut params = leaf_params("a.example");
    params.custom_extensions.push(issuer_url("http://ca.example/it's.crt"));
    let problem = only(pem_with_key(&[&issued(params, &middle)]), None);
    assert_eq!(problem.code, Code::MissingLink);
    assert_eq!(problem.subject, "CN=a.example");
    assert!(problem.message.contains("CN=CA") && problem.message.contains("http://ca.example/it's.crt"));
    assert!(
        problem.hint.contains(r"curl -sSf 'http://ca.example/it'\''s.crt' | openssl x509"),
        "{}",
        problem.hint
    );
}

/// The intermediate of every public CA has a URL of its root, and no server sends the root.
#[test]
fn an_issuer_that_may_be_a_root_is_a_warning() {
    let top = root("Root");
    let middle = ca("CA", &top);
    let problem = only(pem_with_key(&[&leaf("a.example", &middle), &middle]), None);
    assert_eq!((problem.code, problem.severity), (Code::UnknownIssuer, Severity::Warning));
    assert_eq!(problem.subject, "CN=CA");
    assert!(problem.message.contains("CN=Root"));

    let mut params = ca_params("CA");
    params.custom_extensions.push(issuer_url("http://root.example/root.crt"));
    let middle = issued(params, &top);
    let problem = only(pem_with_key(&[&leaf("a.example", &middle), &middle]), None);
    assert_eq!(problem.code, Code::UnknownIssuer);
    assert!(problem.message.contains("http://root.example/root.crt"));

    let problem = only(pem_with_key(&[&leaf("a.example", &middle)]), None);
    assert_eq!(problem.code, Code::UnknownIssuer);
}

#[test]
fn a_lone_self_signed_certificate_is_served_with_a_warning() {
    let mut authority = ca_params("a.example");
    authority.subject_alt_names = leaf_params("a.example").subject_alt_names;
    for params in [leaf_params("a.example"), authority] {
        let holder = Holder::self_signed(params, key()).unwrap();
        let bundle = bundle::read(pem_with_key(&[&holder]).as_bytes(), None, NOW).unwrap();
        assert_eq!(codes(&bundle.warnings), [Code::SelfSigned]);
        assert_eq!(bundle.chain, [holder.der().clone()]);
    }
}

#[test]
fn signatures_are_verified() {
    let top = root("Root");
    let (right, wrong) = (ca("CA", &top), ca("CA", &top));
    let holder = leaf("a.example", &right);
    // The CA has another key; with key identifiers and without.
    let problem = only(pem_with_key(&[&holder, &wrong, &top]), None);
    assert_eq!((problem.code, problem.subject.as_str()), (Code::BadSignature, "CN=a.example"));
    assert!(problem.message.contains("CN=CA") && problem.message.contains("key with the identifier"));
    let mut params = leaf_params("a.example");
    params.use_authority_key_identifier_extension = false;
    let problem = only(pem_with_key(&[&issued(params, &right), &wrong, &top]), None);
    assert_eq!(problem.code, Code::BadSignature);
    // One bit of an intermediate's signature.
    let mut der = right.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let damaged = encoded("CERTIFICATE", &der);
    let problem = only(pem_with_key(&[&holder, &top]) + &damaged, None);
    assert_eq!((problem.code, problem.subject.as_str()), (Code::BadSignature, "CN=CA"));
}

#[test]
fn issuers_must_be_cas() {
    let top = root("Root");
    let no_ca = leaf("b.example", &top);
    let problem = only(pem_with_key(&[&leaf("a.example", &no_ca), &no_ca, &top]), None);
    assert_eq!((problem.code, problem.subject.as_str()), (Code::NotACa, "CN=b.example"));
    let mut params = ca_params("CA");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let cannot_sign = issued(params, &top);
    let problem = only(pem_with_key(&[&leaf("a.example", &cannot_sign), &cannot_sign, &top]), None);
    assert_eq!(problem.code, Code::NotACa);
    assert!(problem.message.contains("not for signing"));
}

#[test]
fn path_lengths_count_cas_below() {
    let top = root("Root");
    for (allowed, is_fine) in [(1, false), (2, true)] {
        let mut params = ca_params("Limited");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(allowed));
        let limited = issued(params, &top);
        let second = ca("Second", &limited);
        let last = ca("Last", &second);
        let file = pem_with_key(&[&leaf("a.example", &last), &last, &second, &limited, &top]);
        if is_fine {
            assert_eq!(codes(&problems(file, None)), []);
        } else {
            let problem = only(file, None);
            assert_eq!((problem.code, problem.subject.as_str()), (Code::PathLength, "CN=Limited"));
        }
    }
}

#[test]
fn dates_are_compared_with_now() {
    let top = root("Root");
    for (from, until, code) in [
        ((2025, 1, 1), (2026, 6, 30), Code::Expired),
        ((2026, 7, 2), (2027, 1, 1), Code::NotYetValid),
        ((2026, 1, 1), (2026, 7, 14), Code::ExpiresSoon),
        // A validity of six days: the last two.
        ((2026, 6, 26), (2026, 7, 2), Code::ExpiresSoon),
    ] {
        for is_ca in [false, true] {
            let mut dated = if is_ca { ca_params("X") } else { leaf_params("a.example") };
            dated.not_before = date_time_ymd(from.0, from.1, from.2);
            dated.not_after = date_time_ymd(until.0, until.1, until.2);
            let holder = issued(dated, &top);
            let leaf = leaf("a.example", &holder);
            let chain = if is_ca { vec![&leaf, &holder, &top] } else { vec![&holder, &top] };
            let problem = only(pem_with_key(&chain), None);
            assert_eq!(problem.code, code);
            assert_eq!(problem.subject, if is_ca { "CN=X" } else { "CN=a.example" });
        }
    }
    let mut short_lived = leaf_params("a.example");
    short_lived.not_before = date_time_ymd(2026, 6, 29);
    short_lived.not_after = date_time_ymd(2026, 7, 5);
    assert_eq!(codes(&problems(pem_with_key(&[&issued(short_lived, &top), &top]), None)), []);
}

#[test]
fn the_key_must_match_the_certificate() {
    let top = root("Root");
    let (mine, other) = (leaf("a.example", &top), leaf("b.example", &top));
    let other_key = other.key().serialize_pem();
    let problem = only(pem(&[&mine, &top]), Some(&other_key));
    assert_eq!((problem.code, problem.subject.as_str()), (Code::KeyMismatch, "CN=a.example"));
    assert_eq!(only(pem_with_key(&[&mine, &top]), Some(&other_key)).code, Code::SeveralKeys);
    assert_eq!(only(pem_with_key(&[&mine, &top]) + &other_key, None).code, Code::SeveralKeys);
    assert_eq!(only(pem(&[&mine, &top]), None).code, Code::NoKey);
    let problem = only(pem(&[&mine, &top]), Some(&top.pem()));
    assert_eq!((problem.code, problem.subject.as_str()), (Code::NoKey, "key file"));
    assert_eq!(only(other_key, None).code, Code::NoCertificate);
    assert_eq!(only(pem(&[&mine, &top]), Some("")).code, Code::NoKey);
    let garbage = encoded("PRIVATE KEY", b"0\x03\x02\x01\x05");
    assert_eq!(only(pem(&[&mine, &top]), Some(&garbage)).code, Code::UnsupportedKey);
    for encrypted in [
        encoded("ENCRYPTED PRIVATE KEY", b"0\x03\x02\x01\x05"),
        encoded("RSA PRIVATE KEY", b"x").replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n", 1),
    ] {
        let problem = only(pem(&[&mine, &top]), Some(&encrypted));
        assert_eq!((problem.code, problem.subject.as_str()), (Code::EncryptedKey, "key file"));
        assert!(problem.hint.contains("openssl pkey -in FILE -out FILE.key"));
    }
}

#[test]
fn other_formats_are_recognised() {
    let holder = leaf("a.example", &root("Root"));
    let der = holder.der().to_vec();
    let key = holder.key().serialize_der();
    let pkcs_7 = b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80".to_vec();
    let pfx =
        b"\x30\x82\x09\x51\x02\x01\x03\x30\x82\x09\x17\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01".to_vec();
    for (bytes, code, command) in [
        (der.clone(), Code::IsDer, "openssl x509 -inform DER -in FILE -out FILE.pem"),
        (der[..50].to_vec(), Code::IsDer, "openssl x509 -inform DER"),
        (key, Code::IsDer, "openssl pkey -inform DER -in FILE -out FILE.pem"),
        (pkcs_7, Code::IsPkcs7, "openssl pkcs7 -inform DER -in FILE -print_certs -out FILE.pem"),
        (encoded("PKCS7", b"0").into(), Code::IsPkcs7, "openssl pkcs7 -in FILE -print_certs -out FILE.pem"),
        (pfx, Code::IsPfx, "openssl pkcs12 -in FILE -nodes -out FILE.pem"),
        (encoded("TRUSTED CERTIFICATE", &der).into(), Code::IsTrusted, "openssl x509 -in FILE -out FILE.pem"),
        (b"\xff\xfe-\0-\0".to_vec(), Code::NotPem, "iconv -f UTF-16"),
        (b"hello".to_vec(), Code::NotPem, "-----BEGIN CERTIFICATE-----"),
        (b"\xfe\xed\xfe\xed".to_vec(), Code::NotPem, "PEM"),
    ] {
        let key = holder.key().serialize_pem();
        for key in [None, Some(key.as_str())] {
            let problem = problems(&bytes, key).remove(0);
            assert_eq!((problem.code, problem.subject.as_str()), (code, "certificate file"));
            assert!(problem.hint.contains(command), "{}", problem.hint);
        }
    }
}

#[test]
fn damaged_files_are_reported() {
    let holder = leaf("a.example", &root("Root"));
    let key = holder.key().serialize_pem();
    let pem = holder.pem();
    let cut = &pem[..pem.len() - 40];
    let problem = only(cut, Some(&key));
    assert_eq!(problem.code, Code::BadPem);
    assert!(problem.message.contains("CERTIFICATE section at line 1 has no end"), "{}", problem.message);
    let problem = only(format!("# x\n{}", pem.replacen("MII", "M?I", 1)), Some(&key));
    assert_eq!(problem.code, Code::BadPem);
    assert!(problem.message.contains("line 2 is not base64"), "{}", problem.message);
    let broken = encoded("CERTIFICATE", &holder.der()[..100]);
    let problem = only(broken, Some(&key));
    assert_eq!(problem.code, Code::BadCertificate);
    assert_eq!(
        only("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", Some(&key)).code,
        Code::NoCertificate
    );
}

#[test]
fn loops_are_reported() {
    let (a_key, b_key) = (key(), key());
    let copy = |key: &KeyPair| KeyPair::from_pem(&key.serialize_pem()).unwrap();
    let a_root = Holder::self_signed(ca_params("A"), copy(&a_key)).unwrap();
    let b = Holder::signed_by(ca_params("B"), b_key, &a_root).unwrap();
    let a = Holder::signed_by(ca_params("A"), copy(&a_key), &b).unwrap();
    let holder = leaf("a.example", &a);
    assert_eq!(only(pem_with_key(&[&holder, &a, &b]), None).code, Code::Loop);
    // The root breaks the loop, and the other CA is unused.
    let problem = only(pem_with_key(&[&holder, &a, &b, &a_root]), None);
    assert_eq!((problem.code, problem.subject.as_str()), (Code::Unrelated, "CN=B"));
}

#[test]
fn unrelated_certificates_are_reported() {
    let top = root("Root");
    let extra = leaf("b.example", &top);
    let problem = only(pem_with_key(&[&leaf("a.example", &top), &extra, &top]), None);
    assert_eq!((problem.code, problem.subject.as_str()), (Code::Unrelated, "CN=b.example"));
}

#[test]
fn clients_do_not_use_the_common_name() {
    let top = root("Root");
    let file = pem_with_key(&[&issued(params("Www.example.com"), &top), &top]);
    let bundle = bundle::read(file.as_bytes(), None, NOW).unwrap();
    assert_eq!(codes(&bundle.warnings), [Code::NoAlternativeName]);
    assert_eq!(bundle.names, ["www.example.com"]);
}

#[test]
fn hosts_must_be_covered() {
    let bundle = bundle::read(pem_with_key(&six().iter().collect::<Vec<_>>()).as_bytes(), None, NOW).unwrap();
    let problems = bundle::check_hosts(&bundle, ["www.example.com", "api.example.com"]);
    assert_eq!(codes(&problems), [Code::NameNotCovered]);
    assert_eq!(problems[0].subject, "api.example.com");
    assert!(problems[0].message.contains("is for www.example.com"));
}

/// All problems of a file are reported at once.
#[test]
fn several_problems_are_all_reported() {
    let top = root("Root");
    let mut expired = leaf_params("a.example");
    expired.not_after = date_time_ymd(2026, 2, 1);
    let no_ca = leaf("b.example", &top);
    let found = problems(pem(&[&issued(expired, &no_ca), &no_ca]), None);
    let found: BTreeSet<_> = codes(&found).into_iter().collect();
    assert_eq!(found, BTreeSet::from([Code::NoKey, Code::Expired, Code::NotACa, Code::UnknownIssuer]));
}

/// PEM of any bytes.
fn encoded(label: &str, bytes: &[u8]) -> String {
    let body = factory::base64(bytes);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
