//! PostgreSQL.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Arguments, ConnectOptions};

use super::dialect::{Answer, Argument, Dialect, Schema, Statement, Write, columns, number, run};
use super::fault::Fault;
use crate::{Key, StoreError, When};

#[derive(Debug)]
pub(super) struct Postgres {
    options: PgConnectOptions,
}

impl Postgres {
    pub(super) fn new(url: &str) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(url)?;
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("evenkeel"),
        };
        Ok(Self { options: options.disable_statement_logging() })
    }
}

impl Dialect for Postgres {
    type Connection = PgConnection;

    const SCHEMA: Schema = Schema {
        read: "SELECT ''::bytea, ''::bytea, 0::bigint, 0::bigint, version FROM evenkeel_schema WHERE id = 1",
        create: &[
            "CREATE TABLE IF NOT EXISTS evenkeel_items (item_key BYTEA PRIMARY KEY, value BYTEA NOT NULL, \
             flags BIGINT NOT NULL, expires BIGINT NOT NULL, version BIGINT NOT NULL)",
            "CREATE INDEX IF NOT EXISTS evenkeel_items_expires ON evenkeel_items (expires)",
            "CREATE TABLE IF NOT EXISTS evenkeel_schema (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)",
            "INSERT INTO evenkeel_schema (id, version) VALUES (1, 1) ON CONFLICT DO NOTHING",
        ],
    };
    const CONNECTIONS_MAX: usize = 4;

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.options.connect().await
    }

    async fn run(connection: &mut PgConnection, statement: Statement) -> Result<Answer, sqlx::Error> {
        run!(sqlx::Postgres, connection, statement, bind, |_: &_| false)
    }

    fn fault(error: &dyn sqlx::error::DatabaseError) -> Fault {
        meaning(&error.code().unwrap_or_default(), error.message().to_owned())
    }

    fn get(keys: &[Key], now: i64, value_bytes_max: usize) -> Statement {
        let keys = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        let columns = columns(value_bytes_max);
        let text = format!("SELECT {columns} FROM evenkeel_items WHERE item_key = ANY($1) AND expires > $2");
        Statement::read(text, vec![Argument::ManyBytes(keys), Argument::Number(now)])
    }

    fn put(write: &Write) -> Statement {
        let mut arguments = write.columns();
        if write.when == When::Always {
            return Statement::change(ALWAYS, arguments);
        }
        arguments.push(Argument::Number(write.now));
        match write.when {
            When::Always | When::Absent => Statement::read(ABSENT, arguments),
            When::Present => Statement::change(PRESENT, arguments),
            When::Unchanged(version) => {
                arguments.push(Argument::Number(number(version)));
                Statement::read(UNCHANGED, arguments)
            }
        }
    }

    fn touch(ends: &[(Key, i64)], now: i64) -> Statement {
        let keys = ends.iter().map(|(key, _)| key.as_bytes().to_vec()).collect();
        let ends = ends.iter().map(|(_, end)| *end).collect();
        let arguments = vec![Argument::ManyBytes(keys), Argument::ManyNumbers(ends), Argument::Number(now)];
        Statement::change(TOUCH, arguments)
    }

    fn delete(key: &Key, now: i64) -> Statement {
        let text = "DELETE FROM evenkeel_items WHERE item_key = $1 AND expires > $2";
        Statement::change(text, vec![Argument::key(key), Argument::Number(now)])
    }

    fn sweep(now: i64, most: i64) -> Statement {
        let text = "DELETE FROM evenkeel_items WHERE expires <= $1 AND item_key IN \
                    (SELECT item_key FROM evenkeel_items WHERE expires <= $1 ORDER BY expires LIMIT $2 \
                    FOR UPDATE SKIP LOCKED)";
        Statement::change(text, vec![Argument::Number(now), Argument::Number(most)])
    }

    fn clear(most: i64) -> Statement {
        let text = "DELETE FROM evenkeel_items WHERE item_key IN \
                    (SELECT item_key FROM evenkeel_items LIMIT $1 FOR UPDATE)";
        Statement::change(text, vec![Argument::Number(most)])
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn meaning(code: &str, text: String) -> Fault {
    match code {
        "40001" | "40P01" | "55P03" => Fault::Busy,
        "42P01" => Fault::NoTable,
        "42P07" | "23505" | "42710" => Fault::Exists,
        "53100" | "53200" => Fault::Final(StoreError::Full(text)),
        "42501" | "25006" => Fault::Final(StoreError::Denied(text)),
        "54000" => Fault::Final(StoreError::TooLarge),
        // A refused login, a missing database, too many connections, a server that starts or stops.
        _ if ["08", "28", "3D", "53", "57"].iter().any(|class| code.starts_with(class)) => {
            Fault::Broken(text)
        }
        _ => Fault::Final(StoreError::Garbage(text)),
    }
}

fn bind(
    bound: &mut impl Arguments<Database = sqlx::Postgres>,
    argument: &Argument,
) -> Result<(), sqlx::error::BoxDynError> {
    match argument {
        Argument::Bytes(bytes) => bound.add(&bytes[..]),
        Argument::Number(number) => bound.add(*number),
        Argument::ManyBytes(many) => bound.add(&many[..]),
        Argument::ManyNumbers(many) => bound.add(&many[..]),
    }
}

const ALWAYS: &str = "INSERT INTO evenkeel_items (item_key, value, flags, expires, version) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (item_key) DO UPDATE SET value = excluded.value, \
    flags = excluded.flags, expires = excluded.expires, version = excluded.version";
/// Answers what was written, without its value, or what is in the way; nothing, if that was written after this began.
const ABSENT: &str = "WITH written AS (\
    INSERT INTO evenkeel_items AS old (item_key, value, flags, expires, version) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (item_key) DO UPDATE SET value = excluded.value, flags = excluded.flags, \
    expires = excluded.expires, version = excluded.version WHERE old.expires <= $6 \
    RETURNING item_key, ''::bytea AS value, flags, expires, version) \
    SELECT item_key, value, flags, expires, version FROM written UNION ALL \
    SELECT item_key, CASE WHEN length(value) <= 1048640 THEN value END, flags, expires, version \
    FROM evenkeel_items \
    WHERE item_key = $1 AND expires > $6 AND NOT EXISTS (SELECT 1 FROM written)";
const PRESENT: &str = "UPDATE evenkeel_items SET value = $2, flags = $3, expires = $4, version = $5 \
    WHERE item_key = $1 AND expires > $6";
/// As [`ABSENT`].
const UNCHANGED: &str = "WITH written AS (\
    UPDATE evenkeel_items SET value = $2, flags = $3, expires = $4, version = $5 \
    WHERE item_key = $1 AND expires > $6 AND version = $7 \
    RETURNING item_key, ''::bytea AS value, flags, expires, version) \
    SELECT item_key, value, flags, expires, version FROM written UNION ALL \
    SELECT item_key, CASE WHEN length(value) <= 1048640 THEN value END, flags, expires, version \
    FROM evenkeel_items \
    WHERE item_key = $1 AND expires > $6 AND version <> $7 AND NOT EXISTS (SELECT 1 FROM written)";
const TOUCH: &str = "WITH locked AS (\
    SELECT item_key FROM evenkeel_items WHERE item_key = ANY($1) AND expires > $3 ORDER BY item_key FOR UPDATE) \
    UPDATE evenkeel_items AS old SET expires = ends.expires \
    FROM UNNEST($1::bytea[], $2::bigint[]) AS ends (item_key, expires), locked \
    WHERE old.item_key = ends.item_key AND old.item_key = locked.item_key AND old.expires > $3";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_has_a_limit() {
        let limited = format!("CASE WHEN length(value) <= {} THEN value END", crate::SMALL_VALUE_BYTES_MAX);
        assert!(ABSENT.contains(&limited) && UNCHANGED.contains(&limited), "{limited}");
    }

    #[test]
    fn codes_have_meanings() {
        let full = |text: &str| Fault::Final(StoreError::Full(text.to_owned()));
        let denied = |text: &str| Fault::Final(StoreError::Denied(text.to_owned()));
        let broken = |text: &str| Fault::Broken(text.to_owned());
        for (code, expected) in [
            ("53100", full("words")),
            ("25006", denied("words")),
            ("42501", denied("words")),
            ("53300", broken("words")),
            ("57P01", broken("words")),
            ("57P03", broken("words")),
            ("28P01", broken("words")),
            ("3D000", broken("words")),
            ("40P01", Fault::Busy),
            ("54000", Fault::Final(StoreError::TooLarge)),
            ("22000", Fault::Final(StoreError::Garbage("words".to_owned()))),
            ("", Fault::Final(StoreError::Garbage("words".to_owned()))),
        ] {
            assert_eq!(meaning(code, "words".to_owned()), expected, "{code}");
        }
    }
}
