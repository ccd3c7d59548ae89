//! The running load balancer: start, reload, status and stop.

mod certificates;
mod chores;
mod metrics;
mod problems;
mod recent;
mod reload;
mod report;
mod session_views;
mod sessions;
mod successor;
mod swap;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use balance::hash_bytes;
use model::{AdminToken, Config};
use observe::{Event, Reopened};
use proxy::{BoundAddress, Engine, EngineError, Live, Offer, Snapshot, StopReport};
use tls::{Material, TicketKeys};
use tokio::runtime::Handle;
use tokio::sync::{Notify, RwLock, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use crate::contents::Contents;
use crate::gateway::Gateways;
use crate::health::Probes;
use crate::prepared::Prepared;
use crate::secrets;
use crate::stores::Stores;

use recent::Recent;
pub(crate) use reload::diagnostic_json;
pub use reload::{ReloadError, Reloaded};
pub(crate) use report::rfc3339;
pub(crate) use successor::hand_over;
use successor::{HandedOver, await_successor};
pub use swap::Swapped;
use swap::Swaps;

/// The inputs of [`Control::start`].
#[derive(Debug)]
pub struct Setup {
    pub prepared: Prepared,
    /// The file that a reload reads; `None`: there is none, as in the demo or if the config came from a pipe.
    pub path: Option<PathBuf>,
    /// A random seed; see [`Engine::start`].
    pub seed: [u64; 2],
    /// The wall clock.
    pub wall: fn() -> SystemTime,
    pub version: &'static str,
}

/// The running load balancer. Shared by the admin API and the signal handlers.
#[derive(Debug)]
pub struct Control {
    path: Option<PathBuf>,
    version: &'static str,
    wall: fn() -> SystemTime,
    started: SystemTime,
    began: Instant,
    /// Settings that a reload cannot change.
    fixed: Fixed,
    /// The ticket keys, shared by all generations.
    tickets: Arc<TicketKeys>,
    /// `None` after the stop, which takes the engine. Reloads hold the read lock, so that the stop waits for
    /// a reload in progress.
    engine: Arc<RwLock<Option<Engine>>>,
    reloading: Arc<tokio::sync::Mutex<()>>,
    live: Arc<Live>,
    stores: Stores,
    gateways: Gateways,
    probes: Probes,
    state: Mutex<State>,
    /// Notified when another configuration or other files are served.
    adopted: Arc<Notify>,
    /// True when a stop offers the addresses to another process.
    offers: watch::Sender<bool>,
    recent: Mutex<Recent>,
    /// Background tasks, which end with the stop.
    chores: Mutex<JoinSet<()>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Fixed {
    workers: Option<u16>,
    admin_bind: (Vec<PathBuf>, Vec<SocketAddr>),
}

/// The state that a reload changes. It is copied out, so that the lock is never held for long.
#[derive(Clone, Debug)]
struct State {
    serving: Arc<Serving>,
    last_reload: Option<LastReload>,
    last_success: SystemTime,
    swaps: Swaps,
    stopping: bool,
}

/// What is served. It outlives the engine, so that status and metrics answer during a stop.
#[derive(Debug)]
struct Serving {
    snapshot: Arc<Snapshot>,
    bound: Vec<BoundAddress>,
    stop_timeout: Duration,
    config: Config,
    material: Material,
    /// The state of the files that `material` was read from.
    contents: Contents,
}

#[derive(Clone, Debug)]
struct LastReload {
    at: SystemTime,
    error: Option<String>,
}

impl Control {
    /// Starts the workers. When it returns, every listener serves. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If an address cannot be bound, a log cannot be opened or a thread cannot be started. Nothing runs
    /// then.
    pub async fn start(mut setup: Setup) -> Result<Arc<Self>, EngineError> {
        let tasks = Handle::current();
        let start = move || {
            secrets::complete(&mut setup.prepared.config).map_err(EngineError::Start)?;
            Engine::start(&setup.prepared.config, &setup.prepared.material, setup.seed)
                .map(|engine| Self::new(setup, engine, tasks))
        };
        let control = spawn_blocking(start).await.unwrap_or(Err(EngineError::WorkerGone)).map(Arc::new)?;
        control.begin_chores();
        Ok(control)
    }

    /// The bound addresses, in the order of the config.
    pub fn bound(&self) -> Vec<BoundAddress> {
        self.state().serving.bound.clone()
    }

    pub fn generation(&self) -> u64 {
        self.state().serving.snapshot.generation
    }

    pub fn workers(&self) -> usize {
        self.live.workers()
    }

    /// Waits until every target has been probed once, at most `within`. Before its first probe a target with
    /// a health check gets no traffic.
    pub async fn first_probes(&self, within: Duration) {
        let done = async {
            while self.overview().groups.iter().any(|group| group.unknown > 0) {
                sleep(PROBED_LOOK).await;
            }
        };
        let _ = timeout(within, done).await;
    }

    /// How long a stop waits, according to the current config.
    pub fn stop_timeout(&self) -> Duration {
        self.state().serving.stop_timeout
    }

    /// Reopens every access log under its path, and returns the outcome for each.
    ///
    /// # Errors
    /// If it is stopping.
    // cancel-safe: as a reload.
    pub async fn reopen_logs(self: &Arc<Self>) -> Result<Vec<Reopened>, ReloadError> {
        let reopen = |_: &Self, engine: Option<&Engine>| {
            let logs = engine.ok_or(ReloadError::Stopping)?.logs().reopen(REOPEN_PATIENCE);
            if logs.iter().all(|log| log.error.is_none()) {
                observe::event(Event::LogsReopened, &[]);
            }
            Ok(logs)
        };
        self.in_turn(reopen).await
    }

    /// Stops accepting, waits at most `within` for requests and tunnels in flight, and ends the workers.
    /// Status and metrics are served meanwhile. `successor`: whether another process may take over.
    pub async fn stop(&self, within: Duration, successor: Successor) -> StopReport {
        let began = Instant::now();
        self.lock().stopping = true;
        let HandedOver { addresses, waiting } = match successor {
            Successor::None => HandedOver::default(),
            Successor::MayCome => self.succession(within).await,
        };
        self.probes.end_all();
        self.end_chores();
        self.gateways.stop();
        let left = || within.saturating_sub(began.elapsed());
        // A reload may be waiting for a disk.
        let Ok(mut engine) = timeout(left(), self.engine.write()).await else { return self.give_up() };
        let Some(engine) = engine.take() else { return StopReport::default() };
        let within = left();
        // A process that waits for the addresses tries again when these are gone.
        let stop = move || engine.stop(within, addresses, || drop(waiting));
        match timeout(within + STOP_MARGIN, spawn_blocking(stop)).await {
            Ok(report) => report.unwrap_or_default(),
            Err(_) => self.give_up(),
        }
    }

    /// Offers the addresses to another process. A stop lasts no longer for it.
    async fn succession(&self, within: Duration) -> HandedOver {
        self.offers.send_replace(true);
        let (began, longest) = (Instant::now(), within / 2);
        let Ok(offers) = timeout(longest, self.offers()).await else { return HandedOver::default() };
        let longest = longest.saturating_sub(began.elapsed());
        await_successor(offers, SUCCESSOR_PATIENCE.min(longest), longest).await
    }

    /// Ends the stop at its deadline, though something hangs.
    fn give_up(&self) -> StopReport {
        observe::event(Event::StoppedBusy, &[]);
        let listeners = &self.state().serving.snapshot.listeners;
        let open: u32 = listeners.iter().map(|plan| plan.connection_limit.open()).sum();
        StopReport { cut: usize::try_from(open).unwrap_or(usize::MAX) }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// The token of requests to the admin API from other machines.
    pub(crate) fn admin_token(&self) -> Option<AdminToken> {
        self.lock().serving.config.admin.token.clone()
    }

    /// Waits for a stop that offers the addresses to another process.
    pub(crate) async fn offers_addresses(&self) {
        // The sender is in `self`.
        let _ = self.offers.subscribe().wait_for(|offers| *offers).await;
    }

    async fn offers(&self) -> Vec<(SocketAddr, Offer)> {
        let engine = Arc::clone(&self.engine).read_owned().await;
        let offers = move || engine.as_ref().map(Engine::offers).unwrap_or_default();
        spawn_blocking(offers).await.unwrap_or_default()
    }

    fn new(setup: Setup, engine: Engine, tasks: Handle) -> Self {
        let Setup { prepared, path, seed, wall, version } = setup;
        let Prepared { config, material, tickets, contents, .. } = prepared;
        let started = wall();
        let fixed = Fixed::of(&config);
        let serving = Serving::of(&engine, config, material, contents);
        let seed_for =
            |what: &[u8; 8]| hash_bytes(&[seed[0].to_ne_bytes(), seed[1].to_ne_bytes(), *what].concat());
        let stores = Stores::new(tasks.clone(), wall, seed_for(b"stores\0\0"));
        let probes = Probes::new(tasks, wall, seed_for(b"probes\0\0"));
        probes.adopt(&serving.snapshot);
        let control = Self {
            path,
            version,
            wall,
            started,
            began: Instant::now(),
            fixed,
            tickets,
            live: Arc::clone(engine.live()),
            stores,
            gateways: Gateways::new(),
            engine: Arc::new(RwLock::new(Some(engine))),
            reloading: Arc::default(),
            probes,
            state: Mutex::new(State {
                serving: Arc::new(serving),
                last_reload: None,
                last_success: started,
                swaps: Swaps::default(),
                stopping: false,
            }),
            adopted: Arc::default(),
            offers: watch::Sender::new(false),
            recent: Mutex::default(),
            chores: Mutex::default(),
        };
        control.adopt_stores(&control.state().serving.config);
        control
    }

    /// Opens the session stores and gateways of a configuration, and closes the others.
    fn adopt_stores(&self, config: &Config) {
        self.stores.adopt(config, &self.live);
        let by_name = |name: &_| self.stores.by_name(name);
        if let Err(error) = self.gateways.adopt(&config.session_gateways, &by_name, self.stores.clock()) {
            observe::event(Event::SessionGatewaysNotStarted, &[("error", &error)]);
        }
    }

    /// Records what the engine now serves.
    fn adopt(&self, engine: &Engine, config: Config, material: Material, contents: Contents) {
        self.adopt_stores(&config);
        let serving = Arc::new(Serving::of(engine, config, material, contents));
        self.probes.adopt(&serving.snapshot);
        let mut state = self.lock();
        state.serving = serving;
        state.swaps.settle();
        drop(state);
        self.adopted.notify_one();
    }

    fn state(&self) -> State {
        self.lock().clone()
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fixed {
    fn of(config: &Config) -> Self {
        let admin = &config.admin;
        Self { workers: config.workers, admin_bind: (admin.sockets.clone(), admin.addresses.clone()) }
    }
}

impl Serving {
    fn of(engine: &Engine, config: Config, material: Material, contents: Contents) -> Self {
        let stop_timeout = config.stop_timeout;
        Self { snapshot: engine.snapshot(), bound: engine.bound(), stop_timeout, config, material, contents }
    }
}

/// Whether another process may take over when this one stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Successor {
    None,
    MayCome,
}

/// How long a stop offers its addresses: the time in which another process can be started.
const SUCCESSOR_PATIENCE: Duration = Duration::from_secs(2);
/// How much longer than that the workers and the access logs may take for the end.
const STOP_MARGIN: Duration = Duration::from_secs(5);
/// The polling interval while waiting for the first probes.
const PROBED_LOOK: Duration = Duration::from_millis(20);
/// How long a disk may take to open the access logs before they are reported as not reopened.
const REOPEN_PATIENCE: Duration = Duration::from_secs(10);
