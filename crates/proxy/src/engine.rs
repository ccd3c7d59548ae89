//! Starts the workers, hands each new snapshot to all of them, and stops them. The control plane calls it.

mod bind;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use model::{Config, Limits, ListenerName};
use net::{ListenerSocket, Offer, Predecessor};
use observe::AccessLogs;
use tls::Material;
use tokio::sync::{mpsc, oneshot};

use crate::descriptors;
use crate::live::Live;
use crate::nonces::{NonceKey, Nonces};
use crate::snapshot::Snapshot;
use crate::worker::{Command, Inheritance, Setup, Stop};
use crate::worker_thread::run_workers;
use bind::{BindError, Bound, Fresh, bind_all, complete};

/// The running data plane. Its methods block: call them from a thread that may block.
#[derive(Debug)]
pub struct Engine {
    live: Arc<Live>,
    logs: AccessLogs,
    workers: Vec<Handle>,
    descriptors: DescriptorNumbers,
    published: Mutex<Published>,
}

/// File descriptors, when the engine was started.
#[derive(Debug)]
struct DescriptorNumbers {
    limit: u64,
    /// Those in use, without listener sockets.
    others: u64,
}

#[derive(Debug)]
struct Handle {
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Published {
    snapshot: Arc<Snapshot>,
    /// Keyed by configured address.
    bound: HashMap<SocketAddr, Bound>,
}

/// An address on which a listener accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundAddress {
    pub listener: ListenerName,
    pub configured: SocketAddr,
    /// If port 0 is configured, with the port that the kernel chose.
    pub actual: SocketAddr,
}

/// The result of a graceful stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// The number of connections that were still open at the deadline and were closed then.
    pub cut: usize,
}

/// Why the engine did not start or did not adopt a config. Nothing has changed then.
#[derive(Debug)]
pub enum EngineError {
    /// A listener socket cannot be bound.
    Bind {
        listener: ListenerName,
        address: SocketAddr,
        error: String,
    },
    AccessLog {
        listener: ListenerName,
        error: io::Error,
    },
    Start(io::Error),
    /// A worker is gone: a bug, or the engine was stopped.
    WorkerGone,
}

impl Engine {
    /// Starts the workers. When it returns, `config` is served with the `material` that was loaded for it. Binds every
    /// address or none. `seed` is for choices between equals; what peers see is made from a key of its own.
    pub fn start(config: &Config, material: &Material, seed: [u64; 2]) -> Result<Self, EngineError> {
        Self::start_with(config, material, seed, end_process)
    }

    /// `give_up` is called when the workers of one thread die again and again.
    fn start_with(
        config: &Config,
        material: &Material,
        seed: [u64; 2],
        give_up: fn(),
    ) -> Result<Self, EngineError> {
        let limit = net::raise_descriptor_limit();
        net::forgo_huge_pages();
        let count = worker_count(config);
        let live = Arc::new(Live::new(count));
        let logs = AccessLogs::start().map_err(EngineError::Start)?;
        let snapshot = Arc::new(compile(config, material, 1, &live, &logs, None)?);
        let mut fresh = bind_all(&snapshot, &HashMap::new())?;
        let key = Arc::new(NonceKey::random().map_err(EngineError::Start)?);
        let workers = (0..count)
            .map(|number| spawn_worker(number, &live, seed, &key, give_up))
            .collect::<io::Result<Vec<_>>>()
            .map_err(EngineError::Start)?;
        let published = Published { snapshot: Arc::new(Snapshot::nothing()), bound: HashMap::new() };
        let sockets = (fresh.len() * count * SOCKETS_PER_ADDRESS) as u64;
        let descriptors = DescriptorNumbers { limit, others: 0 };
        complete(&mut fresh, count)?;
        let mut engine = Self { live, logs, workers, descriptors, published: Mutex::new(published) };
        engine.publish(&mut engine.lock(), snapshot, fresh)?;
        let connections = engine.live.descriptors().limit.open();
        engine.descriptors.others = descriptors::open_now().saturating_sub(sockets + u64::from(connections));
        engine.limit_descriptors(&engine.lock());
        Ok(engine)
    }

    /// Serves `config` from each worker's next request on. Returns the new generation when all workers have adopted it. On
    /// an error nothing has changed. The number of workers does not change. Keep the previous config until it returns:
    /// address lists that did not change are recognised by it, else they are compiled again.
    pub fn apply(&self, config: &Config, material: &Material) -> Result<u64, EngineError> {
        let mut published = self.lock();
        let generation = published.snapshot.generation + 1;
        let previous = Some(&*published.snapshot);
        let compiled = compile(config, material, generation, &self.live, &self.logs, previous);
        let prepared = compiled.and_then(|snapshot| {
            let mut fresh = bind_all(&snapshot, &published.bound)?;
            complete(&mut fresh, self.workers.len())?;
            Ok((fresh, Arc::new(snapshot)))
        });
        let (fresh, snapshot) = prepared.inspect_err(|_| published.snapshot.settle(&self.live))?;
        self.publish(&mut published, snapshot, fresh)?;
        Ok(generation)
    }

