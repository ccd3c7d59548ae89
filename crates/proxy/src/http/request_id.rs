//! Request ids: one of ours, or that of a trusted proxy.

use balance::Rng;
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
    pub(super) fn new(random: &mut Rng) -> Self {
        let mut id = [0; 32];
        for pair in id.as_chunks_mut::<16>().0 {
            let bits = random.next_u64();
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
    use super::*;

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
