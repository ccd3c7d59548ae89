//! Nodes that share a store in memory, which fails as the test wants it to.

mod claims;
mod faults;
mod faulty;
mod marks;
mod nodes;
mod rotation;
mod touches;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::SecretKeys;
use tokio::task::JoinHandle;

use self::faulty::{Fault, Faulty};
use super::*;
use crate::{Clock, Item, MemoryLimits, MemoryStore, Store, Version, When};

/// A client of a service that runs, and what the service tells.
struct Node {
    client: SessionClient,
    heard: Arc<Heard>,
    service: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    events: Mutex<Vec<Event>>,
    kept: Mutex<Vec<SessionName>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Correct(SessionName, u64, u64),
    Settled(SessionName, u64),
}

impl Corrections for Heard {
    fn correct(&self, name: SessionName, from: u64, to: u64) {
        self.events.lock().unwrap().push(Event::Correct(name, from, to));
    }

    fn kept(&self, name: SessionName, _target: u64) {
        self.kept.lock().unwrap().push(name);
    }

    fn settled(&self, name: SessionName, target: u64, _is_ours: bool) {
        self.events.lock().unwrap().push(Event::Settled(name, target));
    }
}

impl Heard {
    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }

    fn take_kept(&self) -> Vec<SessionName> {
        std::mem::take(&mut *self.kept.lock().unwrap())
    }
}

impl Node {
    fn new(store: Arc<dyn Store>, secrets: SecretKeys, clock: &Time) -> Self {
        let (client, requests) = session_channel();
        let heard = Arc::new(Heard::default());
        let corrections = Arc::clone(&heard) as Arc<dyn Corrections>;
        let service = tokio::spawn(serve(requests, store, secrets, clock.clock(), corrections));
        Self { client, heard, service }
    }

    async fn claim(&self, name: SessionName, candidate: u64) -> Answer {
        self.client.claim(name, candidate, LIFETIME).await.unwrap()
    }

    async fn find(&self, name: SessionName) -> Answer {
        self.client.find(name).await.unwrap()
    }

    async fn move_to(&self, name: SessionName, from: u64, to: u64) -> Answer {
        self.client.move_to(name, from, to, LIFETIME).await.unwrap()
    }

    async fn touch(&self, name: SessionName, target: u64, lifetime: Duration) {
        self.client.touch(vec![Touched { name, target, lifetime }]);
        settle().await;
    }

    /// Ends the service when it has done what there is to do.
    async fn end(self) -> Vec<Event> {
        let Self { client, heard, service } = self;
        drop(client);
        service.await.unwrap();
        heard.take()
    }
}

/// A clock that a test moves.
#[derive(Clone)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_000_000)))
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Arc::new(move || now.load(Ordering::Relaxed))
    }

    fn advance(&self, duration: Duration) {
        self.0.fetch_add(duration.as_millis() as u64, Ordering::Relaxed);
    }
}

/// Lets the services do all that they can do now.
async fn settle() {
    turn(5_000).await;
}

/// Gives the executor so many turns.
async fn turn(times: u32) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// Writes what no node of this version would write.
async fn write_garbage(store: &dyn Store, name: SessionName) {
    let value = b"\x02what a later version writes".as_slice().into();
    let item = Item { value, flags: 0, expires: None, version: Version::default() };
    store.put(&store_key(&[1; 32], name.0, name.1), item, When::Always).await.unwrap();
}

fn memory(clock: &Time) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(MemoryLimits { bytes: 1 << 30, items: 1 << 20 }, clock.clock()))
}

fn secrets(current: u8, previous: Option<u8>) -> SecretKeys {
    SecretKeys { current: [current; 32], previous: previous.map(|byte| [byte; 32]) }
}

const fn ours(target: u64) -> Answer {
    Answer::Here { target, is_ours: true }
}

const fn theirs(target: u64) -> Answer {
    Answer::Here { target, is_ours: false }
}

const LIFETIME: Duration = Duration::from_secs(60);
const NAME: SessionName = (7, 1 << 100);
