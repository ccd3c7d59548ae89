//! What differs between databases: how they are reached, their statements, their errors.

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;

use bytes::Bytes;

use super::fault::Fault;
use crate::{Item, Key, Version, When};

/// A kind of database.
pub(super) trait Dialect: Debug + Send + Sync + 'static {
    type Connection: Send + 'static;

    const SCHEMA: Schema;
    // limit: connections of one store.
    const CONNECTIONS_MAX: usize;

    fn connect(&self) -> impl Future<Output = Result<Self::Connection, sqlx::Error>> + Send;

    fn run(
        connection: &mut Self::Connection,
        statement: Statement,
    ) -> impl Future<Output = Result<Answer, sqlx::Error>> + Send;

    /// What an error that the database itself reports means.
    fn fault(error: &dyn sqlx::error::DatabaseError) -> Fault;

    /// A value that is longer is not sent.
    fn get(keys: &[Key], now: i64, value_bytes_max: usize) -> Statement;
    fn put(write: &Write) -> Statement;
    /// The ends have the order of their keys, so that two of these do not wait for each other.
    fn touch(ends: &[(Key, i64)], now: i64) -> Statement;
    fn delete(key: &Key, now: i64) -> Statement;
    fn sweep(now: i64, most: i64) -> Statement;
    fn clear(most: i64) -> Statement;
}

/// How the tables are made and their version is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    pub(super) read: &'static str,
    /// In an order in which the version comes last: a process that sees it can rely on the rest.
    pub(super) create: &'static [&'static str],
}

/// A statement with what takes the place of its parameters.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) text: Cow<'static, str>,
    pub(super) arguments: Vec<Argument>,
    /// It answers rows; otherwise, how many rows it has changed.
    pub(super) reads: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Argument {
    Bytes(Bytes),
    Number(i64),
    ManyBytes(Vec<Vec<u8>>),
    ManyNumbers(Vec<i64>),
}

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    pub(super) affected: u64,
    /// MySQL's statement says so on this side channel; false elsewhere.
    pub(super) refused: bool,
}

/// A row of items, in the order of [`columns`].
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: Vec<u8>,
    /// `None`: it is longer than what was asked for.
    value: Option<Vec<u8>>,
    flags: i64,
    expires: i64,
    pub(super) version: i64,
}

/// A conditional write.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) key: Key,
    pub(super) value: Bytes,
    pub(super) flags: u32,
    pub(super) expires: i64,
    pub(super) version: Version,
    pub(super) when: When,
    pub(super) now: i64,
}

impl Statement {
    pub(super) fn read(text: impl Into<Cow<'static, str>>, arguments: Vec<Argument>) -> Self {
        Self { text: text.into(), arguments, reads: true }
    }

    pub(super) fn change(text: impl Into<Cow<'static, str>>, arguments: Vec<Argument>) -> Self {
        Self { text: text.into(), arguments, reads: false }
    }
}

impl Argument {
    pub(super) fn key(key: &Key) -> Self {
        Self::Bytes(Bytes::copy_from_slice(key.as_bytes()))
    }
}

impl Write {
    /// Key, value, flags, end and version: the order of [`columns`].
    pub(super) fn columns(&self) -> Vec<Argument> {
        vec![
            Argument::key(&self.key),
            Argument::Bytes(self.value.clone()),
            Argument::Number(self.flags.into()),
            Argument::Number(self.expires),
            Argument::Number(number(self.version)),
        ]
    }
}

impl Row {
    pub(super) fn new(key: Vec<u8>, value: Option<Vec<u8>>, [flags, expires, version]: [i64; 3]) -> Self {
        Self { key, value, flags, expires, version }
    }

    /// `None`: the row holds what this program does not write, which counts as none.
    pub(super) fn into_item(self) -> Option<Item> {
        Some(Item {
            value: self.value?.into(),
            flags: u32::try_from(self.flags).ok()?,
            expires: (self.expires != NEVER).then_some(u64::try_from(self.expires).unwrap_or(0)),
            version: Version(u64::try_from(self.version).ok()?),
        })
    }
}

/// A time as it stands in a row.
pub(super) fn time(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX).min(NEVER - 1)
}

/// The end of an item's life as it stands in a row.
pub(super) fn end(expires: Option<u64>) -> i64 {
    expires.map_or(NEVER, time)
}

/// A version as it stands in a row; one that we have not made equals none there.
pub(super) fn number(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(-1)
}

/// The length to which a list of parameters is filled by repeating the last one, so that few different statements exist.
pub(super) fn padded(length: usize) -> usize {
    length.next_power_of_two()
}

/// The columns of a row, with the value only if it is not longer than that. The server sees to it, as sqlx holds whatever
/// row it is sent.
pub(super) fn columns(value_bytes_max: usize) -> String {
    format!(
        "item_key, CASE WHEN length(value) <= {value_bytes_max} THEN value END AS value, flags, expires, version"
    )
}

/// Compares as later than every time.
const NEVER: i64 = i64::MAX;

/// Runs a statement on a connection of sqlx. A macro, since the bounds of a generic function would be longer than it.
macro_rules! run {
    ($database:ty, $connection:expr, $statement:expr, $bind:expr, $refused:expr) => {{
        let $crate::sql::dialect::Statement { text, arguments, reads } = $statement;
        let mut bound = <$database as sqlx::Database>::Arguments::default();
        for argument in &arguments {
            $bind(&mut bound, argument).map_err(sqlx::Error::Encode)?;
        }
        // Texts are constants and lists of placeholders.
        let query = sqlx::query_with::<$database, _>(sqlx::AssertSqlSafe(text), bound);
        if reads {
            let mut rows = Vec::new();
            for row in query.fetch_all($connection).await? {
                use sqlx::Row as _;
                // SQLite lets others write values of another type, which are none of ours.
                let numbers = [2, 3, 4].map(|at| row.try_get(at).unwrap_or(-1));
                let value = row.try_get(1).unwrap_or(None);
                rows.push($crate::sql::dialect::Row::new(row.try_get(0)?, value, numbers));
            }
            Ok($crate::sql::dialect::Answer { rows, ..Default::default() })
        } else {
            let result = query.execute($connection).await?;
            let refused = $refused(&result);
            Ok($crate::sql::dialect::Answer { affected: result.rows_affected(), refused, rows: Vec::new() })
        }
    }};
}
pub(super) use run;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fit_into_a_row_and_come_back() {
        let item = |expires| Row::new(vec![], Some(vec![]), [7, expires, 9]).into_item();
        for expires in [None, Some(0), Some(1_700_000_000_000)] {
            let item = item(end(expires)).expect("a row");
            assert_eq!((item.expires, item.flags, item.version), (expires, 7, Version(9)));
        }
        assert_eq!(item(end(Some(u64::MAX))).expect("a row").expires, Some(i64::MAX as u64 - 1));
        assert_eq!(item(-5).expect("a row").expires, Some(0));
    }

    #[test]
    fn a_row_of_another_writer_is_no_item() {
        for numbers in [[-1, 0, 0], [1 << 32, 0, 0], [0, 0, -1]] {
            assert_eq!(Row::new(vec![], Some(vec![]), numbers).into_item(), None, "{numbers:?}");
        }
    }
}
