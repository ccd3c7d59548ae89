//! The permits of one limit.

use std::ops::Deref;

use model::{ClientPrefix, ConnectionLimits};

use super::board::IdleBoard;
use super::cells::{Cells, Lock, Number};
use super::client_counts::ClientCounts;
use super::scope::Scope;

/// The permits of a listener, of a load balancer, or of the process, and the accepts that wait for one.
#[derive(Debug)]
pub struct PermitPool<C: Cells> {
    open: Open<C>,
    pub(super) limits: Limits<C>,
    pub(super) queue: Queue<C>,
    /// Sharded by client.
    pub(super) clients: Box<[C::Lock<ClientCounts>]>,
}

/// Written for every connection, so it has a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Open<C: Cells>(C::U32);

/// Read for every connection, written by reloads.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Limits<C: Cells> {
    max: C::U32,
    pub(super) per_client: C::U32,
    /// [`ClientPrefix`]: bits of IPv4, bits of IPv6.
    pub(super) client: C::U32,
}

/// The accepts that wait for a permit.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Queue<C: Cells> {
    pub(super) waiting: C::U32,
    /// Waiting accepts for which no connection is idle.
    pub(super) blocked: C::U32,
    /// Evictions that were requested and are not done.
    pub(super) evicting: C::U32,
    /// 1: there were more connections than the limit allows, at the last look.
    pub(super) excess: C::U32,
    pub(super) closes: C::Lock<AnnouncedCloses>,
}

/// Connections that close after their response for the sake of blocked accepts. Each is counted until an accept that
/// waited has a permit.
#[derive(Debug, Default)]
pub(super) struct AnnouncedCloses {
    pub(super) announced: u32,
    /// Of those, connections that have closed.
    pub(super) closed: u32,
}

/// An eviction that was requested: the evictor of this worker must be woken.
#[derive(Debug)]
#[must_use]
pub struct Eviction<B> {
    pub board: B,
    pub worker: usize,
}

impl<C: Cells> Default for PermitPool<C> {
    fn default() -> Self {
        let clients = (0..SHARDS).map(|_| C::Lock::default()).collect();
        let pool =
            Self { open: Open::default(), limits: Limits::default(), queue: Queue::default(), clients };
        pool.configure(&ConnectionLimits::default());
        pool
    }
}

impl<C: Cells> PermitPool<C> {
    /// Sets the limits; then all waiting accepts must be woken. Connections over a lowered limit stay open, and no new
    /// ones are accepted until there are fewer.
    pub fn configure(&self, limits: &ConnectionLimits) {
        self.limits.max.store(limits.max.unwrap_or(UNLIMITED));
        self.limits.per_client.store(limits.per_client.unwrap_or(UNLIMITED));
        let ClientPrefix { v4_bits, v6_bits } = limits.client;
        self.limits.client.store(u16::from_be_bytes([v4_bits, v6_bits]).into());
    }

    /// Permits that are taken.
    pub fn open(&self) -> u32 {
        self.open.0.load()
    }

    pub fn max(&self) -> Option<u32> {
        limited(self.limits.max.load())
    }

    /// Accepts that wait for a permit.
    pub fn waiting(&self) -> u32 {
        self.queue.waiting.load()
    }

    /// Evictions under way.
    pub fn evicting(&self) -> u32 {
        self.queue.evicting.load()
    }

    /// Takes a permit, unless the limit is reached.
    // invariant: one step, so that two workers cannot take the last permit.
    pub(super) fn take(&self) -> bool {
        let max = self.limits.max.load();
        self.open.0.update(|open| (open < max).then_some(open + 1))
    }

    /// Counts what needs no permit; true: [`Self::evict_excess`] must follow.
    #[must_use]
    pub fn occupy(&self) -> bool {
        self.open.0.add(1) >= self.limits.max.load()
    }

    /// Takes back one [`Self::occupy`]; true: the waiting accepts must be woken.
    #[must_use]
    pub fn vacate(&self) -> bool {
        self.give_back()
    }

    /// Gives a permit back; true: the waiting accepts must be woken.
    #[must_use]
    pub(super) fn give_back(&self) -> bool {
        self.open.0.subtract(1);
        self.queue.waiting.load() > 0
    }

    /// True if an accept is blocked: the next connection to go idle must be evicted, and the next response must be its
    /// connection's last.
    pub fn is_blocked(&self) -> bool {
        self.queue.blocked.load() > 0
    }

