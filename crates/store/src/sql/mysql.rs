//! MySQL and MariaDB.

use std::str::FromStr;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError};
use sqlx::{Arguments, ConnectOptions, Executor};

use super::dialect::{Answer, Argument, Dialect, Schema, Statement, Write, columns, number, padded, run};
use super::fault::Fault;
use crate::{Key, StoreError, When};

#[derive(Debug)]
pub(super) struct Mysql {
    options: MySqlConnectOptions,
}

impl Mysql {
    pub(super) fn new(url: &str) -> Result<Self, sqlx::Error> {
        let options = MySqlConnectOptions::from_str(url)?;
        // Neither matters for bytes and numbers, and each costs a part of the first round trip.
        let options = options.timezone(None).pipes_as_concat(false).no_engine_substitution(false);
        Ok(Self { options: options.disable_statement_logging() })
    }
}

impl Dialect for Mysql {
    type Connection = MySqlConnection;

    const SCHEMA: Schema = Schema {
        read: "SELECT x'', x'', 0, 0, version FROM evenkeel_schema WHERE id = 1",
        create: &[
            "CREATE TABLE IF NOT EXISTS evenkeel_items (item_key VARBINARY(250) NOT NULL PRIMARY KEY, \
             value MEDIUMBLOB NOT NULL, flags BIGINT NOT NULL, expires BIGINT NOT NULL, version BIGINT NOT NULL, \
             INDEX evenkeel_items_expires (expires)) ENGINE = InnoDB",
            "CREATE TABLE IF NOT EXISTS evenkeel_schema (id BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL) \
             ENGINE = InnoDB",
            "INSERT IGNORE INTO evenkeel_schema (id, version) VALUES (1, 1)",
        ],
    };
    const CONNECTIONS_MAX: usize = 4;

    async fn connect(&self) -> Result<MySqlConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // Every command is one statement: locks on gaps would only make writers wait for each other.
        connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
        connection.execute("SET SESSION innodb_lock_wait_timeout = 1").await?;
        Ok(connection)
    }

    async fn run(connection: &mut MySqlConnection, statement: Statement) -> Result<Answer, sqlx::Error> {
        let refused = |result: &sqlx::mysql::MySqlQueryResult| result.last_insert_id() == REFUSED;
        run!(sqlx::MySql, connection, statement, bind, refused)
    }

    fn fault(error: &dyn sqlx::error::DatabaseError) -> Fault {
        let number = error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
        meaning(number, error.message().to_owned())
    }

    fn get(keys: &[Key], now: i64, value_bytes_max: usize) -> Statement {
        let count = padded(keys.len());
        let text = format!(
            "SELECT {} FROM evenkeel_items WHERE expires > ? AND item_key IN ({})",
            columns(value_bytes_max),
            places(count)
        );
        let last = keys.last().into_iter().cycle();
        let keys = keys.iter().chain(last).take(count).map(Argument::key);
        Statement::read(text, [Argument::Number(now)].into_iter().chain(keys).collect())
    }

    fn put(write: &Write) -> Statement {
        let mut columns = write.columns();
        let now = Argument::Number(write.now);
        if write.when == When::Always {
            return Statement::change(ALWAYS, columns);
        }
        if write.when == When::Absent {
            columns.extend(vec![now; 4]);
            return Statement::change(ABSENT, columns);
        }
        // The key is the condition here, and comes after the values.
        columns.rotate_left(1);
        columns.push(now);
        if let When::Unchanged(version) = write.when {
            columns.push(Argument::Number(number(version)));
            return Statement::change(UNCHANGED, columns);
        }
        Statement::change(PRESENT, columns)
    }

    fn touch(ends: &[(Key, i64)], now: i64) -> Statement {
        let count = padded(ends.len());
        let text = format!(
            "UPDATE evenkeel_items SET expires = CASE item_key {} END WHERE expires > ? AND item_key IN ({})",
            ["WHEN ? THEN ?"].repeat(count).join(" "),
            places(count)
        );
        let last = ends.last().into_iter().cycle();
        let ends = ends.iter().chain(last).take(count);
        let cases = ends.clone().flat_map(|(key, end)| [Argument::key(key), Argument::Number(*end)]);
        let keys = ends.map(|(key, _)| Argument::key(key));
        Statement::change(text, cases.chain([Argument::Number(now)]).chain(keys).collect())
    }

    fn delete(key: &Key, now: i64) -> Statement {
        let text = "DELETE FROM evenkeel_items WHERE item_key = ? AND expires > ?";
        Statement::change(text, vec![Argument::key(key), Argument::Number(now)])
    }

    fn sweep(now: i64, most: i64) -> Statement {
        let text = "DELETE FROM evenkeel_items WHERE expires <= ? ORDER BY expires LIMIT ?";
        Statement::change(text, vec![Argument::Number(now), Argument::Number(most)])
    }

    fn clear(most: i64) -> Statement {
        Statement::change("DELETE FROM evenkeel_items LIMIT ?", vec![Argument::Number(most)])
    }
}

