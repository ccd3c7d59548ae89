//! A peer that speaks another protocol gets one alert, whatever else it sends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use tls::Session;

/// `unexpected_message`, `decode_error` and the like, unencrypted.
fn is_alert(bytes: &[u8]) -> bool {
    matches!(bytes, [21, 3, _, 0, 2, 2, _])
}

#[test]
fn a_server_that_speaks_another_protocol_gets_one_alert() {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let config = Arc::new(config);
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        // An empty handshake record; a record of a version that does not exist; application data.
        b"\x16\x03\x03\x00\x00\x16\x03\x03\x00\x00",
        b"\x16\x09\x09\x00\x01\x00",
        b"\x17\x03\x03\x00\x01\x00\x17\x03\x03\x00\x01\x00",
        // A ServerHello that cannot be parsed, and more bytes after it.
        b"\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut session = Session::connect(Arc::clone(&config), "a.example".try_into().unwrap()).unwrap();
        let mut hello = Vec::new();
        assert!(session.read(&mut [], |_| true, &mut hello).error.is_none());
        assert_eq!(hello[0], 22);
        let mut out = Vec::new();
        let read = session.read(&mut answer.to_vec(), |_| true, &mut out);
        assert!(read.error.is_some() && is_alert(&out), "{answer:?}: {out:?}");
    }
}
