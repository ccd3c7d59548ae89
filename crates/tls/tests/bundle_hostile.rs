//! Malicious files: for any bytes there is an answer, with bounded size and effort.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; seeds are printed")]

mod factory;
mod oracle;

use factory::{Holder, Numbers, ca_params, key, leaf, leaf_params, pem_with_key, root, six};
use oracle::{NOW, certificate_bundle as check};
use proptest::prelude::*;
use rcgen::KeyPair;
use tls::Code;
use tls::bundle::{self, Problem};

fn problems(chain: &[u8], key: Option<&[u8]>) -> Vec<Problem> {
    match bundle::read(chain, key, NOW) {
        Ok(bundle) => bundle.warnings,
        Err(problems) => problems,
    }
}

#[test]
fn ten_thousand_certificates_are_too_many() {
    let holder = leaf("a.example", &root("Root"));
    // Below the limit for files: the content of the sections is not even read.
    let tiny = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".repeat(10_000);
    let found = problems(tiny.as_bytes(), None);
    assert!(found.iter().any(|problem| problem.code == Code::TooManyCertificates), "{found:?}");
    let real = holder.pem().repeat(10_000);
    let found = problems(real.as_bytes(), None);
    assert_eq!(found.iter().map(|problem| problem.code).collect::<Vec<_>>(), [Code::TooLarge]);
    let hundred_and_one = pem_with_key(&[&holder]) + &holder.pem().repeat(100);
    assert_eq!(problems(hundred_and_one.as_bytes(), None)[0].code, Code::TooManyCertificates);
}

#[test]
fn ten_mebibytes_are_not_read() {
    let mut numbers = Numbers(1);
    let garbage: Vec<u8> = (0..10 << 17).flat_map(|_| numbers.next().to_le_bytes()).collect();
    assert_eq!(garbage.len(), 10 << 20);
    let found = problems(&garbage, Some(&garbage));
    assert!(found.iter().all(|problem| problem.code == Code::TooLarge), "{found:?}");
    assert_eq!(found.len(), 2);
}

/// A hundred CAs that all certify each other.
#[test]
fn cas_that_certify_each_other_are_handled() {
    let shared = key();
    let copy = || KeyPair::from_pem(&shared.serialize_pem()).unwrap();
    let top = Holder::self_signed(ca_params("A"), copy()).unwrap();
    let other = Holder::signed_by(ca_params("B"), copy(), &top).unwrap();
    let mut file = pem_with_key(&[&leaf("a.example", &top)]);
    for _ in 0..49 {
        file += &Holder::signed_by(ca_params("A"), copy(), &other).unwrap().pem();
        file += &Holder::signed_by(ca_params("B"), copy(), &top).unwrap().pem();
    }
    let found = problems(file.as_bytes(), None);
    assert!(matches!(found[0].code, Code::TooManyCertificates | Code::Loop), "{found:?}");
}

#[test]
fn damaged_bundles_are_handled() {
    let file = pem_with_key(&six().iter().collect::<Vec<_>>()).into_bytes();
    for seed in 0..400 {
        println!("seed {seed}");
        let mut numbers = Numbers(seed);
        let mut damaged = file.clone();
        for _ in 0..=numbers.below(4) {
            let place = numbers.below(damaged.len());
            match numbers.below(4) {
                0 => damaged.truncate(place + 1),
                1 => damaged[place] = numbers.next().to_le_bytes()[0],
                2 => drop(damaged.remove(place)),
                _ => damaged.insert(place, b'\n'),
            }
        }
        check(&damaged);
    }
}

/// Damages the DER inside valid PEM, so that the certificate parser sees it.
#[test]
fn damaged_certificates_are_handled() {
    let top = root("Root");
    let holder = leaf("a.example", &top);
    let key = holder.key().serialize_pem();
    let section = |der: &[u8]| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", factory::base64(der))
    };
    for seed in 0..600 {
        println!("seed {seed}");
        let mut numbers = Numbers(seed);
        let mut der = holder.der().to_vec();
        let place = numbers.below(der.len());
        match numbers.below(3) {
            0 => der.truncate(place),
            _ => der[place] ^= 1 << numbers.below(8),
        }
        check((section(&der) + &top.pem() + &key).as_bytes());
        check(&der);
    }
}

#[test]
fn long_names_are_truncated_in_messages() {
    let holder = Holder::self_signed(
        {
            let mut params = leaf_params("a.example");
            params.distinguished_name.push(rcgen::DnType::OrganizationName, "x".repeat(100_000));
            params
        },
        key(),
    );
    check(pem_with_key(&[&holder.unwrap()]).as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
        check(&[b"-----BEGIN CERTIFICATE-----\n", &bytes[..]].concat());
    }
}
