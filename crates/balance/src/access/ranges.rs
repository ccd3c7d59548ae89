//! Disjoint ranges that cover all keys, and a search among them.

/// Maps each key to the owner of the range that contains it. The look-up uses a tree without pointers: each
/// level holds every sixteenth start of the next level, and the last level holds all starts. With a million
/// ranges the upper levels stay in the cache, so that a search waits for memory two or three times, wherever
/// the ranges lie.
#[derive(Debug)]
pub(super) struct Ranges<K> {
    /// From the root to the starts of all ranges, in ascending order. The first start of each level is the
    /// lowest key.
    levels: Box<[Box<[K]>]>,
    /// One for each range.
    owners: Box<[Owner]>,
}

/// The owner of a range. The table defines what the number means.
pub(super) type Owner = u32;

/// Collects ranges in ascending order.
#[derive(Debug)]
pub(super) struct RangesBuilder<K> {
    starts: Vec<K>,
    owners: Vec<Owner>,
}

impl<K: Copy + Ord> RangesBuilder<K> {
    /// Begins with one range that covers all keys and belongs to `owner`.
    pub(super) fn new(lowest: K, owner: Owner) -> Self {
        Self { starts: vec![lowest], owners: vec![owner] }
    }

    /// From `start` on, keys belong to `owner`. `start` must not be below the last one.
    pub(super) fn begin(&mut self, start: K, owner: Owner) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.owners.pop();
        }
        if self.owners.last() != Some(&owner) {
            self.starts.push(start);
            self.owners.push(owner);
        }
    }

    pub(super) fn build(self) -> Ranges<K> {
        let mut levels = vec![self.starts.into_boxed_slice()];
        while let Some(level) = levels.last().filter(|level| level.len() > BLOCK) {
            levels.push(level.iter().step_by(BLOCK).copied().collect());
        }
        levels.reverse();
        Ranges { levels: levels.into(), owners: self.owners.into() }
    }
}

impl<K: Copy + Ord> Ranges<K> {
    pub(super) fn find(&self, key: K) -> Owner {
        let mut place = 0;
        for level in &self.levels {
            let begin = place * BLOCK;
            let block = level.get(begin..level.len().min(begin + BLOCK)).unwrap_or_default();
            place = begin + block.partition_point(|start| *start <= key).saturating_sub(1);
        }
        self.owners.get(place).copied().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.levels.iter().map(|level| size_of_val::<[K]>(level)).sum::<usize>()
            + size_of_val::<[Owner]>(&self.owners)
    }
}

/// Sixteen IPv4 starts fill a cache line.
const BLOCK: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_the_owner_of_its_range() {
        for count in [1, 2, 15, 16, 17, 255, 256, 257, 5000] {
            let mut builder = RangesBuilder::new(0_u32, 0);
            (1..count).for_each(|number| builder.begin(number * 10, number));
            let ranges = builder.build();
            for number in 0..count {
                for key in [number * 10, number * 10 + 9] {
                    assert_eq!(ranges.find(key), number, "{key} of {count}");
                }
            }
            assert_eq!(ranges.find(u32::MAX), count - 1);
        }
    }

    #[test]
    fn adjacent_ranges_of_one_owner_are_merged() {
        let mut builder = RangesBuilder::new(0_u32, 7);
        for (start, owner) in [(0, 1), (5, 1), (8, 2), (8, 1), (9, 3)] {
            builder.begin(start, owner);
        }
        assert_eq!((builder.starts, builder.owners), (vec![0, 9], vec![1, 3]));
    }
}
