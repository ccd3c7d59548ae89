//! Active health checks (BAL2): one task per probed target, updated by reloads. `probe` makes the probes,
//! crate `balance` decides on the health, `watch` stores it.

mod groups;
mod probe;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use balance::{Rng, first_probe, hash_address, next_probe};
use model::{HealthCheck, TargetKey};
use proxy::{Snapshot, TargetLive};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use groups::Groups;
use probe::Way;
pub(crate) use watch::Findings;
use watch::{Moment, Watch};

/// All probes of the process.
#[derive(Debug)]
pub(crate) struct Probes {
    shared: Arc<Shared>,
    tasks: Handle,
    entries: Mutex<HashMap<TargetKey, Entry>>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    wall: fn() -> SystemTime,
    seed: u64,
    // limit: probes in flight, so that many targets do not use up the descriptors or answer all at once.
    permits: Semaphore,
    groups: Groups,
}

/// A probed target. Dropping it ends the task.
#[derive(Debug)]
struct Entry {
    watch: Arc<Watch>,
    check: HealthCheck,
    way: Way,
    task: AbortHandle,
}

impl Probes {
    pub(crate) fn new(tasks: Handle, wall: fn() -> SystemTime, seed: u64) -> Self {
        let shared = Shared {
            began: Instant::now(),
            wall,
            seed,
            permits: Semaphore::new(PROBES_MAX),
            groups: Groups::default(),
        };
        Self { shared: Arc::new(shared), tasks, entries: Mutex::default() }
    }

    /// Probes exactly the targets of this snapshot. The task of a target whose check did not change keeps
    /// running. A target with a changed check, TLS settings or limits gets a new task and keeps its state.
    pub(crate) fn adopt(&self, snapshot: &Snapshot) {
        self.shared.groups.adopt(&snapshot.groups);
        let mut entries = self.lock();
        let mut old = std::mem::take(&mut *entries);
        for group in &snapshot.groups {
            let Some(check) = &group.group.health_check else { continue };
            let way = Way::of(group, snapshot.response_limits(&group.group.name));
            for target in &group.targets {
                let known =
                    old.remove(target.key()).filter(|entry| Arc::ptr_eq(entry.watch.target(), target));
                entries.insert(target.key().clone(), self.entry(target, check, &way, known));
            }
        }
        drop(entries);
        old.values().for_each(|entry| entry.watch.end());
    }

    pub(crate) fn end_all(&self) {
        self.lock().clear();
    }

    pub(crate) fn findings(&self, key: &TargetKey) -> Option<Findings> {
        self.lock().get(key).map(|entry| entry.watch.findings())
    }

    fn entry(&self, target: &Arc<TargetLive>, check: &HealthCheck, way: &Way, known: Option<Entry>) -> Entry {
        let watch = match known {
            Some(entry) if entry.check == *check && entry.way.is_same(way) => return entry,
            Some(entry) => {
                entry.watch.set_check(check);
                Arc::clone(&entry.watch)
            }
            None => Arc::new(Watch::new(Arc::clone(target), check, self.shared.now())),
        };
        let story = probe_for_ever(Arc::clone(&watch), check.clone(), way.clone(), Arc::clone(&self.shared));
        let task = self.tasks.spawn(story).abort_handle();
        Entry { watch, check: check.clone(), way: way.clone(), task }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TargetKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn now(&self) -> Moment {
        Moment { millis: self.millis(), wall: (self.wall)() }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_until(&self, millis: u64) {
        sleep_until(self.began + Duration::from_millis(millis)).await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn probe_for_ever(watch: Arc<Watch>, check: HealthCheck, way: Way, shared: Arc<Shared>) {
    let address = watch.target().key().address;
    let mut random = Rng::new(shared.seed ^ hash_address(address));
    let mut at = first_probe(shared.millis(), check.interval, &mut random);
    loop {
        shared.sleep_until(at).await;
        // The semaphore is never closed.
        let Ok(permit) = shared.permits.acquire().await else { return };
        at = next_probe(shared.millis(), check.interval, &mut random);
        let outcome = probe::probe(&check, &way, address).await;
        drop(permit);
        if watch.observe(outcome, shared.now()) {
            shared.groups.tell(watch.target().key());
        }
    }
}

const PROBES_MAX: usize = 64;
