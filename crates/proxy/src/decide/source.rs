//! Finds the client's address behind trusted proxies.

use std::net::{IpAddr, SocketAddr};

use model::Cidr;
use proto::http1::{Known, token};

use crate::arrival::{Arrival, Source};
use crate::head::RequestText;

/// Returns the nearest address, counted from us, that is not a trusted proxy.
pub(crate) fn find_source(trusted: &[Cidr], arrival: &Arrival, request: RequestText<'_>) -> Source {
    let peer = arrival.peer.ip();
    // invariant: a proxy that passes a connection on without a source address is not taken for the client. What such a
    // connection says comes from an unknown client, however trusted the proxy is.
    if trusted.is_empty() || !arrival.is_peer_known || !is_trusted(trusted, peer) {
        return Source { address: peer, is_known: arrival.is_peer_known, is_trusted: false };
    }
    let mut source = Source { address: peer, is_known: true, is_trusted: true };
    let lines: Vec<_> =
        request.head.fields_of(Known::XForwardedFor).map(|field| request.text(field.value)).collect();
    let elements =
        lines.into_iter().rev().flat_map(|line| line.rsplit(|&byte| byte == b',')).map(token::trim);
    // An empty element says nothing (RFC 9110 §5.6.1.2).
    for element in elements.filter(|element| !element.is_empty()) {
        let Some(address) = parse_address(element) else {
            return Source { is_known: false, ..source };
        };
        source.address = address;
        if !is_trusted(trusted, address) {
            break;
        }
    }
    source
}

fn is_trusted(trusted: &[Cidr], address: IpAddr) -> bool {
    trusted.iter().any(|range| range.contains(address))
}

/// An address as it stands in `X-Forwarded-For`: bare, in brackets, or with a port.
fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address: IpAddr = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(bare) => bare.parse().ok()?,
        None => text.parse().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_the_forms_that_proxies_write() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:4711", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("[2001:db8::1]garbage", None),
            ("[2001:db8::1]4711", None),
            ("[2001:db8::1]:", None),
            ("[2001:db8::1", None),
            ("[[2001:db8::1]:4711]", None),
            ("unknown", None),
            ("", None),
            ("192.0.2.1, 192.0.2.2", None),
        ] {
            assert_eq!(parse_address(text.as_bytes()), expected.map(|ip| ip.parse().unwrap()), "{text}");
        }
    }
}
