//! The protocol of targets, and TLS to targets (TLS5).

use model::{TargetProtocol, TargetTls};

use super::{Build, pattern, tls};
use crate::raw::{Table, Value};

pub(super) fn protocol(table: &Table) -> TargetProtocol {
    match table.text("protocol") {
        Some("https") => TargetProtocol::Https,
        Some("h2c") => TargetProtocol::H2c,
        Some("h2") => TargetProtocol::H2,
        _ => TargetProtocol::Http,
    }
}

pub(super) fn target_tls(table: &Table, build: &mut Build<'_, '_>) -> TargetTls {
    let Some(protocol) = table.value("protocol").filter(|_| protocol(table).is_tls()) else {
        // With an invalid protocol it is unknown which keys have an effect.
        if table.text("protocol").is_some() || !table.has("protocol") {
            build.ineffective(table, "tls", "it is only for `protocol = \"https\"` and `\"h2\"`");
        }
        return TargetTls::default();
    };
    let Some(table) = table.table("tls") else {
        return TargetTls { place: build.place(protocol), ..TargetTls::default() };
    };
    let verifies = table.bool("verify").unwrap_or(true);
    if !verifies {
        build.ineffective(table, "ca", "`verify = false` accepts every certificate");
        if let Some(value) = table.value("verify") {
            let problem = build.report.warning(
                value,
                "certificates are not verified: any server can impersonate the targets of this group",
            );
            problem.hint("set `ca` to the targets' CA instead of `verify = false`");
        }
    }
    if !table.has("cert") {
        build.ineffective(table, "key", "it is for the certificate in `cert`, which is not set");
    }
    TargetTls {
        server_name: table.value("server_name").and_then(|value| server_name(value, build)),
        ca: tls::file(table, "ca", build),
        certificate: tls::certificate_files(table, build),
        verifies,
        place: build.place(table),
    }
}

fn server_name(value: &Value, build: &mut Build<'_, '_>) -> Option<String> {
    let text = value.text()?;
    if text.parse::<std::net::IpAddr>().is_err() && !is_dns_name(text) {
        let message = format!("`{}` is neither a host name nor an IP address", text.escape_debug());
        let hint = if text.is_ascii() {
            "write it without scheme and port, such as `\"app.internal\"` or `\"10.0.0.1\"`"
        } else {
            "write international names in their `xn--` form (punycode)"
        };
        build.report.error(value, message).hint(hint);
    }
    Some(text.to_owned())
}

/// Whether the text is a valid name in certificates and SNI (RFC 6066 §3): its last label is not a number.
fn is_dns_name(text: &str) -> bool {
    let has_hyphens_within = |label: &str| !label.starts_with('-') && !label.ends_with('-');
    let last = text.rsplit('.').next().unwrap_or("");
    pattern::is_host(text)
        && !text.starts_with('[')
        && text.split('.').all(has_hyphens_within)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_dns_name;

    #[test]
    fn only_names_that_are_valid_in_certificates_are_accepted() {
        for (text, expected) in [
            ("app.internal", true),
            ("app", true),
            ("xn--bcher-kva.example", true),
            ("a_b.example", true),
            ("", false),
            (".", false),
            ("app.", false),
            ("-app.internal", false),
            ("app-.internal", false),
            ("10.0.0.256", false),
            ("[::1]", false),
            ("app.internal:443", false),
            ("https://app", false),
            ("*.internal", false),
            ("bücher.example", false),
        ] {
            assert_eq!(is_dns_name(text), expected, "{text}");
        }
    }
}
