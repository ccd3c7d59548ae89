//! Checks that no two `bind` addresses overlap.

use std::net::SocketAddr;

use super::address::socket_address;
use super::redirect_http;
use crate::raw::{Table, Value};
use crate::report::Report;

/// Reports addresses that overlap, within one listener or between two.
pub(super) fn check(listeners: &[(&str, &Table)], report: &mut Report<'_>) {
    let mut taken: Vec<(SocketAddr, &str, &Value)> = Vec::new();
    for (name, table) in listeners {
        // A wrong address is reported by `addresses`.
        let own = table.list("bind").iter().filter_map(|value| Some((value.text()?.parse().ok()?, value)));
        let redirect = table.value("redirect_http");
        let redirect = redirect.into_iter().flat_map(|value| {
            redirect_http::addresses(table).into_iter().map(move |address| (address, value))
        });
        for (address, value) in own.chain(redirect) {
            if let Some((other, owner, at)) = taken.iter().find(|(other, ..)| overlap(*other, address)) {
                let line = report.line(*at);
                let problem = report.error(value, format!("{address} is already used by listener `{owner}`"));
                problem.hint(format!("line {line} listens on {other}, which overlaps it"));
            }
            taken.push((address, name, value));
        }
    }
}

pub(super) fn addresses(table: &Table, report: &mut Report<'_>) -> Vec<SocketAddr> {
    let Some(value) = table.value("bind") else { return Vec::new() };
    if value.list().is_empty() {
        report.error(value, "`bind` is empty").hint("such as `\"0.0.0.0:8080\"`");
    }
    value.list().iter().filter_map(|value| socket_address(value, report)).collect()
}

/// Whether two addresses overlap. A wildcard overlaps every address of its family, and `[::]` also those of
/// IPv4. Two binds of port 0 get different ports, but they overlap here, because reloads identify a socket by
/// its configured address.
pub(super) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    if one.port() != other.port() || one.port() == 0 {
        return one == other;
    }
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let both = |address: std::net::IpAddr| address.is_unspecified() && address.is_ipv6();
    let same_family = a.is_ipv4() == b.is_ipv4();
    a == b || both(a) || both(b) || (same_family && (a.is_unspecified() || b.is_unspecified()))
}

/// Whether a connection to this target arrives at a listener with this address. A wildcard has every address of this
/// machine, of which the loopback ones are known here.
pub(super) fn reaches(target: SocketAddr, bind: SocketAddr) -> bool {
    let (ip, own) = (target.ip().to_canonical(), bind.ip().to_canonical());
    bind.port() != 0 && overlap(target, bind) && (ip == own || ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_may_be_a_listener() {
        for (target, bind, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("192.0.2.1:80", "192.0.2.1:80", true),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("127.0.0.2:80", "[::]:80", true),
            ("[::1]:80", "[::]:80", true),
            ("[::1]:80", "0.0.0.0:80", false),
            ("127.0.0.1:81", "127.0.0.1:80", false),
            ("127.0.0.1:80", "127.0.0.1:0", false),
            // Another machine may have the same port.
            ("192.0.2.1:80", "0.0.0.0:80", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
        ] {
            assert_eq!(reaches(target.parse().unwrap(), bind.parse().unwrap()), expected, "{target} {bind}");
        }
    }

    #[test]
    fn wildcards_include_specific_addresses() {
        for (one, other, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.2:80", true),
            ("[::]:80", "127.0.0.2:80", true),
            ("[::]:80", "0.0.0.0:80", true),
            ("[::]:80", "[::1]:80", true),
            ("[::1]:80", "0.0.0.0:80", false),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
            ("127.0.0.1:0", "127.0.0.1:0", true),
            ("127.0.0.1:0", "127.0.0.2:0", false),
            ("127.0.0.1:0", "0.0.0.0:0", false),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }
}
