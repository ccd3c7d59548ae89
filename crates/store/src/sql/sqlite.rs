//! SQLite, linked in: a file that all processes of one host may share.

use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Arguments, ConnectOptions};

use super::dialect::{Answer, Argument, Dialect, Schema, Statement, Write, columns, number, padded, run};
use super::fault::Fault;
use crate::{Key, StoreError, When};

#[derive(Debug)]
pub(super) struct Sqlite {
    options: SqliteConnectOptions,
    /// The URL allows that the file is made.
    makes_file: bool,
}

impl Sqlite {
    pub(super) fn new(url: &str) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?;
        let makes_file = !url.contains("mode=") && !url.contains(":memory:");
        let options = options
            .create_if_missing(makes_file || url.contains("mode=rwc"))
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        if url.contains("mode=ro") {
            return Ok(Self { options, makes_file });
        }
        // A crash of this process loses nothing, one of the host the last moment: a store may lose items.
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
        Ok(Self { options, makes_file })
    }

    /// Items of gateways are what applications know of users: the file is for this user only.
    async fn make_file(&self) {
        let path = self.options.get_filename().to_owned();
        let make = move || std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match tokio::task::spawn_blocking(make).await {
            Ok(Err(error)) if error.kind() == ErrorKind::AlreadyExists => {}
            // If the file could not be made, opening it says why.
            _ => {}
        }
    }
}

impl Dialect for Sqlite {
    type Connection = SqliteConnection;

    const SCHEMA: Schema = Schema {
        read: "SELECT x'', x'', 0, 0, version FROM evenkeel_schema WHERE id = 1",
        create: &[
            "CREATE TABLE IF NOT EXISTS evenkeel_items (item_key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL, \
             flags INTEGER NOT NULL, expires INTEGER NOT NULL, version INTEGER NOT NULL)",
            "CREATE INDEX IF NOT EXISTS evenkeel_items_expires ON evenkeel_items (expires)",
            "CREATE TABLE IF NOT EXISTS evenkeel_schema (id INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL)",
            "INSERT INTO evenkeel_schema (id, version) VALUES (1, 1) ON CONFLICT DO NOTHING",
        ],
    };
    // One thread, whose commands are short; several would only wait for each other's writes.
    const CONNECTIONS_MAX: usize = 1;

    async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        if self.makes_file {
            self.make_file().await;
        }
        self.options.connect().await
    }

    async fn run(connection: &mut SqliteConnection, statement: Statement) -> Result<Answer, sqlx::Error> {
        run!(sqlx::Sqlite, connection, statement, bind, |_: &_| false)
    }

    /// <https://www.sqlite.org/rescode.html>; the low byte is the code, the rest a detail.
    fn fault(error: &dyn sqlx::error::DatabaseError) -> Fault {
        let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
        let text = error.message().to_owned();
        match code & 0xff {
            1 if text.contains("no such table") => Fault::NoTable,
            5 | 6 => Fault::Busy,
            7 | 13 => Fault::Final(StoreError::Full(text)),
            3 | 8 | 23 => Fault::Final(StoreError::Denied(text)),
            10 | 14 => Fault::Broken(text),
            11 | 26 => Fault::Final(StoreError::Garbage(format!(
                "the file is damaged or no database of SQLite ({text}); move it away and a new one is made"
            ))),
            18 => Fault::Final(StoreError::TooLarge),
            _ => Fault::Final(StoreError::Garbage(text)),
        }
    }

    fn get(keys: &[Key], now: i64, value_bytes_max: usize) -> Statement {
        let count = padded(keys.len());
        let places: Vec<String> = (2..count + 2).map(|place| format!("?{place}")).collect();
        let text = format!(
            "SELECT {} FROM evenkeel_items WHERE item_key IN ({}) AND expires > ?1",
            columns(value_bytes_max),
            places.join(", ")
        );
        let last = keys.last().into_iter().cycle();
        let keys = keys.iter().chain(last).take(count).map(Argument::key);
        Statement::read(text, [Argument::Number(now)].into_iter().chain(keys).collect())
    }

    fn put(write: &Write) -> Statement {
        let mut arguments = write.columns();
        if write.when != When::Always {
            arguments.push(Argument::Number(write.now));
        }
        let text = match write.when {
            When::Always => ALWAYS,
            When::Absent => ABSENT,
            When::Present => PRESENT,
            When::Unchanged(version) => {
                arguments.push(Argument::Number(number(version)));
                UNCHANGED
            }
        };
        Statement::change(text, arguments)
    }

    fn touch(ends: &[(Key, i64)], now: i64) -> Statement {
        let count = padded(ends.len());
        let place = |index: usize| (2 * index + 2, 2 * index + 3);
        let cases: Vec<String> =
            (0..count).map(place).map(|(key, end)| format!("WHEN ?{key} THEN ?{end}")).collect();
        let keys: Vec<String> = (0..count).map(|index| format!("?{}", place(index).0)).collect();
        let text = format!(
            "UPDATE evenkeel_items SET expires = CASE item_key {} END WHERE item_key IN ({}) AND expires > ?1",
            cases.join(" "),
            keys.join(", ")
        );
        let last = ends.last().into_iter().cycle();
        let ends = ends.iter().chain(last).take(count);
        let ends = ends.flat_map(|(key, end)| [Argument::key(key), Argument::Number(*end)]);
        Statement::change(text, [Argument::Number(now)].into_iter().chain(ends).collect())
    }

    fn delete(key: &Key, now: i64) -> Statement {
        let text = "DELETE FROM evenkeel_items WHERE item_key = ?1 AND expires > ?2";
        Statement::change(text, vec![Argument::key(key), Argument::Number(now)])
    }

    fn sweep(now: i64, most: i64) -> Statement {
        let text = "DELETE FROM evenkeel_items WHERE rowid IN \
                    (SELECT rowid FROM evenkeel_items WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";
        Statement::change(text, vec![Argument::Number(now), Argument::Number(most)])
    }

    fn clear(most: i64) -> Statement {
        let text = "DELETE FROM evenkeel_items WHERE rowid IN (SELECT rowid FROM evenkeel_items LIMIT ?1)";
        Statement::change(text, vec![Argument::Number(most)])
    }
}

