//! The TLS versions and cipher suites that a listener offers, and the reasons why others are refused.

use std::collections::HashSet;

use model::{CipherSuite, TlsVersion};

use super::Build;
use crate::near::nearest;
use crate::raw::{Data, Table, Value};

/// The oldest version, and the suites in the order of preference.
pub(super) fn offered(table: Option<&Table>, build: &mut Build<'_, '_>) -> (TlsVersion, Vec<CipherSuite>) {
    let written = table.and_then(|table| table.value("min_version"));
    let min_version = written.and_then(|value| version(value, build)).unwrap_or(TlsVersion::Tls12);
    let suites = match table.and_then(|table| table.value("cipher_suites")) {
        Some(value) => suites(value, min_version, build),
        None => CipherSuite::ALL.into_iter().filter(|suite| suite.version() >= min_version).collect(),
    };
    (min_version, suites)
}

fn version(value: &Value, build: &mut Build<'_, '_>) -> Option<TlsVersion> {
    let text = value.text()?;
    match text {
        "1.2" => return Some(TlsVersion::Tls12),
        "1.3" => return Some(TlsVersion::Tls13),
        _ => {}
    }
    let shown = text.escape_debug();
    let number = text.to_ascii_lowercase().replace(['_', ' '], "");
    let problem = match OLD_VERSIONS.iter().find(|(names, _)| names.contains(&number.as_str())) {
        Some((_, why)) => build.report.error(value, format!("`min_version = \"{shown}\"` is refused: {why}")),
        None => build.report.error(value, format!("`{shown}` is not a version of TLS")),
    };
    problem.hint("`\"1.2\"` or `\"1.3\"`");
    None
}

fn suites(list: &Value, min_version: TlsVersion, build: &mut Build<'_, '_>) -> Vec<CipherSuite> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for value in list.list() {
        let Some(text) = value.text() else { continue };
        let Some(suite) = CipherSuite::ALL.into_iter().find(|suite| suite.name() == text) else {
            unknown(value, text, build);
            continue;
        };
        if !seen.insert(suite) {
            build.report.error(value, format!("`{text}` is listed twice"));
        } else if suite.version() < min_version {
            let problem = build.report.error(value, format!("`{text}` has no effect here"));
            problem.hint("it is a suite of TLS 1.2, and `min_version` is `\"1.3\"`");
        }
        found.push(suite);
    }
    if matches!(&list.data, Data::List(values) if values.is_empty()) {
        let problem = build.report.error(list, "`cipher_suites` is empty");
        problem.hint("leave it out to offer all supported suites");
    }
    found
}

fn unknown(value: &Value, text: &str, build: &mut Build<'_, '_>) {
    let shown = text.escape_debug();
    let names = || CipherSuite::ALL.into_iter().map(CipherSuite::name);
    let upper = text.to_ascii_uppercase().replace('-', "_");
    let same = names().find(|name| bare(name).starts_with(&bare(&upper)) && bare(&upper).len() >= BARE_MIN);
    let near = same.or_else(|| nearest(&upper, names())).map(|near| format!("did you mean `{near}`?"));
    let (message, hint) = match why_refused(&upper) {
        Some(why) if same.is_none() => (format!("`{shown}` is refused: {why}"), None),
        _ => (format!("`{shown}` is not a supported cipher suite"), near),
    };
    let hint = hint.unwrap_or_else(|| "such as `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`".to_owned());
    build.report.error(value, message).hint(hint);
}

/// The part that the IANA and OpenSSL names of a suite have in common.
fn bare(name: &str) -> String {
    name.trim_start_matches("TLS_").replace("_WITH_", "").replace('_', "")
}