    /// The first half of a stop: ends every connection as a stop does, but goes on accepting, and offers the sockets of every
    /// address, by configured address, to a process that may take over.
    pub fn offers(&self) -> Vec<(SocketAddr, Offer)> {
        let published = self.lock();
        // The accept queue of a socket that is not lent would be lost, so an address is offered as a whole or not at all.
        let mut lent: HashMap<SocketAddr, io::Result<Vec<ListenerSocket>>> = HashMap::new();
        for (address, sockets) in self.ask_all(|done| Command::Lend { done }).into_iter().flatten() {
            let all = lent.entry(address).or_insert_with(|| Ok(Vec::new()));
            match (all, sockets) {
                (Ok(all), Ok(sockets)) => all.extend(sockets),
                (all @ Ok(_), Err(error)) => *all = Err(error),
                (Err(_), _) => {}
            }
        }
        let offer = |(&address, bound): (&SocketAddr, &Bound)| {
            let sockets = lent.remove(&address).unwrap_or_else(|| Ok(Vec::new()));
            let offer =
                sockets.and_then(|sockets| Offer::new(bound.actual, bound.lock.try_clone()?, sockets));
            let warn = |error: &io::Error| {
                let event = observe::Event::NotOffered;
                observe::event(event, &[("address", &bound.actual), ("error", error)]);
            };
            Some((address, offer.inspect_err(warn).ok()?))
        };
        published.bound.iter().filter_map(offer).collect()
    }

    /// Binds the names at which successors ask, where a process from which an address was taken over had them.
    pub fn reserve_names(&self) {
        // Another process may be asked for an address now, and that may take long.
        let Ok(mut published) = self.published.try_lock() else { return };
        for bound in published.bound.values_mut() {
            bound.lock.reserve(bound.actual);
        }
    }

