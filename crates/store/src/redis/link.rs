//! The connection to the server: made when it is needed, shared by all commands, replaced when it breaks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisFuture, Value};
use tokio::sync::watch;
use tokio::time::timeout;

use super::address::Address;
use super::fault::refusal;
use crate::StoreError;

#[derive(Debug)]
pub(super) struct Link {
    address: Address,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
enum State {
    Down,
    /// A task connects; what comes of it is told to all that wait.
    Connecting(watch::Receiver<Option<Result<Connection, StoreError>>>),
    Up(Connection),
}

/// A handle to a connection; a clone is another handle to the same one.
#[derive(Clone)]
pub(super) struct Connection {
    commands: MultiplexedConnection,
    /// Tells connections apart.
    identity: Arc<()>,
}

impl Link {
    pub(super) fn new(url: &str) -> Result<Self, RedisError> {
        let address = Address::parse(url)?;
        Ok(Self { address, state: Arc::new(Mutex::new(State::Down)) })
    }

    /// Returns the connection, and true if it has been made for this call.
    ///
    /// cancel-safe: connecting goes on in its own task.
    pub(super) async fn connection(&self) -> Result<(Connection, bool), StoreError> {
        let mut outcome = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            match &*state {
                State::Up(connection) => return Ok((connection.clone(), false)),
                State::Connecting(outcome) => outcome.clone(),
                State::Down => {
                    let (tell, outcome) = watch::channel(None);
                    *state = State::Connecting(outcome.clone());
                    tokio::spawn(connect(self.address.clone(), Arc::clone(&self.state), tell));
                    outcome
                }
            }
        };
        let outcome = outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        if let Ok(Some(outcome)) = outcome {
            return Ok((outcome?, true));
        }
        // The task has panicked, or its runtime ends.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*state, State::Connecting(_)) {
            *state = State::Down;
        }
        Err(StoreError::Away("connecting was given up".to_owned()))
    }

    /// Lets the next command make a new connection. Commands under way on the old one end as they can.
    pub(super) fn drop_connection(&self, broken: &Connection) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*state, State::Up(current) if Arc::ptr_eq(&current.identity, &broken.identity)) {
            *state = State::Down;
        }
    }
}

async fn connect(
    address: Address,
    state: Arc<Mutex<State>>,
    tell: watch::Sender<Option<Result<Connection, StoreError>>>,
) {
    let outcome = timeout(CONNECT_LIMIT, reach(&address)).await.unwrap_or(Err(StoreError::Late));
    let next = outcome.as_ref().map_or(State::Down, |connection| State::Up(connection.clone()));
    *state.lock().unwrap_or_else(PoisonError::into_inner) = next;
    tell.send_replace(Some(outcome));
}

async fn reach(address: &Address) -> Result<Connection, StoreError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(RESPONSE_LIMIT));
    let client = address.client().await?;
    let connect = client.get_multiplexed_async_connection_with_config(&config);
    let commands = connect.await.map_err(|error| refusal(&error))?;
    Ok(Connection { commands, identity: Arc::new(()) })
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.commands.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.commands.req_packed_commands(commands, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.commands.get_db()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

// limit: of one connect, with its login.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
// limit: of one answer; below that of a command, so that the silence is noticed and the connection replaced.
const RESPONSE_LIMIT: Duration = Duration::from_secs(4);
