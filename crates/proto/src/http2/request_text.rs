//! Converts a client's request to text (RFC 9113 §8.3.1, RFC 8441).

use http::{Uri, header, request};

use super::{Framing, Malformed, is_of_connection, malformed, value_of, write_field};
use crate::http1::{Known, is_same_host, token};

/// The parts of a request outside its head.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `:protocol` of an extended CONNECT.
    pub protocol: Option<&'a str>,
    /// The stream ended with the head.
    pub ends: bool,
    /// `Sec-WebSocket-Key` for a target that speaks HTTP/1.1: HTTP/2 has none.
    pub key: &'a [u8],
    /// How many fields the listener accepts.
    pub fields_count: u16,
}

/// Why a request cannot be written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Malformed(Malformed),
    /// An extended CONNECT to an unknown protocol: 501 (RFC 9220 §3).
    Protocol,
}

/// Appends the head of a request as HTTP/1.1. Anything that the strict parser refuses is left to it: it knows the
/// status, and the refusal is then logged as usual.
///
/// # Errors
/// A request that has no meaning in HTTP/2, or an ambiguous one.
pub fn write_request(head: &request::Parts, asked: Asked<'_>, out: &mut Vec<u8>) -> Result<Framing, Refused> {
    let is_connect = head.method == http::Method::CONNECT;
    let is_tunnel = match asked.protocol {
        Some(_) if !is_connect => return refuse(":protocol without CONNECT"),
        Some(protocol) if !protocol.eq_ignore_ascii_case("websocket") => return Err(Refused::Protocol),
        Some(_) if asked.ends => return refuse("a WebSocket that ends with its head"),
        protocol => protocol.is_some(),
    };
    let authority = authority_of(&head.uri)?;
    if is_connect && authority.is_none() {
        // RFC 9113 §8.5.
        return refuse("CONNECT without :authority");
    }
    if is_connect && !is_tunnel {
        // The parser answers it as any CONNECT, by its first line.
        write_connect(authority, out);
        return Ok(Framing::None);
    }
    out.extend_from_slice(if is_tunnel { b"GET" } else { head.method.as_str().as_bytes() });
    out.push(b' ');
    out.extend_from_slice(target_of(head)?);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(authority) = authority {
        write_field(out, b"Host", authority);
    }
    let framing = write_fields(head, asked, authority, is_tunnel, out)?;
    if is_tunnel {
        out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: websocket\r\n");
        write_field(out, b"Sec-WebSocket-Key", asked.key);
    }
    if framing == Framing::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(framing)
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

fn refuse<T>(detail: &'static str) -> Result<T, Refused> {
    Err(Refused::Malformed(Malformed { detail }))
}

/// Checks `:authority`, and that `:scheme` is supported. Without an authority a [`Uri`] does not keep the scheme.
fn authority_of(uri: &Uri) -> Result<Option<&[u8]>, Malformed> {
    if uri
        .scheme()
        .is_some_and(|scheme| *scheme != http::uri::Scheme::HTTP && *scheme != http::uri::Scheme::HTTPS)
    {
        return malformed(":scheme is neither http nor https");
    }
    let Some(authority) = uri.authority() else { return Ok(None) };
    let bytes = authority.as_str().as_bytes();
    if memchr::memchr(b'@', bytes).is_some() {
        return malformed("userinfo in :authority");
    }
    Ok(Some(bytes))
}

/// `:path`. Its type excludes control bytes and spaces.
fn target_of(head: &request::Parts) -> Result<&[u8], Malformed> {
    if head.uri.path().is_empty() {
        return malformed("no :path");
    }
    match head.uri.path_and_query().map(|path| path.as_str().as_bytes()) {
        Some(path @ [b'/', ..]) => Ok(path),
        Some(b"*") if head.method == http::Method::OPTIONS => Ok(b"*"),
        _ => malformed(":path does not begin with a slash"),
    }
}

fn write_connect(authority: Option<&[u8]>, out: &mut Vec<u8>) {
    let authority = authority.unwrap_or_default();
    out.extend_from_slice(b"CONNECT ");
    out.extend_from_slice(authority);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_field(out, b"Host", authority);
    out.extend_from_slice(b"\r\n");
}

fn write_fields(
    head: &request::Parts,
    asked: Asked<'_>,
    authority: Option<&[u8]>,
    is_tunnel: bool,
    out: &mut Vec<u8>,
) -> Result<Framing, Malformed> {
    // If there are too many cookie fields they stay apart, so that the parser counts them.
    let joins = head.headers.len() <= usize::from(asked.fields_count);
    let (mut is_in_cookie, mut length, mut hosts) = (false, None, 0);
    let default_port = if head.uri.scheme() == Some(&http::uri::Scheme::HTTP) { 80 } else { 443 };
    for (name, value) in &head.headers {
        let (name_bytes, value) = (name.as_str().as_bytes(), value_of(value)?);
        match Known::of(name_bytes) {
            known if is_of_connection(known) => return malformed("a field of the connection"),
            // With an authority, the host is already written.
            Known::Host if authority.is_some_and(|other| !is_same_host(other, value, default_port)) => {
                return malformed("Host contradicts :authority");
            }
            Known::Host => {
                hosts += 1;
                match authority {
                    // The parser refuses several.
                    None => write_field(out, name_bytes, value),
                    Some(_) if hosts > 1 => return malformed("several host fields"),
                    Some(_) => {}
                }
            }
            Known::Te if token::eq_ignore_case(value, b"trailers") => {
                out.extend_from_slice(b"Connection: TE\r\nTE: trailers\r\n");
            }
            Known::Te => return malformed("TE other than trailers"),
            // The cookie fields are adjacent in the map (RFC 9113 §8.2.3).
            Known::Cookie if is_in_cookie && joins => {
                out.truncate(out.len() - 2);
                for part in [b"; ", value, b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
            Known::Cookie => {
                is_in_cookie = true;
                write_field(out, name_bytes, value);
            }
            Known::ContentLength if length.is_some() => return malformed("several content-length fields"),
            Known::ContentLength => {
                length = Some(read_length(value, asked.ends, is_tunnel)?);
                write_field(out, name_bytes, value);
            }
            _ if is_tunnel && *name == header::SEC_WEBSOCKET_KEY => {}
            _ => write_field(out, name_bytes, value),
        }
    }
    Ok(match length {
        _ if is_tunnel => Framing::Raw,
        _ if asked.ends => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    })
}

fn read_length(value: &[u8], ends: bool, is_tunnel: bool) -> Result<u64, Malformed> {
    match token::number(value) {
        _ if is_tunnel => malformed("content-length of a tunnel"),
        None => malformed("content-length is not a number"),
        Some(length) if ends && length > 0 => malformed("content-length of a stream that has ended"),
        Some(length) => Ok(length),
    }
}
