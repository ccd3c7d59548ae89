//! Numbers that a peer sees and must not guess: request ids, the masks and keys of WebSockets.
//!
//! They are apart from the worker's generator ([`balance::Rng`]): its output gives its state away, and with it the
//! choices that follow.

use std::io;

use aws_lc_rs::cipher::{AES_256, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::rand;

/// The secret of the process. All workers share it.
pub(crate) struct NonceKey([u8; KEY_BYTES]);

impl NonceKey {
    /// # Errors
    ///
    /// If the system gives no random bytes.
    pub(crate) fn random() -> io::Result<Self> {
        let mut key = [0; KEY_BYTES];
        rand::fill(&mut key).map_err(|_| io::Error::other("the system gave no random bytes"))?;
        Ok(Self(key))
    }

    /// A key that anyone can guess, for simulations that must repeat.
    #[cfg(test)]
    pub(crate) fn fixed(seed: u64) -> Self {
        let mut key = [0; KEY_BYTES];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self(key)
    }
}

/// One worker's nonces: the worker's number and a counter, enciphered with the key of the process. A cipher is a
/// permutation, so no two nonces of a process are equal.
pub(crate) struct Nonces {
    key: EncryptingKey,
    worker: u64,
    /// The counter of the next batch's first block.
    next: u64,
    /// A batch, so that the cost of calling the cipher is shared.
    batch: [u8; BATCH_BYTES],
    /// Bytes of the batch that are used.
    used: usize,
}

impl Nonces {
    /// # Errors
    ///
    /// If the cipher does not take the key.
    pub(crate) fn new(key: &NonceKey, worker: usize) -> io::Result<Self> {
        let cipher = UnboundCipherKey::new(&AES_256, &key.0).and_then(EncryptingKey::ecb);
        let key = cipher.map_err(|_| io::Error::other("the cipher of request ids cannot be set up"))?;
        Ok(Self { key, worker: worker as u64, next: 0, batch: [0; BATCH_BYTES], used: BATCH_BYTES })
    }

    pub(crate) fn next(&mut self) -> u128 {
        if self.used == BATCH_BYTES {
            self.refill();
        }
        let mut block = [0; BLOCK_BYTES];
        block.copy_from_slice(&self.batch[self.used..self.used + BLOCK_BYTES]);
        self.used += BLOCK_BYTES;
        u128::from_le_bytes(block)
    }

    fn refill(&mut self) {
        for block in self.batch.as_chunks_mut::<BLOCK_BYTES>().0 {
            let plain = u128::from(self.worker) << 64 | u128::from(self.next);
            *block = plain.to_le_bytes();
            self.next = self.next.wrapping_add(1);
        }
        if self.key.encrypt(&mut self.batch).is_err() {
            // It cannot fail on whole blocks. If it does, the counter must not be shown.
            self.batch.fill(0);
        }
        self.used = 0;
    }
}

const KEY_BYTES: usize = 32;
const BLOCK_BYTES: usize = 16;
const BATCH_BYTES: usize = 32 * BLOCK_BYTES;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nonces_of_all_workers_differ() {
        let key = NonceKey::random().unwrap();
        let mut seen = HashSet::new();
        for worker in 0..4 {
            let mut nonces = Nonces::new(&key, worker).unwrap();
            assert!((0..1_000).all(|_| seen.insert(nonces.next())));
        }
    }

    #[test]
    fn nonces_are_the_cipher_of_worker_and_counter() {
        // By `openssl enc -aes-256-ecb -nopad`, with the bytes reversed.
        let mut nonces = Nonces::new(&NonceKey::fixed(7), 2).unwrap();
        assert_eq!(nonces.next(), 0xa65d13c428c9075a126396a31e05abb7);
    }

    #[test]
    fn another_key_gives_other_nonces() {
        let firsts = |key| Nonces::new(&key, 0).unwrap().next();
        assert_ne!(firsts(NonceKey::random().unwrap()), firsts(NonceKey::random().unwrap()));
        assert_eq!(firsts(NonceKey::fixed(7)), firsts(NonceKey::fixed(7)));
    }

    #[test]
    fn about_half_of_the_bits_differ_between_neighbours() {
        let mut nonces = Nonces::new(&NonceKey::fixed(1), 0).unwrap();
        let mut last = nonces.next();
        for _ in 0..1_000 {
            let next = nonces.next();
            assert!((30..=98).contains(&(last ^ next).count_ones()));
            last = next;
        }
    }
}
