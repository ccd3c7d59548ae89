//! The order in which connections became idle, so that the longest idle one is found at once (KA10).
//!
//! It is a doubly linked list in a slab. Entering, leaving and finding the oldest take a few stores each.
//! Memory is allocated only while the slab grows to its peak.

/// Idle connections in the order in which they became idle, with a note for each.
#[derive(Debug)]
pub(super) struct IdleOrder<T> {
    nodes: Vec<Node<T>>,
    /// The first node of the free list, which is linked through `behind`.
    free: u32,
    oldest: u32,
    newest: u32,
}

#[derive(Debug)]
struct Node<T> {
    /// The next older node.
    before: u32,
    /// The next newer node.
    behind: u32,
    is_listed: bool,
    since: u64,
    note: T,
}

/// A connection's node. Its owner must return it once, with [`IdleOrder::leave`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IdlePlace(u32);

impl<T> Default for IdleOrder<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: NONE, oldest: NONE, newest: NONE }
    }
}

impl<T: Copy> IdleOrder<T> {
    /// Appends a connection. `since` must not be before that of any other.
    pub(super) fn enter(&mut self, since: u64, note: T) -> IdlePlace {
        let node = Node { before: self.newest, behind: NONE, is_listed: true, since, note };
        let place = self.place(node);
        match self.newest {
            NONE => self.oldest = place,
            newest => self.nodes[newest as usize].behind = place,
        }
        self.newest = place;
        IdlePlace(place)
    }

    /// The time since which the oldest is idle.
    pub(super) fn oldest_since(&self) -> Option<u64> {
        self.nodes.get(self.oldest as usize).map(|node| node.since)
    }

    /// Removes the oldest from the order and applies `change` to its note. The node stays with its owner, which
    /// reads the changed note in [`leave`](Self::leave).
    pub(super) fn take_oldest(&mut self, change: impl FnOnce(&mut T)) -> Option<T> {
        let place = self.oldest;
        self.nodes.get(place as usize)?;
        self.unlink(place);
        let note = &mut self.nodes[place as usize].note;
        change(note);
        Some(*note)
    }

    /// The note of a connection.
    pub(super) fn note(&self, place: &IdlePlace) -> T {
        self.nodes[place.0 as usize].note
    }

    /// Ends a connection's idle time and returns its note.
    pub(super) fn leave(&mut self, place: &IdlePlace) -> T {
        if self.nodes[place.0 as usize].is_listed {
            self.unlink(place.0);
        }
        let node = &mut self.nodes[place.0 as usize];
        node.behind = self.free;
        self.free = place.0;
        node.note
    }

    fn place(&mut self, node: Node<T>) -> u32 {
        match self.free {
            NONE => {
                self.nodes.push(node);
                // limit: a worker has fewer file descriptors than that.
                u32::try_from(self.nodes.len() - 1).unwrap_or(NONE)
            }
            place => {
                self.free = self.nodes[place as usize].behind;
                self.nodes[place as usize] = node;
                place
            }
        }
    }

    fn unlink(&mut self, place: u32) {
        let node = &mut self.nodes[place as usize];
        node.is_listed = false;
        let (before, behind) = (node.before, node.behind);
        match before {
            NONE => self.oldest = behind,
            before => self.nodes[before as usize].behind = behind,
        }
        match behind {
            NONE => self.newest = before,
            behind => self.nodes[behind as usize].before = before,
        }
    }
}

const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Enter,
        /// The nth of the current entries.
        Leave(usize),
        TakeOldest,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![3 => Just(Step::Enter), 2 => any::<usize>().prop_map(Step::Leave), 1 => Just(Step::TakeOldest)]
    }

    proptest! {
        #[test]
        fn behaves_like_a_queue(steps in prop::collection::vec(step(), 0..200)) {
            let (mut order, mut queue) = (IdleOrder::default(), VecDeque::new());
            let (mut owners, mut most) = (Vec::new(), 0);
            for (number, step) in steps.into_iter().enumerate() {
                let number = number as u64;
                match step {
                    Step::Enter => {
                        owners.push((number, order.enter(number / 2, (number, false))));
                        queue.push_back(number);
                        most = most.max(owners.len());
                    }
                    Step::Leave(_) if owners.is_empty() => {}
                    Step::Leave(choice) => {
                        let (number, place) = owners.swap_remove(choice % owners.len());
                        let is_taken = !queue.contains(&number);
                        queue.retain(|&other| other != number);
                        prop_assert_eq!(order.note(&place), (number, is_taken));
                        prop_assert_eq!(order.leave(&place), (number, is_taken));
                    }
                    Step::TakeOldest => {
                        let taken = order.take_oldest(|note| note.1 = true);
                        prop_assert_eq!(taken, queue.pop_front().map(|number| (number, true)));
                    }
                }
                prop_assert_eq!(order.oldest_since(), queue.front().map(|number| number / 2));
                prop_assert!(order.nodes.len() <= most, "nodes are used again");
            }
        }
    }
}
