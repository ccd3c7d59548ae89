//! Live state, which outlives a snapshot: the health and the counts of targets, rules and listeners.
//!
//! invariant: it is keyed by what an operator sees (name, address), never by an index in a snapshot, so that a reload
//! carries it over.

mod last_failure;

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use balance::PassOver;
use model::{Failure, ListenerName, LoadBalancerName, SessionStoreName, TargetKey};
use observe::{CachePadded, ListenerCells, PerWorker, TargetCells, WorkerCells};

use crate::connection::limit::{ConnectionLimit, Evictors, ListenerLimits};
use crate::descriptors::Descriptors;
use crate::failed::Failed;
use crate::persist::SessionTable;

pub use last_failure::LastFailure;
use last_failure::LastFailureCell;

/// All live state, shared by the workers and the control plane.
#[derive(Debug)]
pub struct Live {
    workers: usize,
    worker_cells: Arc<PerWorker<WorkerCells>>,
    descriptors: Arc<Descriptors>,
    evictors: Arc<Evictors>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    targets: HashMap<TargetKey, Arc<TargetLive>>,
    listeners: HashMap<ListenerName, Arc<PerWorker<ListenerCells>>>,
    rules: HashMap<RuleKey, Arc<RuleLive>>,
    of_listener: HashMap<ListenerName, Arc<ConnectionLimit>>,
    of_load_balancer: HashMap<LoadBalancerName, Arc<ConnectionLimit>>,
    listener_limits: HashMap<(ListenerName, LoadBalancerName), Arc<ListenerLimits>>,
    session_tables: HashMap<Option<SessionStoreName>, Arc<SessionTable>>,
}

impl Live {
    pub(crate) fn new(workers: usize) -> Self {
        let evictors = Arc::new(PerWorker::new(workers));
        Self {
            workers,
            worker_cells: Arc::new(PerWorker::new(workers)),
            descriptors: Arc::new(Descriptors::new(&evictors)),
            evictors,
            known: Mutex::default(),
        }
    }

    pub fn workers(&self) -> usize {
        self.workers
    }

    pub fn worker_cells(&self) -> &Arc<PerWorker<WorkerCells>> {
        &self.worker_cells
    }

    /// The state of this target. A new target with health checks begins as unknown.
    pub(crate) fn target(&self, key: &TargetKey, checked: bool) -> Arc<TargetLive> {
        let mut known = self.lock();
        let target = known.targets.entry(key.clone()).or_insert_with(|| {
            Arc::new(TargetLive::new(key.clone(), self.workers, checked, &self.descriptors))
        });
        Arc::clone(target)
    }

    pub(crate) fn listener(&self, name: &ListenerName) -> Arc<PerWorker<ListenerCells>> {
        let mut known = self.lock();
        let cells =
            known.listeners.entry(name.clone()).or_insert_with(|| Arc::new(PerWorker::new(self.workers)));
        Arc::clone(cells)
    }

    pub(crate) fn rule(&self, key: RuleKey) -> Arc<RuleLive> {
        let mut known = self.lock();
        let rule = known.rules.entry(key).or_insert_with_key(|key| {
            Arc::new(RuleLive { key: key.clone(), tunnels: CachePadded(AtomicU32::new(0)) })
        });
        Arc::clone(rule)
    }

    /// Forgets rules that the published snapshot no longer names. A rule with tunnels stays, because it may come back.
    pub(crate) fn retain_rules(&self, rules: &HashSet<&RuleKey>) {
        self.lock().rules.retain(|key, rule| rules.contains(key) || rule.tunnels() > 0);
    }

    /// The sessions that this process keeps for a store, or without one.
    pub fn session_table(&self, store: Option<&SessionStoreName>) -> Arc<SessionTable> {
        self.session_table_of(store, SESSIONS_DEFAULT)
    }

    /// The same. A table that is new has room for `capacity` sessions, and parts to go with it.
    pub(crate) fn session_table_of(
        &self,
        store: Option<&SessionStoreName>,
        capacity: u32,
    ) -> Arc<SessionTable> {
        let mut known = self.lock();
        let new = || Arc::new(SessionTable::new(capacity));
        Arc::clone(known.session_tables.entry(store.cloned()).or_insert_with(new))
    }

    /// All tables, in the order of the names of their stores.
    pub fn session_tables(&self) -> Vec<(Option<SessionStoreName>, Arc<SessionTable>)> {
        let known = self.lock();
        let table = |(name, table): (&Option<_>, &Arc<_>)| (name.clone(), Arc::clone(table));
        let mut tables: Vec<_> = known.session_tables.iter().map(table).collect();
        tables.sort_by(|(one, _), (other, _)| one.cmp(other));
        tables
    }

