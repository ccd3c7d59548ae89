//! Which CRLs and CA bundles are accepted, and the problems of the others (MT1, MT2).

#![allow(clippy::unwrap_used)]

mod authority;

use authority::{Authority, Setup, crl_params};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, KeyUsagePurpose, RevocationReason,
    SerialNumber, date_time_ymd,
};
use tls::{Crl, CrlError, crl};

fn pem(der: &[u8], kind: &str) -> String {
    let text: String = der.chunks(48).map(|line| STANDARD.encode(line) + "\n").collect();
    format!("-----BEGIN {kind}-----\n{text}-----END {kind}-----\n")
}

fn only(bytes: &[u8]) -> Crl {
    let mut crls = crl::read(bytes).unwrap();
    assert_eq!(crls.len(), 1);
    crls.remove(0)
}

#[test]
fn crls_are_read_from_pem_and_der_and_several_from_one_file() {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    let der = root.crl(&[1, 2, 0xff]);
    let crl = only(&der);
    assert_eq!(crl.entry_count(), 3);
    for (integer, is_in) in
        [(&[1][..], true), (&[0, 0xff], true), (&[0xff], true), (&[3], false), (&[1, 0], false)]
    {
        assert_eq!(crl.contains(integer), is_in, "{integer:?}");
    }
    let both = format!("a text\n{}\n{}", pem(&der, "X509 CRL"), pem(&other.crl(&[9]), "X509 CRL"));
    let policy = Setup::new(&[&root, &other]).crl(both.into_bytes()).policy();
    assert_eq!((policy.crl_count(), policy.crl_entry_count(), policy.ca_count()), (2, 4, 2));
    assert_eq!(policy.crl_next_update(), Some(1_798_761_600));
    assert!(only(&root.crl(&[])).entry_count() == 0);
}

#[test]
fn a_file_without_a_valid_crl_is_refused() {
    let root = Authority::root("root");
    let der = root.crl(&[1, 2, 3]);
    let mut damaged = der.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let cut = &der[..der.len() - 1];
    let cut_pem = pem(&der, "X509 CRL").replace("-----END X509 CRL-----\n", "");
    let certificate = root.certificate.pem();
    let table: &[(&str, &[u8], &str)] = &[
        ("empty", b"", "0.crl: holds no CRL"),
        ("text", b"hello", "0.crl: holds no CRL"),
        ("a certificate", certificate.as_bytes(), "0.crl: holds no CRL"),
        ("a certificate's DER", &root.der(), "0.crl: not a CRL, or a damaged one"),
        ("cut off", cut, "0.crl: not a CRL, or a damaged one"),
        ("more behind it", &[&der[..], b"\n"].concat(), "0.crl: not a CRL, or a damaged one"),
        ("cut off PEM", cut_pem.as_bytes(), "0.crl: not readable as PEM"),
        (
            "garbage in PEM",
            b"-----BEGIN X509 CRL-----\n!!!!\n-----END X509 CRL-----\n",
            "0.crl: not readable as PEM",
        ),
    ];
    for (what, bytes, expected) in table {
        let problems = Setup::new(&[&root]).crl(bytes.to_vec()).problems();
        assert_eq!(problems.len(), 1, "{what}: {problems:?}");
        assert!(problems[0].starts_with(expected), "{what}: {problems:?}");
    }
    let problems = Setup::new(&[&root]).crl(damaged).problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let missing = Setup::new(&[&root]).change(|auth| auth.crl.push("missing.crl".into())).problems();
    assert!(missing[0].starts_with("missing.crl: "), "{missing:?}");
}

/// Changes every byte of a CRL: it is refused, without a panic.
#[test]
fn any_damage_is_detected() {
    let root = Authority::root("root");
    let der = root.crl(&[1, 2]);
    for index in 0..der.len() {
        for bit in [1, 0x80] {
            let mut damaged = der.clone();
            damaged[index] ^= bit;
            assert!(Setup::new(&[&root]).crl(damaged).load().is_err(), "byte {index}");
        }
        assert!(Setup::new(&[&root]).crl(der[..index].to_vec()).load().is_err(), "cut at {index}");
    }
}

