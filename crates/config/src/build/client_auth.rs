//! Client certificates (MT1–MT3).

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::PathBuf;

use model::{ClientAuth, ExpiredCrl, IdentityHeaders, IdentityPattern};

use super::{Build, edits, pattern, tls};
use crate::raw::{Data, Table, Value};

/// `None` for `mode = "off"`.
pub(super) fn client_auth(table: &Table, build: &mut Build<'_, '_>) -> Option<ClientAuth> {
    let mode = table.text("mode")?;
    if mode == "off" {
        for entry in table.entries.iter().filter(|entry| entry.name != "mode") {
            build.ineffective(table, &entry.name, "`mode = \"off\"` asks for no certificate");
        }
        return None;
    }
    if !table.has("ca") {
        let problem = build.report.error(table, format!("`mode = \"{mode}\"` needs `ca`"));
        problem
            .hint("a file with the CA certificates that issue client certificates: `ca = \"clients.pem\"`");
    }
    if !table.has("crl") {
        for name in ["expired_crl", "close_revoked"] {
            build.ineffective(table, name, "it needs `crl`, which is not set");
        }
    }
    let (crl, allow) = (crl(table, build), allow(table, build));
    let headers = table.table("headers").map(|table| headers(table, build)).unwrap_or_default();
    Some(ClientAuth {
        is_required: mode == "required",
        ca: tls::file(table, "ca", build)?,
        crl,
        depth: table.integer("depth").unwrap_or(DEPTH),
        expired_crl: match table.text("expired_crl") {
            Some("warn") => ExpiredCrl::Warn,
            _ => ExpiredCrl::Fail,
        },
        closes_revoked: table.bool("close_revoked").unwrap_or(false),
        allow,
        headers,
        place: build.place(table),
    })
}

fn crl(table: &Table, build: &mut Build<'_, '_>) -> Vec<PathBuf> {
    not_empty(table, "crl", "leave it out if nothing is revoked", build);
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for value in table.list("crl") {
        let Some(path) = build.file(value) else { continue };
        if !seen.insert(path.clone()) {
            build.report.error(value, "this file is listed twice");
        }
        found.push(path);
    }
    found
}

fn allow(table: &Table, build: &mut Build<'_, '_>) -> Vec<IdentityPattern> {
    not_empty(table, "allow", "leave it out to allow every valid certificate", build);
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for value in table.list("allow") {
        let Some(text) = value.text() else { continue };
        match identity(text) {
            Ok(pattern) if !seen.insert(format!("{pattern:?}")) => {
                build.report.error(value, "this entry is listed twice");
            }
            Ok(pattern) => found.push(pattern),
            Err(hint) => {
                let message = format!("`{}` is not an identity", text.escape_debug());
                build.report.error(value, message).hint(hint);
            }
        }
    }
    found
}

fn not_empty(table: &Table, name: &str, hint: &str, build: &mut Build<'_, '_>) {
    if let Some(value) = table.value(name)
        && matches!(&value.data, Data::List(values) if values.is_empty())
    {
        build.report.error(value, format!("`{name}` is empty")).hint(hint);
    }
}

/// The pattern, or what to write.
fn identity(text: &str) -> Result<IdentityPattern, &'static str> {
    let (kind, rest) = text.split_once('=').unwrap_or(("", text));
    match kind {
        "subject" if rest.contains('=') && rest.trim() == rest && !rest.starts_with('/') => {
            Ok(IdentityPattern::Subject(rest.to_owned()))
        }
        "subject" => Err(
            "such as `subject=CN=alice,O=Example`, as `openssl x509 -noout -subject -nameopt RFC2253` prints it",
        ),
        "san" => alternative_name(rest).map(IdentityPattern::San),
        "fingerprint" => fingerprint(rest).map(IdentityPattern::Fingerprint),
        _ => Err("an identity begins with `subject=`, `san=` or `fingerprint=`"),
    }
}

fn alternative_name(text: &str) -> Result<String, &'static str> {
    let (kind, name) = text.split_once(':').unwrap_or(("", text));
    let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    match kind {
        "DNS" if pattern::is_host(name.strip_prefix("*.").unwrap_or(name)) => Ok(text.to_owned()),
        "DNS" => Err("such as `san=DNS:alice.example`; international names in their `xn--` form"),
        "IP" => match name.parse::<IpAddr>() {
            Ok(address) => Ok(format!("IP:{address}")),
            Err(_) => Err("such as `san=IP:192.0.2.7` or `san=IP:2001:db8::7`"),
        },
        "email" if is_plain && name.contains('@') => Ok(text.to_owned()),
        "email" => Err("such as `san=email:alice@example.com`"),
        "URI" if is_plain && name.contains(':') => Ok(text.to_owned()),
        "URI" => Err("such as `san=URI:spiffe://example.com/alice`"),
        _ => Err("an alternative name begins with `DNS:`, `email:`, `URI:` or `IP:`"),
    }
}

