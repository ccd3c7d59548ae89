//! The order in which a bundle is served, for any order and state of its file (CH1).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests; seeds are printed")]

mod factory;

use factory::{
    Holder, NOW, Numbers, ca, ca_params, issued, key, leaf, leaf_params, pem, pem_with_key, root, six,
};
use rcgen::{KeyPair, date_time_ymd};
use tls::bundle::{self, Bundle};
use tls::{Code, KeyKind, KnownRoots};

fn read(file: &str) -> Bundle {
    bundle::read(file.as_bytes(), None, NOW).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn codes(bundle: &Bundle) -> Vec<Code> {
    bundle.warnings.iter().map(|warning| warning.code).collect()
}

fn assert_serves(bundle: &Bundle, holders: &[&Holder]) {
    let names = |chain: Vec<&[u8]>| {
        chain.into_iter().map(|der| tls::Identity::of(&der.into()).unwrap().subject).collect::<Vec<_>>()
    };
    let expected: Vec<&[u8]> = holders.iter().map(|holder| holder.der().as_ref()).collect();
    let served: Vec<&[u8]> = bundle.chain.iter().map(AsRef::as_ref).collect();
    assert_eq!(names(served.clone()), names(expected.clone()));
    assert!(served == expected, "other certificates of the same names");
}

#[test]
fn six_certificates_are_served_as_five_in_order() {
    let six = six();
    let file = [5, 2, 0, 4, 1, 3].map(|place| six[place].pem()).concat() + &six[0].key().serialize_pem();
    let bundle = read(&file);
    assert_serves(&bundle, &six[..5].iter().collect::<Vec<_>>());
    assert_eq!(codes(&bundle), []);
    assert_eq!(bundle.names, ["www.example.com"]);
    assert_eq!(bundle.subject, "CN=www.example.com");
    assert_eq!(bundle.issuer, "CN=Intermediate 4");
    assert_eq!(bundle.key_kind, KeyKind::Ecdsa);
    assert_eq!(bundle.fingerprint.len(), 64);
}

/// The formatting of real files.
#[test]
fn the_formatting_of_the_file_does_not_matter() {
    let six = six();
    let expected: Vec<_> = six[..5].iter().collect();
    let other = leaf("other.example.com", &root("Other"));
    for seed in 0..150 {
        println!("seed {seed}");
        let mut numbers = Numbers(seed);
        let mut pieces: Vec<String> = six.iter().map(Holder::pem).collect();
        pieces.push(six[0].key().serialize_pem());
        for _ in 0..numbers.below(4) {
            pieces.push(pieces[numbers.below(pieces.len())].clone());
        }
        let has_extra = numbers.below(3) == 0;
        if has_extra {
            pieces.push(other.pem());
        }
        numbers.shuffle(&mut pieces);
        let file: String = pieces.iter().map(|piece| disguised(piece, &mut numbers)).collect();
        let bundle = read(&file);
        assert_serves(&bundle, &expected);
        assert_eq!(codes(&bundle), if has_extra { vec![Code::Unrelated] } else { vec![] });
    }
}

fn disguised(pem: &str, numbers: &mut Numbers) -> String {
    let mut text = match numbers.below(5) {
        0 => format!("subject=CN = somebody\n  issuer=/CN=x\n{pem}"),
        1 => format!("\u{feff}\n\n# -- comment --\n{pem}\n\n"),
        2 => pem.lines().map(|line| format!("  {line}\t \n")).collect(),
        3 => format!("Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n{pem}"),
        _ => pem.to_owned(),
    };
    if numbers.below(4) == 0 {
        text = text.replace("CERTIFICATE-----", "CERTIFICATE-----   ");
    }
    match numbers.below(4) {
        0 => text.replace('\n', "\r\n"),
        1 => text.replace('\n', "\r"),
        // As `cat` joins files.
        2 => text.trim_end().to_owned(),
        _ => text,
    }
}

#[test]
fn keys_are_read_in_three_forms_and_from_a_separate_file() {
    let ca = root("Root");
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let holder =
            Holder::signed_by(leaf_params("a.example"), KeyPair::generate_for(algorithm).unwrap(), &ca)
                .unwrap();
        let (chain, key) = (pem(&[&ca, &holder]), holder.key().serialize_pem());
        let bundle = bundle::read(chain.as_bytes(), Some(key.as_bytes()), NOW).unwrap();
        assert_serves(&bundle, &[&holder]);
        // The same key in both files counts as one key; certificates in the key's file are ignored.
        let both = key.clone() + &chain;
        assert_serves(&bundle::read(both.as_bytes(), Some(both.as_bytes()), NOW).unwrap(), &[&holder]);
    }
}

