//! Makes headers.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};

use super::binary::{DATAGRAM, INET, INET6, PROXY, SIGNATURE, STREAM, UNSPEC};
use super::checksum::crc32c;
use super::values::{
    ALPN, AUTHORITY, BY_TLS, CERTIFICATE_IN_SESSION, CERTIFICATE_ON_CONNECTION, CRC32C, SSL, SSL_CIPHER,
    SSL_COMMON_NAME, SSL_VERSION, UNIQUE_ID, UNIQUE_ID_BYTES_MAX,
};
use super::{Ends, HEADER_BYTES_MAX, Ssl, Told, Values};

/// What the client's connection was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Stream,
    /// UDP.
    Datagram,
}

/// The values make the header longer than [`HEADER_BYTES_MAX`]. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Appends a header of version 1, which is for TCP. It has no form for a connection of our own: without addresses it is
/// `UNKNOWN`.
pub fn write_v1(ends: Option<Ends>, out: &mut Vec<u8>) {
    let Some(Ends { source, destination }) = ends else {
        out.extend_from_slice(b"PROXY UNKNOWN\r\n");
        return;
    };
    let ports = (source.port(), destination.port());
    // A vector takes all.
    let _ = match addresses(source.ip(), destination.ip()) {
        Addresses::V4(source, destination) => {
            write!(
                out,
                "PROXY TCP4 {} {} {} {}\r\n",
                IpAddr::from(source),
                IpAddr::from(destination),
                ports.0,
                ports.1
            )
        }
        Addresses::V6(source, destination) => {
            write!(out, "PROXY TCP6 {source} {destination} {} {}\r\n", ports.0, ports.1)
        }
    };
}

/// Appends a header of version 2. Values are written only with addresses. `is_sealed`: with a checksum.
pub fn write_v2(
    told: Told,
    transport: Transport,
    values: &Values<'_>,
    is_sealed: bool,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let start = out.len();
    out.extend_from_slice(SIGNATURE);
    let Told::Ends(ends) = told else {
        let command = if told == Told::Own { 0 } else { PROXY };
        out.extend_from_slice(&[VERSION | command, UNSPEC << 4, 0, 0]);
        return Ok(());
    };
    write_ends(ends, transport, out);
    let written = write_values(values, out).and_then(|()| {
        let place = out.len() + VALUE_HEAD_BYTES;
        if is_sealed { write_value(CRC32C, &[&[0; 4]], out).map(|()| Some(place)) } else { Ok(None) }
    });
    let length = out.len() - start - SIGNATURE.len() - 4;
    let (Ok(place), Ok(length), true) =
        (written, u16::try_from(length), out.len() - start <= HEADER_BYTES_MAX)
    else {
        out.truncate(start);
        return Err(TooLong);
    };
    let at = start + SIGNATURE.len() + 2;
    out[at..at + 2].copy_from_slice(&length.to_be_bytes());
    if let Some(place) = place {
        let sum = crc32c(&out[start..], place - start);
        out[place..place + 4].copy_from_slice(&sum.to_be_bytes());
    }
    Ok(())
}

/// Version, family, a length that is still unknown, and the addresses.
fn write_ends(ends: Ends, transport: Transport, out: &mut Vec<u8>) {
    let transport = match transport {
        Transport::Stream => STREAM,
        Transport::Datagram => DATAGRAM,
    };
    match addresses(ends.source.ip(), ends.destination.ip()) {
        Addresses::V4(source, destination) => {
            out.extend_from_slice(&[VERSION | PROXY, INET << 4 | transport, 0, 0]);
            out.extend_from_slice(&source);
            out.extend_from_slice(&destination);
        }
        Addresses::V6(source, destination) => {
            out.extend_from_slice(&[VERSION | PROXY, INET6 << 4 | transport, 0, 0]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
    }
    out.extend_from_slice(&ends.source.port().to_be_bytes());
    out.extend_from_slice(&ends.destination.port().to_be_bytes());
}

fn write_values(values: &Values<'_>, out: &mut Vec<u8>) -> Result<(), TooLong> {
    let Values { alpn, authority, unique_id, ssl } = *values;
    if let Some(alpn) = alpn {
        write_value(ALPN, &[alpn], out)?;
    }
    if let Some(authority) = authority {
        write_value(AUTHORITY, &[authority.as_bytes()], out)?;
    }
    if let Some(unique_id) = unique_id {
        if unique_id.len() > UNIQUE_ID_BYTES_MAX {
            return Err(TooLong);
        }
        write_value(UNIQUE_ID, &[unique_id], out)?;
    }
    if let Some(ssl) = &ssl {
        let mut parts = Vec::new();
        for (kind, text) in
            [(SSL_VERSION, ssl.version), (SSL_COMMON_NAME, ssl.common_name), (SSL_CIPHER, ssl.cipher)]
        {
            if let Some(text) = text {
                write_value(kind, &[text.as_bytes()], &mut parts)?;
            }
        }
        write_value(SSL, &[&ssl_head(ssl), &parts], out)?;
    }
    Ok(())
}

fn ssl_head(ssl: &Ssl<'_>) -> [u8; 5] {
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    let client = bit(ssl.is_tls, BY_TLS)
        | bit(ssl.has_certificate, CERTIFICATE_ON_CONNECTION)
        | bit(ssl.has_session_certificate, CERTIFICATE_IN_SESSION);
    [client, 0, 0, 0, bit(!ssl.is_verified, 1)]
}

fn write_value(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), TooLong> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u16::try_from(length).map_err(|_| TooLong)?;
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    Ok(())
}

enum Addresses {
    V4([u8; 4], [u8; 4]),
    V6(Ipv6Addr, Ipv6Addr),
}

/// Both in the form of one family: that of IPv6 has a place for IPv4 addresses too.
fn addresses(source: IpAddr, destination: IpAddr) -> Addresses {
    let v6 = |address| match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    match (source.to_canonical(), destination.to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Addresses::V4(source.octets(), destination.octets()),
        (source, destination) => Addresses::V6(v6(source), v6(destination)),
    }
}

const VERSION: u8 = 2 << 4;
const VALUE_HEAD_BYTES: usize = 3;
