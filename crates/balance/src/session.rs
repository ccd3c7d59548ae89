//! Sessions: which target the requests of one client go to, and until when (SP1, SP3, SP10).
//!
//! A [`SessionShard`] is a part of the table; the caller has several behind short locks, and
//! [`SessionKey::shard`] says which one a session is in. Every call takes constant time, or time that its
//! argument `most` bounds. The exception is a growing or shrinking index, which hashes every key of the shard
//! once: less than a millisecond for 16 000 sessions, 40 ms for 262 000 (unoptimised), so a shard should not have
//! more than some ten thousand sessions, and a larger table more shards.
//!
//! Clients choose their addresses and cookies. They can fill a shard, which costs sessions to which no request has come
//! back for long, but they cannot choose the shard or a bucket: both come from a hash with a secret seed.

mod entries;
mod load;
mod pace;
mod seed;
mod shard;
mod touches;
mod walk;

pub use load::{LOAD_WINDOW_MS, ScopeLoad};
pub use pace::Pace;
pub use seed::SessionSeed;
pub use shard::SessionShard;
pub use touches::Touch;
pub use walk::{Row, Rows, Walked};

use std::net::{IpAddr, SocketAddr};

use crate::hash::hash_bytes;

/// A target as sessions name it: the same number in every process, version and machine, whatever else the
/// configuration contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u64);

impl TargetId {
    /// Hashes the group's name, a zero byte, the address and the port. An IPv4-mapped address is its IPv4
    /// address; the zone of a link-local one does not count, because its number differs between machines.
    pub fn of(group: &str, address: SocketAddr) -> Self {
        let mut bytes = Vec::with_capacity(group.len() + 19);
        bytes.extend_from_slice(group.as_bytes());
        bytes.push(0);
        match address.ip().to_canonical() {
            IpAddr::V4(v4) => bytes.extend_from_slice(&v4.octets()),
            IpAddr::V6(v6) => bytes.extend_from_slice(&v6.octets()),
        }
        bytes.extend_from_slice(&address.port().to_be_bytes());
        Self(hash_bytes(&bytes))
    }
}

/// What a session is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// A hash of what the session is for: a target group or a rule.
    pub scope: u64,
    /// The client's prefix, or a hash of its cookie.
    pub client: u128,
}

impl SessionKey {
    /// Which of `shards` shards the session is in; all of them must have this seed.
    pub fn shard(self, seed: SessionSeed, shards: usize) -> usize {
        // The index of a shard uses the lowest and the seven highest bits.
        crate::random::scale(seed.hash(self.words()) << 12, shards as u64) as usize
    }

    /// A `u128` inside an entry would align it to 16 bytes.
    pub(crate) const fn words(self) -> [u64; 3] {
        [self.scope, (self.client >> 64) as u64, self.client as u64]
    }

    pub(crate) const fn from_words([scope, high, low]: [u64; 3]) -> Self {
        Self { scope, client: ((high as u128) << 64) | low as u128 }
    }
}

/// One open request of a session. [`SessionShard::end`] needs it, so that a request which outlives its session
/// does not close one of a later session with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold(u32);

/// Where a walk over the sessions continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(u32);

/// Whether a request belongs to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    Known(Known),
    Absent,
}

/// A session that a request has joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub target: TargetId,
    pub hold: Hold,
    pub in_store: InStore,
}

/// What is known of a session in the store that processes share (SP9). Times are milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InStore {
    /// The store was never told of it, nor asked.
    #[default]
    Unknown,
    /// The store was told or asked at this time, and has not said yes. It is told again.
    Owed(u64),
    /// The store agreed at this time.
    Synced(u64),
}

/// Where a request without a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Not the one that was offered if another request was first.
    pub target: TargetId,
    /// `None`: every session of the shard has an open request, so the request goes on without one.
    pub hold: Option<Hold>,
    pub is_new: bool,
    /// Another session was removed for it.
    pub evicted: bool,
}

/// What has happened in a shard since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounts {
    pub created: u64,
    pub expired: u64,
    pub evicted: u64,
    /// Requests that went on without a session because the shard was full of open ones.
    pub full: u64,
    /// Changes of a session's target.
    pub moved: u64,
}

#[cfg(test)]
mod tests;
