//! TLS of a listener: certificates, versions, cipher suites and HSTS.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use model::{CertificateEntry, CertificateFiles, ListenerTls};

use super::{Build, cipher_suites, client_auth, tcp};
use crate::raw::{Table, Value};

/// `None` without TLS, or if the protocol is invalid.
pub(super) fn listener_tls(table: &Table, build: &mut Build<'_, '_>) -> Option<ListenerTls> {
    let protocol = table.text("protocol");
    // With an invalid protocol it is unknown which keys have an effect.
    let is_known = protocol.is_some() || !table.has("protocol");
    if is_known && protocol != Some("https") {
        for name in ONLY_HTTPS {
            build.ineffective(table, name, "it is only for `protocol = \"https\"`");
        }
    }
    if !matches!(protocol, Some("https" | "tcp_ssl")) {
        for name in ONLY_TLS.into_iter().filter(|_| is_known) {
            build.ineffective(table, name, "it is only for `protocol = \"https\"` and `\"tcp_ssl\"`");
        }
        if is_known && !tcp::looks_at_hello(table) {
            let why = "it is only for `protocol = \"https\"` and `\"tcp_ssl\"`, and for `\"tcp\"` with rules that have `sni` or `alpn`";
            build.ineffective(table, "handshake_timeout", why);
        }
        return None;
    }
    let certificates = certificates(table, build);
    let all_have_their_own = certificates.iter().all(|entry| entry.client_auth.is_some());
    if all_have_their_own && !certificates.is_empty() {
        build.ineffective(table, "client_auth", "every certificate has its own `client_auth`");
    }
    let (min_version, suites) = cipher_suites::offered(table.table("tls"), build);
    Some(ListenerTls {
        certificates,
        min_version,
        suites,
        sni_strict: table.bool("sni_strict").unwrap_or(false),
        handshake_timeout: table.duration("handshake_timeout").unwrap_or(HANDSHAKE_TIMEOUT),
        client_auth: table.table("client_auth").and_then(|table| client_auth::client_auth(table, build)),
        hsts: table.table("hsts").and_then(|table| hsts(table, build)),
    })
}

fn certificates(table: &Table, build: &mut Build<'_, '_>) -> Vec<CertificateEntry> {
    let Some(value) = table.value("certificates") else {
        if let Some(protocol) = table.value("protocol") {
            let word = protocol.text().unwrap_or_default();
            let message = format!("`protocol = \"{word}\"` needs `certificates`");
            let problem = build.report.error(protocol, message);
            problem.hint("for example `certificates = [\"site.pem\"]`, a PEM file with the key");
        }
        return Vec::new();
    };
    let values = value.list();
    if values.is_empty() && matches!(value.data, crate::raw::Data::List(_)) {
        let problem = build.report.error(value, "`certificates` is empty");
        problem.hint("for example `certificates = [\"site.pem\"]`, a PEM file with the key");
    }
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for value in values {
        let Some(entry) = certificate(value, build) else { continue };
        if !seen.insert((entry.files.chain.clone(), entry.files.key.clone())) {
            build.report.error(value, "this certificate is listed twice");
        }
        found.push(entry);
    }
    found
}

fn certificate(value: &Value, build: &mut Build<'_, '_>) -> Option<CertificateEntry> {
    let Some(table) = value.table() else {
        let files = CertificateFiles { chain: build.file(value)?, key: None, place: build.place(value) };
        return Some(CertificateEntry { files, client_auth: None });
    };
    let files = certificate_files(table, build);
    let client_auth = table.table("client_auth").map(|table| client_auth::client_auth(table, build));
    Some(CertificateEntry { files: files?, client_auth })
}

/// Reads `cert` and `key` of a table.
pub(super) fn certificate_files(table: &Table, build: &mut Build<'_, '_>) -> Option<CertificateFiles> {
    let key = file(table, "key", build);
    let value = table.value("cert")?;
    Some(CertificateFiles { chain: build.file(value)?, key, place: build.place(value) })
}

/// The path of the file that a key of a table names.
pub(super) fn file(table: &Table, name: &str, build: &mut Build<'_, '_>) -> Option<PathBuf> {
    table.value(name).and_then(|value| build.file(value))
}

/// The value of `Strict-Transport-Security` (RFC 6797 §6.1).
fn hsts(table: &Table, build: &mut Build<'_, '_>) -> Option<String> {
    let value = table.value("max_age")?;
    let max_age = table.duration("max_age")?;
    if max_age.subsec_nanos() != 0 {
        build.report.error(value, "`max_age` must be whole seconds");
    }
    let subdomains = table.bool("include_subdomains") == Some(true);
    let preload = table.bool("preload") == Some(true);
    if preload && (!subdomains || max_age < YEAR) {
        let message = "browsers' preload lists do not accept this host";
        let hint = "`preload` needs `include_subdomains = true` and a `max_age` of at least `365d`";
        if let Some(at) = table.value("preload") {
            build.report.error(at, message).hint(hint);
        }
    }
    let mut text = format!("max-age={}", max_age.as_secs());
    text += if subdomains { "; includeSubDomains" } else { "" };
    text += if preload { "; preload" } else { "" };
    Some(text)
}

const ONLY_HTTPS: [&str; 2] = ["hsts", "redirect_http"];
const ONLY_TLS: [&str; 4] = ["certificates", "client_auth", "sni_strict", "tls"];
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