    /// Stops accepting, waits up to `within` for requests and tunnels in flight, and ends the workers. The accept queues of
    /// `handed_over` are left alone. `closed` is called when no address is bound any more.
    pub fn stop(
        self,
        within: Duration,
        handed_over: HashSet<SocketAddr>,
        closed: impl FnOnce(),
    ) -> StopReport {
        let handed_over = Arc::new(handed_over);
        let mut closes = Vec::new();
        let mut answers = Vec::new();
        for handle in &self.workers {
            let ((told, tells), (done, answer)) = (oneshot::channel(), oneshot::channel());
            let stop = Stop { within, handed_over: Arc::clone(&handed_over), closed: told };
            if handle.commands.blocking_send(Command::Stop { stop, done }).is_ok() {
                closes.push(tells);
                answers.push(answer);
            }
        }
        for close in closes {
            let _ = close.blocking_recv();
        }
        self.lock().bound.clear();
        closed();
        let cut = answers.into_iter().filter_map(|answer| answer.blocking_recv().ok()).sum();
        for handle in self.workers {
            let _ = handle.thread.join();
        }
        self.logs.flush_and_wait(LOG_PATIENCE);
        StopReport { cut }
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock().snapshot)
    }

    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub fn logs(&self) -> &AccessLogs {
        &self.logs
    }

    /// In the order of the config.
    pub fn bound(&self) -> Vec<BoundAddress> {
        let published = self.lock();
        let addresses =
            published.snapshot.listeners.iter().flat_map(|l| l.bind.iter().map(|&a| (l.name.clone(), a)));
        addresses
            .filter_map(|(listener, configured)| {
                let bound = published.bound.get(&configured)?;
                Some(BoundAddress { listener, configured, actual: bound.actual })
            })
            .collect()
    }

    /// Hands the snapshot to every worker and waits until all serve it.
    fn publish(
        &self,
        published: &mut Published,
        snapshot: Arc<Snapshot>,
        fresh: Vec<Fresh>,
    ) -> Result<(), EngineError> {
        let mut shares: Vec<Vec<(SocketAddr, ListenerSocket)>> =
            self.workers.iter().map(|_| Vec::new()).collect();
        let mut predecessors = Vec::new();
        for Fresh { address, bound, sockets, predecessor, .. } in fresh {
            published.bound.insert(address, bound);
            predecessors.extend(predecessor);
            // A predecessor with more workers leaves more than one to some of ours.
            for (number, socket) in sockets.into_iter().enumerate() {
                shares[number % self.workers.len()].push((address, socket));
            }
        }
        snapshot.limit_connections();
        self.limit_descriptors(published);
        let mut answers = Vec::new();
        for (handle, sockets) in self.workers.iter().zip(shares) {
            let (done, answer) = oneshot::channel();
            let command = Command::Adopt { snapshot: Arc::clone(&snapshot), sockets, done };
            handle.commands.blocking_send(command).map_err(|_| EngineError::WorkerGone)?;
            answers.push(answer);
        }
        for answer in answers {
            // A worker that dies meanwhile is replaced by one that serves this snapshot.
            let _ = answer.blocking_recv();
        }
        predecessors.into_iter().for_each(Predecessor::serving);
        let wanted: HashSet<_> =
            snapshot.listeners.iter().flat_map(|listener| listener.bind.iter().copied()).collect();
        published.bound.retain(|address, _| wanted.contains(address));
        self.limit_descriptors(published);
        // The old snapshot goes first: `settle` removes what is no longer referenced.
        published.snapshot = snapshot;
        published.snapshot.settle(&self.live);
        Ok(())
    }

    fn limit_descriptors(&self, published: &Published) {
        let sockets = (published.bound.len() * self.workers.len() * SOCKETS_PER_ADDRESS) as u64;
        self.live.descriptors().configure(self.descriptors.limit, self.descriptors.others + sockets);
    }

    /// The answers of all workers that are there.
    fn ask_all<T>(&self, command: impl Fn(oneshot::Sender<T>) -> Command) -> Vec<T> {
        let ask = |handle: &Handle| {
            let (done, answer) = oneshot::channel();
            handle.commands.blocking_send(command(done)).ok().map(|()| answer)
        };
        let answers: Vec<_> = self.workers.iter().filter_map(ask).collect();
        answers.into_iter().filter_map(|answer| answer.blocking_recv().ok()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn worker_count(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.workers.map_or_else(cores, usize::from).clamp(1, Limits::WORKERS_MAX - 1)
}

fn compile(
    config: &Config,
    material: &Material,
    generation: u64,
    live: &Live,
    logs: &AccessLogs,
    previous: Option<&Snapshot>,
) -> Result<Snapshot, EngineError> {
    Snapshot::compile(config, material, generation, live, logs, previous)
        .map_err(|failed| EngineError::AccessLog { listener: failed.listener, error: failed.error })
}

fn spawn_worker(
    number: usize,
    live: &Arc<Live>,
    seed: [u64; 2],
    key: &Arc<NonceKey>,
    give_up: fn(),
) -> io::Result<Handle> {
    let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
    let (live, key) = (Arc::clone(live), Arc::clone(key));
    let mut first = Some(Nonces::new(&key, number)?);
    let mut workers_before = 0;
    let setup = move || {
        // Not the numbers of the worker before: no two nonces of a process are equal.
        let identity = number + workers_before * Limits::WORKERS_MAX;
        workers_before += 1;
        let nonces = first.take().map_or_else(|| Nonces::new(&key, identity), Ok)?;
        let seed = [seed[0].to_ne_bytes(), seed[1].to_ne_bytes(), identity.to_ne_bytes()].concat();
        Ok(Setup { live: Arc::clone(&live), number, seed: balance::hash_bytes(&seed), nonces })
    };
    let inheritance = Arc::new(Inheritance::new(receiver));
    let thread = std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || run_workers(&inheritance, number, setup, give_up))?;
    Ok(Handle { commands, thread })
}

impl From<BindError> for EngineError {
    fn from(BindError { listener, address, error }: BindError) -> Self {
        Self::Bind { listener, address, error }
    }
}

/// Ends the process: a supervisor can start another one, and a process whose workers die does not serve all clients.
fn end_process() {
    std::process::exit(EXIT_WORKERS_DIE);
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { listener, address, error } => {
                write!(f, "listener `{listener}` cannot listen at {address}: {error}")
            }
            Self::AccessLog { listener, error } => {
                write!(f, "the access log of listener `{listener}` cannot be opened: {error}")
            }
            Self::Start(error) => write!(f, "cannot start the workers: {error}"),
            Self::WorkerGone => f.write_str("a worker is gone"),
        }
    }
}

impl std::error::Error for EngineError {}

// limit: commands that are queued for one worker.
const COMMANDS_MAX: usize = 16;
const LOG_PATIENCE: Duration = Duration::from_secs(2);
/// See "Exit codes" in `docs/operating.md`.
const EXIT_WORKERS_DIE: i32 = 3;
/// The worker accepts at one, and the other one waits for the next worker.
const SOCKETS_PER_ADDRESS: usize = 2;

#[cfg(test)]
mod tests;
