//! Claims and moves: what a request makes of a session in the store.

use std::sync::Arc;
use std::time::Duration;

use model::SecretKeys;

use super::client::{Answer, SessionName};
use super::corrections::Corrections;
use super::figures::Counters;
use super::{Record, store_key};
use crate::{Clock, Item, Key, Put, Store, Version, When};

pub(super) struct Sessions {
    pub(super) store: Arc<dyn Store>,
    pub(super) secrets: SecretKeys,
    pub(super) clock: Clock,
    pub(super) corrections: Arc<dyn Corrections>,
    pub(super) counters: Arc<Counters>,
}

/// An answer, and what is still to be done when it has been given.
pub(super) struct Done {
    pub(super) answer: Answer,
    /// An item that was found and would soon expire, with its new end.
    pub(super) stale: Option<(Key, u64)>,
}

/// What is to become of the record under a key.
enum Change {
    Keep(u64),
    Write(Record),
}

/// How a write has ended.
struct Written {
    target: u64,
    /// The item that was there and stays; `None`: it was written.
    kept: Option<Item>,
}

/// What the store has under the two names of a session.
struct Found {
    /// Under the current name, and possibly garbage.
    item: Option<Item>,
    /// The record under the previous name, if it is needed.
    previous: Option<Record>,
}

/// Why a request cannot be answered, as a word.
type Reason = &'static str;

impl Sessions {
    pub(super) async fn claim(
        &self,
        name: SessionName,
        candidate: u64,
        lifetime: Duration,
    ) -> Result<Done, Reason> {
        let done = self.establish(name, candidate, lifetime).await?;
        let (of_session, of_claim) = match done.answer {
            Answer::Here { is_ours: true, .. } => (&self.counters.misses, &self.counters.claims_won),
            _ => (&self.counters.hits, &self.counters.claims_lost),
        };
        of_session.add(1);
        of_claim.add(1);
        Ok(done)
    }

    /// Finds a session or writes it. One call in the good case, two where a secret is being replaced.
    pub(super) async fn establish(
        &self,
        name: SessionName,
        candidate: u64,
        lifetime: Duration,
    ) -> Result<Done, Reason> {
        let key = self.key(name);
        let found = match &self.secrets.previous {
            None => Found { item: None, previous: None },
            Some(_) => self.look(name, &key).await?,
        };
        let previous = found.previous;
        let record = previous.unwrap_or_else(|| self.record(candidate));
        let decide = |there: Option<Record>| match there {
            Some(there) => Change::Keep(there.target),
            None => Change::Write(record),
        };
        let written = self.write(&key, found.item, lifetime, decide).await?;
        let is_ours = written.kept.is_none() && previous.is_none();
        let expires = self.end(lifetime);
        let stale = written.kept.filter(|item| is_stale(item, expires, lifetime)).map(|_| (key, expires));
        Ok(Done { answer: Answer::Here { target: written.target, is_ours }, stale })
    }

    pub(super) async fn find(&self, name: SessionName) -> Result<Done, Reason> {
        let found = self.look(name, &self.key(name)).await?;
        Ok(Done::with(match found.record() {
            Some(Record { target, .. }) => {
                self.counters.hits.add(1);
                Answer::Here { target, is_ours: false }
            }
            None => {
                self.counters.misses.add(1);
                Answer::Absent
            }
        }))
    }

    pub(super) async fn move_to(
        &self,
        name: SessionName,
        from: u64,
        to: u64,
        lifetime: Duration,
    ) -> Result<Done, Reason> {
        let key = self.key(name);
        let Found { item, previous } = self.look(name, &key).await?;
        let moved = self.record(to);
        let decide = |there: Option<Record>| match (there, previous) {
            (Some(there), _) if there.target != from || from == to => Change::Keep(there.target),
            (Some(there), _) => Change::Write(Record { target: to, ..there }),
            (None, Some(before)) if before.target != from => Change::Write(before),
            (None, Some(before)) => Change::Write(Record { target: to, ..before }),
            (None, None) => Change::Write(moved),
        };
        let written = self.write(&key, item, lifetime, decide).await?;
        let is_ours = written.kept.is_none() && written.target == to;
        self.counters.moves.add(is_ours.into());
        Ok(Done::with(Answer::Here { target: written.target, is_ours }))
    }

