//! Connections of one store, and commands on them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::dialect::Dialect;
use super::fault::Fault;
use super::schema;
use crate::StoreError;
use crate::behind::Behind;
use crate::secrets::Secrets;

/// A command: what is done on a connection. It may be done again on another one.
pub(super) type Command<D, T> =
    Box<dyn for<'c> Fn(&'c mut <D as Dialect>::Connection) -> Step<'c, T> + Send + Sync>;
pub(super) type Step<'c, T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send + 'c>>;

/// Why a command has failed.
#[derive(Debug)]
pub(super) enum Failed {
    Sql(sqlx::Error),
    Store(StoreError),
}

/// Up to [`Dialect::CONNECTIONS_MAX`] connections.
///
/// sqlx has a pool, too; it connects in the caller's future, so that a caller with a patience of 10 ms never sees a connection
/// that takes 20 ms, and it tries a refused connection again until its timeout, instead of saying what happened.
#[derive(Debug)]
pub(super) struct Pool<D: Dialect> {
    dialect: D,
    secrets: Secrets,
    idle: Mutex<Vec<Idle<D>>>,
    connections: Semaphore,
    behind: Behind,
}

/// A connection that waits for its next command.
struct Idle<D: Dialect>(D::Connection);

impl<D: Dialect> Pool<D> {
    pub(super) fn new(dialect: D, secrets: Secrets) -> Self {
        Self {
            dialect,
            secrets,
            idle: Mutex::new(Vec::new()),
            connections: Semaphore::new(D::CONNECTIONS_MAX),
            behind: Behind::new(),
        }
    }

    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        command: Command<D, T>,
    ) -> Result<T, StoreError> {
        let pool = Arc::clone(self);
        let result = self.behind.run(async move { pool.try_until_done(&command).await }).await;
        result.map_err(|error| self.secrets.clean_error(error))
    }

    /// cancel-safe: a connection whose command is dropped is closed.
    async fn try_until_done<T>(&self, command: &Command<D, T>) -> Result<T, StoreError> {
        let mut tries = 0;
        loop {
            let fault = match self.try_once(command).await {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            tries += 1;
            match fault {
                // The time limit ends this.
                Fault::Busy | Fault::Exists => sleep(BUSY_PAUSE).await,
                // Connections that the server has closed lie in the pool until they are used.
                Fault::Retry(_) | Fault::NoTable if tries < TRIES_MAX => {}
                Fault::Retry(text) | Fault::Broken(text) => return Err(StoreError::Away(text)),
                Fault::NoTable => return Err(StoreError::Garbage("its tables vanish".to_owned())),
                Fault::Final(error) => return Err(error),
            }
        }
    }

    async fn try_once<T>(&self, command: &Command<D, T>) -> Result<T, Fault> {
        let _permit = self.connections.acquire().await.map_err(|_| Fault::Busy)?;
        let (mut connection, is_used) = match self.pop() {
            Some(connection) => (connection, true),
            None => (self.connect().await?, false),
        };
        let error = match command(&mut connection).await {
            Ok(value) => {
                self.push(connection);
                return Ok(value);
            }
            Err(error) => error,
        };
        let fault = match error {
            Failed::Sql(error) => Fault::of(&error, D::fault),
            Failed::Store(error) => Fault::Final(error),
        };
        match fault {
            Fault::Broken(text) if is_used => Err(Fault::Retry(text)),
            fault @ (Fault::Busy
            | Fault::Final(StoreError::Full(_) | StoreError::Denied(_) | StoreError::TooLarge)) => {
                self.push(connection);
                Err(fault)
            }
            fault => Err(fault),
        }
    }

    async fn connect(&self) -> Result<D::Connection, Fault> {
        let mut connection = self.dialect.connect().await.map_err(|error| Fault::of(&error, D::fault))?;
        schema::ensure::<D>(&mut connection).await?;
        Ok(connection)
    }

    fn pop(&self) -> Option<D::Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().map(|idle| idle.0)
    }

    fn push(&self, connection: D::Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(Idle(connection));
    }
}

impl<D: Dialect> std::fmt::Debug for Idle<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Idle")
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

// limit: how often a command is tried on connections that turn out to be closed: those of the pool, and one more.
const TRIES_MAX: usize = 8;
/// Until a command is tried again that another writer was in the way of.
const BUSY_PAUSE: Duration = Duration::from_millis(3);