/// Why a suite is refused. `name` is its IANA or OpenSSL name, in upper case with `_`.
fn why_refused(name: &str) -> Option<&'static str> {
    let has = |part: &str| name.split('_').any(|piece| piece == part);
    let found = |parts: &[&str]| parts.iter().any(|part| has(part));
    let is_aead = found(&["GCM", "CCM", "CCM8", "POLY1305"]);
    let starts = |fronts: &[&str]| fronts.iter().any(|front| name.starts_with(front));
    let reason = if found(&["EXPORT", "EXP", "EXPORT1024", "DES40", "RC4_40"]) {
        "export suites have keys that are trivial to break"
    } else if found(&["NULL"]) {
        "NULL suites encrypt nothing"
    } else if found(&["ANON", "ADH", "AECDH"]) {
        "without authentication any server can impersonate this one"
    } else if found(&["RC4"]) {
        "RC4 is broken (RFC 7465)"
    } else if found(&["3DES", "DES", "CBC3", "IDEA", "RC2"]) {
        "3DES, DES, IDEA and RC2 have blocks of 64 bits, which repeat (SWEET32)"
    } else if starts(&["TLS_RSA_WITH_", "SSL_RSA_", "AES128_", "AES256_", "CAMELLIA", "RSA_"]) {
        "RSA key exchange has no forward secrecy: a stolen key decrypts recorded traffic"
    } else if found(&["CBC"]) || (starts(&["ECDHE_", "DHE_", "ECDH_", "DH_"]) && !is_aead) {
        "CBC suites leak through timing and padding (Lucky Thirteen)"
    } else if found(&["DHE", "EDH"]) {
        "finite-field DHE is slow and often weak; use ECDHE"
    } else if found(&["ECDH", "DH"]) {
        "static Diffie-Hellman has no forward secrecy"
    } else {
        return None;
    };
    Some(reason)
}

const OLD_VERSIONS: &[(&[&str], &str)] = &[
    (
        &["1.0", "1", "tls1", "tls1.0", "tlsv1", "tlsv1.0"],
        "TLS 1.0 is deprecated and depends on MD5 and SHA-1 (RFC 8996)",
    ),
    (&["1.1", "tls1.1", "tlsv1.1"], "TLS 1.1 is deprecated and depends on MD5 and SHA-1 (RFC 8996)"),
    (&["3.0", "sslv3", "sslv3.0", "ssl3", "ssl3.0"], "SSL 3.0 is broken (RFC 7568)"),
    (&["2.0", "sslv2", "sslv2.0", "ssl2", "ssl2.0"], "SSL 2.0 is broken (RFC 6176)"),
];
/// Shorter parts of a name are ambiguous.
const BARE_MIN: usize = "ECDHERSAAES128GCM".len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_suites_are_refused_with_the_reason() {
        for (name, part) in [
            ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", "export"),
            ("EXP_RC4_MD5", "export"),
            ("TLS_ECDHE_RSA_WITH_NULL_SHA", "NULL"),
            ("TLS_DH_ANON_WITH_AES_128_GCM_SHA256", "authentication"),
            ("TLS_ECDHE_RSA_WITH_RC4_128_SHA", "RC4"),
            ("RC4_SHA", "RC4"),
            ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "3DES"),
            ("DES_CBC3_SHA", "3DES"),
            ("TLS_RSA_WITH_AES_128_GCM_SHA256", "RSA key exchange"),
            ("AES256_GCM_SHA384", "RSA key exchange"),
            ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "CBC"),
            ("ECDHE_RSA_AES256_SHA384", "CBC"),
            ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE"),
            ("TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", "static"),
        ] {
            let why = why_refused(name).unwrap_or_else(|| panic!("{name}"));
            assert!(why.contains(part), "{name}: {why}");
        }
    }

    #[test]
    fn supported_suites_are_never_refused() {
        for suite in CipherSuite::ALL {
            assert_eq!(why_refused(suite.name()), None, "{suite:?}");
        }
        assert_eq!(why_refused("TLS_ECDHE_ECDSA_WITH_AES_128_CCM"), None, "unsupported, but not weak");
    }
}