#[test]
fn the_key_and_then_the_date_selects_one_of_two_leaves() {
    let ca = root("Root");
    let (mine, other) = (leaf("mine.example", &ca), leaf("other.example", &ca));
    let bundle = read(&pem_with_key(&[&mine, &other, &ca]));
    assert_serves(&bundle, &[&mine]);
    assert_eq!(codes(&bundle), [Code::Unrelated]);

    let renew = |until: i32| {
        let mut params = leaf_params("mine.example");
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::from_pem(&mine.key().serialize_pem()).unwrap();
        Holder::signed_by(params, key, &ca).unwrap()
    };
    let (expired, renewed) = (renew(2026), renew(2028));
    for order in [[&expired, &mine, &renewed], [&renewed, &expired, &mine]] {
        assert_serves(&read(&pem_with_key(&order)), &[&renewed]);
    }
}

#[test]
fn the_valid_one_of_two_certificates_of_a_ca_is_served() {
    let top = root("Root");
    let old = ca("CA", &top);
    let mut params = ca_params("CA");
    params.not_after = date_time_ymd(2026, 2, 1);
    let expired =
        Holder::signed_by(params, KeyPair::from_pem(&old.key().serialize_pem()).unwrap(), &top).unwrap();
    let leaf = leaf("a.example", &old);
    for order in [[&leaf, &expired, &old, &top], [&leaf, &old, &expired, &top]] {
        let bundle = read(&pem_with_key(&order));
        assert_serves(&bundle, &[&leaf, &old]);
        assert_eq!(codes(&bundle), []);
    }
}

/// A CA with a root of its own and a certificate from an older root: the path to the root in the bundle is taken.
#[test]
fn cross_signed_cas_end_at_the_root_in_the_bundle() {
    let (old_root, new_root) = (root("Old"), root("New"));
    let new_key = || KeyPair::from_pem(&new_root.key().serialize_pem()).unwrap();
    let cross = Holder::signed_by(ca_params("New"), new_key(), &old_root).unwrap();
    let between = ca("Between", &new_root);
    let leaf = leaf("a.example", &between);
    assert_serves(&read(&pem_with_key(&[&leaf, &cross, &between, &new_root])), &[&leaf, &between]);
    assert_serves(&read(&pem_with_key(&[&leaf, &cross, &between, &old_root])), &[&leaf, &between, &cross]);
    // Without any root the cross-signed one is sent too.
    assert_serves(&read(&pem_with_key(&[&leaf, &cross, &between])), &[&leaf, &between, &cross]);
}

/// A CA's new root was certified by an old one, and that certificate has expired. It must not matter where another path
/// is: to the new root in the file, or to a root that the system trusts.
#[test]
fn expired_cross_signed_cas_are_left_out() {
    let (old_root, new_root) = (root("Old"), root("New"));
    let new_key = || KeyPair::from_pem(&new_root.key().serialize_pem()).unwrap();
    let mut params = ca_params("New");
    params.not_after = date_time_ymd(2026, 2, 1);
    let expired = Holder::signed_by(params, new_key(), &old_root).unwrap();
    let between = ca("Between", &new_root);
    let leaf = leaf("a.example", &between);
    let file = |holders: &[&Holder]| pem_with_key(holders);

    let bundle = read(&file(&[&leaf, &between, &expired, &old_root, &new_root]));
    assert_serves(&bundle, &[&leaf, &between]);

    let roots = KnownRoots::new([new_root.der()]);
    for holders in [&[&leaf, &between, &expired][..], &[&leaf, &between, &expired, &old_root]] {
        let bundle = bundle::read_below(file(holders).as_bytes(), None, NOW, &roots).unwrap();
        assert_serves(&bundle, &[&leaf, &between]);
        assert!(codes(&bundle).contains(&Code::ExpiredUnused), "{:?}", bundle.warnings);
        assert!(!codes(&bundle).contains(&Code::UnknownIssuer), "{:?}", bundle.warnings);
    }
    // No other path: the diagnosis names the one that has expired.
    let problems = bundle::read(file(&[&leaf, &between, &expired]).as_bytes(), None, NOW);
    let problems = problems.map_or_else(|problems| problems, |bundle| bundle.warnings);
    assert!(problems.iter().any(|problem| problem.code == Code::Expired && problem.subject == "CN=New"));
}

