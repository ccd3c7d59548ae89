//! TLS, client certificates and HTTP/2 in the model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Disk, Loaded, parse};
use model::{
    Action, CertificateFiles, CipherSuite, Config, ExpiredCrl, Http2, HttpService, IdentityPattern, Listener,
    ListenerTls, Place, TargetGroup, TargetProtocol, TargetTls, TemplatePiece, TlsVersion,
};

const TEXT: &str = include_str!("tls.toml");

fn config(text: &str) -> Config {
    let Loaded { config, warnings } =
        parse(text, "/etc/evenkeel/main.toml", &Disk).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    config
}

fn listener(name: &str) -> Listener {
    config(TEXT).listeners.into_iter().find(|listener| listener.name.as_str() == name).unwrap()
}

fn http(listener: &Listener) -> &HttpService {
    listener.service.http().unwrap()
}

fn tls(name: &str) -> ListenerTls {
    listener(name).tls.unwrap()
}

fn group(name: &str) -> TargetGroup {
    config(TEXT).target_groups.into_iter().find(|group| group.name.as_str() == name).unwrap()
}

fn in_folder(name: &str) -> PathBuf {
    Path::new("/etc/evenkeel").join(name)
}

/// The position of the first occurrence of `part`.
fn place(part: &str) -> Place {
    let at = TEXT.find(part).unwrap();
    let line = TEXT[..at].matches('\n').count() + 1;
    let column = at - TEXT[..at].rfind('\n').map_or(0, |end| end + 1) + 1;
    Place { file: "/etc/evenkeel/main.toml".into(), line, column, length: part.len() }
}

#[test]
fn certificates_are_files_with_their_places() {
    let certificates = tls("secure").certificates;
    let files: Vec<_> = certificates.iter().map(|entry| entry.files.clone()).collect();
    let files_of =
        |chain, key: Option<&str>, at| CertificateFiles { chain, key: key.map(in_folder), place: place(at) };
    assert_eq!(
        files,
        [
            files_of(in_folder("site.pem"), None, "\"site.pem\""),
            files_of(PathBuf::from("/tls/api.crt"), Some("api.key"), "\"/tls/api.crt\""),
            files_of(in_folder("both.pem"), None, "\"both.pem\""),
        ]
    );
    assert!(certificates[0].client_auth.is_none() && certificates[2].client_auth.is_none());
    assert_eq!(certificates[1].client_auth, Some(None), "off");
    assert_eq!(tls("newer").certificates.len(), 1, "one without a list");
}

#[test]
fn versions_and_suites_are_as_written() {
    let secure = tls("secure");
    assert_eq!(secure.min_version, TlsVersion::Tls12);
    assert_eq!(
        secure.suites,
        [CipherSuite::Tls13Aes256GcmSha384, CipherSuite::EcdheRsaAes128GcmSha256],
        "in the order of the list"
    );
    assert!(secure.sni_strict);
    assert_eq!(secure.handshake_timeout, Duration::from_secs(5));
    let newer = tls("newer");
    assert_eq!(newer.min_version, TlsVersion::Tls13);
    assert_eq!(newer.suites, CipherSuite::ALL[..3], "those of 1.3");
    assert!(!newer.sni_strict);
    assert_eq!(newer.handshake_timeout, Duration::from_secs(10));
}

#[test]
fn every_suite_is_found_by_its_name() {
    for suite in CipherSuite::ALL {
        let text = TEXT
            .replace("{ min_version = \"1.3\" }", &format!("{{ cipher_suites = [\"{}\"] }}", suite.name()));
        let newer = config(&text).listeners.into_iter().find(|listener| listener.name.as_str() == "newer");
        assert_eq!(newer.unwrap().tls.unwrap().suites, [suite]);
    }
}

#[test]
fn client_auth_is_in_the_model() {
    let auth = tls("secure").client_auth.unwrap();
    assert!(auth.is_required && auth.closes_revoked);
    assert_eq!((auth.ca, auth.depth), (in_folder("clients.pem"), 1));
    assert_eq!(auth.crl, [in_folder("root.crl"), in_folder("issuing.crl")]);
    assert_eq!(auth.expired_crl, ExpiredCrl::Warn);
    let mut fingerprint = [0; 32];
    for (number, byte) in fingerprint.iter_mut().enumerate() {
        *byte = u8::try_from(number % 16 * 0x11).unwrap();
    }
    assert_eq!(
        auth.allow,
        [
            IdentityPattern::Subject("CN=alice,O=Example".to_owned()),
            IdentityPattern::San("DNS:alice.example".to_owned()),
            IdentityPattern::Fingerprint(fingerprint),
        ]
    );
    let names: Vec<_> = auth.headers.names().collect();
    let wanted = ["Subject", "San", "Serial", "Fingerprint", "Certificate", "Verify"];
    assert_eq!(names, wanted.map(|name| format!("X-Client-{name}")));
    let at = place("[listener.secure.client_auth]");
    assert_eq!((auth.place.line, auth.place.column), (at.line, at.column + "[listener.secure.".len()));

    let auth = tls("newer").client_auth.unwrap();
    assert!(!auth.is_required && !auth.closes_revoked);
    assert_eq!((auth.depth, auth.expired_crl), (3, ExpiredCrl::Fail));
    assert!(auth.crl.is_empty() && auth.allow.is_empty());
    assert_eq!(auth.headers, model::IdentityHeaders::default());
}

