//! What stands between callers and a store that may hang or fail: a timeout, a circuit breaker, and counters.

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use crate::breaker::{Breaker, BreakerSettings, BreakerState, Outcome, Pass};
use crate::{Item, Key, PROBE_KEY, Put, Reply, Store, StoreError, Swept, Version, When};

/// A store whose every call ends in time, and which is not called while it rests after failures.
///
/// A call that is given up may still have its effect. That a store is full, permits no write, or refuses an item as too
/// large, is an error but no failure: it has answered, and what it holds can still be read.
#[derive(Debug)]
pub struct Guarded {
    inner: Arc<dyn Store>,
    timeout: Duration,
    started: Instant,
    breaker: Mutex<Breaker>,
    counters: Counters,
    last_error: Mutex<Option<(StoreError, Instant)>>,
    /// A call has succeeded.
    has_served: AtomicBool,
    writes: Mutex<Writes>,
}

/// How the last writes went, which may all fail while reads succeed.
#[derive(Debug, Default)]
struct Writes {
    failed_in_a_row: u32,
    error: Option<StoreError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

/// What has happened so far, for metrics and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// All calls, also those that failed or were not made because the store rests.
    pub calls: u64,
    /// Items that were asked for and found.
    pub hits: u64,
    pub misses: u64,
    /// By the words of [`StoreError::reason`], in an order that does not change. `late` and `resting` are among them.
    pub errors: [(&'static str, u64); 7],
    pub state: BreakerState,
    pub last_error: Option<StoreError>,
    /// How long ago that was.
    pub last_error_age: Option<Duration>,
    /// A call has succeeded.
    pub has_served: bool,
    /// Why the last writes failed, if several in a row did.
    pub writes_error: Option<StoreError>,
}

impl Figures {
    /// Those of two guards of one store.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let is_later = match (self.last_error_age, other.last_error_age) {
            (Some(one), Some(other)) => other < one,
            (one, _) => one.is_none(),
        };
        let (last_error, last_error_age) = if is_later {
            (other.last_error, other.last_error_age)
        } else {
            (self.last_error, self.last_error_age)
        };
        let is_closed = self.state == BreakerState::Closed;
        Self {
            calls: self.calls + other.calls,
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            errors: std::array::from_fn(|at| (REASONS[at], self.errors[at].1 + other.errors[at].1)),
            state: if is_closed { other.state } else { self.state },
            last_error,
            last_error_age,
            has_served: self.has_served || other.has_served,
            writes_error: self.writes_error.or(other.writes_error),
        }
    }

    /// Calls that were refused, because the store is full or does not permit them.
    pub fn refusals(&self) -> u64 {
        let of = |&(reason, count): &(&str, u64)| if matches!(reason, "full" | "denied") { count } else { 0 };
        self.errors.iter().map(of).sum()
    }
}

#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    errors: [AtomicU64; REASONS.len()],
}

/// Gives the pass back if the caller drops the call.
struct Call<'a> {
    guard: &'a Guarded,
    pass: Option<Pass>,
    began: Instant,
    kind: Kind,
}

impl Guarded {
    /// `seed` decides how rests differ between nodes.
    pub fn new(inner: Arc<dyn Store>, timeout: Duration, seed: u64) -> Self {
        Self::with_settings(inner, timeout, BreakerSettings::default(), seed)
    }

