//! One server of a group: its connections, and whether it is left alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::MemcachedAddress;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::connection::{self, End, Request};
use super::wire::{Answer, Command, Protocol};
use crate::StoreError;

#[derive(Debug)]
pub(super) struct Server {
    address: MemcachedAddress,
    protocol: Option<Protocol>,
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    connections: [Option<mpsc::Sender<Request>>; CONNECTIONS],
    /// The connection that is used next.
    next: usize,
    health: Health,
}

#[derive(Clone, Debug)]
enum Health {
    Up,
    /// Its keys are with the next server on the ring.
    Ejected {
        until: Instant,
        pause: Duration,
        error: StoreError,
    },
    /// A connection is being opened, which decides.
    Probing {
        pause: Duration,
        error: StoreError,
    },
}

/// An answer that is on its way. Dropping it is fine.
pub(super) type Pending = oneshot::Receiver<Result<Answer, StoreError>>;

impl Server {
    pub(super) fn new(
        address: MemcachedAddress,
        protocol: Option<Protocol>,
        patience: Duration,
    ) -> Arc<Self> {
        let state = State { connections: [const { None }; CONNECTIONS], next: 0, health: Health::Up };
        Arc::new(Self { address, protocol, patience, state: Mutex::new(state) })
    }

    /// Why it is left alone; `None`: it is not. Starts a probe when its time has come.
    pub(super) fn ejection(self: &Arc<Self>) -> Option<StoreError> {
        let mut state = self.state();
        match state.health.clone() {
            Health::Up => None,
            Health::Probing { error, .. } => Some(error),
            Health::Ejected { until, pause, error } => {
                if Instant::now() >= until {
                    state.health = Health::Probing { pause, error: error.clone() };
                    state.connections[0] = Some(self.connect());
                }
                Some(error)
            }
        }
    }

    /// Queues a command. Waits only while the queue of the connection is full.
    pub(super) async fn send(self: &Arc<Self>, command: Command) -> Pending {
        let (reply, pending) = oneshot::channel();
        let connection = self.connection();
        // If the connection has just ended, the reply is dropped, which the caller sees as an answer that never comes.
        let _ = connection.send((command, reply)).await;
        pending
    }

    /// An open connection, or one that is being opened: commands queue until it is.
    fn connection(self: &Arc<Self>) -> mpsc::Sender<Request> {
        let mut state = self.state();
        state.next = (state.next + 1) % CONNECTIONS;
        let turn = state.next;
        match &state.connections[turn] {
            Some(connection) if !connection.is_closed() => connection.clone(),
            _ => {
                let connection = self.connect();
                state.connections[turn] = Some(connection.clone());
                connection
            }
        }
    }

    fn connect(self: &Arc<Self>) -> mpsc::Sender<Request> {
        let (sender, mut requests) = mpsc::channel(QUEUE);
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let opened = connection::open(&server.address, server.protocol, server.patience).await;
            let end = match opened {
                Ok(connection) => {
                    server.note_up();
                    connection.run(&mut requests).await
                }
                Err(error) => End::Failed(error),
            };
            let error = match end {
                End::Closed => StoreError::Away("the connection ended".to_owned()),
                End::Failed(error) => {
                    server.eject(&error);
                    error
                }
            };
            requests.close();
            while let Ok((_, reply)) = requests.try_recv() {
                let _ = reply.send(Err(error.clone()));
            }
        });
        sender
    }

    fn note_up(&self) {
        self.state().health = Health::Up;
    }

    fn eject(&self, error: &StoreError) {
        let mut state = self.state();
        let pause = match &state.health {
            Health::Up => PAUSE,
            Health::Probing { pause, .. } => (*pause * 2).min(PAUSE_MAX),
            // Its other connection has failed, too.
            Health::Ejected { .. } => return,
        };
        state.connections = [const { None }; CONNECTIONS];
        state.health = Health::Ejected { until: Instant::now() + pause, pause, error: error.clone() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So that a large value does not hold up all small ones.
const CONNECTIONS: usize = 2;
/// limit: commands that wait for one connection; further callers wait for room.
const QUEUE: usize = 256;
/// The first pause of a server that fails; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