fn bind(
    bound: &mut impl Arguments<Database = sqlx::Sqlite>,
    argument: &Argument,
) -> Result<(), sqlx::error::BoxDynError> {
    match argument {
        Argument::Bytes(bytes) => bound.add(&bytes[..]),
        Argument::Number(number) => bound.add(*number),
        Argument::ManyBytes(_) | Argument::ManyNumbers(_) => Err("SQLite has no arrays".into()),
    }
}

const ALWAYS: &str = "INSERT INTO evenkeel_items (item_key, value, flags, expires, version) \
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (item_key) DO UPDATE SET value = excluded.value, \
    flags = excluded.flags, expires = excluded.expires, version = excluded.version";
const ABSENT: &str = "INSERT INTO evenkeel_items AS old (item_key, value, flags, expires, version) \
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (item_key) DO UPDATE SET value = excluded.value, \
    flags = excluded.flags, expires = excluded.expires, version = excluded.version WHERE old.expires <= ?6";
const PRESENT: &str = "UPDATE evenkeel_items SET value = ?2, flags = ?3, expires = ?4, version = ?5 \
    WHERE item_key = ?1 AND expires > ?6";
const UNCHANGED: &str = "UPDATE evenkeel_items SET value = ?2, flags = ?3, expires = ?4, version = ?5 \
    WHERE item_key = ?1 AND expires > ?6 AND version = ?7";

/// How long the thread waits for another process's write before the command is put back, so that reads come between;
/// below the usual timeout of a store.
const BUSY_TIMEOUT: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::secrets::Secrets;
    use crate::sql::table::Table;
    use crate::{Item, Put, Store, Version};

    #[tokio::test]
    async fn a_full_disk_costs_writes_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("sessions.db").display());
        let mut sqlite = Sqlite::new(&url).expect("a good URL");
        // As many pages as a small disk has; SQLite reports both in the same way.
        sqlite.options = sqlite.options.pragma("max_page_count", "40");
        let store = Table::new(sqlite, Arc::new(|| 0), Secrets::default());
        let item =
            |bytes| Item { value: vec![1; bytes].into(), flags: 0, expires: None, version: Version(0) };
        let key = |text: &str| Key::new(text.as_bytes()).expect("a key");
        assert!(matches!(store.put(&key("a"), item(10), When::Always).await, Ok(Put::Done(_))));
        let full = store.put(&key("b"), item(500_000), When::Always).await;
        assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
        assert!(store.get(&key("a")).await.expect("reads go on").is_some());
        assert_eq!(store.get(&key("b")).await, Ok(None));
        assert!(matches!(store.put(&key("b"), item(10), When::Always).await, Ok(Put::Done(_))));
    }
}
