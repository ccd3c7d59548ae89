//! A store in an SQL database: SQLite, PostgreSQL, MySQL or MariaDB (SP9).
//!
//! Items are rows of one table. Each condition of a write is a condition of one statement, so it holds between all
//! writers. Versions are made here, so that a write which is sent again, because its connection broke, recognises itself.
//!
//! A command runs in a task of its own, which outlives the caller's patience: a connection is never left in the middle of
//! an answer, and connecting may take longer than one caller waits.

mod dialect;
mod fault;
mod mysql;
mod pool;
mod postgres;
mod schema;
mod sqlite;
mod table;

use model::SqlDialect;

use crate::secrets::{InvalidUrl, Secrets};
use crate::{Clock, Item, Key, Put, Reply, Store, When};
use mysql::Mysql;
use postgres::Postgres;
use sqlite::Sqlite;
use table::{Sweep, Table};

/// Items in an SQL database.
#[derive(Debug)]
pub struct SqlStore {
    table: Box<dyn Sweep>,
}

impl SqlStore {
    /// Does not connect: that happens when the first command comes. `clock` tells milliseconds since 1970.
    pub fn new(dialect: SqlDialect, url: &str, clock: Clock) -> Result<Self, InvalidUrl> {
        let secrets = Secrets::in_url(url);
        let invalid = |error: sqlx::Error| InvalidUrl(secrets.clean(&error.to_string()));
        let table: Box<dyn Sweep> = match dialect {
            SqlDialect::Sqlite => {
                Box::new(Table::new(Sqlite::new(url).map_err(invalid)?, clock, secrets.clone()))
            }
            SqlDialect::Postgres => {
                Box::new(Table::new(Postgres::new(url).map_err(invalid)?, clock, secrets.clone()))
            }
            SqlDialect::Mysql => {
                Box::new(Table::new(Mysql::new(url).map_err(invalid)?, clock, secrets.clone()))
            }
        };
        Ok(Self { table })
    }

    /// Removes up to `most` items that have expired at `now`, and returns how many there were. Writes do so by themselves
    /// every minute.
    pub fn sweep(&self, now: u64, most: u32) -> Reply<'_, u64> {
        table::Sweep::sweep(&*self.table, now, most)
    }
}

impl Store for SqlStore {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        self.table.get(key)
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        self.table.put(key, item, when)
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        self.table.touch(key, expires)
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        self.table.delete(key)
    }

    fn clear(&self) -> Reply<'_, ()> {
        self.table.clear()
    }

    fn read_many<'a>(&'a self, keys: &'a [Key]) -> Reply<'a, Vec<Option<Item>>> {
        self.table.read_many(keys)
    }

    fn touch_many<'a>(&'a self, ends: &'a [(Key, Option<u64>)]) -> Reply<'a, ()> {
        self.table.touch_many(ends)
    }
}
