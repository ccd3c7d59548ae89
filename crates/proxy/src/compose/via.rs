//! `Via`: the names of the proxies that passed a message on (RFC 9110 §7.6.3).

use proto::http1::Version;

/// Appends our name, if the listener has one, with the version in which the message came.
pub(super) fn write(name: Option<&str>, version: Version, is_http2: bool, out: &mut Vec<u8>) {
    let Some(name) = name else { return };
    let version: &[u8] = match version {
        Version::Http11 if is_http2 => b"Via: 2 ",
        Version::Http10 => b"Via: 1.0 ",
        Version::Http11 => b"Via: 1.1 ",
    };
    for part in [version, name.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
}
