//! Marks in a store: they change when a session moves, so that nodes need not ask about each session again and again.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand;
use bytes::Bytes;
use model::SecretKeys;

use super::store_key;
use crate::{Clock, Item, Key, Put, Store, StoreError, Version, When};

/// The marks of a store as one node sees them.
///
/// A node that has moved a session writes one of them anew. A mark that is missing tells that the store has lost items: a
/// server was restarted or flushed, or another one has taken its place. There are several marks, so that each server of a
/// group has some.
pub struct Marks {
    store: Arc<dyn Store>,
    clock: Clock,
    /// For each secret, since another node may have another one first.
    keys: Vec<Key>,
    /// As of the last look that did not fail; `None`: there was none.
    seen: Option<Vec<Option<Bytes>>>,
    /// Changes of this node that the marks tell of. `None` at the start: a client or process before may have left some untold.
    told: Option<u64>,
    /// Which mark is the next one to be written.
    next: usize,
    /// When the marks are to get a new end of their lives.
    renewal: u64,
}

impl Marks {
    pub fn new(store: Arc<dyn Store>, secrets: &SecretKeys, clock: Clock) -> Self {
        let of_secret = |secret| (0..MARKS as u128).map(move |number| store_key(secret, SCOPE, number));
        let secrets = [Some(&secrets.current), secrets.previous.as_ref()];
        let keys = secrets.into_iter().flatten().flat_map(of_secret).collect();
        // Nodes seldom begin with the same one, and two that write the same one at a time have to do it again.
        let next = (clock() % MARKS as u64) as usize;
        Self { store, clock, keys, seen: None, told: None, next, renewal: 0 }
    }

    /// Looks at the marks and, if this node has made more than the changes that were told, tells of them. Returns whether
    /// sessions may have moved since the last look that did not fail.
    ///
    /// # Errors
    /// The store's, if the marks cannot be read. Changes that could not be told are told in the next call.
    pub async fn look(&mut self, changes: u64) -> Result<bool, StoreError> {
        let items = self.store.read_many(&self.keys).await?;
        let values = |items: &[Option<Item>]| -> Vec<_> {
            items.iter().map(|item| item.as_ref().map(|item| item.value.clone())).collect()
        };
        let mut now = values(&items);
        let mut is_changed = self.seen.as_ref().is_none_or(|before| *before != now);
        let is_news = self.told != Some(changes);
        let mut is_told = true;
        for (at, item) in items.iter().enumerate().take(self.keys.len()) {
            let is_turn = is_news && at % MARKS == self.next;
            if !is_turn && item.is_some() {
                continue;
            }
            let Ok(is_written) = self.write(at, item.as_ref(), &mut now).await else {
                // A store that takes no more says no less.
                is_told = false;
                break;
            };
            is_changed |= !is_written;
            is_told &= is_written || !is_turn;
        }
        if is_news {
            self.next = (self.next + 1) % MARKS;
        }
        if is_told {
            self.told = Some(changes);
        }
        self.seen = Some(now);
        self.renew().await;
        Ok(is_changed)
    }

    /// False: another node was first.
    async fn write(
        &self,
        at: usize,
        there: Option<&Item>,
        now: &mut [Option<Bytes>],
    ) -> Result<bool, StoreError> {
        let value = random()?;
        let item =
            Item { value: value.clone(), flags: 0, expires: Some(self.end()), version: Version::default() };
        let when = there.map_or(When::Absent, |item| When::Unchanged(item.version));
        match self.store.put(&self.keys[at], item, when).await? {
            Put::Done(_) => {
                now[at] = Some(value);
                Ok(true)
            }
            Put::Refused(other) => {
                now[at] = other.map(|item| item.value);
                Ok(false)
            }
        }
    }

    /// Lets the marks live on, from time to time. One that ends all the same counts as lost.
    async fn renew(&mut self) {
        let now = (self.clock)();
        if now < self.renewal {
            return;
        }
        let ends: Vec<_> = self.keys.iter().map(|key| (key.clone(), Some(self.end()))).collect();
        let is_renewed = self.store.touch_many(&ends).await.is_ok();
        self.renewal = now.saturating_add(if is_renewed { LIFE_MS / 8 } else { RENEWED_AGAIN_MS });
    }

    fn end(&self) -> u64 {
        (self.clock)().saturating_add(LIFE_MS)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").field("store", &self.store).field("told", &self.told).finish_non_exhaustive()
    }
}

/// A value that no mark has had before.
fn random() -> Result<Bytes, StoreError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| StoreError::Away("the system has no random bytes".to_owned()))?;
    Ok(Bytes::copy_from_slice(&bytes))
}

/// Two thirds to the power of sixteen: of three servers, one has none of the marks in a group of six hundred.
const MARKS: usize = 16;
/// No group and no rule has this scope, which is a hash.
const SCOPE: u64 = u64::from_be_bytes(*b"evk:mark");
const RENEWED_AGAIN_MS: u64 = 60_000;
/// A day: marks that no node needs any more go by themselves.
const LIFE_MS: u64 = 24 * 60 * 60 * 1_000;
