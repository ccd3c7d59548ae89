//! The fields that tell a target about the client: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! Only a trusted proxy's fields are believed and passed on; those of other clients are removed, aliases with `_` too.

use std::io::Write;
use std::net::IpAddr;

use model::ForwardedHeaders;
use proto::http1::{Known, encode, token};

use crate::arrival::{Arrival, Security, Source};
use crate::head::RequestText;

/// What the fields are made from.
#[derive(Clone, Copy)]
pub(super) struct Forwarder<'a> {
    pub(super) settings: ForwardedHeaders,
    pub(super) arrival: &'a Arrival,
    pub(super) source: Source,
    pub(super) request: RequestText<'a>,
}

impl Forwarder<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if self.settings.x_forwarded {
            self.write_x_forwarded(out);
        }
        if self.settings.forwarded {
            self.write_forwarded(out);
        }
    }

    /// Whether the client's own field of this name is passed on: that of a trusted proxy, if we do not write it ourselves.
    pub(super) fn keeps(&self, known: Known) -> bool {
        let is_written = match known {
            Known::Forwarded => self.settings.forwarded,
            _ => self.settings.x_forwarded,
        };
        self.source.is_trusted && !is_written
    }

    /// The scheme that the client used towards us.
    fn scheme(&self) -> &'static [u8] {
        if matches!(self.arrival.security, Security::Tls(_)) { b"https" } else { b"http" }
    }

    fn write_x_forwarded(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"X-Forwarded-For: ");
        if self.source.is_trusted {
            self.write_list(Known::XForwardedFor, out);
        }
        write_ip(self.arrival.peer.ip(), out);
        let believed = |known| self.source.is_trusted.then(|| self.request.field(known)).flatten();
        out.extend_from_slice(b"\r\nX-Forwarded-Proto: ");
        out.extend_from_slice(believed(Known::XForwardedProto).unwrap_or(self.scheme()));
        if let Some(host) = believed(Known::XForwardedHost).or(self.request.host()) {
            out.extend_from_slice(b"\r\nX-Forwarded-Host: ");
            out.extend_from_slice(host);
        }
        out.extend_from_slice(b"\r\nX-Forwarded-Port: ");
        match believed(Known::XForwardedPort) {
            Some(port) => out.extend_from_slice(port),
            None => encode::write_decimal(out, self.arrival.port.into()),
        }
        out.extend_from_slice(b"\r\n");
    }

    fn write_forwarded(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Forwarded: ");
        if self.source.is_trusted {
            self.write_list(Known::Forwarded, out);
        }
        match self.arrival.peer.ip() {
            IpAddr::V4(_) => {
                out.extend_from_slice(b"for=");
                write_ip(self.arrival.peer.ip(), out);
            }
            IpAddr::V6(address) => {
                // Brackets and colons need quotes (RFC 7239 §6). Writing to a Vec cannot fail.
                let _ = write!(out, "for=\"[{address}]\"");
            }
        }
        if let Some(host) = self.request.host() {
            out.extend_from_slice(b";host=\"");
            out.extend(host.iter().filter(|byte| !matches!(byte, b'"' | b'\\')));
            out.push(b'"');
        }
        out.extend_from_slice(b";proto=");
        out.extend_from_slice(self.scheme());
        out.extend_from_slice(b"\r\n");
    }

    /// The values of the client's fields of this name, as one list that ends with a comma, without empty elements (RFC 9110
    /// §5.6.1.1).
    fn write_list(&self, known: Known, out: &mut Vec<u8>) {
        for field in self.request.head.fields_of(known).filter(|field| !field.value.is_empty()) {
            let value = self.request.text(field.value);
            if known == Known::Forwarded {
                // Its quoted strings may contain commas.
                out.extend_from_slice(value);
                out.extend_from_slice(b", ");
                continue;
            }
            for element in token::list(value) {
                out.extend_from_slice(element);
                out.extend_from_slice(b", ");
            }
        }
    }
}

fn write_ip(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(v4) => encode::write_ipv4(out, v4.octets()),
        // Writing to a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_in_their_usual_form() {
        for text in ["192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::1"] {
            let mut out = Vec::new();
            write_ip(text.parse().unwrap(), &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }
}
