//! Which host a name selects, which requests may use its connections, and contradictory entries.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{
    CertificateEntry, CertificateFiles, CipherSuite, ClientAuth, Config, ExpiredCrl, HttpService,
    HttpSettings, IdentityHeaders, Listener, ListenerName, ListenerSettings, ListenerTls, LoadBalancerName,
    Place, Service, TlsVersion,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tls::{Acceptor, Choice, Files, Finding, Host, Material, TicketKeys};

/// Loads these entries: names, and whether client certificates are required.
fn load(entries: &[(&[&str], bool)]) -> Result<std::sync::Arc<Acceptor>, Vec<Finding>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut stored = HashMap::from([(PathBuf::from("ca.pem"), root.pem())]);
    let mut certificates = Vec::new();
    for (number, (names, asks)) in entries.iter().enumerate() {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &root).unwrap();
        let chain = PathBuf::from(format!("{number}.pem"));
        stored.insert(chain.clone(), leaf.pem() + &key.serialize_pem());
        let place = Place { line: number + 1, ..Place::default() };
        let client_auth = asks.then(|| Some(auth(&place)));
        certificates
            .push(CertificateEntry { files: CertificateFiles { chain, key: None, place }, client_auth });
    }
    let read = |path: &Path| match stored.get(path) {
        Some(text) => Ok(text.clone().into_bytes()),
        None => Err(io::ErrorKind::NotFound.into()),
    };
    let mut files = Files::new(&read, NOW);
    let material = Material::load(&config(certificates), &TicketKeys::new(NOW), &mut files);
    material
        .map(|material| material.acceptors.values().next().unwrap().clone())
        .ok_or_else(|| files.into_findings())
}

fn auth(place: &Place) -> ClientAuth {
    ClientAuth {
        is_required: true,
        ca: "ca.pem".into(),
        crl: Vec::new(),
        depth: 3,
        expired_crl: ExpiredCrl::Fail,
        closes_revoked: false,
        allow: Vec::new(),
        headers: IdentityHeaders::default(),
        place: place.clone(),
    }
}

fn config(certificates: Vec<CertificateEntry>) -> Config {
    let tls = ListenerTls {
        certificates,
        min_version: TlsVersion::Tls12,
        suites: CipherSuite::ALL.to_vec(),
        sni_strict: false,
        handshake_timeout: Duration::from_secs(10),
        client_auth: None,
        hsts: None,
    };
    let listener = Listener {
        name: ListenerName::new("web"),
        load_balancer: LoadBalancerName::new("default"),
        connections: Default::default(),
        bind: Vec::new(),
        tls: Some(tls),
        settings: ListenerSettings::default(),
        service: Service::Http(HttpService {
            settings: HttpSettings::default(),
            rules: Vec::new(),
            default_action: None,
        }),
    };
    Config {
        workers: None,
        stop_timeout: Duration::ZERO,
        admin: model::Admin::default(),
        load_balancers: Vec::new(),
        listeners: vec![listener],
        target_groups: Vec::new(),
        session_stores: Vec::new(),
        session_gateways: Vec::new(),
    }
}

fn host<'a>(acceptor: &'a Acceptor, name: &str) -> &'a Host {
    match acceptor.choose(Some(name), None) {
        Choice::Host(host) => host,
        Choice::Unrecognized => panic!("{name}"),
    }
}

#[test]
fn rules_for_clients_below_a_wildcard_hold_at_any_depth() {
    let acceptor = load(&[(&["www.example"], false), (&["*.corp.example"], true)]).unwrap();
    let open = host(&acceptor, "www.example");
    for (name, may) in [
        ("www.example", true),
        ("other.example", true),
        ("corp.example", true),
        ("a.corp.example", false),
        ("a.b.corp.example", false),
    ] {
        assert_eq!(acceptor.may_serve(name, open, true), may, "{name}");
    }
    let asked = host(&acceptor, "a.corp.example");
    assert!(
        acceptor.may_serve("b.corp.example", asked, true)
            && acceptor.may_serve("a.b.corp.example", asked, true)
    );
    assert!(
        !acceptor.may_serve("www.example", asked, true) && !acceptor.may_serve("other.example", asked, true)
    );
}

#[test]
fn a_client_that_sends_no_name_gets_the_certificate_of_the_address() {
    let entries: [(&[&str], bool); 4] = [
        (&["www.example"], false),
        (&["192.0.2.1"], false),
        (&["2001:db8::1"], false),
        (&["in.example"], true),
    ];
    let acceptor = load(&entries).unwrap();
    for (local, name) in [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("192.0.2.9", "www.example"),
    ] {
        let Choice::Host(chosen) = acceptor.choose(None, Some(local.parse().unwrap())) else { panic!() };
        assert!(std::ptr::eq(&**chosen, host(&acceptor, name)), "{local}");
        // The same certificate would be chosen again, so it serves every host with the same rules for clients.
        for (name, may) in [
            ("www.example", true),
            ("192.0.2.1", true),
            ("[2001:DB8::1]", true),
            ("x", true),
            ("in.example", false),
        ] {
            assert_eq!(acceptor.may_serve(name, chosen, false), may, "{local} {name}");
        }
    }
    let named = host(&acceptor, "www.example");
    assert!(
        !acceptor.may_serve("192.0.2.1", named, true) && !acceptor.may_serve("[2001:db8::1]", named, true)
    );
}

#[test]
fn entries_with_one_name_must_require_the_same() {
    let findings = load(&[(&["a.example", "b.example"], false), (&["b.example"], true)]).unwrap_err();
    assert!(
        findings.iter().any(|found| found.place.line == 2 && found.message.contains("b.example")),
        "{findings:?}"
    );
    assert!(load(&[(&["a.example"], true), (&["a.example"], true)]).is_ok(), "in separate entries too");
}

const NOW: u64 = 1_790_000_000;
