//! The proof of a WebSocket's handshake (RFC 6455 §4.2.2), which HTTP/2 does without and HTTP/1.1 asks for.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// `Sec-WebSocket-Key`, and what `Sec-WebSocket-Accept` must answer to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handshake {
    pub(super) key: [u8; 24],
    pub(super) accept: [u8; 28],
}

impl Handshake {
    /// `nonce` is random.
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

/// `out` is as long as the digits of `bytes`, so that this cannot fail.
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
