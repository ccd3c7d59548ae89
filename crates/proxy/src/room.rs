//! Room for clients' connections: how many a listener or a load balancer has, all workers together, and how one is made
//! when there is none (KA10, KA11).
//!
//! A place is taken before a connection is accepted, so that there is never one more than allowed. Who finds none waits
//! here and asks for an eviction: the worker with the connection that has been idle longest closes it. Whoever gives a
//! place back wakes who waits.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use balance::{ClientCounts, hash_bytes};
use model::{ClientPrefix, ConnectionLimits};
use observe::CachePadded;

use crate::places::{Places, Scope};

/// The connections of a listener, of a load balancer, or of the process. Kept by name, so that reloads carry it over.
#[derive(Debug)]
pub struct Room {
    open: CachePadded<AtomicU32>,
    limits: CachePadded<Limits>,
    queue: CachePadded<Queue>,
    clients: Box<[Mutex<ClientCounts>]>,
    /// Whose idle connections count here.
    members: Mutex<Vec<Weak<Places>>>,
}

/// Read for every connection, written by reloads.
#[derive(Debug)]
struct Limits {
    max: AtomicU32,
    per_client: AtomicU32,
    /// [`ClientPrefix`]: bits of IPv4, bits of IPv6.
    client: AtomicU16,
}

/// Accept tasks that wait for a place.
#[derive(Debug, Default)]
struct Queue {
    waiting: AtomicU32,
    /// Of those, for how many no connection is idle.
    starving: AtomicU32,
    /// Evictions under way.
    evicting: AtomicU32,
    promises: Mutex<Promises>,
    wakers: Mutex<Vec<Waker>>,
}

/// For who starves: connections that end behind the response in flight, or have, until somebody who waited has a place.
#[derive(Debug, Default)]
struct Promises {
    made: u32,
    /// Of those, whose connection has ended.
    kept: u32,
}

impl Default for Room {
    fn default() -> Self {
        let room = Self {
            open: CachePadded::default(),
            limits: CachePadded(Limits {
                max: AtomicU32::new(UNLIMITED),
                per_client: AtomicU32::new(UNLIMITED),
                client: AtomicU16::new(0),
            }),
            queue: CachePadded::default(),
            clients: (0..SHARDS).map(|_| Mutex::default()).collect(),
            members: Mutex::default(),
        };
        room.configure(&ConnectionLimits::default());
        room
    }
}

impl Room {
    /// Connections that are over a lowered limit stay; no new ones come until they are fewer.
    pub(crate) fn configure(&self, limits: &ConnectionLimits) {
        self.limits.max.store(limits.max.unwrap_or(UNLIMITED), SeqCst);
        self.limits.per_client.store(limits.per_client.unwrap_or(UNLIMITED), SeqCst);
        let ClientPrefix { v4_bits, v6_bits } = limits.client;
        self.limits.client.store(u16::from_be_bytes([v4_bits, v6_bits]), SeqCst);
        self.wake();
    }

    /// Connections open now.
    pub fn open(&self) -> u32 {
        self.open.load(SeqCst)
    }

    pub fn max(&self) -> Option<u32> {
        limited(self.limits.max.load(SeqCst))
    }

    /// Clients that are counted now.
    pub fn clients(&self) -> usize {
        self.clients.iter().map(|shard| lock(shard).clients()).sum()
    }

    pub(crate) fn join(&self, places: &Arc<Places>) {
        let mut members = lock(&self.members);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(places));
    }

    // invariant: one step, so that workers cannot take the last place twice.
    pub(crate) fn take(&self) -> bool {
        let max = self.limits.max.load(SeqCst);
        self.open.fetch_update(SeqCst, SeqCst, |open| (open < max).then_some(open + 1)).is_ok()
    }

    pub(crate) fn give_back(&self) {
        self.open.fetch_sub(1, SeqCst);
        if self.queue.waiting.load(SeqCst) > 0 {
            self.wake();
        }
    }

    /// Whether somebody waits for whom no connection is idle: who becomes idle is to make room.
    pub(crate) fn is_starving(&self) -> bool {
        self.queue.starving.load(SeqCst) > 0
    }

    /// Whether a response is to be its connection's last: no more are than starve.
    pub(crate) fn promise(&self) -> bool {
        if !self.is_starving() {
            return false;
        }
        let mut promises = lock(&self.queue.promises);
        // invariant: read with the lock held. Who starved and has a place says so before it takes promises back.
        let more = promises.made < self.queue.starving.load(SeqCst);
        promises.made += u32::from(more);
        more
    }

    /// A connection that was to end has, and its place was given back.
    pub(crate) fn kept_promise(&self) {
        let mut promises = lock(&self.queue.promises);
        promises.kept = (promises.kept + 1).min(promises.made);
        drop(promises);
        self.wake();
    }

    /// Somebody still waits: where promises were kept and the room is full all the same, because its limit was lowered
    /// or because others came first, they are to be made again.
    fn renew_promises(&self) {
        if self.open() < self.limits.max.load(SeqCst) {
            return;
        }
        let mut promises = lock(&self.queue.promises);
        promises.made -= promises.kept;
        promises.kept = 0;
    }

    /// Has who waits look again.
    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut *lock(&self.queue.wakers));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Has the connection closed that has been idle longest; false: there is none, or `most` are on their way.
    pub(crate) fn evict_oldest(&self, scope: Scope, now_millis: u64, most: u32) -> bool {
        let more = |evicting| (evicting < most).then_some(evicting + 1);
        if self.queue.evicting.fetch_update(SeqCst, SeqCst, more).is_err() {
            return false;
        }
        let members: Vec<_> = lock(&self.members).iter().filter_map(Weak::upgrade).collect();
        let oldest = members.iter().filter_map(|places| Some((places.oldest()?, places)));
        match oldest.min_by_key(|((since, _), _)| *since) {
            Some(((since, worker), places)) if since <= now_millis.saturating_add(CLOCKS_APART_MILLIS) => {
                places.want_eviction(worker, scope);
                true
            }
            _ => {
                self.queue.evicting.fetch_sub(1, SeqCst);
                false
            }
        }
    }

    /// An eviction is done, or found nobody.
    pub(crate) fn evicted(&self) {
        self.queue.evicting.fetch_sub(1, SeqCst);
        self.wake();
    }

    /// Counts a connection of this client, unless it has as many as it may; `None`: clients are not limited here.
    pub(crate) fn count(self: &Arc<Self>, address: IpAddr) -> Result<Option<Counted>, ClientLimit> {
        let Some(most) = limited(self.limits.per_client.load(SeqCst)) else { return Ok(None) };
        let [v4_bits, v6_bits] = self.limits.client.load(SeqCst).to_be_bytes();
        let client = ClientPrefix { v4_bits, v6_bits }.first(address);
        if !lock(self.shard(client)).add(client, most) {
            return Err(ClientLimit);
        }
        Ok(Some(Counted { room: Arc::clone(self), client }))
    }

    fn shard(&self, client: u128) -> &Mutex<ClientCounts> {
        &self.clients[(hash_bytes(&client.to_be_bytes()) % SHARDS) as usize]
    }
}