fn places(count: usize) -> String {
    ["?"].repeat(count).join(", ")
}

/// <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>
fn meaning(number: u16, text: String) -> Fault {
    match number {
        1205 | 1213 => Fault::Busy,
        1146 => Fault::NoTable,
        1050 | 1061 | 1062 => Fault::Exists,
        // Disk or table full, out of memory.
        1021 | 1030 | 1037 | 1038 | 1041 | 1114 => Fault::Final(StoreError::Full(text)),
        // No right to write; the server or the transaction only reads.
        1142 | 1143 | 1227 | 1290 | 1792 | 1836 => Fault::Final(StoreError::Denied(text)),
        1153 | 1406 => Fault::Final(StoreError::TooLarge),
        // Too many connections, a refused login, a missing database, a server that stops.
        1040 | 1044 | 1045 | 1049 | 1053 | 1129 | 1130 | 1203 | 1226 | 1698 | 1927 | 3032 | 4031 => {
            Fault::Broken(text)
        }
        _ => Fault::Final(StoreError::Garbage(text)),
    }
}

fn bind(
    bound: &mut impl Arguments<Database = sqlx::MySql>,
    argument: &Argument,
) -> Result<(), sqlx::error::BoxDynError> {
    match argument {
        Argument::Bytes(bytes) => bound.add(&bytes[..]),
        Argument::Number(number) => bound.add(*number),
        Argument::ManyBytes(_) | Argument::ManyNumbers(_) => Err("MySQL has no arrays".into()),
    }
}

// `VALUES(…)` is the spelling that both MySQL and MariaDB take.
const ALWAYS: &str = "INSERT INTO evenkeel_items (item_key, value, flags, expires, version) \
    VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value), flags = VALUES(flags), \
    expires = VALUES(expires), version = VALUES(version)";
/// Assignments see those before them, so `expires` comes last. How many rows it has changed does not tell a new row from
/// one that was left alone, therefore the answer's insert id does.
const ABSENT: &str = "INSERT INTO evenkeel_items (item_key, value, flags, expires, version) \
    VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE value = IF(expires <= ?, VALUES(value), value), \
    flags = IF(expires <= ?, VALUES(flags), flags), \
    version = IF(expires <= ?, VALUES(version), version + 0 * LAST_INSERT_ID(1)), \
    expires = IF(expires <= ?, VALUES(expires), expires)";
const REFUSED: u64 = 1;
const PRESENT: &str = "UPDATE evenkeel_items SET value = ?, flags = ?, expires = ?, version = ? \
    WHERE item_key = ? AND expires > ?";
const UNCHANGED: &str = "UPDATE evenkeel_items SET value = ?, flags = ?, expires = ?, version = ? \
    WHERE item_key = ? AND expires > ? AND version = ?";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_meanings() {
        for (number, expected) in [
            (1021, Fault::Final(StoreError::Full("words".to_owned()))),
            (1114, Fault::Final(StoreError::Full("words".to_owned()))),
            (1142, Fault::Final(StoreError::Denied("words".to_owned()))),
            (1290, Fault::Final(StoreError::Denied("words".to_owned()))),
            (1040, Fault::Broken("words".to_owned())),
            (1053, Fault::Broken("words".to_owned())),
            (1153, Fault::Final(StoreError::TooLarge)),
            (1213, Fault::Busy),
            (1064, Fault::Final(StoreError::Garbage("words".to_owned()))),
        ] {
            assert_eq!(meaning(number, "words".to_owned()), expected, "{number}");
        }
    }
}