#[test]
fn hsts_is_a_field_value() {
    assert_eq!(tls("secure").hsts.as_deref(), Some("max-age=31536000; includeSubDomains; preload"));
    assert_eq!(tls("newer").hsts.as_deref(), Some("max-age=3600"));
}

#[test]
fn http_is_redirected_from_the_same_addresses() {
    let names: Vec<_> = config(TEXT).listeners.iter().map(|listener| listener.name.to_string()).collect();
    assert_eq!(names, ["secure", "secure:redirect", "newer", "newer:redirect"]);
    let (secure, redirect) = (listener("secure"), listener("secure:redirect"));
    let mut bind: Vec<_> = redirect.bind.iter().map(ToString::to_string).collect();
    bind.sort();
    assert_eq!(bind, ["192.0.2.9:80", "[2001:db8::9]:80"]);
    assert!(redirect.tls.is_none() && http(&redirect).rules.is_empty());
    assert_eq!(redirect.load_balancer, secure.load_balancer);
    assert_eq!(redirect.connections.max, Some(500));
    assert!(redirect.settings.access.load_balancer.is_some(), "a denied client is not redirected");
    assert_eq!(
        leads_to("secure:redirect"),
        [text("https://"), TemplatePiece::Host, TemplatePiece::Path, TemplatePiece::Query]
    );
    assert_eq!(
        leads_to("newer:redirect"),
        [text("https://"), TemplatePiece::Host, text(":8443"), TemplatePiece::Path, TemplatePiece::Query]
    );
}

fn text(text: &str) -> TemplatePiece {
    TemplatePiece::Text(text.to_owned())
}

fn leads_to(name: &str) -> Vec<TemplatePiece> {
    match http(&listener(name)).default_action.clone() {
        Some(Action::Redirect(redirect)) => {
            assert_eq!(redirect.code, 308);
            redirect.to
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_within_a_wildcard_is_bound_once_for_redirects() {
    let redirected = |bind: &str| {
        let text = format!(
            "[listener.web]\nbind = {bind}\nprotocol = \"https\"\ncertificates = \"x\"\nredirect_http = 80\n\
             forward = \"app\"\n[target_group.app]\ntargets = [\"127.0.0.1:1\"]\n"
        );
        let bind = config(&text).listeners[1].bind.clone();
        bind.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(redirected("[\"127.0.0.1:443\", \"0.0.0.0:8443\"]"), ["0.0.0.0:80"]);
    assert_eq!(redirected("[\"0.0.0.0:443\", \"[::1]:443\", \"[::]:8443\"]"), ["[::]:80"]);
    assert_eq!(redirected("[\"127.0.0.1:443\", \"127.0.0.1:8443\"]"), ["127.0.0.1:80"]);
    assert_eq!(redirected("[\"0.0.0.0:443\", \"[::1]:443\"]"), ["0.0.0.0:80", "[::1]:80"]);
}

#[test]
fn http2_is_inherited_key_by_key() {
    let http2 = |name: &str| http(&listener(name)).settings.http2;
    let inherited = Http2 { concurrent_streams: 250, stream_window_bytes: 64 << 10, ..Http2::default() };
    assert_eq!(http2("secure"), Http2 { connection_window_bytes: 2 << 20, ..inherited });
    assert_eq!(http2("newer"), Http2 { is_enabled: false, ..Http2::default() });
    let under_off = |listener: &str| {
        let text = format!(
            "[load_balancer.default]\nhttp2 = \"off\"\n[listener.web]\nbind = \"0.0.0.0:80\"\nforward = \"app\"\n\
             {listener}\n[target_group.app]\ntargets = [\"127.0.0.1:1\"]\n"
        );
        http(&config(&text).listeners[0]).settings.http2.is_enabled
    };
    assert_eq!(
        ["", "http2 = \"on\"", "http2 = {}", "http2 = \"off\""].map(under_off),
        [false, true, true, false]
    );
}

#[test]
fn targets_use_the_protocol_of_their_group() {
    let [secure, grpc, clear] = ["secure", "grpc", "clear"].map(group);
    assert_eq!(
        [secure.protocol, grpc.protocol, clear.protocol],
        [TargetProtocol::Https, TargetProtocol::H2, TargetProtocol::H2c]
    );
    let certificate = CertificateFiles {
        chain: in_folder("own.crt"),
        key: Some(in_folder("own.key")),
        place: place("\"own.crt\""),
    };
    let at = place("tls = { server_name");
    let expected = TargetTls {
        server_name: Some("app.internal".to_owned()),
        ca: Some(in_folder("ca.pem")),
        certificate: Some(certificate),
        verifies: true,
        place: Place { length: 3, ..at },
    };
    assert_eq!(secure.tls, expected);
    assert_eq!(
        grpc.tls,
        TargetTls { place: place("\"h2\""), ..TargetTls::default() },
        "by the system's roots"
    );
    assert_eq!(clear.tls, TargetTls::default());
}
