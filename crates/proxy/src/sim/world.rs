//! Sets a seed's world up and lets it run: the real worker and everything on it, with scripted clients and targets.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use net::sim::{Peer, Sim, Target};
use net::{Fd, Worker, WorkerStats};
use observe::AccessLogs;
use tls::Material;
use tokio::sync::{mpsc, oneshot};

use super::plan::{Event, Plan, Settings, TARGETS, listener_address, target_address};
use crate::live::Live;
use crate::nonces::{NonceKey, Nonces};
use crate::snapshot::Snapshot;
use crate::worker::{self, Command, Inheritance, Setup, Stop};

/// What is known when a seed is over.
#[derive(Debug)]
pub(super) struct Outcome {
    /// In the order of the plan; `None`: it did not arrive before the stop, or found no listener.
    pub(super) clients: Vec<Option<Peer>>,
    /// The target's ends of all connections to targets, in the order in which they were made.
    pub(super) targets: Vec<(SocketAddr, Peer)>,
    /// The lines of the access log.
    pub(super) log: Vec<String>,
    /// Connections that the stop cut.
    pub(super) cut: usize,
    /// What the worker held before and after.
    pub(super) stats: [WorkerStats; 2],
    pub(super) live: Arc<Live>,
    /// All that were adopted.
    pub(super) snapshots: Vec<Arc<Snapshot>>,
    /// Idle connections had to close before the clients had finished: by the stop, or by a reload that removed a
    /// listener or took its keep-alive away.
    pub(super) has_closed_early: bool,
}

/// Plays `plan`. Fails where the world finds a fault by itself: a lost wake-up, a panic, an open descriptor.
pub(super) fn play(sim: &Sim, plan: &Rc<Plan>) -> Outcome {
    sim.make_roomy();
    (0..TARGETS).for_each(|number| accept_at(sim, plan, number, true));
    let log = LogFile::new(sim.seed());
    let live = Arc::new(Live::new(1));
    let (commands, receiver) = mpsc::channel(16);
    let driver = Driver {
        sim: sim.clone(),
        plan: Rc::clone(plan),
        live: Arc::clone(&live),
        log: log.0.clone(),
        commands,
        listening: RefCell::default(),
        snapshots: RefCell::default(),
        clients: RefCell::new(vec![None; plan.count()]),
        has_closed_early: Cell::new(false),
    };
    let seed = sim.seed();
    let of_worker = Arc::clone(&live);
    let main = |worker: Worker<Sim>| {
        let nonces = Nonces::new(&NonceKey::fixed(seed), 0).unwrap();
        let setup = Setup { live: of_worker, number: 0, seed, nonces };
        let run = worker::run(worker.clone(), setup, Arc::new(Inheritance::new(receiver)));
        worker.spawn(run);
        async move {
            let (cut, stats) = driver.drive(&worker).await;
            (driver, cut, stats)
        }
    };
    let (driver, cut, stats) = sim.run(main).unwrap();
    assert!(logs().flush_and_wait(Duration::from_secs(60)), "the access log is not written");
    Outcome {
        clients: driver.clients.into_inner(),
        targets: sim.connected(),
        log: log.lines(),
        cut,
        stats,
        live,
        snapshots: driver.snapshots.into_inner(),
        has_closed_early: driver.has_closed_early.get(),
    }
}

fn accept_at(sim: &Sim, plan: &Rc<Plan>, number: usize, accepts: bool) {
    let plan = Rc::clone(plan);
    let accept = Target::Accepts(Box::new(move || plan.target_script()));
    sim.target(target_address(number), if accepts { accept } else { Target::Refuses });
}

/// The control plane of one seed.
struct Driver {
    sim: Sim,
    plan: Rc<Plan>,
    live: Arc<Live>,
    log: PathBuf,
    commands: mpsc::Sender<Command>,
    /// By which numbers clients reach the addresses that are listened at.
    listening: RefCell<HashMap<SocketAddr, Fd>>,
    snapshots: RefCell<Vec<Arc<Snapshot>>>,
    clients: RefCell<Vec<Option<Peer>>>,
    has_closed_early: Cell<bool>,
}

