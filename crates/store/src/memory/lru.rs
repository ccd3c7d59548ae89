//! A map that knows in which order its items were used.

use std::collections::HashMap;

use crate::{Item, Key};

/// Items in a list from the most to the least recently used, threaded through slots that are used again.
#[derive(Debug)]
pub(super) struct Lru {
    places: HashMap<Key, u32>,
    slots: Vec<Slot>,
    /// Slots that hold nothing.
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
}

/// See [`Lru::find`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(u32);

#[derive(Debug)]
struct Slot {
    entry: Option<(Key, Item)>,
    used: u64,
    newer: u32,
    older: u32,
}

impl Default for Lru {
    fn default() -> Self {
        Self { places: HashMap::new(), slots: Vec::new(), free: Vec::new(), newest: NOWHERE, oldest: NOWHERE }
    }
}

impl Lru {
    /// Where an item is, until one is inserted or removed: one search serves all that is done with it.
    pub(super) fn find(&self, key: &Key) -> Option<Place> {
        self.places.get(key).map(|&place| Place(place))
    }

    pub(super) fn item(&mut self, Place(place): Place) -> Option<&mut Item> {
        self.slots[place as usize].entry.as_mut().map(|(_, item)| item)
    }

    /// Makes it the most recently used. `now` never goes back.
    pub(super) fn touch(&mut self, Place(place): Place, now: u64) {
        self.unlink(place);
        self.link(place, now);
    }

    /// Adds an item under a key that has none.
    pub(super) fn insert(&mut self, key: Key, item: Item, now: u64) {
        let slot = Slot { entry: Some((key.clone(), item)), used: now, newer: NOWHERE, older: NOWHERE };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        self.link(place, now);
        self.places.insert(key, place);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Item> {
        let place = self.places.remove(key)?;
        self.vacate(place).map(|(_, item)| item)
    }

    pub(super) fn pop_oldest(&mut self) -> Option<(Key, Item)> {
        if self.oldest == NOWHERE {
            return None;
        }
        let entry = self.vacate(self.oldest)?;
        self.places.remove(&entry.0);
        Some(entry)
    }

    /// When the least recently used item was used.
    pub(super) fn oldest_use(&self) -> Option<u64> {
        (self.oldest != NOWHERE).then(|| self.slots[self.oldest as usize].used)
    }

    fn vacate(&mut self, place: u32) -> Option<(Key, Item)> {
        self.unlink(place);
        self.free.push(place);
        let entry = self.slots[place as usize].entry.take();
        if self.free.len() == self.slots.len() {
            // After a flood the memory goes back.
            *self = Self::default();
        }
        entry
    }

    fn link(&mut self, place: u32, now: u64) {
        let before = std::mem::replace(&mut self.newest, place);
        let slot = &mut self.slots[place as usize];
        (slot.used, slot.newer, slot.older) = (now, NOWHERE, before);
        match self.slots.get_mut(before as usize) {
            Some(before) => before.newer = place,
            None => self.oldest = place,
        }
    }

    fn unlink(&mut self, place: u32) {
        let (newer, older) = {
            let slot = &self.slots[place as usize];
            (slot.newer, slot.older)
        };
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
}

/// No slot has this number.
const NOWHERE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::Version;

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn the_order_is_that_of_uses(steps in proptest::collection::vec((0..4_u8, 0..12_u8), 0..300)) {
            let mut lru = Lru::default();
            let mut model = VecDeque::<(Key, u64)>::new();
            for (now, (step, name)) in steps.into_iter().enumerate() {
                let (key, now) = (Key::new(&[b'a' + name]).unwrap(), now as u64);
                let place = model.iter().position(|(other, _)| *other == key);
                let before = place.map(|place| model.remove(place).unwrap().1);
                match step {
                    0 => {
                        let place = lru.find(&key);
                        let was = place.and_then(|place| {
                            lru.touch(place, now);
                            lru.item(place).map(|there| std::mem::replace(there, item(now)))
                        });
                        prop_assert_eq!(was.map(|item| item.version.0), before);
                        if place.is_none() {
                            lru.insert(key.clone(), item(now), now);
                        }
                        model.push_back((key, now));
                    }
                    1 => {
                        let place = lru.find(&key);
                        if let Some(place) = place {
                            lru.touch(place, now);
                        }
                        let found = place.and_then(|place| lru.item(place)).map(|item| item.version.0);
                        prop_assert_eq!(found, before);
                        model.extend(before.map(|before| (key, before)));
                    }
                    2 => prop_assert_eq!(lru.remove(&key).map(|item| item.version.0), before),
                    _ => {
                        if let (Some(place), Some(before)) = (place, before) {
                            model.insert(place, (key, before));
                        }
                        let oldest = lru.pop_oldest().map(|(key, item)| (key, item.version.0));
                        prop_assert_eq!(oldest, model.pop_front());
                    }
                }
                prop_assert_eq!(lru.places.len(), model.len());
                prop_assert!(lru.slots.len() <= 12);
            }
        }
    }

    fn item(version: u64) -> Item {
        Item { value: Bytes::new(), flags: 0, expires: None, version: Version(version) }
    }
}