    pub(super) async fn put(
        &self,
        name: SessionName,
        target: u64,
        lifetime: Duration,
    ) -> Result<Done, Reason> {
        let item = self.item(self.record(target), lifetime);
        self.store.put(&self.key(name), item, When::Always).await.map_err(|error| error.reason())?;
        Ok(Done::with(Answer::Here { target, is_ours: true }))
    }

    pub(super) async fn forget(&self, name: SessionName) -> Result<Done, Reason> {
        // The previous name first: what is left of a removal that fails in between is the current one, as before.
        for key in self.previous_key(name).into_iter().chain([self.key(name)]) {
            self.store.delete(&key).await.map_err(|error| error.reason())?;
        }
        Ok(Done::with(Answer::Absent))
    }

    /// Changes the record under a key in one atomic step. `there` is what is believed to be under it.
    async fn write(
        &self,
        key: &Key,
        mut there: Option<Item>,
        lifetime: Duration,
        decide: impl Fn(Option<Record>) -> Change,
    ) -> Result<Written, Reason> {
        for _ in 0..ATTEMPTS {
            // Garbage is like nothing, but for the condition under which it is overwritten.
            let record = match decide(there.as_ref().and_then(|item| Record::parse(&item.value))) {
                Change::Keep(target) => return Ok(Written { target, kept: there }),
                Change::Write(record) => record,
            };
            let when = there.as_ref().map_or(When::Absent, |item| When::Unchanged(item.version));
            match self
                .store
                .put(key, self.item(record, lifetime), when)
                .await
                .map_err(|error| error.reason())?
            {
                Put::Done(_) => return Ok(Written { target: record.target, kept: None }),
                Put::Refused(now) => there = now,
            }
        }
        Err("contended")
    }

    /// Reads a session under its current name and, if there is a previous secret, under its previous one; in one call.
    async fn look(&self, name: SessionName, key: &Key) -> Result<Found, Reason> {
        let Some(previous) = self.previous_key(name) else {
            return Ok(Found {
                item: self.store.get(key).await.map_err(|error| error.reason())?,
                previous: None,
            });
        };
        let keys = [key.clone(), previous];
        let mut items = self.store.read_many(&keys).await.map_err(|error| error.reason())?.into_iter();
        let item = items.next().flatten();
        let previous = items.next().flatten().and_then(|item| Record::parse(&item.value));
        Ok(Found { item, previous })
    }

    pub(super) fn key(&self, (scope, client): SessionName) -> Key {
        store_key(&self.secrets.current, scope, client)
    }

    fn previous_key(&self, (scope, client): SessionName) -> Option<Key> {
        self.secrets.previous.as_ref().map(|secret| store_key(secret, scope, client))
    }

    /// The end of a life that begins now; milliseconds since 1970.
    pub(super) fn end(&self, lifetime: Duration) -> u64 {
        (self.clock)().saturating_add(u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX))
    }

    fn record(&self, target: u64) -> Record {
        Record { target, created: (self.clock)() }
    }

    fn item(&self, record: Record, lifetime: Duration) -> Item {
        let expires = Some(self.end(lifetime));
        Item { value: record.to_bytes(), flags: 0, expires, version: Version::default() }
    }
}

impl Done {
    fn with(answer: Answer) -> Self {
        Self { answer, stale: None }
    }
}

impl Found {
    fn record(&self) -> Option<Record> {
        self.item.as_ref().and_then(|item| Record::parse(&item.value)).or(self.previous)
    }
}

/// Whether an item has lost a quarter of its life or more. Touches come later than a use; until then it must not expire.
fn is_stale(item: &Item, expires: u64, lifetime: Duration) -> bool {
    let quarter = u64::try_from(lifetime.as_millis() / 4).unwrap_or(u64::MAX);
    item.expires.is_some_and(|end| end.saturating_add(quarter) <= expires)
}

// limit: writes that are tried because another one comes in between each time.
const ATTEMPTS: usize = 4;
// limit: of one request with all its calls. It matters only if the store is not guarded.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(1);
