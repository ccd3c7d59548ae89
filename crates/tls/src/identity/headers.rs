//! Request headers that tell a target the identity of the client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::IdentityHeaders;

use super::Identity;

/// Appends a line for every configured header. For a client without a certificate, only the header that says so.
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

/// PEM, percent-encoded except letters, digits, `-`, `.`, `_` and `~`.
pub(super) fn write_certificate(der: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"-----BEGIN%20CERTIFICATE-----%0A");
    let mut line = [0; LINE_DIGITS];
    for bytes in der.chunks(LINE_BYTES) {
        // Cannot fail: the line is long enough for these bytes.
        let length = STANDARD.encode_slice(bytes, &mut line).unwrap_or(0);
        for &digit in &line[..length] {
            match digit {
                b'+' => out.extend_from_slice(b"%2B"),
                b'/' => out.extend_from_slice(b"%2F"),
                b'=' => out.extend_from_slice(b"%3D"),
                digit => out.push(digit),
            }
        }
        out.extend_from_slice(b"%0A");
    }
    out.extend_from_slice(b"-----END%20CERTIFICATE-----%0A");
}

const HEX: &[u8; 16] = b"0123456789abcdef";
/// A line of PEM is 64 digits.
const LINE_DIGITS: usize = 64;
const LINE_BYTES: usize = LINE_DIGITS / 4 * 3;
