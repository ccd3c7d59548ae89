//! Request headers that tell a target who the client is.

use model::IdentityHeaders;

use super::Identity;

/// Appends a line for every header that is configured; of a client without a certificate, only that it has none.
pub fn write_headers(identity: Option<&Identity>, headers: &IdentityHeaders, out: &mut Vec<u8>) {
    if let Some(identity) = identity {
        line(&headers.subject, out, |out| out.extend_from_slice(identity.subject.as_bytes()));
        line(&headers.san, out, |out| out.extend_from_slice(identity.sans.join(", ").as_bytes()));
        line(&headers.serial, out, |out| out.extend_from_slice(identity.serial.as_bytes()));
        line(&headers.fingerprint, out, |out| write_hex(&identity.fingerprint, out));
        line(&headers.certificate, out, |out| identity.write_certificate(out));
    }
    let verify: &[u8] = if identity.is_some() { b"SUCCESS" } else { b"NONE" };
    line(&headers.verify, out, |out| out.extend_from_slice(verify));
}

fn line(name: &Option<String>, out: &mut Vec<u8>, write_value: impl FnOnce(&mut Vec<u8>)) {
    let Some(name) = name else { return };
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    write_value(out);
    out.extend_from_slice(b"\r\n");
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// PEM, percent-encoded but for letters, digits, `-`, `.`, `_` and `~`.
pub(super) fn write_certificate(der: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"-----BEGIN%20CERTIFICATE-----%0A");
    for bytes in der.chunks(LINE_BYTES) {
        for group in bytes.chunks(3) {
            write_base64(group, out);
        }
        out.extend_from_slice(b"%0A");
    }
    out.extend_from_slice(b"-----END%20CERTIFICATE-----%0A");
}

fn write_base64(group: &[u8], out: &mut Vec<u8>) {
    let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    for index in 0..4 {
        if index > group.len() {
            out.extend_from_slice(b"%3D");
            continue;
        }
        match BASE64[(bits >> (18 - 6 * index) & 63) as usize] {
            b'+' => out.extend_from_slice(b"%2B"),
            b'/' => out.extend_from_slice(b"%2F"),
            digit => out.push(digit),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// A line of PEM is 64 characters.
const LINE_BYTES: usize = 48;
