//! Addresses with ports, and address ranges.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use model::{Cidr, InvalidCidr};

use crate::raw::Value;
use crate::report::Report;

/// Reads `IP:port` or `[IPv6]:port`. `None`: the error was reported.
pub(super) fn socket_address(value: &Value, report: &mut Report<'_>) -> Option<SocketAddr> {
    let text = value.text()?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        let message = format!("`{}` is not an IP address with a port", text.escape_debug());
        report.error(value, message).hint(hint(text));
    }
    parsed
}

/// Reports a path that lacks `unix:`, where the path of a Unix socket may stand. `false`: it is none.
pub(super) fn without_unix(value: &Value, report: &mut Report<'_>) -> bool {
    let Some(text) = value.text().filter(|text| text.starts_with('/') || text.ends_with(".sock")) else {
        return false;
    };
    let shown = text.escape_debug();
    let problem = report.error(value, format!("`{shown}` is not an address with a port"));
    problem.hint(format!("a Unix socket is written `\"unix:{shown}\"`"));
    true
}

/// Reads address ranges in CIDR form.
pub(super) fn ranges(values: &[Value], report: &mut Report<'_>) -> Vec<Cidr> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for value in values {
        let Some(text) = value.text() else { continue };
        match text.parse::<Cidr>() {
            Ok(range) if !seen.insert(range) => {
                report.error(value, format!("`{range}` is listed twice"));
            }
            Ok(range) => found.push(range),
            Err(error) => {
                let message = format!("`{}` is not an address range", text.escape_debug());
                report.error(value, message).hint(range_hint(text, error));
            }
        }
    }
    found
}

fn hint(text: &str) -> String {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let shown = text.escape_debug();
    if let Ok(address) = text.parse::<IpAddr>() {
        return format!("add the port: `\"{}\"`", SocketAddr::new(address, 80));
    }
    if text.contains("://") {
        return "an address and a port only, without a scheme".to_owned();
    }
    if host.is_empty() && port.parse::<u16>().is_ok() {
        return format!(
            "every address of this machine is `\"0.0.0.0:{port}\"` or, with IPv6, `\"[::]:{port}\"`"
        );
    }
    if host.parse::<IpAddr>().is_ok() || host.starts_with('[') {
        return "such as `\"192.0.2.1:80\"` or `\"[2001:db8::1]:80\"`; ports are 0–65535".to_owned();
    }
    if host.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return format!("names such as `{shown}` are not available in this version: write the IP address");
    }
    "such as `\"192.0.2.1:80\"` or `\"[2001:db8::1]:80\"`".to_owned()
}

pub(super) fn range_hint(text: &str, error: InvalidCidr) -> String {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    match error {
        InvalidCidr::Address => "such as `\"10.0.0.0/8\"` or `\"2001:db8::1\"`".to_owned(),
        InvalidCidr::PrefixLength => "the prefix length is 0–32 with IPv4 and 0–128 with IPv6".to_owned(),
        InvalidCidr::HostBits => {
            format!("`{address}` has bits set after the first {length}: did you mean `\"{address}\"`?")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_say_what_to_write() {
        for (text, part) in [
            ("127.0.0.1", "add the port: `\"127.0.0.1:80\"`"),
            ("::1", "add the port: `\"[::1]:80\"`"),
            ("app.example.com:80", "names such as"),
            ("localhost", "names such as"),
            ("http://10.0.0.1:80", "without a scheme"),
            (":8080", "\"0.0.0.0:8080\""),
            ("10.0.0.1:99999", "ports are 0–65535"),
            ("", "such as"),
        ] {
            assert!(hint(text).contains(part), "{text}: {}", hint(text));
        }
    }
}
