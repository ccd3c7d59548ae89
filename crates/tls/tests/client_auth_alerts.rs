//! The alert that a refused client gets (MT1, MT2), in TLS 1.2 and 1.3.

#![allow(clippy::unwrap_used, clippy::panic)]

mod authority;
mod handshake;

use authority::{Authority, Setup};
use handshake::{Chain, End, Server};
use model::ExpiredCrl;
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::AlertDescription::{self as Alert};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, SupportedProtocolVersion};

/// `None`: the client is accepted.
fn meet(setup: &Setup, version: &'static SupportedProtocolVersion, chain: Option<Chain>) -> Option<Alert> {
    let server = Server::new(setup.policy().verifier(), tls::without_resumption);
    match server.meet(&server.client(version, chain)) {
        End::Open { .. } => None,
        End::Alert(alert) => Some(alert),
    }
}

fn check(what: &str, setup: &Setup, chain: impl Fn() -> Chain, expected: Option<Alert>) {
    for version in [&TLS12, &TLS13] {
        assert_eq!(meet(setup, version, Some(chain())), expected, "{what}, {:?}", version.version);
    }
}

#[test]
fn a_client_with_a_valid_certificate_is_accepted_and_identified() {
    let (root, chain) = (Authority::root("root"), Authority::root("other"));
    let middle = root.intermediate("middle", 9);
    let (direct, indirect) = (root.client("direct", 1), middle.client("indirect", 2));
    let setup = Setup::new(&[&root, &chain]);
    check("direct", &setup, || Chain::of(&direct, &[]), None);
    check("by an intermediate", &setup, || Chain::of(&indirect, &[&middle]), None);
    check("with the root", &setup, || Chain::of(&direct, &[&root]), None);
    let server = Server::new(setup.policy().verifier(), tls::without_resumption);
    let end = server.meet(&server.client(&TLS13, Some(Chain::of(&direct, &[]))));
    assert_eq!(end, End::Open { kind: HandshakeKind::Full, client: Some(vec![direct.der()]) });
}

#[test]
fn a_client_without_a_certificate_is_refused_if_one_is_required() {
    let root = Authority::root("root");
    let required = Setup::new(&[&root]);
    assert_eq!(meet(&required, &TLS13, None), Some(Alert::CertificateRequired));
    // FIXME: RFC 5246 §7.4.6 requires handshake_failure; rustls sends the alert of TLS 1.3 here too.
    assert_eq!(meet(&required, &TLS12, None), Some(Alert::CertificateRequired));
    let optional = Setup::new(&[&root]).change(|auth| auth.is_required = false);
    assert_eq!(meet(&optional, &TLS13, None), None);
    assert_eq!(meet(&optional, &TLS12, None), None);
    // Optional means no certificate or a valid one.
    let stranger = Authority::root("stranger").client("mallory", 1);
    check("bad where optional", &optional, || Chain::of(&stranger, &[]), Some(Alert::UnknownCA));
}

#[test]
fn an_expired_or_future_certificate_is_refused() {
    let root = Authority::root("root");
    let setup = Setup::new(&[&root]);
    let expired = root.client_with("late", 1, |params| params.not_after = date_time_ymd(2026, 11, 27));
    check("expired", &setup, || Chain::of(&expired, &[]), Some(Alert::CertificateExpired));
    let early = root.client_with("early", 2, |params| params.not_before = date_time_ymd(2026, 11, 30));
    check("not valid yet", &setup, || Chain::of(&early, &[]), Some(Alert::CertificateExpired));
    let old = Authority::root_with("old", |params| params.not_after = date_time_ymd(2026, 11, 27));
    let client = old.client("client of an old CA", 1);
    let setup = Setup::new(&[&old]);
    assert_eq!(setup.problems(), ["warning: ca.pem: CA \"CN=old\" has expired"]);
    check("CA expired", &setup, || Chain::of(&client, &[]), Some(Alert::CertificateExpired));
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let (root, stranger) = (Authority::root("root"), Authority::root("stranger"));
    let client = stranger.client("mallory", 1);
    let setup = Setup::new(&[&root]);
    check("unknown CA", &setup, || Chain::of(&client, &[]), Some(Alert::UnknownCA));
    check("brings its own CA", &setup, || Chain::of(&client, &[&stranger]), Some(Alert::UnknownCA));
    // The certificate of a client is not a CA.
    let signer = root.client("alice", 2);
    let signer = Authority {
        certificate: signer.certificate,
        params: Authority::root("alice").params,
        key: signer.key,
    };
    let forged = signer.client("eve", 3);
    for version in [&TLS12, &TLS13] {
        assert!(meet(&setup, version, Some(Chain::of(&forged, &[&signer]))).is_some());
    }
}

