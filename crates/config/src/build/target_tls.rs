//! The protocol of targets, and TLS to targets (TLS5).

use model::{Listener, TargetProtocol, TargetTls};

use super::{Build, pattern, tls};
use crate::raw::{Table, Value};

/// The protocol of a group, which is that of the listeners that forward to it where it is not written.
pub(super) fn protocol(
    name: &str,
    table: &Table,
    listeners: &[Listener],
    build: &mut Build<'_, '_>,
) -> TargetProtocol {
    let forwards =
        |listener: &Listener| super::actions(listener).flat_map(super::group_names).any(|to| to == name);
    let of_kind = |is_tcp: bool| {
        let found =
            listeners.iter().find(|listener| listener.service.is_tcp() == is_tcp && forwards(listener));
        found.map(|listener| listener.name.as_str())
    };
    let Some(value) = table.value("protocol") else {
        let (Some(tcp), http) = (of_kind(true), of_kind(false)) else { return TargetProtocol::Http };
        if let Some(http) = http {
            let message =
                format!("listener `{tcp}` forwards TCP connections to `{name}`, and listener `{http}` HTTP");
            build
                .report
                .error(table, message)
                .hint("each needs a group of its own; both may have the same targets");
        }
        return TargetProtocol::Tcp;
    };
    let word = value.text().unwrap_or_default();
    let wrong = of_kind(word != "tcp").filter(|_| value.text().is_some());
    if let Some(listener) = wrong {
        let kind = if word == "tcp" { "serves HTTP" } else { "passes TCP connections on" };
        let message =
            format!("target group `{name}` has `protocol = \"{word}\"`, and listener `{listener}` {kind}");
        build.report.error(value, message).hint("without `protocol` a group has that of its listeners; each kind of them needs a group of its own");
    }
    match word {
        "https" => TargetProtocol::Https,
        "h2c" => TargetProtocol::H2c,
        "h2" => TargetProtocol::H2,
        "tcp" => TargetProtocol::Tcp,
        _ => TargetProtocol::Http,
    }
}

pub(super) fn target_tls(table: &Table, protocol: TargetProtocol, build: &mut Build<'_, '_>) -> TargetTls {
    let Some(protocol) = table.value("protocol").filter(|_| protocol.is_tls()) else {
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
