//! Stable hashes: the same bytes give the same number in every process, in every version and on every machine.
//!
//! The hash algorithms map clients to targets with them, so a change of a constant here moves every client to
//! another target. They have no key and give no protection: a client can choose bytes that collide, but it
//! gains only the choice of its target.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, SocketAddr};

use crate::random::{GOLDEN, mix};

/// Hashes any bytes to 64 bits.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    mix(absorb(GOLDEN, bytes))
}

/// Hashes a client's address to 64 bits. An IPv4-mapped IPv6 address hashes like IPv4, because a dual-stack
/// listener reports the same client in either form.
pub fn hash_source(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => hash_bytes(&v4.octets()),
        IpAddr::V6(v6) => hash_bytes(&v6.octets()),
    }
}

/// Hashes a target's address and port to 64 bits: its key for [`Maglev`](crate::Maglev).
pub fn hash_address(address: SocketAddr) -> u64 {
    mix(hash_source(address.ip()) ^ u64::from(address.port()))
}

/// A map keyed by byte strings. Only the operator adds keys and peers only look up, so a peer cannot fill a
/// bucket and an unkeyed hash is safe.
#[derive(Clone, Debug)]
pub(crate) struct BytesMap<V> {
    entries: HashMap<Box<[u8]>, V, BuildHasherDefault<BytesHasher>>,
    longest: usize,
}

impl<V> Default for BytesMap<V> {
    fn default() -> Self {
        Self { entries: HashMap::default(), longest: 0 }
    }
}

impl<V: Default> BytesMap<V> {
    pub(crate) fn entry(&mut self, key: &[u8]) -> &mut V {
        self.longest = self.longest.max(key.len());
        self.entries.entry(key.into()).or_default()
    }
}

impl<V> BytesMap<V> {
    /// A key longer than every entry is not hashed.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        if key.len() > self.longest || self.entries.is_empty() { None } else { self.entries.get(key) }
    }

    /// The length of the longest key.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut()
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct BytesHasher(u64);

impl Hasher for BytesHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = absorb(self.0, bytes);
    }

    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

/// Folds eight bytes at a time into the state. The length goes in last, so that trailing zeros count.
fn absorb(state: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = words.iter().fold(state, |state, word| fold(state, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state = fold(state, u64::from_le_bytes(last));
    state ^ bytes.len() as u64
}

/// XORs both halves of a 128-bit product: the multiplier spreads each input bit over all of them.
fn fold(state: u64, word: u64) -> u64 {
    let product = u128::from(state ^ word) * u128::from(MULTIPLIER);
    (product as u64) ^ ((product >> 64) as u64)
}

/// An odd number whose set bits are spread evenly.
const MULTIPLIER: u64 = 0xd6e8_feb8_6659_fd93;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_numbers_never_change() {
        // Clients of running clusters are placed by these numbers: a change of this table is a breaking change.
        for (bytes, expected) in [
            ("", 0x8fbd_4cbb_85ea_8aed),
            ("a", 0x32a4_60a6_1d09_73d3),
            ("12345678", 0xa041_3d7e_9359_a2e1),
            ("a longer key of more than two words", 0xe7a5_3c8b_981e_f3c8),
        ] {
            assert_eq!(hash_bytes(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_mapped_address_hashes_like_ipv4() {
        let v4 = "192.0.2.7".parse().unwrap();
        let mapped = "::ffff:192.0.2.7".parse().unwrap();
        assert_eq!(hash_source(v4), hash_source(mapped));
        assert_ne!(hash_source(v4), hash_source("192.0.2.8".parse().unwrap()));
        assert_eq!(
            hash_address("192.0.2.7:80".parse().unwrap()),
            hash_address("[::ffff:192.0.2.7]:80".parse().unwrap())
        );
        assert_ne!(
            hash_address("192.0.2.7:80".parse().unwrap()),
            hash_address("192.0.2.7:81".parse().unwrap())
        );
    }

    #[test]
    fn adjacent_addresses_spread_evenly_over_slots() {
        let mut slots = [0_u32; 64];
        for address in 0..64_000_u32 {
            slots[(hash_source(IpAddr::V4(address.into())) % 64) as usize] += 1;
        }
        assert!(slots.iter().all(|count| count.abs_diff(1_000) < 150), "{slots:?}");
    }

    #[test]
    fn length_and_order_change_the_hash() {
        let keys: &[&[u8]] =
            &[b"", b"\0", b"\0\0", b"ab", b"ba", b"12345678", b"12345678\0", b"8765432112345678"];
        let hashes: HashSet<_> = keys.iter().map(|key| hash_bytes(key)).collect();
        assert_eq!(hashes.len(), keys.len());
    }

    #[test]
    fn a_map_finds_what_was_put_in_and_nothing_else() {
        let mut map = BytesMap::<usize>::default();
        assert!(map.get(b"").is_none());
        for n in 0..1_000 {
            *map.entry(format!("host{n}").as_bytes()) = n;
        }
        assert_eq!(map.longest(), "host999".len());
        for n in 0..1_000 {
            assert_eq!(map.get(format!("host{n}").as_bytes()), Some(&n));
        }
        assert!(map.get(b"host1000").is_none() && map.get(b"host").is_none());
    }
}