/// A valid cross-signed CA is for clients with old roots: it is sent, and its issuer is not missing.
#[test]
fn a_root_in_the_middle_of_the_chain_completes_it() {
    let (old_root, new_root) = (root("Old"), root("New"));
    let key = KeyPair::from_pem(&new_root.key().serialize_pem()).unwrap();
    let cross = Holder::signed_by(ca_params("New"), key, &old_root).unwrap();
    let between = ca("Between", &new_root);
    let leaf = leaf("a.example", &between);
    let file = pem_with_key(&[&leaf, &between, &cross]);
    let roots = KnownRoots::new([new_root.der()]);
    let bundle = bundle::read_below(file.as_bytes(), None, NOW, &roots).unwrap();
    assert_serves(&bundle, &[&leaf, &between, &cross]);
    assert_eq!(codes(&bundle), []);
}

#[test]
fn the_earliest_expiry_in_the_chain_counts() {
    let top = root("Root");
    let mut params = ca_params("CA");
    params.not_after = date_time_ymd(2026, 12, 1);
    let middle = issued(params, &top);
    let leaf = leaf("a.example", &middle);
    let bundle = read(&pem_with_key(&[&leaf, &middle]));
    assert_eq!(bundle.not_after, 1_796_083_200);
    assert_eq!((bundle.not_before, bundle.leaf_not_after), (1_767_225_600, 1_798_761_600));
}

#[test]
fn names_are_lower_case_and_addresses_are_text() {
    let mut params = leaf_params("WWW.Example.com");
    params.subject_alt_names.push(rcgen::SanType::DnsName("*.Example.org".try_into().unwrap()));
    params.subject_alt_names.push(rcgen::SanType::IpAddress("192.0.2.1".parse().unwrap()));
    params.subject_alt_names.push(rcgen::SanType::IpAddress("2001:db8::1".parse().unwrap()));
    let bundle = read(&pem_with_key(&[&issued(params, &root("Root"))]));
    assert_eq!(bundle.names, ["www.example.com", "*.example.org", "192.0.2.1", "2001:db8::1"]);
    for (host, covered) in [
        ("www.example.com", true),
        ("WWW.EXAMPLE.COM.", true),
        ("example.com", false),
        ("a.example.org", true),
        ("*.example.org", true),
        ("a.b.example.org", false),
        ("example.org", false),
        ("*.example.com", false),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
        ("[2001:DB8:0::1]", true),
        ("", false),
    ] {
        let problems = bundle::check_hosts(&bundle, [host]);
        assert_eq!(problems.is_empty(), covered, "{host}: {problems:?}");
        assert!(
            problems.iter().all(|problem| problem.code == Code::NameNotCovered && problem.subject == host)
        );
    }
}

#[test]
fn a_known_root_completes_a_chain() {
    let top = root("Root");
    let middle = ca("CA", &top);
    let leaf = leaf("a.example", &middle);
    let file = pem_with_key(&[&leaf, &middle]);
    assert_eq!(codes(&read(&file)), [Code::UnknownIssuer]);
    let roots = KnownRoots::new([top.der()]);
    let bundle = bundle::read_below(file.as_bytes(), None, NOW, &roots).unwrap();
    assert_eq!(codes(&bundle), []);
    // The remaining certificates are then only unrelated.
    let file = file + &root("Another").pem();
    let bundle = bundle::read_below(file.as_bytes(), None, NOW, &roots).unwrap();
    assert_eq!(codes(&bundle), [Code::Unrelated]);
}

#[test]
fn the_kept_key_signs_for_the_leaf() {
    let holder = Holder::self_signed(leaf_params("a.example"), key()).unwrap();
    let bundle = read(&pem_with_key(&[&holder]));
    let certified = rustls::sign::CertifiedKey::new(bundle.chain, bundle.signing_key);
    certified.keys_match().unwrap();
}
