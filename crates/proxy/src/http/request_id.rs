//! Request ids: one of ours, or that of a trusted proxy.

use proto::http1::{Known, Span};

use crate::head::RequestText;

#[derive(Clone, Copy, Debug)]
pub(super) enum RequestId {
    /// 32 hexadecimal digits.
    Own([u8; 32]),
    /// A trusted proxy's, within the head.
    Theirs(Span),
}

impl RequestId {
    /// `nonce` is unique and hard to guess: clients, targets and logs get it.
    pub(super) fn new(nonce: u128) -> Self {
        let mut id = [0; 32];
        for (pair, bits) in id.as_chunks_mut::<16>().0.iter_mut().zip([nonce as u64, (nonce >> 64) as u64]) {
            let [low, high] = [bits as u32, (bits >> 32) as u32].map(|half| u128::from(hex(half)));
            *pair = (low | high << 64).to_le_bytes();
        }
        Self::Own(id)
    }

    /// The id that a trusted proxy sent, if it can stand in a log and a field.
    pub(super) fn of_proxy(request: RequestText<'_>) -> Option<Self> {
        let span = request.head.fields_of(Known::XRequestId).next().map(|field| field.value)?;
        let is_good =
            (1..=ID_BYTES_MAX).contains(&span.len()) && request.text(span).iter().all(u8::is_ascii_graphic);
        is_good.then_some(Self::Theirs(span))
    }

    /// `head` holds the bytes of the request's head.
    pub(super) fn text<'a>(&'a self, head: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Own(id) => id,
            Self::Theirs(span) => span.of(head),
        }
    }
}

/// Eight hexadecimal digits, one per byte, made at once: a loop over 32 of them would be measurable.
fn hex(bits: u32) -> u64 {
    let each = |byte: u64| byte * 0x0101_0101_0101_0101;
    let mut digits = u64::from(bits);
    for (shift, kept) in [(16, 0x0000_ffff_0000_ffff), (8, 0x00ff_00ff_00ff_00ff), (4, each(0x0f))] {
        digits = (digits | digits << shift) & kept;
    }
    let is_letter = (digits + each(6)) >> 4 & each(1);
    digits + each(b'0'.into()) + is_letter * u64::from(b'a' - b'0' - 10)
}

// limit: bytes of a request id that is believed.
const ID_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::fixture::Request;
    use crate::nonces::{NonceKey, Nonces};

    #[test]
    fn our_own_ids_are_32_hexadecimal_digits_and_differ() {
        let mut nonces = Nonces::new(&NonceKey::fixed(7), 0).unwrap();
        let mut seen = HashSet::new();
        for _ in 0..1_000 {
            let id = RequestId::new(nonces.next());
            let text = id.text(b"not from the head").to_vec();
            assert_eq!(text.len(), 32);
            assert!(text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{text:?}");
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn a_proxys_id_is_believed_if_it_can_stand_in_a_log_and_a_field() {
        let (longest, too_long) = ("x".repeat(128), "x".repeat(129));
        for (fields, expected) in [
            ("X-Request-Id: a-B_9/~!", Some("a-B_9/~!")),
            ("x-request-id:  a ", Some("a")),
            (&format!("X-Request-Id: {longest}"), Some(&*longest)),
            (&format!("X-Request-Id: {too_long}"), None),
            ("X-Request-Id: a\nX-Request-Id: b", Some("a")),
            ("X-Request-Id:\nX-Request-Id: b", None),
            ("X-Request-Id: a b", None),
            ("X-Request-Id: a\tb", None),
            ("X-Request-Id: \u{e9}", None),
            ("X-Request-Id:", None),
            ("X_Request_Id: a", None),
            ("X: 1", None),
        ] {
            let request = Request::new(&format!("GET / HTTP/1.1\nHost: a\n{fields}"));
            let id = RequestId::of_proxy(request.text());
            let text = id.as_ref().map(|id| id.text(request.text().bytes));
            assert_eq!(text, expected.map(str::as_bytes), "{fields}");
        }
    }

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for bits in [0, 1, 0x0123_4567, 0x89ab_cdef, 0xa0b1_c2d3, u32::MAX] {
            let mut digits = hex(bits).to_le_bytes();
            // The lowest digit comes first, which does not matter for a random number.
            digits.reverse();
            assert_eq!(String::from_utf8_lossy(&digits), format!("{bits:08x}"));
        }
    }
}
