//! Counts the open connections of each client (KA11). Only clients with an open connection take memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Connections by the first address of a client's prefix.
#[derive(Debug, Default)]
pub(super) struct ClientCounts(HashMap<u128, u32>);

impl ClientCounts {
    /// Adds a connection of this client. Returns false, and adds nothing, if the client has `most` already.
    pub(super) fn add(&mut self, client: u128, most: u32) -> bool {
        match self.0.entry(client) {
            Entry::Occupied(entry) if *entry.get() >= most => false,
            entry => {
                *entry.or_insert(0) += 1;
                true
            }
        }
    }

    /// Reverses one [`Self::add`].
    pub(super) fn remove(&mut self, client: u128) {
        if let Entry::Occupied(mut entry) = self.0.entry(client) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        // limit: a table that a past peak made large is shrunk.
        if self.0.capacity() > SHRUNK_ABOVE && self.0.len() < self.0.capacity() / 8 {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    /// Clients that have a connection.
    pub(super) fn clients(&self) -> usize {
        self.0.len()
    }
}

const SHRUNK_ABOVE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_is_capped_and_others_are_not() {
        let mut counts = ClientCounts::default();
        assert!(counts.add(1, 2) && counts.add(1, 2));
        assert!(!counts.add(1, 2), "the cap");
        assert!(counts.add(2, 2), "another");
        counts.remove(1);
        assert!(counts.add(1, 2), "a connection closed");
        assert!(!counts.add(1, 1), "a cap that was lowered");
    }

    #[test]
    fn memory_is_released_after_a_peak() {
        let mut counts = ClientCounts::default();
        (0..100_000).for_each(|client| assert!(counts.add(client, 1)));
        assert_eq!(counts.clients(), 100_000);
        (0..100_000).for_each(|client| counts.remove(client));
        assert_eq!(counts.clients(), 0);
        assert!(counts.0.capacity() <= SHRUNK_ABOVE * 2, "{}", counts.0.capacity());
        counts.remove(7);
        assert_eq!(counts.clients(), 0, "a client that was never counted");
    }
}