#[test]
fn only_lists_of_known_authorities_are_accepted() {
    let (root, stranger, namesake) =
        (Authority::root("root"), Authority::root("stranger"), Authority::root("root"));
    let problems = Setup::new(&[&root]).crl(stranger.crl(&[])).problems();
    assert_eq!(problems, ["0.crl: issued by \"CN=stranger\", which is not among the CAs"]);
    let problems = Setup::new(&[&root]).crl(namesake.crl(&[])).problems();
    assert_eq!(problems, ["0.crl: its signature is not one of \"CN=root\""]);
    // Two authorities with one name have separate lists.
    let policy = Setup::new(&[&root, &namesake]).crl(namesake.crl(&[1])).crl(root.crl(&[2])).policy();
    assert_eq!(policy.crl_count(), 2);
    assert!(policy.is_revoked(&[namesake.client("a", 1).der()]));
    assert!(!policy.is_revoked(&[root.client("a", 1).der()]));
    let mute = Authority::root_with("mute", |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    let mut speaking = mute.params.clone();
    speaking.key_usages.push(KeyUsagePurpose::CrlSign);
    let list =
        crl_params([].into_iter()).signed_by(&rcgen::Issuer::from_params(&speaking, &mute.key)).unwrap();
    let problems = Setup::new(&[&mute]).crl(list.der().to_vec()).problems();
    assert_eq!(problems, ["0.crl: issued by \"CN=mute\", which may not sign CRLs"]);
}

#[test]
fn unusual_times_cause_warnings() {
    let root = Authority::root("root");
    let of = |change: fn(&mut rcgen::CertificateRevocationListParams)| {
        Setup::new(&[&root]).crl(root.crl_with(&[], change)).problems()
    };
    assert_eq!(of(|_| {}), [""; 0]);
    let expired = of(|params| params.next_update = date_time_ymd(2026, 11, 20));
    assert_eq!(expired, ["warning: the CRL of \"CN=root\" has expired"]);
    let future = of(|params| params.this_update = date_time_ymd(2026, 12, 20));
    assert_eq!(future, ["warning: the CRL of \"CN=root\" is from the future"]);
    let other = Authority::root("other");
    let problems = Setup::new(&[&root, &other]).crl(root.crl(&[])).problems();
    assert_eq!(problems, ["warning: no CRL of \"CN=other\""]);
}

#[test]
fn the_newest_of_several_lists_is_used() {
    let root = Authority::root("root");
    let with_number =
        |serials: &[u8], number: u64| root.crl_with(serials, |params| params.crl_number = number.into());
    let (old, new) = (with_number(&[1, 2], 9), with_number(&[2, 3], 300));
    let [one, two, three] = [1, 2, 3].map(|serial| root.client("a client", serial).der());
    for (first, second) in [(&old, &new), (&new, &old)] {
        let setup = Setup::new(&[&root]).crl(first.clone()).crl(second.clone());
        assert_eq!(setup.problems(), ["warning: 1.crl: a CRL of \"CN=root\" that is not the newest"]);
        let policy = setup.policy();
        let revoked = [&one, &two, &three].map(|client| policy.is_revoked(std::slice::from_ref(client)));
        assert_eq!(revoked, [false, true, true]);
    }
    let setup = Setup::new(&[&root]).crl(old.clone()).crl(old);
    assert_eq!(setup.problems(), [""; 0]);
}

#[test]
fn a_list_applies_only_to_the_certificates_in_its_scope() {
    let root = Authority::root("root");
    let scoped = |uri: &str, scope, serials: &[u8]| {
        root.crl_with(serials, |params| {
            let distribution_point = CrlDistributionPoint { uris: vec![uri.to_owned()] };
            params.issuing_distribution_point =
                Some(CrlIssuingDistributionPoint { distribution_point, scope });
        })
    };
    let policy = Setup::new(&[&root])
        .crl(scoped("http://crl.test/1", None, &[1]))
        .crl(scoped("http://crl.test/2", Some(CrlScope::UserCertsOnly), &[2]))
        .crl(scoped("http://crl.test/ca", Some(CrlScope::CaCertsOnly), &[3]))
        .policy();
    assert_eq!((policy.crl_count(), policy.crl_entry_count()), (3, 3));
    let verify = |serial, uri: &str| {
        let client = root.client_with("a client", serial, |params| {
            params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![uri.to_owned()] }];
        });
        let now =
            rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(authority::NOW));
        policy
            .verifier()
            .verify_client_cert(&client.der(), &[], now)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let revoked = Err("invalid peer certificate: Revoked".to_owned());
    assert_eq!(verify(9, "http://crl.test/1"), Ok(()));
    assert_eq!(verify(1, "http://crl.test/1"), revoked);
    assert_eq!(verify(2, "http://crl.test/2"), revoked);
    // Its list is missing, and the others do not cover it.
    let unknown = Err("invalid peer certificate: UnknownRevocationStatus".to_owned());
    assert_eq!(verify(9, "http://crl.test/3"), unknown);
    assert_eq!(verify(9, "http://crl.test/ca"), unknown);
}

