//! Finds the place of a flow by the hash of its ends.
//!
//! A hash table that grows hashes all of its entries again, which would stop the worker for a tenth of a second at 10⁶ flows.
//! So the index has many small parts, each of which grows for itself.

use hashbrown::HashTable;

#[derive(Debug, Default)]
pub(super) struct Index {
    /// Empty until there is a flow.
    parts: Vec<HashTable<u32>>,
    len: usize,
}

/// At 10⁶ flows a part has four thousand.
const PARTS: usize = 256;
/// A part this small is not worth a rehash.
const PART_MIN: usize = 32;

impl Index {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.parts.get(part(hash))?.find(hash, |&place| is_it(place)).copied()
    }

    /// `hash_of`: of the flow at a place.
    pub(super) fn insert(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, HashTable::new);
        }
        self.parts[part(hash)].insert_unique(hash, place, |&place| hash_of(place));
        self.len += 1;
    }

    pub(super) fn remove(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        let Some(part) = self.parts.get_mut(part(hash)) else { return };
        let Ok(found) = part.find_entry(hash, |&other| other == place) else { return };
        found.remove();
        self.len -= 1;
        if self.len == 0 {
            self.parts = Vec::new();
        } else if part.capacity() > PART_MIN && part.capacity() > 4 * part.len() {
            part.shrink_to(2 * part.len(), |&place| hash_of(place));
        }
    }

    /// In bytes.
    pub(super) fn memory(&self) -> usize {
        let of_parts: usize = self.parts.iter().map(HashTable::allocation_size).sum();
        of_parts + self.parts.capacity() * size_of::<HashTable<u32>>()
    }
}

/// The tables use the lowest and the seven highest bits of a hash; these are others.
fn part(hash: u64) -> usize {
    (hash >> 40) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Rng;

    #[test]
    fn parts_are_of_equal_size() {
        let (mut index, mut random) = (Index::default(), Rng::new(7));
        let hashes: Vec<_> = (0..100_000).map(|_| random.next_u64()).collect();
        for (place, &hash) in hashes.iter().enumerate() {
            index.insert(hash, place as u32, |place| hashes[place as usize]);
        }
        let largest = index.parts.iter().map(HashTable::len).max().unwrap();
        assert!(largest < 2 * 100_000 / PARTS, "a part of {largest} flows grows at once");
        for (place, &hash) in hashes.iter().enumerate() {
            assert_eq!(index.find(hash, |found| found == place as u32), Some(place as u32));
        }
        for (place, &hash) in hashes.iter().enumerate().skip(1) {
            index.remove(hash, place as u32, |place| hashes[place as usize]);
        }
        assert!(index.len() == 1 && index.memory() < 64 * 1_024, "{}", index.memory());
        index.remove(hashes[0], 0, |_| 0);
        assert_eq!((index.len(), index.memory()), (0, 0));
    }
}
