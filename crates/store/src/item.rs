//! Items, and the conditions under which they are written.

use bytes::Bytes;
use model::Limits;

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

/// Changes whenever an item is written; a touch may leave it. Only equality means something. Zero is never the version of an
/// item: a store that cannot say which version it has written answers with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(pub u64);

impl Item {
    /// An item's life ends at the millisecond that it names.
    pub const fn is_expired(&self, now: u64) -> bool {
        matches!(self.expires, Some(expires) if expires <= now)
    }
}

impl When {
    /// Whether a write may take place beside what is there. An expired item is not there.
    pub fn holds(self, present: Option<Version>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => present.is_none(),
            Self::Present => present.is_some(),
            Self::Unchanged(version) => present == Some(version),
        }
    }
}

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

/// limit: of the values of all stores. It is what a store that answers nonsense can make us hold for one item.
pub const VALUE_BYTES_MAX: usize = Limits::ITEM_BYTES_MAX as usize + EXTRA_BYTES;
/// limit: of the values in SQL databases and in Redis.
pub const SMALL_VALUE_BYTES_MAX: usize = Limits::SMALL_ITEM_BYTES_MAX as usize + EXTRA_BYTES;
/// limit: of each value in [`Store::read_many`](crate::Store::read_many), which is for sessions; a server that answers with
/// larger ones is not read.
pub const MANY_VALUE_BYTES_MAX: usize = 64 * 1024;
/// Room for what a session gateway puts in front of an item.
const EXTRA_BYTES: usize = 64;