#[test]
fn unusable_ca_bundles_are_refused() {
    let root = Authority::root("root");
    let client = root.client("alice", 1);
    let mixed = format!("{}{}", root.certificate.pem(), client.certificate.pem()).into_bytes();
    let garbage: Vec<u8> =
        (0..10 << 20).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut damaged = root.der().to_vec();
    damaged.truncate(damaged.len() / 2);
    let table: &[(&str, Vec<u8>, &str)] = &[
        ("empty", Vec::new(), "ca.pem: holds no certificate"),
        ("text", b"hello".to_vec(), "ca.pem: holds no certificate"),
        ("a client's", mixed, "ca.pem: certificate 2, \"CN=alice\", is not one of a CA"),
        ("10 MiB of garbage", garbage, "ca.pem: longer than 4 MiB"),
        ("damaged", pem(&damaged, "CERTIFICATE").into_bytes(), "ca.pem: certificate 1 is damaged"),
    ];
    for (what, bytes, expected) in table {
        assert_eq!(Setup::new(&[]).ca(bytes.clone()).problems(), [*expected], "{what}");
    }
    let twice = format!("{}{}", root.certificate.pem(), root.certificate.pem()).into_bytes();
    let warning = "warning: ca.pem: certificate 2, \"CN=root\", is there twice";
    assert_eq!(Setup::new(&[]).ca(twice).problems(), [warning]);
    let signs_crls = Authority::root_with("lists", |params| {
        params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
    });
    let warning = "warning: ca.pem: CA \"CN=lists\" may not sign certificates, as its key usage says";
    assert_eq!(Setup::new(&[&signs_crls]).problems(), [warning]);
    assert_eq!(Setup::new(&[]).ca(root.der().to_vec()).policy().ca_count(), 1);
    let missing = Setup::new(&[&root]).change(|auth| auth.ca = "missing.pem".into()).problems();
    assert!(missing[0].starts_with("missing.pem: "), "{missing:?}");
}

#[test]
fn the_epoch_changes_with_everything_that_decides() {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    let (first, second) = (root.crl(&[1]), root.crl_with(&[1], |params| params.crl_number = 2.into()));
    let variants = [
        Setup::new(&[&root]),
        Setup::new(&[&other]),
        Setup::new(&[&root, &other]),
        Setup::new(&[&root]).crl(first.clone()),
        Setup::new(&[&root]).crl(second),
        Setup::new(&[&root]).change(|auth| auth.depth = 2),
        Setup::new(&[&root]).change(|auth| auth.is_required = false),
        Setup::new(&[&root]).change(|auth| auth.expired_crl = model::ExpiredCrl::Warn),
    ];
    let mut epochs: Vec<_> = variants.iter().map(|setup| setup.policy().epoch()).collect();
    epochs.push(tls::client_auth::fingerprint_of_policy(None));
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), variants.len() + 1);
    // The signatures of one list differ, so each list is made once.
    let same = Setup::new(&[&root]).crl(first.clone()).policy().epoch();
    assert_eq!(same, Setup::new(&[&root]).crl(first).policy().epoch());
}

#[test]
fn a_list_of_a_hundred_thousand_entries_is_searched() {
    let root = Authority::root("root");
    let number = |index: u32| SerialNumber::from_slice(&[&[0x5a; 12][..], &index.to_be_bytes()].concat());
    let mut params = crl_params((0..100_000).map(number));
    params.revoked_certs[7].reason_code = Some(RevocationReason::KeyCompromise);
    let der = params.signed_by(&root.issuer()).unwrap().der().to_vec();
    let text = pem(&der, "X509 CRL").into_bytes();
    for bytes in [der, text] {
        let policy = Setup::new(&[&root]).crl(bytes).policy();
        assert_eq!(policy.crl_entry_count(), 100_000);
        for (index, is_in) in [(0, true), (7, true), (99_999, true), (100_000, false)] {
            let client = root.client_with("a client", 1, |params| params.serial_number = Some(number(index)));
            assert_eq!(policy.is_revoked(&[client.der()]), is_in, "{index}");
        }
    }
}

/// Claimed lengths and endless nesting cost nothing.
#[test]
fn claimed_lengths_and_deep_nesting_are_refused_cheaply() {
    let huge = [0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0x84, 0xff, 0xff, 0xff, 0xf0];
    assert_eq!(crl::read(&huge).unwrap_err(), CrlError::Malformed);
    let nested: Vec<u8> = std::iter::repeat_n([0x30, 0x80], 1 << 20).flatten().collect();
    assert_eq!(crl::read(&nested).unwrap_err(), CrlError::Malformed);
    let mut deep = Vec::new();
    for _ in 0..2000 {
        let mut outer = vec![0x30, 0x82];
        outer.extend_from_slice(&(deep.len() as u16).to_be_bytes());
        outer.extend_from_slice(&deep);
        deep = if deep.len() < 128 { [&[0x30, deep.len() as u8][..], &deep].concat() } else { outer };
    }
    assert!(crl::read(&deep).is_err());
    let long = vec![b' '; crl::FILE_BYTES_MAX + 1];
    assert_eq!(crl::read(&long).unwrap_err(), CrlError::TooLong { limit: crl::FILE_BYTES_MAX });
    let many = pem(&Authority::root("root").crl(&[]), "X509 CRL").repeat(1001);
    assert_eq!(crl::read(many.as_bytes()).unwrap_err(), CrlError::TooMany { limit: 1000 });
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0..=255u8), 1..6),
    ) {
        let mut bytes = PLAIN.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(crls) = crl::read(&bytes) {
            assert!(crls[0].entry_count() * 18 <= bytes.len());
        }
    }
}

const PLAIN: &[u8] = include_bytes!("../../../fuzz/corpus/crl/plain");
