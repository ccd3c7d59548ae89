//! How evenly requests spread over the sessions of a scope (SP3).

use hashbrown::HashTable;

use super::entries::Entry;

/// The requests of one scope in the last complete window of [`LOAD_WINDOW_MS`], as one shard has counted them. The
/// caller adds up `requests` over all shards and takes the largest `busiest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeLoad {
    pub scope: u64,
    pub requests: u64,
    /// Those of the busiest session.
    pub busiest: u64,
    /// The busiest session's client.
    pub client: u128,
}

/// A minute: long enough that a single page with its images is no imbalance, short enough for an alarm.
pub const LOAD_WINDOW_MS: u64 = 60_000;

// limit: scopes are groups and rules of the configuration; those of past configurations go when room is needed.
const SCOPES_MAX: usize = 1_024;

#[derive(Debug)]
struct Counter {
    window: u32,
    current: ScopeLoad,
    /// That of the window before `window`.
    previous: ScopeLoad,
}

impl Counter {
    fn new(scope: u64, window: u32) -> Self {
        Self { window, current: none(scope), previous: none(scope) }
    }

    /// Continues in another window. One before it, from a worker whose clock is behind, counts as the same.
    fn advance(&mut self, window: u32) {
        if window > self.window {
            let empty = none(self.current.scope);
            self.previous = if window == self.window + 1 { self.current } else { empty };
            self.current = empty;
            self.window = window;
        }
    }
}

fn none(scope: u64) -> ScopeLoad {
    ScopeLoad { scope, requests: 0, busiest: 0, client: 0 }
}

/// The counters of all scopes.
#[derive(Debug, Default)]
pub(super) struct Loads {
    counters: HashTable<Counter>,
}

impl Loads {
    /// Counts a request of a session.
    pub(super) fn count(&mut self, entry: &mut Entry, now: u64) {
        let window = window(now);
        if window > entry.window {
            entry.window = window;
            entry.requests = 0;
        }
        entry.requests = entry.requests.saturating_add(1);
        let key = entry.key();
        let Some(counter) = self.counter(key.scope, window) else { return };
        counter.advance(window);
        counter.current.requests += 1;
        if u64::from(entry.requests) > counter.current.busiest {
            counter.current.busiest = entry.requests.into();
            counter.current.client = key.client;
        }
    }

    // The operator's names are in a scope, and no client's bytes: its hash needs no seed.
    fn counter(&mut self, scope: u64, window: u32) -> Option<&mut Counter> {
        if self.counters.find(scope, |counter| counter.current.scope == scope).is_none() {
            if self.counters.len() >= SCOPES_MAX {
                self.counters.retain(|counter| counter.window + 1 >= window);
            }
            if self.counters.len() >= SCOPES_MAX {
                return None;
            }
            let hash = |counter: &Counter| counter.current.scope;
            self.counters.insert_unique(scope, Counter::new(scope, window), hash);
        }
        self.counters.find_mut(scope, |counter| counter.current.scope == scope)
    }

    /// Those of the last complete window; scopes without a request in it are left out.
    pub(super) fn last_window(&mut self, now: u64) -> Vec<ScopeLoad> {
        let window = window(now);
        self.counters.iter_mut().for_each(|counter| counter.advance(window));
        self.counters.iter().map(|counter| counter.previous).filter(|load| load.requests > 0).collect()
    }
}

/// Wraps after eight thousand years.
fn window(now: u64) -> u32 {
    (now / LOAD_WINDOW_MS) as u32
}