#[test]
fn a_forged_certificate_is_refused() {
    let (root, fake) = (Authority::root("root"), Authority::root("root"));
    let setup = Setup::new(&[&root]);
    let client = fake.client("mallory", 1);
    check("signed by a namesake", &setup, || Chain::of(&client, &[]), Some(Alert::DecryptError));
    // Alice's certificate without Alice's key: the CertificateVerify does not match.
    let (alice, mallory) = (root.client("alice", 1), root.client("mallory", 2));
    check("stolen", &setup, || Chain::with_key(&alice, &[], &mallory), Some(Alert::DecryptError));
}

#[test]
fn a_chain_that_is_too_long_is_refused() {
    let root = Authority::root("root");
    let first = root.intermediate("first", 1);
    let second = first.intermediate("second", 2);
    let client = second.client("alice", 3);
    for (depth, expected) in
        [(0, Some(Alert::UnknownCA)), (1, Some(Alert::UnknownCA)), (2, None), (3, None), (10, None)]
    {
        let setup = Setup::new(&[&root]).change(|auth| auth.depth = depth);
        check(&format!("depth {depth}"), &setup, || Chain::of(&client, &[&second, &first]), expected);
    }
    // Every certificate in the bundle is an anchor, and chains are counted from there.
    let setup = Setup::new(&[&root, &second]).change(|auth| auth.depth = 0);
    check("intermediate in the bundle", &setup, || Chain::of(&client, &[&second, &first]), None);
}

