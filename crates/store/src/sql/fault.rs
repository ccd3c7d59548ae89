//! What an error of the database means for a command, told without secrets.

use crate::StoreError;

/// What is to be done after an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is of no more use; another one may be.
    Broken(String),
    /// As [`Self::Broken`], for a connection that has been used before: the next one is likely to be better.
    Retry(String),
    /// Another writer was in the way: the same statement may succeed in a moment.
    Busy,
    /// A table is missing: a new connection makes it.
    NoTable,
    /// Another process has made the same table at the same time.
    Exists,
    Final(StoreError),
}

impl Fault {
    /// Of what sqlx finds wrong itself; `database` knows the errors that the database reports.
    pub(super) fn of(
        error: &sqlx::Error,
        database: impl Fn(&dyn sqlx::error::DatabaseError) -> Self,
    ) -> Self {
        use sqlx::Error;
        match error {
            Error::Database(error) => database(&**error),
            Error::Io(error) => Self::Broken(error.to_string()),
            Error::Tls(error) => Self::Broken(format!("TLS: {error}")),
            Error::WorkerCrashed => Self::Broken("the thread of the database has ended".to_owned()),
            Error::Configuration(error) if error.to_string().contains("RSA") => {
                Self::Broken(NEEDS_TLS.to_owned())
            }
            other => Self::Final(StoreError::Garbage(other.to_string())),
        }
    }
}

/// The other way would be RSA by crate `rsa`, which leaks keys through timing (RUSTSEC-2023-0071) and is left out.
const NEEDS_TLS: &str = "the server wants the password over TLS: add `ssl-mode=REQUIRED` to the URL, or reach it through a Unix socket";
