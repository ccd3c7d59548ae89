//! The common part of `run` and `demo`: start the load balancer, serve until a signal, stop.

use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use control::{
    AdminAddress, AdminEndpoint, AdminSocket, Control, Notice, Prepared, Setup, Successor, notify,
};
use model::Admin;
use observe::{Event, EventLog};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::output::failed;

/// The signals that a running load balancer handles.
pub(crate) struct Signals {
    hangup: Signal,
    reopen: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Registers the handlers; from here on these signals do not terminate the process by default.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for a stop signal while the process starts, when there is nothing to be finished.
    pub(crate) async fn stop_asked(&mut self) {
        stop_signal(&mut self.interrupt, &mut self.terminate).await;
    }

    /// Serves until a stop signal, then stops gracefully. A second signal ends the wait for requests in
    /// flight.
    pub(crate) async fn serve(mut self, control: &Arc<Control>, admin: AdminApi, place: Place) {
        let admin = admin.serve(control);
        let reloads = reload_on(&mut self.hangup, control);
        let reopens = reopen_on(&mut self.reopen, control);
        let stop = async {
            let signal = stop_signal(&mut self.interrupt, &mut self.terminate).await;
            tokio::select! {
                () = stop(control, successor(signal, place)) => {}
                () = second_signal(&mut self.interrupt, &mut self.terminate) => {
                    observe::event(Event::StoppedAtOnce, &[]);
                }
            }
        };
        tokio::select! {
            () = stop => {}
            () = admin => {}
            () = reloads => {}
            () = reopens => {}
        }
    }
}

/// Runs the future of the control plane to its end. Threads that are still busy are not waited for.
pub(crate) fn block_on(story: impl Future<Output = ExitCode>) -> ExitCode {
    // Dropped last, so that the lines of the end are written.
    let _log = match EventLog::start() {
        Ok(log) => log,
        Err(error) => return failed(&format!("cannot start the log's thread: {error}")),
    };
    log_panics();
    match runtime() {
        Ok(runtime) => {
            let code = runtime.block_on(story);
            runtime.shutdown_background();
            code
        }
        Err(error) => failed(&format!("cannot start the control plane: {error}")),
    }
}

pub(crate) fn setup(prepared: Prepared, path: Option<std::path::PathBuf>) -> io::Result<Setup> {
    Ok(Setup { prepared, path, seed: seed()?, wall: wall_clock, version: crate::VERSION })
}

/// Where the admin API answers.
pub(crate) struct AdminApi {
    pub(crate) sockets: Vec<AdminSocket>,
    pub(crate) endpoints: Vec<AdminEndpoint>,
}

impl AdminApi {
    /// Listens at the sockets and addresses of the configuration; the command line overrides the sockets.
    pub(crate) async fn bind(asked: Option<AdminAddress>, admin: &Admin) -> Result<Self, String> {
        let mut addresses: Vec<_> = match asked {
            Some(asked) => vec![asked],
            None => admin.sockets.iter().cloned().map(AdminAddress::from).collect(),
        };
        if addresses.is_empty() {
            addresses.push(AdminAddress::default_place());
        }
        let (mut sockets, mut endpoints) = (Vec::new(), Vec::new());
        for address in addresses {
            sockets.push(AdminSocket::bind(&address).await.map_err(|error| error.to_string())?);
        }
        for &address in &admin.addresses {
            endpoints.push(AdminEndpoint::bind(address).await.map_err(|error| error.to_string())?);
        }
        Ok(Self { sockets, endpoints })
    }

    /// Answers at the addresses, instead of a process that is stopping. Before it, that process does.
    pub(crate) async fn started(&mut self) -> Result<(), String> {
        for socket in &mut self.sockets {
            socket.started().await.map_err(|error| error.to_string())?;
        }
        self.endpoints.iter_mut().for_each(AdminEndpoint::started);
        Ok(())
    }

    async fn serve(self, control: &Arc<Control>) {
        let mut tasks = JoinSet::new();
        for socket in self.sockets {
            let control = Arc::clone(control);
            tasks.spawn(async move { socket.serve(control).await });
        }
        for endpoint in self.endpoints {
            tasks.spawn(endpoint.serve(Arc::clone(control)));
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Whether another process can take the addresses over from this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A demonstration, or the first process of a container, which takes the others with it.
    Alone,
    Shared,
}

impl Place {
    pub(crate) fn of_this_process() -> Self {
        if std::process::id() == 1 { Self::Alone } else { Self::Shared }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopSignal {
    Interrupt,
    Terminate,
}

/// Ctrl-C in a terminal ends the process for good.
fn successor(signal: StopSignal, place: Place) -> Successor {
    match (signal, place) {
        (StopSignal::Terminate, Place::Shared) => Successor::MayCome,
        _ => Successor::None,
    }
}

async fn stop_signal(interrupt: &mut Signal, terminate: &mut Signal) -> StopSignal {
    tokio::select! {
        _ = interrupt.recv() => StopSignal::Interrupt,
        _ = terminate.recv() => StopSignal::Terminate,
    }
}

/// Waits for a signal that is not the first one once more: `timeout` of GNU sends it to the process and to its group.
async fn second_signal(interrupt: &mut Signal, terminate: &mut Signal) {
    let first = Instant::now();
    while first.elapsed() < SAME_SIGNAL {
        stop_signal(interrupt, terminate).await;
    }
}

async fn reload_on(hangup: &mut Signal, control: &Arc<Control>) {
    while hangup.recv().await.is_some() {
        notify(Notice::Reloading);
        // Errors are in the log and in status.
        let _ = control.reload().await;
        notify(Notice::Ready);
    }
}

async fn reopen_on(signal: &mut Signal, control: &Arc<Control>) {
    while signal.recv().await.is_some() {
        // Errors are in the log.
        let _ = control.reopen_logs().await;
    }
}

async fn stop(control: &Control, successor: Successor) {
    let within = control.stop_timeout();
    notify(Notice::Stopping);
    observe::event(Event::Stopping, &[("within", &format!("{within:?}"))]);
    let report = control.stop(within, successor).await;
    let event = if report.cut == 0 { Event::Stopped } else { Event::StoppedLate };
    observe::event(event, &[("connections_cut", &report.cut)]);
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build()
}

/// Logs panics. A panic ends only one task, not the process, so it would go unnoticed.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload().downcast_ref::<&str>().copied();
        let message =
            text.or_else(|| panic.payload().downcast_ref::<String>().map(String::as_str)).unwrap_or("");
        // The process may end with it: the panic of the main thread, or one within another.
        observe::event_and_flush(
            Event::Panicked,
            &[("thread", &thread.name().unwrap_or("")), ("at", &location), ("message", &message)],
            PANIC_PATIENCE,
        );
    }));
}

fn seed() -> io::Result<[u64; 2]> {
    let mut seed = [0; 2];
    for half in &mut seed {
        let mut bytes = [0; 8];
        let length = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        if length != bytes.len() {
            return Err(io::Error::other("the kernel gave too few random bytes"));
        }
        *half = u64::from_ne_bytes(bytes);
    }
    Ok(seed)
}

#[allow(clippy::disallowed_methods, reason = "the control plane takes its wall clock from here")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// How soon after the first stop signal another one means the same.
const SAME_SIGNAL: Duration = Duration::from_millis(500);
/// limit: threads for reloads, metrics pages and name lookups of the log; each task is short.
const BLOCKING_THREADS_MAX: usize = 8;
/// How long a panic waits for its line to be written: not long, since it may be that of a worker.
const PANIC_PATIENCE: Duration = Duration::from_millis(100);
