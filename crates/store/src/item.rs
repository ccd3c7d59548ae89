//! Items, and the conditions under which they are written.

use bytes::Bytes;

/// What is stored under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub value: Bytes,
    /// Opaque to us; memcached's clients note in them how they have encoded the value.
    pub flags: u32,
    /// Milliseconds since 1970; `None`: it does not expire. A store with coarser times may keep it up to a second longer.
    pub expires: Option<u64>,
    /// As the store gave it; of no meaning when an item is written.
    pub version: Version,
}

/// Changes whenever an item is written. Only equality means something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(pub u64);

/// The condition of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// The first writer wins.
    Absent,
    Present,
    /// The item has not been written since it was read.
    Unchanged(Version),
}

/// The outcome of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    Done(Version),
    /// The condition does not hold; with the item that is there.
    Refused(Option<Item>),
}
