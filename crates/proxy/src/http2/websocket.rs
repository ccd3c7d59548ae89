//! The key and the proof of a WebSocket handshake (RFC 6455 §4.2.2), which HTTP/1.1 requires and HTTP/2 does not have.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A `Sec-WebSocket-Key`, and the `Sec-WebSocket-Accept` that the response to it must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handshake {
    pub(super) key: [u8; 24],
    pub(super) accept: [u8; 28],
}

impl Handshake {
    /// Makes the key from a random `nonce`.
    pub(super) fn new(nonce: [u8; 16]) -> Self {
        let mut key = [0; 24];
        write_base64(&nonce, &mut key);
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(&key);
        context.update(GUID);
        let mut accept = [0; 28];
        write_base64(context.finish().as_ref(), &mut accept);
        Self { key, accept }
    }
}

/// Writes `bytes` as base64 to `out`, which must have exactly the right length.
fn write_base64(bytes: &[u8], out: &mut [u8]) {
    let written = STANDARD.encode_slice(bytes, out);
    debug_assert!(written.is_ok(), "{written:?}");
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_rfc() {
        let handshake = Handshake::new(*b"the sample nonce");
        assert_eq!(handshake.key, *b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(handshake.accept, *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
