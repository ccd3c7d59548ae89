//! Who the client is, and how the target learns it: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! Only a trusted proxy's fields are believed and passed on; anybody else's are removed, aliases with `_` too.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use model::Cidr;
use net::Sys;
use proto::http1::{Known, token};

use super::request::Request;
use crate::connection::Client;

/// Finds the client's address: the nearest one, counted from us, that is not a trusted proxy.
pub(super) fn find_source<S: Sys>(request: &mut Request<S>) {
    let listener = std::rc::Rc::clone(&request.listener);
    let trusted = &listener.plan.http.trusted_proxies;
    // invariant: who passes on a connection without saying whose it is does not speak in it. What it holds is the word
    // of somebody unknown, however trusted the passer.
    if trusted.is_empty() || !request.is_source_known || !is_trusted(trusted, request.peer.ip()) {
        return;
    }
    request.is_trusted = true;
    let (mut source, mut is_known) = (request.peer.ip(), true);
    let lines: Vec<_> =
        request.head().fields_of(Known::XForwardedFor).map(|field| request.text(field.value)).collect();
    'lines: for line in lines.into_iter().rev() {
        for element in line.rsplit(|&byte| byte == b',') {
            let Some(address) = parse_address(token::trim(element)) else {
                is_known = false;
                break 'lines;
            };
            source = address;
            if !is_trusted(trusted, address) {
                break 'lines;
            }
        }
    }
    (request.source, request.is_source_known) = (source, is_known);
}

/// Appends the fields that tell the target about the client.
pub(super) fn write<S: Sys>(request: &Request<S>, client: &Client<S>, out: &mut Vec<u8>) {
    let http = &request.listener.plan.http;
    if http.forwarded.x_forwarded {
        write_x_forwarded(request, client, out);
    }
    if http.forwarded.forwarded {
        write_forwarded(request, out);
    }
}

/// Whether a client's own field of this name is kept: a trusted proxy's, where we do not write it ourselves.
pub(super) fn keeps<S: Sys>(request: &Request<S>, known: Known) -> bool {
    let written = request.listener.plan.http.forwarded;
    match known {
        Known::Forwarded => request.is_trusted && !written.forwarded,
        _ => request.is_trusted && !written.x_forwarded,
    }
}

/// What the client speaks to us.
fn scheme<S: Sys>(request: &Request<S>) -> &'static [u8] {
    if request.secured.is_some() { b"https" } else { b"http" }
}

fn write_x_forwarded<S: Sys>(request: &Request<S>, client: &Client<S>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"X-Forwarded-For: ");
    if request.is_trusted {
        write_list(request, Known::XForwardedFor, out);
    }
    write_ip(request.peer.ip(), out);
    let believed = |known| request.is_trusted.then(|| request.field(known)).flatten();
    out.extend_from_slice(b"\r\nX-Forwarded-Proto: ");
    out.extend_from_slice(believed(Known::XForwardedProto).unwrap_or(scheme(request)));
    let host = request.head().host().map(|span| request.text(span)).filter(|host| !host.is_empty());
    if let Some(host) = believed(Known::XForwardedHost).or(host) {
        out.extend_from_slice(b"\r\nX-Forwarded-Host: ");
        out.extend_from_slice(host);
    }
    out.extend_from_slice(b"\r\nX-Forwarded-Port: ");
    match believed(Known::XForwardedPort) {
        Some(port) => out.extend_from_slice(port),
        None => proto::http1::encode::write_decimal(out, client.port().into()),
    }
    out.extend_from_slice(b"\r\n");
}

fn write_forwarded<S: Sys>(request: &Request<S>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Forwarded: ");
    if request.is_trusted {
        write_list(request, Known::Forwarded, out);
    }
    match request.peer.ip() {
        IpAddr::V4(_) => {
            out.extend_from_slice(b"for=");
            write_ip(request.peer.ip(), out);
        }
        IpAddr::V6(address) => {
            // Brackets and colons need quotes (RFC 7239 §6). Writing to a Vec cannot fail.
            let _ = write!(out, "for=\"[{address}]\"");
        }
    }
    if let Some(host) = request.head().host().map(|span| request.text(span)).filter(|host| !host.is_empty()) {
        out.extend_from_slice(b";host=\"");
        out.extend(host.iter().filter(|byte| !matches!(byte, b'"' | b'\\')));
        out.push(b'"');
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(scheme(request));
    out.extend_from_slice(b"\r\n");
}

/// What came in fields of this name, as one list with a comma behind.
fn write_list<S: Sys>(request: &Request<S>, known: Known, out: &mut Vec<u8>) {
    for field in request.head().fields_of(known).filter(|field| !field.value.is_empty()) {
        out.extend_from_slice(request.text(field.value));
        out.extend_from_slice(b", ");
    }
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

pub(super) fn write_ip(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(v4) => proto::http1::encode::write_ipv4(out, v4.octets()),
        // Writing to a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
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

    #[test]
    fn addresses_are_written_as_everybody_writes_them() {
        for text in ["192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::1"] {
            let mut out = Vec::new();
            write_ip(text.parse().unwrap(), &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }
}