    pub(crate) fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    pub(crate) fn load_balancer_limit(&self, name: &LoadBalancerName) -> Arc<ConnectionLimit> {
        Arc::clone(self.lock().of_load_balancer.entry(name.clone()).or_default())
    }

    pub(crate) fn listener_limit(&self, name: &ListenerName) -> Arc<ConnectionLimit> {
        Arc::clone(self.lock().of_listener.entry(name.clone()).or_default())
    }

    /// The limits of this listener's connections, while it belongs to this load balancer.
    pub(crate) fn listener_limits(
        &self,
        listener: &ListenerName,
        load_balancer: &LoadBalancerName,
    ) -> Arc<ListenerLimits> {
        let cells = self.listener(listener);
        let process = Arc::clone(&self.descriptors.limit);
        let limits = [self.listener_limit(listener), self.load_balancer_limit(load_balancer), process];
        let key = (listener.clone(), load_balancer.clone());
        let mut known = self.lock();
        let new = || ListenerLimits::new(limits, cells, &self.evictors);
        Arc::clone(known.listener_limits.entry(key).or_insert_with(new))
    }

    /// Registers the task of this worker that evicts connections. It is woken when an eviction is requested.
    pub(crate) fn await_evictions(&self, worker: usize, waker: Waker) {
        let mut evictor = self.evictors.of(worker).lock().unwrap_or_else(PoisonError::into_inner);
        *evictor = Some(waker);
    }

