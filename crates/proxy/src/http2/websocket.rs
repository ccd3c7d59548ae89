//! The proof of a WebSocket's handshake (RFC 6455 §4.2.2), which HTTP/2 does without and HTTP/1.1 asks for.

use aws_lc_rs::digest;

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
        base64(&nonce, &mut key);
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(&key);
        context.update(GUID);
        let mut accept = [0; 28];
        base64(context.finish().as_ref(), &mut accept);
        Self { key, accept }
    }
}

/// RFC 4648 §4. `out` is as long as it gets.
fn base64(bytes: &[u8], out: &mut [u8]) {
    for (group, text) in bytes.chunks(3).zip(out.chunks_mut(4)) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (place, symbol) in text.iter_mut().enumerate() {
            let index = bits >> (18 - 6 * place) & 63;
            *symbol = if place > group.len() { b'=' } else { SYMBOLS[index as usize] };
        }
    }
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
static SYMBOLS: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
