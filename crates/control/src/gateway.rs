//! Session gateways: memcached's protocol for the session handlers of applications, with items that are kept in session
//! stores (SP12).
//!
//! They have threads of their own. The control plane's runtime has a single thread, on which the traffic of applications
//! would delay reloads, probes and the admin API.

mod budget;
mod connection;
mod execute;
mod figures;
mod meta;
mod patience;
mod shelf;
mod socket;
#[cfg(test)]
mod tests;
mod threads;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{SessionGateway, SessionGatewayName, SessionStore, SessionStoreName};
use observe::Event;
use store::{Clock, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use budget::Budget;
use connection::{Connection, stopped};
pub use figures::{Counted, GatewayFigures};
use shelf::Shelf;
use socket::Socket;
pub(crate) use socket::name_of;
use threads::{Threads, Turns};

/// All session gateways of the process. Dropping it closes their connections.
#[derive(Debug)]
pub struct Gateways {
    /// `None` until there is a gateway, so that a process without one has no threads for it.
    threads: Mutex<Option<Threads>>,
    running: Mutex<HashMap<SessionGatewayName, Running>>,
}

/// Opens a session store by its name, or gives the one that is open.
pub type OpenStores<'o> = &'o dyn Fn(&SessionStoreName) -> Option<GatewayStore>;

/// An open store.
#[derive(Debug)]
pub struct GatewayStore {
    pub config: SessionStore,
    /// For a gateway whose items it has.
    pub items: Arc<dyn Store>,
    /// For a gateway whose cache it is.
    pub copies: Arc<dyn Store>,
    /// How long a command takes at most where it has the items.
    pub limit: Duration,
}

#[derive(Debug)]
struct Running {
    config: SessionGateway,
    stores: Vec<SessionStore>,
    figures: Arc<GatewayFigures>,
    /// True: it takes no more connections and ends those that are idle.
    stop: watch::Sender<bool>,
}

impl Gateways {
    pub fn new() -> Self {
        Self { threads: Mutex::default(), running: Mutex::default() }
    }

    /// Starts, keeps and ends gateways, so that those of the configuration run. One that has not changed keeps its socket,
    /// its connections and its figures.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn adopt(&self, wanted: &[SessionGateway], stores: OpenStores<'_>, clock: &Clock) -> io::Result<()> {
        let mut running = self.running();
        let config_of = |name: &SessionStoreName| stores(name).map(|store| store.config);
        let stores_of = |gateway: &SessionGateway| -> Vec<_> {
            std::iter::once(&gateway.store).chain(&gateway.cache).filter_map(config_of).collect()
        };
        running.retain(|_, one| {
            let stays = wanted.iter().any(|new| *new == one.config && stores_of(new) == one.stores);
            if !stays {
                one.stop.send_replace(true);
            }
            stays
        });
        for gateway in wanted {
            if running.contains_key(&gateway.name) {
                continue;
            }
            let Some(GatewayStore { items, limit, .. }) = stores(&gateway.store) else { continue };
            let cache = gateway.cache.as_ref().and_then(stores).map(|store| store.copies);
            let shelf = Arc::new(Shelf::new(&gateway.name, items, cache, Arc::clone(clock), limit));
            let figures = Arc::new(GatewayFigures::default());
            let (stop, stopping) = watch::channel(false);
            let turns = self.turns()?;
            let (config, figures_of) = (gateway.clone(), Arc::clone(&figures));
            turns.next().clone().spawn(serve(config, shelf, figures_of, turns, stopping));
            let (config, stores) = (gateway.clone(), stores_of(gateway));
            running.insert(gateway.name.clone(), Running { config, stores, figures, stop });
        }
        Ok(())
    }

    /// Ends all: no more connections, and the idle ones are closed.
    pub fn stop(&self) {
        for (_, one) in self.running().drain() {
            one.stop.send_replace(true);
        }
    }

    /// What each gateway has done, by name.
    pub fn figures(&self) -> Vec<(SessionGatewayName, Arc<GatewayFigures>)> {
        let running = self.running();
        let mut all: Vec<_> =
            running.iter().map(|(name, one)| (name.clone(), Arc::clone(&one.figures))).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// The threads, which are started when the first gateway needs them.
    fn turns(&self) -> io::Result<Turns> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = &*threads {
            return Ok(threads.turns());
        }
        Ok(threads.insert(Threads::start()?).turns())
    }

    fn running(&self) -> MutexGuard<'_, HashMap<SessionGatewayName, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Gateways {
    fn default() -> Self {
        Self::new()
    }
}

/// Serves one gateway until it is to stop, and then until its connections have ended, for a limited time.
async fn serve(
    config: SessionGateway,
    shelf: Arc<Shelf>,
    figures: Arc<GatewayFigures>,
    turns: Turns,
    mut stopping: watch::Receiver<bool>,
) {
    let Some(socket) = bind(&config, &figures, &mut stopping).await else { return };
    let mut connections = JoinSet::new();
    let of_connections = stopping.clone();
    let item_bytes_max = usize::try_from(config.item_bytes_max).unwrap_or(usize::MAX);
    let budget = Budget::new(item_bytes_max);
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok(accepted) => {
                    let (shelf, figures, budget) =
                        (Arc::clone(&shelf), Arc::clone(&figures), Arc::clone(&budget));
                    let connection = Connection::new(shelf, figures, budget, item_bytes_max);
                    let stopping = of_connections.clone();
                    let serve = async move {
                        if let Ok(stream) = accepted.open() {
                            connection.serve(stream, stopping).await;
                        }
                    };
                    connections.spawn_on(serve, turns.next());
                }
                // Most likely out of file descriptors; the connection stays in the accept queue.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    socket.close().await;
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(DRAIN_PATIENCE, drained).await;
}

/// Tries until it succeeds: the address may belong to a process that is about to stop. `None`: the gateway is to stop.
async fn bind(
    config: &SessionGateway,
    figures: &GatewayFigures,
    stopping: &mut watch::Receiver<bool>,
) -> Option<Socket> {
    let mut told = false;
    loop {
        let bound = Socket::bind(&config.bind).await;
        match &bound {
            Ok(socket) => figures.bound(socket.name()),
            Err(error) => figures.not_bound(error.to_string()),
        }
        match bound {
            Ok(socket) => {
                let fields: [(_, &dyn fmt::Display); 2] =
                    [("gateway", &config.name), ("address", &socket.name())];
                observe::event(Event::SessionGatewayServes, &fields);
                return Some(socket);
            }
            Err(error) if !told => {
                told = true;
                let address = name_of(&config.bind);
                let fields: [(_, &dyn fmt::Display); 3] =
                    [("gateway", &config.name), ("address", &address), ("error", &error)];
                observe::event(Event::SessionGatewayNotBound, &fields);
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stopped(stopping) => return None,
            () = sleep(BIND_PAUSE) => {}
        }
    }
}

// limit: connections of one gateway; others wait in the accept queue.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const BIND_PAUSE: Duration = Duration::from_millis(200);
/// How long commands that are being executed may take after a stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