    /// Forgets what the published snapshot no longer names. Limits with open connections stay, and so do targets with requests
    /// or connections in flight: if the listener or the target comes back, they count.
    pub(crate) fn retain(&self, targets: &HashSet<TargetKey>, listeners: &HashSet<ListenerName>) {
        let mut known = self.lock();
        known.targets.retain(|key, target| targets.contains(key) || target.in_flight() > 0);
        known.listener_limits.retain(|_, limits| Arc::strong_count(limits) > 1);
        known.of_listener.retain(|_, limit| Arc::strong_count(limit) > 1);
        known.of_load_balancer.retain(|_, limit| Arc::strong_count(limit) > 1);
        known.session_tables.retain(|_, table| Arc::strong_count(table) > 1);
        let Known { listeners: cells, of_listener, .. } = &mut *known;
        cells.retain(|name, _| listeners.contains(name) || of_listener.contains_key(name));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The identity of a rule for an operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuleKey {
    pub(crate) listener: ListenerName,
    /// [`model::Rule::identity`]
    pub(crate) rule: String,
}

/// The live state of one rule.
#[derive(Debug)]
pub(crate) struct RuleLive {
    key: RuleKey,
    tunnels: CachePadded<AtomicU32>,
}

impl RuleLive {
    pub(crate) fn key(&self) -> &RuleKey {
        &self.key
    }

    /// The number of tunnels, and of requests that may become one, on all workers.
    pub(crate) fn tunnels(&self) -> u32 {
        self.tunnels.0.load(Ordering::Relaxed)
    }

    /// Counts one more tunnel, unless there are `max` already. Without a limit they are counted too: a reload may set one.
    pub(crate) fn lease(self: &Arc<Self>, max: Option<u32>) -> Option<TunnelLease> {
        let next = |count: u32| count.checked_add(1).filter(|&count| max.is_none_or(|max| count <= max));
        self.tunnels.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        Some(TunnelLease(Arc::clone(self)))
    }
}

/// One tunnel of a rule. Dropping it ends the count.
#[derive(Debug)]
pub(crate) struct TunnelLease(Arc<RuleLive>);

impl Drop for TunnelLease {
    fn drop(&mut self) {
        self.0.tunnels.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The health of a target by active checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// The group has no health check. Takes traffic.
    Unchecked,
    /// New, and not probed yet. Takes no traffic.
    Unknown,
    Healthy,
    Unhealthy,
}

impl Health {
    const ALL: [Self; 4] = [Self::Unchecked, Self::Unknown, Self::Healthy, Self::Unhealthy];

    /// The word in status and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    pub const fn takes_traffic(self) -> bool {
        matches!(self, Self::Unchecked | Self::Healthy)
    }
}

/// The live state of one target.
#[derive(Debug)]
pub struct TargetLive {
    key: TargetKey,
    health: AtomicU8,
    /// The bits of a [`PassOver`].
    pass_over: AtomicU64,
    in_flight: CachePadded<AtomicU32>,
    last_failure: LastFailureCell,
    cells: PerWorker<TargetCells>,
    descriptors: Arc<Descriptors>,
}

impl TargetLive {
    fn new(key: TargetKey, workers: usize, checked: bool, descriptors: &Arc<Descriptors>) -> Self {
        let health = if checked { Health::Unknown } else { Health::Unchecked };
        Self {
            key,
            health: AtomicU8::new(health as u8),
            pass_over: AtomicU64::new(0),
            in_flight: CachePadded(AtomicU32::new(0)),
            last_failure: LastFailureCell::default(),
            cells: PerWorker::new(workers),
            descriptors: Arc::clone(descriptors),
        }
    }

    pub fn key(&self) -> &TargetKey {
        &self.key
    }

    pub fn health(&self) -> Health {
        Health::ALL
            .get(usize::from(self.health.load(Ordering::Relaxed)))
            .copied()
            .unwrap_or(Health::Unhealthy)
    }

    pub fn set_health(&self, health: Health) {
        self.health.store(health as u8, Ordering::Relaxed);
    }

    /// The number of requests in flight on all workers.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.0.load(Ordering::Relaxed)
    }

    pub fn cells(&self) -> &PerWorker<TargetCells> {
        &self.cells
    }

    /// True while other targets are preferred because a connect to this one failed.
    pub fn is_passed_over(&self, now_millis: u64) -> bool {
        PassOver::from_bits(self.pass_over.load(Ordering::Relaxed)).holds(now_millis)
    }

    /// True if the last connect to it failed.
    pub fn last_connect_failed(&self) -> bool {
        self.pass_over.load(Ordering::Relaxed) != PassOver::default().to_bits()
    }

    pub(crate) fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    /// The last request that failed at this target, or could not be given to it.
    pub fn last_failure(&self) -> Option<LastFailure> {
        self.last_failure.read()
    }

    pub(crate) fn request_failed(&self, failed: Failed, now_millis: u64) {
        self.last_failure.set(failed, now_millis, || self.served());
    }

    /// Requests that ended here without a failure, of whatever side.
    pub fn served(&self) -> u64 {
        let begun = self.cells.sum(|cells| cells.requests.read());
        let failed =
            |cells: &TargetCells| Failure::ALL.iter().map(|&one| cells.failures.read(one)).sum::<u64>();
        begun.saturating_sub(self.cells.sum(failed)).saturating_sub(self.in_flight().into())
    }

    /// Counts one more request in flight, unless there are `max` already. It is exact over all workers.
    pub(crate) fn begin_request(&self, max: Option<u32>) -> bool {
        let Some(max) = max else {
            self.in_flight.0.fetch_add(1, Ordering::Relaxed);
            return true;
        };
        let next = |count: u32| count.checked_add(1).filter(|&count| count <= max);
        self.in_flight.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    pub(crate) fn end_request(&self) {
        self.in_flight.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns true if the connects before succeeded.
    pub(crate) fn connect_failed(&self, began_millis: u64, now_millis: u64) -> bool {
        let next = |bits| Some(PassOver::from_bits(bits).after_failure(began_millis, now_millis).to_bits());
        self.pass_over.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) == Ok(0)
    }

    /// Returns true if the connect before failed.
    pub(crate) fn connect_succeeded(&self) -> bool {
        let good = PassOver::default().after_success().to_bits();
        self.pass_over.load(Ordering::Relaxed) != good && self.pass_over.swap(good, Ordering::Relaxed) != good
    }
}

// limit: sessions of the table that needs no configuration.
const SESSIONS_DEFAULT: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(rule: &str) -> RuleKey {
        RuleKey { listener: ListenerName::new("web"), rule: rule.to_owned() }
    }

    #[test]
    fn leases_are_exact_across_threads() {
        let live = Live::new(1);
        let rule = live.rule(key("a"));
        let taken: usize = std::thread::scope(|scope| {
            let take = || (0..100).filter_map(|_| rule.lease(Some(150))).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            let leases: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            assert_eq!(rule.tunnels(), 150);
            leases.len()
        });
        assert_eq!((taken, rule.tunnels()), (150, 0));
        let unlimited = rule.lease(None).unwrap();
        assert!(rule.lease(Some(1)).is_none(), "one that had no limit counts");
        drop(unlimited);
        assert!(rule.lease(Some(1)).is_some());
    }

    #[test]
    fn a_rule_is_forgotten_when_nothing_needs_it() {
        let live = Live::new(1);
        let lease = live.rule(key("a")).lease(None);
        live.retain_rules(&HashSet::new());
        assert_eq!(live.rule(key("a")).tunnels(), 1, "it has a tunnel");
        drop(lease);
        live.retain_rules(&HashSet::from([&key("a")]));
        assert!(live.lock().rules.contains_key(&key("a")), "it is named");
        live.retain_rules(&HashSet::new());
        assert!(live.lock().rules.is_empty());
    }
}