    /// True if the connection that is about to respond must close after the response. No more connections are told so
    /// than accepts are blocked.
    pub(super) fn announce_close(&self) -> bool {
        if !self.is_blocked() {
            return false;
        }
        self.queue.closes.with(|closes| {
            // invariant: read with the lock held. An accept that gets a permit lowers `blocked` before it takes its
            // close back.
            let is_needed = closes.announced < self.queue.blocked.load();
            closes.announced += u32::from(is_needed);
            is_needed
        })
    }

    /// A connection has closed after its response, as announced, and has given its permit back; then all waiting accepts
    /// must be woken.
    pub(super) fn close_done(&self) {
        self.queue.closes.with(|closes| closes.closed = (closes.closed + 1).min(closes.announced));
    }

    /// Lets closes be announced again, if connections have closed and the limit is reached all the same: because it was
    /// lowered, or because another accept was faster.
    pub(super) fn renew_closes(&self) {
        if self.open() < self.limits.max.load() {
            return;
        }
        self.queue.closes.with(|closes| {
            closes.announced -= closes.closed;
            closes.closed = 0;
        });
    }

    /// Requests an eviction from the worker with the connection that has been idle longest. `None`: no connection is
    /// idle, or `most` evictions are under way; a caller that waits for no permit then wakes the waiting accepts, which may
    /// have counted on this eviction.
    pub fn evict_oldest<B>(
        &self,
        scope: Scope,
        now_millis: u64,
        most: u32,
        boards: impl Fn() -> Vec<B>,
    ) -> Option<Eviction<B>>
    where
        B: Deref<Target: AsRef<IdleBoard<C>>>,
    {
        self.request(scope, now_millis, [most, 1], boards)
    }

    /// Requests an eviction of the worker with the connection that has been idle longest for each connection beyond the
    /// limit, unless it is under way. A worker closes what it has, and asks here again: so the rest passes on to the next
    /// worker. `None` as for [`Self::evict_oldest`].
    pub fn evict_excess<B>(
        &self,
        now_millis: u64,
        most: u32,
        boards: impl Fn() -> Vec<B>,
    ) -> Option<Eviction<B>>
    where
        B: Deref<Target: AsRef<IdleBoard<C>>>,
    {
        let excess = self.open().saturating_sub(self.limits.max.load());
        self.queue.excess.store(u32::from(excess > 0));
        self.request(Scope::Process, now_millis, [excess.min(most), u32::MAX], boards)
    }

    /// True if what goes idle must lead to [`Self::evict_excess`].
    pub fn has_excess(&self) -> bool {
        self.queue.excess.load() > 0
    }

    /// Requests evictions of one worker: `most` under way in all, `at_once` of them by this call.
    fn request<B>(
        &self,
        scope: Scope,
        now_millis: u64,
        [most, at_once]: [u32; 2],
        boards: impl Fn() -> Vec<B>,
    ) -> Option<Eviction<B>>
    where
        B: Deref<Target: AsRef<IdleBoard<C>>>,
    {
        let mut count = 0;
        let is_due = self.queue.evicting.update(|evicting| {
            count = most.saturating_sub(evicting).min(at_once);
            (count > 0).then_some(evicting + count)
        });
        if !is_due {
            return None;
        }
        let oldest = |board: B| board.as_ref().oldest().map(|(since, worker)| (since, worker, board));
        match boards().into_iter().filter_map(oldest).min_by_key(|(since, ..)| *since) {
            Some((since, worker, board)) if scope.may_evict(since, now_millis) => {
                board.as_ref().request(worker, scope, count);
                Some(Eviction { board, worker })
            }
            _ => {
                self.queue.evicting.subtract(count);
                None
            }
        }
    }

    /// A connection is about to close for an accept that waits, without having been idle: it counts as an eviction.
    pub(super) fn closes_soon(&self) {
        self.queue.evicting.add(1);
    }

    /// An eviction is done, or there was no connection to evict; then all waiting accepts must be woken.
    pub(super) fn eviction_done(&self) {
        self.queue.evicting.subtract(1);
    }
}

pub(super) fn limited(number: u32) -> Option<u32> {
    (number != UNLIMITED).then_some(number)
}

const UNLIMITED: u32 = u32::MAX;
pub(super) const SHARDS: u64 = 64;
