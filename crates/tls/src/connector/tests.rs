//! Handshakes with a target at times that the test sets.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Place;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer,
    KeyPair,
};
use rustls::pki_types::{PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion, version};

use super::*;

/// Seconds since `START`.
#[derive(Debug, Default)]
struct Clock(AtomicU64);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(START + self.0.load(Ordering::Relaxed))))
    }
}

/// A certificate and its key.
struct Signed {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

impl Signed {
    /// Valid for so many seconds, by `issuer` or by itself.
    fn new(name: &str, is_ca: bool, seconds: u64, issuer: Option<&Self>) -> Self {
        Self::with_key(KeyPair::generate().unwrap(), name, is_ca, seconds, issuer)
    }

    fn with_key(key: KeyPair, name: &str, is_ca: bool, seconds: u64, issuer: Option<&Self>) -> Self {
        let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = if is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(START + seconds);
        let certificate = match issuer {
            None => params.self_signed(&key),
            Some(above) => params.signed_by(&key, &Issuer::from_params(&above.params, &above.key)),
        };
        Self { certificate: certificate.unwrap(), params, key }
    }

    /// The same CA with a certificate of this length.
    fn renewed(&self, seconds: u64) -> Self {
        let key = KeyPair::try_from(self.key.serialize_der()).unwrap();
        let DnValue::Utf8String(name) = self.params.distinguished_name.get(&DnType::CommonName).unwrap()
        else {
            panic!("not as it was made")
        };
        Self::with_key(key, name, true, seconds, None)
    }
}

/// A target with this chain, leaf first.
fn server(chain: &[&Signed], version: &'static SupportedProtocolVersion) -> ServerConfig {
    let certificates = chain.iter().map(|signed| signed.certificate.der().clone()).collect();
    let key = PrivateKeyDer::try_from(chain[0].key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap()
}

/// A connector that trusts these, and its clock.
fn connector(ca: &[&Signed], verifies: bool) -> (Connector, Arc<Clock>) {
    let pem: String = ca.iter().map(|signed| signed.certificate.pem()).collect();
    let read = move |_: &Path| Ok(pem.clone().into_bytes());
    let tls = TargetTls {
        server_name: Some(NAME.to_owned()),
        ca: Some("ca.pem".into()),
        verifies,
        certificate: None,
        place: Place::default(),
    };
    let mut connector = Connector::build(&tls, TargetProtocol::Https, &mut Files::new(&read, START)).unwrap();
    let clock = Arc::new(Clock::default());
    let term = connector.term.get_mut().unwrap();
    Arc::get_mut(&mut term.config).unwrap().time_provider = clock.clone();
    (connector, clock)
}

/// Makes a handshake and reads the tickets that follow: `full`, `resumed`, or why the target was refused.
fn meet(connector: &Connector, server: &Arc<ServerConfig>) -> String {
    let mut client = connector.connect(IpAddr::from([127, 0, 0, 1])).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    let mut records = Vec::new();
    for _ in 0..8 {
        let mut out = Vec::new();
        let read = client.read(&mut records, |_| true, &mut out);
        records.drain(..read.consumed);
        if let Some(error) = read.error {
            let Error::InvalidCertificate(error) = error else { panic!("{error}") };
            return certificate_cause(&error).to_owned();
        }
        let mut sent = out.as_slice();
        while !sent.is_empty() {
            server.read_tls(&mut sent).unwrap();
            server.process_new_packets().unwrap();
        }
        while server.wants_write() {
            server.write_tls(&mut records).unwrap();
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    if client.is_resumed() { "resumed" } else { "full" }.to_owned()
}

#[test]
fn sessions_end_with_the_first_certificate_of_their_path() {
    let root = |seconds| Signed::new("root", true, seconds, None);
    for version in [&version::TLS12, &version::TLS13] {
        for (what, expiring) in [("root", 0), ("intermediate", 1), ("leaf", 2)] {
            let seconds = |place| if place == expiring { 100 } else { 1000 };
            let root = root(seconds(0));
            let intermediate = Signed::new("intermediate", true, seconds(1), Some(&root));
            let leaf = Signed::new("leaf", false, seconds(2), Some(&intermediate));
            let target = Arc::new(server(&[&leaf, &intermediate], version));
            let (connector, clock) = connector(&[&root], true);
            let at = |second| {
                clock.0.store(second, Ordering::Relaxed);
                meet(&connector, &target)
            };
            let met = [at(0), at(50), at(100), at(101), at(102)];
            assert_eq!(met, ["full", "resumed", "resumed", "expired", "expired"], "{what}, {version:?}");
        }
    }
}

#[test]
fn a_pinned_certificate_ends_its_sessions() {
    let leaf = Signed::new("leaf", false, 100, None);
    let target = Arc::new(server(&[&leaf], &version::TLS13));
    for (verifies, last) in [(true, "expired"), (false, "resumed")] {
        let (connector, clock) = connector(&[&leaf], verifies);
        assert_eq!([meet(&connector, &target), meet(&connector, &target)], ["full", "resumed"]);
        clock.0.store(101, Ordering::Relaxed);
        assert_eq!(meet(&connector, &target), last, "verify = {verifies}");
    }
}

#[test]
fn a_renewed_certificate_is_accepted_in_a_new_handshake() {
    let root = Signed::new("root", true, 1000, None);
    let leaf = |seconds| Signed::new("leaf", false, seconds, Some(&root));
    let mut target = server(&[&leaf(100)], &version::TLS13);
    let (connector, clock) = connector(&[&root], true);
    let meet_target = |target: &ServerConfig| meet(&connector, &Arc::new(target.clone()));
    assert_eq!([meet_target(&target), meet_target(&target)], ["full", "resumed"]);
    // It keeps its sessions.
    target.cert_resolver = server(&[&leaf(500)], &version::TLS13).cert_resolver;
    for (second, expected) in [(100, "resumed"), (101, "full"), (102, "resumed"), (501, "expired")] {
        clock.0.store(second, Ordering::Relaxed);
        assert_eq!(meet_target(&target), expected, "{second}");
    }
}

#[test]
fn a_renewed_ca_beside_the_old_one_keeps_sessions() {
    let old = Signed::new("root", true, 100, None);
    let new = old.renewed(200);
    let leaf = Signed::new("leaf", false, 1000, Some(&old));
    let target = Arc::new(server(&[&leaf], &version::TLS13));
    for ca in [[&old, &new], [&new, &old]] {
        let (connector, clock) = connector(&ca, true);
        for (second, expected) in [(0, "full"), (101, "resumed"), (200, "resumed"), (201, "expired")] {
            clock.0.store(second, Ordering::Relaxed);
            assert_eq!(meet(&connector, &target), expected, "{second}");
        }
    }
}

const NAME: &str = "target.test";
/// 2026-11-28.
const START: u64 = 1_795_856_475;