impl Driver {
    /// Everything from the first config to the stop.
    async fn drive(&self, worker: &Worker<Sim>) -> (usize, [WorkerStats; 2]) {
        self.adopt(&self.plan.settings.without_listeners()).await;
        let before = worker.stats();
        self.adopt(&self.plan.settings).await;
        let mut now = Duration::ZERO;
        let stop_at = self.plan.stop_at.unwrap_or(Duration::MAX);
        for (at, event) in self.plan.events.iter().filter(|(at, _)| *at < stop_at) {
            self.moment(*at - now).await;
            now = *at;
            self.happen(event).await;
        }
        match self.plan.stop_at {
            Some(at) => self.moment(at - now).await,
            None => self.clients_finish(worker).await,
        }
        let cut = self.stop().await;
        // Tasks whose connections are closed end with the poll in which they closed them.
        worker.yield_now().await;
        worker.sleep(Duration::from_millis(1)).await;
        (cut, [before, worker.stats()])
    }

    async fn happen(&self, event: &Event) {
        match event {
            Event::Arrive(number) => {
                let listener = listener_address(self.plan.listener_of(*number));
                let fd = self.listening.borrow().get(&listener).copied();
                let script = || self.plan.client_script(*number);
                let client = fd.map(|fd| self.sim.client(fd, Duration::ZERO, script()));
                self.clients.borrow_mut()[*number] = client;
            }
            Event::Reload(settings) => self.adopt(settings).await,
            Event::Refuse(target, refuses) => accept_at(&self.sim, &self.plan, *target, !refuses),
        }
    }

    async fn adopt(&self, settings: &Settings) {
        let generation = self.snapshots.borrow().len() as u64 + 1;
        let config = settings.config(&self.log);
        let previous = self.snapshots.borrow().last().cloned();
        let (material, previous) = (Material::default(), previous.as_deref());
        let snapshot = Snapshot::compile(&config, &material, generation, &self.live, logs(), previous);
        let snapshot = Arc::new(snapshot.map_err(|failed| failed.error).unwrap());
        let addresses: Vec<_> =
            snapshot.listeners.iter().flat_map(|listener| listener.bind.iter().copied()).collect();
        let mut sockets = Vec::new();
        {
            let mut listening = self.listening.borrow_mut();
            let before = listening.len();
            listening.retain(|address, _| addresses.contains(address));
            if (listening.len() < before || settings.closes_idle()) && !self.have_clients_finished() {
                self.has_closed_early.set(true);
            }
            for &address in &addresses {
                listening.entry(address).or_insert_with(|| {
                    let (socket, fd) = self.sim.listener_socket(address).unwrap();
                    sockets.push((address, socket));
                    fd
                });
            }
        }
        snapshot.limit_connections();
        let (done, answer) = oneshot::channel();
        let command = Command::Adopt { snapshot: Arc::clone(&snapshot), sockets, done };
        self.commands.send(command).await.map_err(drop).unwrap();
        answer.await.unwrap();
        snapshot.settle(&self.live);
        self.snapshots.borrow_mut().push(snapshot);
    }

    async fn stop(&self) -> usize {
        self.has_closed_early.set(self.has_closed_early.get() || !self.have_clients_finished());
        let (done, answer) = oneshot::channel();
        let (closed, _) = oneshot::channel();
        let stop = Stop { within: self.plan.stop_within, handed_over: Arc::default(), closed };
        let command = Command::Stop { stop, done };
        self.commands.send(command).await.map_err(drop).unwrap();
        answer.await.unwrap()
    }

    /// Waits so long; unlike a deadline of the worker's clock, exactly.
    async fn moment(&self, after: Duration) {
        let (over, wait) = oneshot::channel();
        self.sim.at(after, move || over.send(()).unwrap());
        wait.await.unwrap();
    }

    async fn clients_finish(&self, worker: &Worker<Sim>) {
        for _ in 0..CLIENTS_PATIENCE_SECONDS {
            if self.have_clients_finished() {
                return;
            }
            worker.sleep(Duration::from_secs(1)).await;
        }
        panic!("the clients do not finish: {:?}", self.clients.borrow());
    }

    fn have_clients_finished(&self) -> bool {
        self.clients.borrow().iter().flatten().all(|client| client.report().is_done)
    }
}

/// The access log of one seed.
struct LogFile(PathBuf);

impl LogFile {
    fn new(seed: u64) -> Self {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("evenkeel-sim-{}-{count}-{seed}.log", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.0).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One writer for all seeds of this process.
fn logs() -> &'static AccessLogs {
    static LOGS: OnceLock<AccessLogs> = OnceLock::new();
    LOGS.get_or_init(|| AccessLogs::start().unwrap())
}

const CLIENTS_PATIENCE_SECONDS: u32 = 2_000;
