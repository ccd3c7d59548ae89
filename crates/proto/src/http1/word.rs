//! Scans eight bytes at a time, in safe code. Used for lines, targets, names and paths.
//!
//! A mark function sets the top bit of every byte of a word that it looks for. Marks made by subtraction borrow from
//! the byte above, so only the lowest mark is exact; [`find`] uses only that one. Where marks are combined with `&`,
//! use [`equal_exact`].

/// The same byte eight times.
pub(super) const fn splat(byte: u8) -> u64 {
    0x0101_0101_0101_0101 * byte as u64
}

/// Marks bytes less than `bound` (at most 128); the lowest mark is exact.
#[inline]
pub(super) const fn less(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(splat(bound)) & !word & HIGH
}

/// Marks bytes equal to `byte`; the lowest mark is exact.
#[inline]
pub(super) const fn equal(word: u64, byte: u8) -> u64 {
    less(word ^ splat(byte), 1)
}

/// Marks bytes equal to `byte`, every mark exact.
#[inline]
pub(super) const fn equal_exact(word: u64, byte: u8) -> u64 {
    let differs = word ^ splat(byte);
    // invariant: the sum cannot carry into the next byte, because bit 7 of both parts is masked away
    !(((differs & !HIGH) + !HIGH) | differs) & HIGH
}

/// Marks bytes of at least 128.
#[inline]
pub(super) const fn high(word: u64) -> u64 {
    word & HIGH
}

/// The index of the first byte that `mark` marks. `mark` must not mark the letter `a`, which pads the last word.
#[inline]
pub(super) fn find(bytes: &[u8], mark: impl Fn(u64) -> u64) -> Option<usize> {
    let (pairs, rest) = bytes.as_chunks::<16>();
    for (place, pair) in pairs.iter().enumerate() {
        let pair = u128::from_le_bytes(*pair);
        let [low, high] = [mark(pair as u64), mark((pair >> 64) as u64)];
        // Two words per iteration: the jumps and counters around the words are the cost, not the marks.
        if low | high != 0 {
            return Some(16 * place + if low != 0 { lowest(low) } else { 8 + lowest(high) });
        }
    }
    find_in_rest(rest, mark).map(|place| bytes.len() - rest.len() + place)
}

/// [`find`] for fewer than sixteen bytes.
#[inline]
fn find_in_rest(bytes: &[u8], mark: impl Fn(u64) -> u64) -> Option<usize> {
    let (word, rest) = match bytes.split_first_chunk::<8>() {
        Some((word, rest)) => (u64::from_le_bytes(*word), rest),
        None => (short(bytes) | splat(b'a') << (8 * bytes.len()), &[][..]),
    };
    let marks = mark(word);
    if marks != 0 {
        return Some(lowest(marks));
    }
    let marks = mark(short(rest) | splat(b'a') << (8 * rest.len()));
    (marks != 0).then(|| 8 + lowest(marks))
}

/// Less than eight bytes as a number: two overlapping reads instead of a loop.
#[inline]
const fn short(bytes: &[u8]) -> u64 {
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let shift = 8 * (bytes.len() - 4);
        return u32::from_le_bytes(*low) as u64 | (u32::from_le_bytes(*high) as u64) << shift;
    }
    match *bytes {
        [a, b, c] => u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]),
        [a, b] => u64::from_le_bytes([a, b, 0, 0, 0, 0, 0, 0]),
        [a] => a as u64,
        _ => 0,
    }
}

/// A mask of the bytes below the lowest mark; there must be a mark.
#[inline]
pub(super) const fn below(marks: u64) -> u64 {
    ((marks & marks.wrapping_neg()) >> 7) - 1
}

/// The eight bytes at `place`, if there are so many.
#[inline]
pub(super) fn at(bytes: &[u8], place: usize) -> Option<u64> {
    bytes.get(place..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// The index of the byte with the lowest mark.
pub(super) const fn lowest(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

const HIGH: u64 = splat(0x80);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_words_read_every_byte_once() {
        let bytes = [1, 2, 3, 4, 5, 6, 7];
        for len in 0..=bytes.len() {
            let mut word = [0; 8];
            word[..len].copy_from_slice(&bytes[..len]);
            assert_eq!(short(&bytes[..len]), u64::from_le_bytes(word), "{len}");
        }
    }

    #[test]
    fn a_word_is_read_where_there_are_eight_bytes() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(at(&bytes, 1), Some(u64::from_le_bytes([2, 3, 4, 5, 6, 7, 8, 9])));
        assert_eq!((at(&bytes, 2), at(&bytes, 10), at(&bytes, usize::MAX)), (None, None, None));
    }

    #[test]
    fn below_masks_the_bytes_before_the_lowest_mark() {
        for (marks, bits, place) in
            [(0x80, 0, 0), (0x8000, 0xff, 1), (0x8080_0000, 0xffff, 2), (1 << 63, u64::MAX >> 8, 7)]
        {
            assert_eq!((below(marks), lowest(marks)), (bits, place), "{marks:x}");
        }
    }

    proptest! {
        #[test]
        fn find_agrees_with_a_loop(bytes in proptest::collection::vec(any::<u8>(), 0..40), byte: u8, bound in 0u8..=97) {
            prop_assume!(byte != b'a');
            prop_assert_eq!(find(&bytes, |w| equal(w, byte)), bytes.iter().position(|b| *b == byte));
            prop_assert_eq!(find(&bytes, |w| equal_exact(w, byte)), bytes.iter().position(|b| *b == byte));
            prop_assert_eq!(find(&bytes, |w| less(w, bound)), bytes.iter().position(|b| *b < bound));
            prop_assert_eq!(find(&bytes, high), bytes.iter().position(|b| *b >= 128));
        }

        #[test]
        fn exact_marks_are_exact_in_every_byte(bytes: [u8; 8], byte: u8) {
            let expected = bytes.map(|b| if b == byte { 0x80 } else { 0 });
            prop_assert_eq!(equal_exact(u64::from_le_bytes(bytes), byte), u64::from_le_bytes(expected));
        }
    }
}
