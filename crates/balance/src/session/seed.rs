//! The keyed hash of sessions: SipHash-1-3 (Aumasson, Bernstein 2012), as in the standard library.

use std::fmt;

/// Random numbers that no client may know: with them it could fill one bucket, or one shard of many.
#[derive(Clone, Copy)]
pub struct SessionSeed([u64; 2]);

impl SessionSeed {
    pub const fn new(random: [u64; 2]) -> Self {
        Self(random)
    }

    pub(crate) fn hash<const N: usize>(self, words: [u64; N]) -> u64 {
        let [key0, key1] = self.0;
        let mut state = State([
            key0 ^ 0x736f_6d65_7073_6575,
            key1 ^ 0x646f_7261_6e64_6f6d,
            key0 ^ 0x6c79_6765_6e65_7261,
            key1 ^ 0x7465_6462_7974_6573,
        ]);
        for word in words {
            state.absorb(word);
        }
        state.absorb((size_of::<[u64; N]>() as u64) << 56);
        state.0[2] ^= 0xff;
        for _ in 0..3 {
            state.round();
        }
        state.0.iter().fold(0, |hash, word| hash ^ word)
    }
}

impl fmt::Debug for SessionSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSeed(…)")
    }
}

struct State([u64; 4]);

impl State {
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::*;

    #[test]
    fn it_is_the_hash_of_the_standard_library() {
        for words in [[0, 0, 0], [1, 2, 3], [u64::MAX, 0x0102_0304_0506_0708, 7]] {
            let mut expected = DefaultHasher::new();
            words.iter().for_each(|word| expected.write(&word.to_le_bytes()));
            assert_eq!(SessionSeed::new([0, 0]).hash(words), expected.finish(), "{words:?}");
        }
    }

    #[test]
    fn both_halves_of_the_seed_and_every_word_count() {
        let hash = |seed, words| SessionSeed::new(seed).hash(words);
        let plain = hash([1, 2], [3, 4, 5]);
        for other in [
            hash([0, 2], [3, 4, 5]),
            hash([1, 0], [3, 4, 5]),
            hash([1, 2], [0, 4, 5]),
            hash([1, 2], [3, 0, 5]),
            hash([1, 2], [3, 4, 0]),
        ] {
            assert_ne!(plain, other);
        }
    }

    #[test]
    fn the_seed_is_not_printed() {
        assert_eq!(format!("{:?}", SessionSeed::new([77, 88])), "SessionSeed(…)");
    }
}