fn fingerprint(text: &str) -> Result<[u8; 32], &'static str> {
    let digits: String = text.chars().filter(|c| *c != ':').take(FINGERPRINT_DIGITS + 1).collect();
    if digits.len() != FINGERPRINT_DIGITS {
        return Err("64 hexadecimal digits: `openssl x509 -noout -fingerprint -sha256` prints them");
    }
    let mut found = [0; 32];
    for (byte, pair) in found.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'));
        let Some(value) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) else {
            return Err("a fingerprint has hexadecimal digits and colons only");
        };
        *byte = value;
    }
    Ok(found)
}

fn headers(table: &Table, build: &mut Build<'_, '_>) -> IdentityHeaders {
    let mut seen = HashSet::new();
    let mut header = |name: &str| header(table.value(name)?, &mut seen, build);
    IdentityHeaders {
        subject: header("subject"),
        san: header("san"),
        serial: header("serial"),
        fingerprint: header("fingerprint"),
        certificate: header("certificate"),
        verify: header("verify"),
    }
}

fn header(value: &Value, seen: &mut HashSet<String>, build: &mut Build<'_, '_>) -> Option<String> {
    let name = value.text()?;
    let lower = name.to_ascii_lowercase().replace('_', "-");
    edits::check_name(name, value, build.report);
    if edits::is_reserved(&lower) || TAKEN.contains(&lower.as_str()) {
        let problem = build
            .report
            .error(value, format!("`{}` is a standard header with another meaning", name.escape_debug()));
        problem.hint("this header is removed from clients' requests: choose a name that nothing else uses");
    } else if !seen.insert(lower) {
        let problem = build.report.error(value, format!("`{}` is listed twice", name.escape_debug()));
        problem.hint("header names are compared without case, and `_` counts as `-`");
    }
    Some(name.to_owned())
}

/// Headers with a meaning for targets. The header is removed from clients' requests, so these names cannot be
/// used.
const TAKEN: [&str; 12] = [
    "accept-encoding",
    "authorization",
    "content-encoding",
    "content-type",
    "cookie",
    "expect",
    "host",
    "origin",
    "range",
    "user-agent",
    "via",
    "x-real-ip",
];
/// The default depth: an organisation's CA, an issuing CA, and one to spare.
const DEPTH: u8 = 3;
const FINGERPRINT_DIGITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_read() {
        let digits = "0aF".repeat(21) + "0";
        let colons: Vec<_> = digits.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair)).collect();
        let expected = fingerprint(&digits).unwrap();
        assert_eq!((expected[0], expected[1]), (0x0a, 0xf0));
        let text = |text: &str| text.to_owned();
        for (written, expected) in [
            (text("subject=CN=alice,O=Example"), IdentityPattern::Subject(text("CN=alice,O=Example"))),
            (text("san=DNS:Alice.example"), IdentityPattern::San(text("DNS:Alice.example"))),
            (text("san=DNS:*.example"), IdentityPattern::San(text("DNS:*.example"))),
            (text("san=IP:2001:DB8::0:7"), IdentityPattern::San(text("IP:2001:db8::7"))),
            (text("san=email:a@b.example"), IdentityPattern::San(text("email:a@b.example"))),
            (text("san=URI:spiffe://x/a"), IdentityPattern::San(text("URI:spiffe://x/a"))),
            (format!("fingerprint={digits}"), IdentityPattern::Fingerprint(expected)),
            (format!("fingerprint={}", colons.join(":")), IdentityPattern::Fingerprint(expected)),
        ] {
            assert_eq!(identity(&written), Ok(expected), "{written}");
        }
    }

    #[test]
    fn invalid_identities_are_refused() {
        for text in [
            "",
            "alice",
            "CN=alice",
            "subject=alice",
            "subject=/CN=alice",
            "subject= CN=alice",
            "san=alice.example",
            "san=DNS:",
            "san=DNS:ä.example",
            "san=IP:192.0.2.7/24",
            "san=email:alice",
            "san=URI:",
            "san=dns:alice.example",
            "fingerprint=",
            "fingerprint=00:11",
            &format!("fingerprint={}", "0g".repeat(32)),
            &format!("fingerprint={}", "+1".repeat(32)),
            &format!("fingerprint={}", "00".repeat(33)),
            &format!("fingerprint={}", "é".repeat(32)),
        ] {
            assert!(identity(text).is_err(), "{text}");
        }
    }
}