    pub fn with_settings(
        inner: Arc<dyn Store>,
        timeout: Duration,
        settings: BreakerSettings,
        seed: u64,
    ) -> Self {
        Self {
            inner,
            timeout,
            started: Instant::now(),
            breaker: Mutex::new(Breaker::new(settings, seed)),
            counters: Counters::default(),
            last_error: Mutex::new(None),
            has_served: AtomicBool::new(false),
            writes: Mutex::default(),
        }
    }

    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let last = self.last_error();
        Figures {
            calls: read(&self.counters.calls),
            hits: read(&self.counters.hits),
            misses: read(&self.counters.misses),
            errors: std::array::from_fn(|at| (REASONS[at], read(&self.counters.errors[at]))),
            state: self.breaker().state(),
            last_error_age: last.as_ref().map(|(_, at)| at.elapsed()),
            last_error: last.map(|(error, _)| error),
            has_served: self.has_served.load(Ordering::Relaxed),
            writes_error: self.writes_error(),
        }
    }

    /// Tries a store whose rest is over, which has only failed so far, or whose writes fail: so it is found to be back though
    /// no request needs it. Else does nothing. `now` is in milliseconds since 1970.
    pub async fn probe(&self, now: u64) {
        // What goes wrong shows in the figures.
        let (is_due, state) = {
            let breaker = self.breaker();
            (breaker.is_due(self.started.elapsed()), breaker.state())
        };
        let has_failed = self.last_error().is_some();
        let is_unproven = has_failed && !self.has_served.load(Ordering::Relaxed);
        if is_due || is_unproven && state == BreakerState::Closed {
            let _ = self.check().await;
        } else if state == BreakerState::Closed && self.writes_error().is_some() {
            let Ok(key) = Key::new(PROBE_KEY) else { return };
            let expires = Some(now.saturating_add(PROBE_MILLISECONDS));
            let item = Item { value: Bytes::new(), flags: 0, expires, version: Version::default() };
            let _ = self.put(&key, item, When::Always).await;
        }
    }

    fn writes_error(&self) -> Option<StoreError> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.error.clone().filter(|_| writes.failed_in_a_row >= WRITES_FAILED_MIN)
    }

    /// After a write, or several at once; false: it has perhaps written nothing, and tells nothing.
    fn has_written(&self, is_written: bool) {
        if is_written {
            *self.writes.lock().unwrap_or_else(PoisonError::into_inner) = Writes::default();
        }
    }

    /// What went wrong last, but for the refusals while it rested, and when.
    fn last_error(&self) -> Option<(StoreError, Instant)> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn call<T>(&self, kind: Kind, mut reply: Reply<'_, T>) -> Result<T, StoreError> {
        count(&self.counters.calls, 1);
        let began = Instant::now();
        let Some(pass) = self.breaker().admit(began - self.started) else {
            self.note(Kind::Read, &StoreError::Resting);
            return Err(StoreError::Resting);
        };
        let call = Call { guard: self, pass: Some(pass), began, kind };
        // A store in memory answers at once, and needs no timer.
        let result = match poll_fn(|context| Poll::Ready(reply.as_mut().poll(context))).await {
            Poll::Ready(result) => result,
            Poll::Pending => timeout(self.timeout, reply).await.unwrap_or(Err(StoreError::Late)),
        };
        call.finish(outcome(&result));
        match &result {
            Ok(_) => self.has_served.store(true, Ordering::Relaxed),
            Err(error) => self.note(kind, error),
        }
        result
    }

    fn note(&self, kind: Kind, error: &StoreError) {
        // That an item is too large says nothing about the next one.
        if kind == Kind::Write && *error != StoreError::TooLarge {
            let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            writes.failed_in_a_row = writes.failed_in_a_row.saturating_add(1);
            writes.error = Some(error.clone());
        }
        if let Some(at) = REASONS.iter().position(|reason| *reason == error.reason()) {
            count(&self.counters.errors[at], 1);
        }
        if *error != StoreError::Resting {
            *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((error.clone(), Instant::now()));
        }
    }

    fn count_found<'a>(&self, found: impl IntoIterator<Item = &'a Option<Item>>) {
        let (mut hits, mut misses) = (0, 0);
        for item in found {
            *(if item.is_some() { &mut hits } else { &mut misses }) += 1;
        }
        count(&self.counters.hits, hits);
        count(&self.counters.misses, misses);
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    fn finish(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(pass) = self.pass.take() {
            // Only failures begin a rest, which depends on the time.
            let now = if outcome == Outcome::Answered { self.began } else { Instant::now() };
            self.guard.breaker().finish(pass, outcome, now - self.guard.started);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.pass.is_none() {
            return;
        }
        // Callers with a timeout of their own, which is shorter by an instant, must not hide that the store hangs.
        if self.began.elapsed() >= self.guard.timeout / 2 {
            self.guard.note(self.kind, &StoreError::Late);
            self.end(Outcome::Failed);
        } else {
            self.end(Outcome::Abandoned);
        }
    }
}

impl Store for Guarded {
    /// Without the timeout, which is for calls that a request waits for.
    fn sweep(&self, most: Duration) -> Reply<'_, Swept> {
        self.inner.sweep(most)
    }

    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        Box::pin(async move {
            let found = self.call(Kind::Read, self.inner.get(key)).await?;
            self.count_found([&found]);
            Ok(found)
        })
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        Box::pin(async move {
            let put = self.call(Kind::Write, self.inner.put(key, item, when)).await?;
            self.has_written(matches!(put, Put::Done(_)));
            Ok(put)
        })
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        Box::pin(async move {
            let is_there = self.call(Kind::Write, self.inner.touch(key, expires)).await?;
            self.has_written(is_there);
            Ok(is_there)
        })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        Box::pin(async move {
            let was_there = self.call(Kind::Write, self.inner.delete(key)).await?;
            self.has_written(was_there);
            Ok(was_there)
        })
    }

    fn check(&self) -> Reply<'_, ()> {
        Box::pin(self.call(Kind::Read, self.inner.check()))
    }

    fn clear(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            self.call(Kind::Write, self.inner.clear()).await?;
            self.has_written(true);
            Ok(())
        })
    }

    fn read_many<'a>(&'a self, keys: &'a [Key]) -> Reply<'a, Vec<Option<Item>>> {
        Box::pin(async move {
            let found = self.call(Kind::Read, self.inner.read_many(keys)).await?;
            self.count_found(&found);
            Ok(found)
        })
    }

    fn touch_many<'a>(&'a self, ends: &'a [(Key, Option<u64>)]) -> Reply<'a, ()> {
        Box::pin(async move {
            self.call(Kind::Write, self.inner.touch_many(ends)).await?;
            self.has_written(true);
            Ok(())
        })
    }
}

fn outcome<T>(result: &Result<T, StoreError>) -> Outcome {
    match result {
        Ok(_) | Err(StoreError::Full(_) | StoreError::Denied(_) | StoreError::TooLarge) => Outcome::Answered,
        Err(
            StoreError::Away(_)
            | StoreError::Login(_)
            | StoreError::Late
            | StoreError::Garbage(_)
            | StoreError::Resting,
        ) => Outcome::Failed,
    }
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

const REASONS: [&str; 7] = ["away", "late", "full", "denied", "too_large", "garbage", "resting"];
/// As many writes that fail in a row are no accident. As of [`BreakerSettings::failures`].
const WRITES_FAILED_MIN: u32 = 5;
/// How long the item of a write that is a probe lives.
const PROBE_MILLISECONDS: u64 = 1_000;