#[test]
fn a_certificate_for_another_purpose_is_refused() {
    let root = Authority::root("root");
    let server = root.client_with("a server's", 1, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let any = root.client_with("without purposes", 2, |params| params.extended_key_usages.clear());
    let setup = Setup::new(&[&root]);
    check("server's", &setup, || Chain::of(&server, &[]), Some(Alert::UnsupportedCertificate));
    check("any purpose", &setup, || Chain::of(&any, &[]), None);
}

#[test]
fn a_revoked_certificate_is_refused() {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    let middle = root.intermediate("middle", 9);
    let (alice, bob) = (root.client("alice", 1), root.client("bob", 2));
    let carol = middle.client("carol", 1);
    let revoked = Some(Alert::CertificateRevoked);
    let setup = Setup::new(&[&root, &other]).crl(root.crl(&[1, 7])).crl(other.crl(&[2]));
    check("revoked", &setup, || Chain::of(&alice, &[]), revoked);
    check("the same number of another CA", &setup, || Chain::of(&bob, &[]), None);
    check("no CRL of its issuer", &setup, || Chain::of(&carol, &[&middle]), Some(Alert::UnknownCA));
    let setup = Setup::new(&[&root, &middle]).crl(root.crl(&[1, 7])).crl(middle.crl(&[5]));
    check("CRL of the intermediate", &setup, || Chain::of(&carol, &[&middle]), None);
    let setup = Setup::new(&[&root]).crl(root.crl(&[9]));
    check("revoked intermediate", &setup, || Chain::of(&carol, &[&middle]), revoked);
    let setup = Setup::new(&[&root, &middle]).crl(root.crl(&[9])).crl(middle.crl(&[]));
    check("revoked intermediate in the bundle", &setup, || Chain::of(&carol, &[&middle]), revoked);
    let optional = Setup::new(&[&root]).crl(root.crl(&[1])).change(|auth| auth.is_required = false);
    check("revoked where optional", &optional, || Chain::of(&alice, &[]), revoked);
}

#[test]
fn an_expired_crl_refuses_clients_unless_configured_to_warn() {
    let root = Authority::root("root");
    let (alice, bob) = (root.client("alice", 1), root.client("bob", 2));
    let old = root.crl_with(&[1], |params| params.next_update = date_time_ymd(2026, 11, 20));
    let fail = Setup::new(&[&root]).crl(old);
    check("fail, revoked", &fail, || Chain::of(&alice, &[]), Some(Alert::CertificateRevoked));
    check("fail, not revoked", &fail, || Chain::of(&bob, &[]), Some(Alert::UnknownCA));
    let warn = fail.change(|auth| auth.expired_crl = ExpiredCrl::Warn);
    check("warn, revoked", &warn, || Chain::of(&alice, &[]), Some(Alert::CertificateRevoked));
    check("warn, not revoked", &warn, || Chain::of(&bob, &[]), None);
}

#[test]
fn no_client_resumes_with_a_ticket() {
    let root = Authority::root("root");
    let alice = root.client("alice", 1);
    let before = Setup::new(&[&root]).crl(root.crl(&[])).policy();
    let after = Setup::new(&[&root]).crl(root.crl_with(&[1], |params| params.crl_number = 2.into())).policy();
    assert_ne!(before.epoch(), after.epoch());
    for version in [&TLS12, &TLS13] {
        let server = Server::new(before.verifier(), tls::without_resumption);
        let client = server.client(version, Some(Chain::of(&alice, &[])));
        for _ in 0..2 {
            let End::Open { kind, .. } = server.meet(&client) else { panic!("refused") };
            assert_eq!(kind, HandshakeKind::Full);
        }
        let server = server.reload(after.verifier(), tls::without_resumption);
        assert_eq!(server.meet(&client), End::Alert(Alert::CertificateRevoked), "{version:?}");
    }
}

/// The gap that `without_resumption` closes. If rustls closes it one day, this test fails.
#[test]
fn rustls_resumes_without_calling_the_verifier() {
    let root = Authority::root("root");
    let alice = root.client("alice", 1);
    let before = Setup::new(&[&root]).crl(root.crl(&[])).policy();
    let after = Setup::new(&[&root]).crl(root.crl(&[1])).policy();
    let ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    for version in [&TLS12, &TLS13] {
        let server = Server::new(before.verifier(), |config| config.ticketer = ticketer.clone());
        let client = server.client(version, Some(Chain::of(&alice, &[])));
        assert!(server.meet(&client).is_open());
        let open = server.reload(after.verifier(), |config| config.ticketer = ticketer.clone());
        let End::Open { kind, .. } = open.meet(&client) else { panic!("refused") };
        assert_eq!(kind, HandshakeKind::Resumed);
        // An older ticket is refused too.
        let closed = open.reload(after.verifier(), tls::without_resumption);
        assert_eq!(closed.meet(&client), End::Alert(Alert::CertificateRevoked), "{version:?}");
    }
}

#[test]
fn clients_get_the_names_of_the_cas() {
    let root = Authority::root("root");
    let verifier = Setup::new(&[&root]).policy().verifier();
    let hints: Vec<_> = verifier.root_hint_subjects().iter().map(|hint| hint.as_ref().to_vec()).collect();
    assert_eq!(hints.len(), 1);
    assert!(root.der().windows(hints[0].len()).any(|window| window == hints[0]));
    // Too many names for a handshake: none is sent, which means any.
    let many: Vec<_> = (0..200).map(|index| Authority::root(&format!("{index:0100}"))).collect();
    let policy = Setup::new(&many.iter().collect::<Vec<_>>()).policy();
    assert_eq!(policy.ca_count(), 200);
    assert!(policy.verifier().root_hint_subjects().is_empty());
}
