//! The session stores that are open, and what goes between them and the tables of the data plane (SP9).

#[cfg(test)]
mod tests;
mod watch;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use balance::session::{SessionKey, TargetId};
use model::{Config, KeySource, SecretKeys, SessionStore, SessionStoreName, StoreKind};
use observe::Event;
use proxy::{Link, Live, SessionTable, shared_lifetime};
use store::session::{
    Corrections, Marks, SessionClient, SessionFigures, SessionName, Touched, serve, session_channel,
};
use store::{Clock, Figures, Guarded, Store, Swept, open};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::gateway::GatewayStore;
pub(crate) use watch::StoreState;
use watch::{Watch, watch};

/// The open stores of a process, by name. A store that does not change is kept over a reload.
pub(crate) struct Stores {
    tasks: Handle,
    clock: Clock,
    seed: u64,
    open: Mutex<HashMap<SessionStoreName, OpenStore>>,
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("open", &self.open).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct OpenStore {
    config: SessionStore,
    /// What it is without its guards, so that a memory store can be kept.
    inner: Arc<dyn Store>,
    store: Arc<Guarded>,
    /// For the items of gateways, which are larger and wait longer than sessions do.
    items: Arc<Guarded>,
    /// For copies of such items, where this store is the cache of a gateway.
    copies: Arc<Guarded>,
    table: Arc<SessionTable>,
    /// `None`: a memory store, whose sessions are in the table.
    client: Option<SessionClient>,
    watch: Arc<Mutex<Watch>>,
    chores: Vec<JoinHandle<()>>,
}

/// What status and metrics say about a store.
#[derive(Debug)]
pub(crate) struct StoreFigures {
    pub(crate) name: SessionStoreName,
    pub(crate) state: StoreState,
    /// Of calls for sessions and for items of gateways.
    pub(crate) store: Figures,
    pub(crate) sharing: Option<SessionFigures>,
}

impl Stores {
    pub(crate) fn new(tasks: Handle, wall: fn() -> SystemTime, seed: u64) -> Self {
        let millis = move || {
            let since = wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        };
        Self { tasks, clock: Arc::new(millis), seed, open: Mutex::default() }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Opens the stores of a configuration, keeps those that are the same, and closes the others. Waits for none of them.
    pub(crate) fn adopt(&self, config: &Config, live: &Live) {
        let mut open = self.lock();
        let mut memories = HashMap::new();
        open.retain(|name, one| {
            let stays = config.session_stores.contains(&one.config);
            if !stays {
                one.close();
                if one.config.kind == StoreKind::Memory {
                    memories.insert(name.clone(), Arc::clone(&one.inner));
                }
                let is_named = config.session_stores.iter().any(|store| store.name == *name);
                if !is_named {
                    one.table.set_link(None);
                }
            }
            stays
        });
        for settings in &config.session_stores {
            if open.contains_key(&settings.name) {
                continue;
            }
            // The items of a memory store outlive a change of its settings.
            let memory = memories.remove(&settings.name).filter(|_| settings.kind == StoreKind::Memory);
            match self.open_one(settings, memory, live) {
                Ok(one) => drop(open.insert(settings.name.clone(), one)),
                Err(error) => {
                    live.session_table(Some(&settings.name)).set_link(None);
                    observe::event(Event::StoreNotOpened, &[("store", &settings.name), ("error", &error)]);
                }
            }
        }
    }

    /// A store by its name, for session gateways.
    pub(crate) fn by_name(&self, name: &SessionStoreName) -> Option<GatewayStore> {
        let open = self.lock();
        let one = open.get(name)?;
        Some(GatewayStore {
            config: one.config.clone(),
            items: Arc::<Guarded>::clone(&one.items),
            copies: Arc::<Guarded>::clone(&one.copies),
            limit: items_timeout(&one.config),
        })
    }

    pub(crate) fn figures(&self) -> Vec<StoreFigures> {
        let open = self.lock();
        let figures = |(name, one): (&SessionStoreName, &OpenStore)| StoreFigures {
            name: name.clone(),
            state: one.watch.lock().unwrap_or_else(PoisonError::into_inner).state(),
            store: one.store.figures().and(one.items.figures()).and(one.copies.figures()),
            sharing: one.client.as_ref().map(SessionClient::figures),
        };
        let mut all: Vec<_> = open.iter().map(figures).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn open_one(
        &self,
        settings: &SessionStore,
        memory: Option<Arc<dyn Store>>,
        live: &Live,
    ) -> Result<OpenStore, store::OpenError> {
        let new = || open(settings, Arc::clone(&self.clock), MEMORY_BYTES);
        let inner = memory.map_or_else(&new, Ok)?;
        let seed =
            balance::hash_bytes(&[&self.seed.to_ne_bytes(), settings.name.as_str().as_bytes()].concat());
        inner.set_capacity(settings.capacity.into());
        let for_items = client_for_items(&settings.kind, &inner, new)?;
        let guarded =
            |client: &Arc<dyn Store>, timeout| Arc::new(Guarded::new(Arc::clone(client), timeout, seed));
        let store = guarded(&inner, settings.timeout);
        let items = guarded(&for_items, items_timeout(settings));
        let copies = guarded(&for_items, settings.timeout.clamp(COPIES_TIMEOUT_MIN, COPIES_TIMEOUT_MAX));
        let table = live.session_table(Some(&settings.name));
        table.set_capacity(settings.capacity);
        let watched = Arc::new(Mutex::new(Watch::default()));
        let guards = [&items, &store, &copies].map(Arc::downgrade);
        let clock = Arc::clone(&self.clock);
        let mut chores = vec![
            self.tasks.spawn(sweep(Arc::downgrade(&store))),
            self.tasks.spawn(watch(settings.clone(), guards, Arc::clone(&watched), clock)),
        ];
        // No request waits for the marks, and a file store reads them one after another.
        let marks = guarded(&inner, settings.timeout.max(MARKS_TIMEOUT_MIN));
        let client = self.share(settings, &store, &table, marks, &mut chores);
        let link = client.clone().map(|client| Link { client, timeout: settings.timeout });
        table.set_link(link);
        let config = settings.clone();
        Ok(OpenStore { config, inner, store, items, copies, table, client, watch: watched, chores })
    }

    /// Lets the table's sessions be shared through the store. The sessions of a memory store are in the table already.
    fn share(
        &self,
        settings: &SessionStore,
        store: &Arc<Guarded>,
        table: &Arc<SessionTable>,
        marks: Arc<Guarded>,
        chores: &mut Vec<JoinHandle<()>>,
    ) -> Option<SessionClient> {
        let secrets = secrets(settings).filter(|_| settings.kind != StoreKind::Memory)?;
        let (client, receiver) = session_channel();
        let corrections = Arc::new(OfTable { table: Arc::downgrade(table), client: client.clone() });
        let shared: Arc<dyn Store> = Arc::<Guarded>::clone(store);
        let clock = Arc::clone(&self.clock);
        let marks = Marks::new(marks, &secrets, Arc::clone(&clock));
        chores.push(self.tasks.spawn(serve(receiver, shared, secrets, clock, corrections)));
        chores.push(self.tasks.spawn(watch_marks(
            Arc::downgrade(table),
            marks,
            client.clone(),
            settings.timeout,
        )));
        chores.push(self.tasks.spawn(touch(Arc::downgrade(table), client.clone())));
        Some(client)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionStoreName, OpenStore>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenStore {
    fn close(&self) {
        self.chores.iter().for_each(JoinHandle::abort);
    }
}

/// Sessions do not wait behind large items: these have connections of their own, which are made when they are needed.
fn client_for_items<E>(
    kind: &StoreKind,
    of_sessions: &Arc<dyn Store>,
    new: impl FnOnce() -> Result<Arc<dyn Store>, E>,
) -> Result<Arc<dyn Store>, E> {
    match kind {
        StoreKind::Memory | StoreKind::File { .. } => Ok(Arc::clone(of_sessions)),
        StoreKind::Memcached { .. } | StoreKind::Redis { .. } | StoreKind::Sql { .. } => new(),
    }
}

fn items_timeout(settings: &SessionStore) -> Duration {
    settings.timeout.max(ITEMS_TIMEOUT)
}

fn secrets(settings: &SessionStore) -> Option<SecretKeys> {
    match settings.key.as_ref()? {
        KeySource::File { keys, .. } => Some(keys.clone()),
        KeySource::Generated { keys, .. } => keys.clone(),
    }
}

/// Takes what other processes have changed into the table.
#[derive(Debug)]
struct OfTable {
    table: Weak<SessionTable>,
    client: SessionClient,
}

impl Corrections for OfTable {
    fn correct(&self, (scope, client): SessionName, from: u64, to: u64) {
        if let Some(table) = self.table.upgrade() {
            table.reassign(SessionKey { scope, client }, TargetId(from), TargetId(to));
        }
    }

    fn kept(&self, (scope, client): SessionName, target: u64) {
        if let Some(table) = self.table.upgrade() {
            table.confirm(SessionKey { scope, client }, TargetId(target), net::monotonic_millis());
        }
    }

    fn settled(&self, name: SessionName, target: u64, is_ours: bool) {
        let Some(table) = self.table.upgrade() else { return };
        let (key, now_millis) = (SessionKey { scope: name.0, client: name.1 }, net::monotonic_millis());
        match table.peek(key, now_millis) {
            // The request went where the hash said instead, and its session stays there.
            Some(row) if is_ours && row.target.0 != target => {
                let lifetime = shared_lifetime(row.timeout_ms, row.timeout_ms);
                drop(self.client.correct(name, target, row.target.0, lifetime));
            }
            _ => table.settle(key, TargetId(target), now_millis),
        }
    }
}

/// Removes expired items from a store that does not do so by itself.
async fn sweep(store: Weak<Guarded>) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        let Some(store) = store.upgrade() else { return };
        // What goes wrong shows in the next call that a request needs.
        while store.sweep(SWEEP_TIME).await.is_ok_and(Swept::is_much) {}
    }
}

/// Tells the store which sessions are in use.
async fn touch(table: Weak<SessionTable>, client: SessionClient) {
    loop {
        sleep(TOUCH_LOOK).await;
        let Some(table) = table.upgrade() else { return };
        let touches = table.take_touches(net::monotonic_millis(), TOUCHES_AT_ONCE);
        let touched = |touch: &balance::session::Touch| Touched {
            name: (touch.key.scope, touch.key.client),
            target: touch.target.0,
            lifetime: shared_lifetime(touch.remaining_ms, touch.timeout_ms),
        };
        client.touch(touches.iter().map(touched).collect());
    }
}

/// Tells other processes that sessions have moved, and hears of it from them.
async fn watch_marks(
    table: Weak<SessionTable>,
    mut marks: Marks,
    client: SessionClient,
    answers_within: Duration,
) {
    let late_millis = u64::try_from((ANSWERS_IN_TURN * answers_within).as_millis()).unwrap_or(u64::MAX);
    loop {
        let is_changed = marks.look(client.changes()).await;
        let Some(table) = table.upgrade() else { return };
        let now_millis = net::monotonic_millis();
        table.note_overdue(now_millis);
        // What goes wrong shows in the next call that a request needs, and the next look sees what this one missed.
        if is_changed.unwrap_or(false) {
            table.doubt(now_millis.saturating_add(late_millis), now_millis);
        }
        drop(table);
        sleep(TOUCH_LOOK).await;
    }
}

// limit: bytes of the items of one store in memory.
const MEMORY_BYTES: u64 = 256 << 20;
/// How long a command of a gateway waits at least; an application waits for it, and has nothing to fall back to.
const ITEMS_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a gateway waits for a copy. It asks the truth in its stead, within the same second.
const COPIES_TIMEOUT_MIN: Duration = Duration::from_millis(100);
const COPIES_TIMEOUT_MAX: Duration = Duration::from_millis(200);
const MARKS_TIMEOUT_MIN: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// limit: how long one sweep takes a thread, unless it finds much that has expired.
const SWEEP_TIME: Duration = Duration::from_millis(500);
const TOUCH_LOOK: Duration = Duration::from_secs(1);
/// What the store has said may be this many of its timeouts old when it is noted: others are asked first, and one wish can
/// take a read and several writes.
const ANSWERS_IN_TURN: u32 = 10;
// limit: sessions of one shard in one look.
const TOUCHES_AT_ONCE: usize = 512;