/// A client has as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientLimit;

/// A connection that counts for its client, until its drop.
#[derive(Debug)]
pub(crate) struct Counted {
    room: Arc<Room>,
    client: u128,
}

impl Drop for Counted {
    fn drop(&mut self) {
        lock(self.room.shard(self.client)).remove(self.client);
    }
}

/// An accept task that waits for a place, until its drop.
pub(crate) struct Waiting {
    room: Arc<Room>,
    scope: Scope,
    starves: bool,
}

impl Waiting {
    pub(crate) fn begin(room: &Arc<Room>, scope: Scope) -> Self {
        room.queue.waiting.fetch_add(1, SeqCst);
        Self { room: Arc::clone(room), scope, starves: false }
    }

    pub(crate) fn is_in(&self, room: &Arc<Room>) -> bool {
        Arc::ptr_eq(&self.room, room)
    }

    /// To be woken when a place comes free, or an eviction found nobody.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut wakers = lock(&self.room.queue.wakers);
        if !wakers.iter().any(|other| other.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Sees to it that a place will come free; false: every connection is in use. No more are evicted than wait.
    pub(crate) fn ask(&mut self, now_millis: u64) -> bool {
        self.room.renew_promises();
        if self.is_on_its_way(now_millis) {
            self.starve(false);
            return true;
        }
        // invariant: it is said before the second look. Who becomes idle is found by it, or finds that somebody starves.
        self.starve(true);
        let found = self.is_on_its_way(now_millis);
        self.starve(!found);
        found
    }

    fn is_on_its_way(&self, now_millis: u64) -> bool {
        let most = self.room.queue.waiting.load(SeqCst);
        self.room.evict_oldest(self.scope, now_millis, most) || self.room.queue.evicting.load(SeqCst) >= most
    }

    fn starve(&mut self, starves: bool) {
        match (self.starves, starves) {
            (false, true) => drop(self.room.queue.starving.fetch_add(1, SeqCst)),
            (true, false) => drop(self.room.queue.starving.fetch_sub(1, SeqCst)),
            _ => {}
        }
        self.starves = starves;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.starve(false);
        let mut promises = lock(&self.room.queue.promises);
        // A promise that others used up is not left when nobody waits.
        let is_last = self.room.queue.waiting.fetch_sub(1, SeqCst) == 1;
        let Promises { made, kept } = &mut *promises;
        *made = if is_last { 0 } else { made.saturating_sub(1) };
        *kept = kept.saturating_sub(1).min(*made);
    }
}

fn limited(number: u32) -> Option<u32> {
    (number != UNLIMITED).then_some(number)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const UNLIMITED: u32 = u32::MAX;
const SHARDS: u64 = 64;
// Workers read the clock once a turn of their loops.
pub(crate) const CLOCKS_APART_MILLIS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(max: u32) -> ConnectionLimits {
        ConnectionLimits { max: Some(max), ..ConnectionLimits::default() }
    }

    #[test]
    fn a_promise_that_brought_nobody_in_is_made_again() {
        let room = Arc::new(Room::default());
        room.configure(&limited(3));
        assert!((0..3).all(|_| room.take()));
        room.configure(&limited(1));
        let mut waiting = Waiting::begin(&room, Scope::Listener);
        for open in (1..3).rev() {
            assert!(!waiting.ask(0), "nobody is idle");
            assert!(room.promise());
            assert!(!waiting.ask(0));
            assert!(!room.promise(), "one for one that waits");
            room.give_back();
            room.kept_promise();
            assert_eq!(room.open(), open);
        }
        assert!(!waiting.ask(0));
        assert!(room.promise());
        room.give_back();
        room.kept_promise();
        assert!(room.take());
        drop(waiting);
        assert!(!room.promise(), "nobody waits");
        let mut next = Waiting::begin(&room, Scope::Listener);
        assert!(!next.ask(0));
        assert!(room.promise(), "nothing is left of earlier ones");
    }
}
