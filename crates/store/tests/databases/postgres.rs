//! PostgreSQL.

use std::sync::Arc;

use model::SqlDialect;
use sqlx::{Connection, Executor, PgConnection};
use store::{Item, SqlStore, Store, StoreError, When};
use tempfile::TempDir;

use crate::server::{self, Kind, Server};
use crate::world::{Clock, item, key, soon, sql, wait_until_serving, write_error};
use crate::{contract, outages, shared};

/// A server with an empty database `sessions`.
async fn start() -> Server {
    let directory = server::directory();
    make(&directory);
    server::make_certificate(&directory);
    let server = Server::start(Kind::Postgres, directory, |directory, port| {
        let mut command = server::unprivileged(&server::program("postgres"));
        command
            .arg("-D")
            .arg(directory.join("data"))
            .args(["-p", &port.to_string()])
            .arg("-k")
            .arg(directory);
        command.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "lc_messages=C",
            "-c",
            "ssl=on",
        ]);
        for (option, file) in [("ssl_cert_file", "tls.crt"), ("ssl_key_file", "tls.key")] {
            command.args(["-c", &format!("{option}={}", directory.join(file).display())]);
        }
        command
    });
    let admin = server.url_of("root", "s3cret", "postgres");
    wait_until_serving(&sql(SqlDialect::Postgres, &admin)).await;
    execute(&admin, "CREATE DATABASE sessions").await;
    server
}

fn make(directory: &TempDir) {
    let password = directory.path().join("password");
    std::fs::write(&password, "s3cret\n").expect("a file");
    let mut command = server::unprivileged(&server::program("initdb"));
    command.arg("-D").arg(directory.path().join("data")).arg("--pwfile").arg(password);
    server::run(command.args(["-U", "root", "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C"]));
}

async fn execute(url: &str, statements: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    connection.execute(statements).await.expect("statements");
}

fn open(server: &Server, clock: &Clock) -> Arc<dyn Store> {
    Arc::new(
        SqlStore::new(SqlDialect::Postgres, &format!("{}?sslmode=disable", server.url()), clock.reader())
            .expect("a good URL"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract_of_all_stores() {
    let server = start().await;
    let store = SqlStore::new(SqlDialect::Postgres, &server.url(), shared::clock()).expect("a good URL");
    shared::check(
        Arc::new(store),
        shared::Promises { too_large: store::SMALL_VALUE_BYTES_MAX + 1, ..Default::default() },
    )
    .await;
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let server = start().await;
    let clock = Clock::new();
    outages::makes_tables_once(|| open(&server, &clock)).await;
    let secure = format!("{}?sslmode=verify-full&sslrootcert={}", server.url(), server.certificate());
    let secure = SqlStore::new(SqlDialect::Postgres, &secure, clock.reader()).expect("a good URL");
    contract::check(Arc::new(secure), open(&server, &clock), &clock).await;
    sweeps(&server).await;
}

async fn sweeps(server: &Server) {
    let clock = Clock::new();
    let store = SqlStore::new(SqlDialect::Postgres, &server.url(), clock.reader()).expect("a store");
    for number in 0..10 {
        let expires = (number < 7).then_some(clock.now() + 1 + number);
        store.put(&key(&number.to_string()), Item { expires, ..item("x") }, When::Always).await.expect("put");
    }
    let until = clock.now() + 5;
    for removed in [3, 2, 0] {
        assert_eq!(store.sweep(until, 3).await, Ok(removed));
    }
}

#[tokio::test]
async fn outages_cost_what_happens_during_them() {
    let mut server = start().await;
    let url = server.url();
    outages::survives_a_restart(&mut server, || Box::new(sql(SqlDialect::Postgres, &url))).await;
}

#[tokio::test]
async fn errors_say_what_an_operator_can_do() {
    let server = start().await;
    let url = server.url();
    let with = |url: &str| sql(SqlDialect::Postgres, url);
    with(&url).put(&key("a"), item("1"), When::Always).await.expect("put");

    let error = write_error(&with(&server.url_of("root", "wrong-s3cret", "sessions"))).await;
    outages::assert_away(&error, "password authentication failed");
    let error = write_error(&with(&server.url_of("root", "s3cret", "missing"))).await;
    outages::assert_away(&error, "\"missing\" does not exist");

    execute(
        &url,
        "CREATE ROLE reader LOGIN PASSWORD 's3cret'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    .await;
    let reader = with(&server.url_of("reader", "s3cret", "sessions"));
    assert!(reader.get(&key("a")).await.expect("a right to read").is_some());
    let error = write_error(&reader).await;
    assert!(matches!(&error, StoreError::Denied(text) if text.contains("permission denied")), "{error:?}");
    assert!(reader.get(&key("a")).await.expect("a right to read").is_some());

    execute(&url, "UPDATE evenkeel_schema SET version = 7").await;
    let error = write_error(&with(&url)).await.to_string();
    assert!(error.contains("version 7") && error.contains("needs version 1"), "{error}");
    execute(&url, "UPDATE evenkeel_schema SET version = 1").await;

    let store = with(&url);
    execute(&url, "ALTER TABLE evenkeel_items DROP COLUMN flags").await;
    assert!(matches!(write_error(&store).await, StoreError::Garbage(text) if text.contains("flags")));
    execute(&url, "DROP TABLE evenkeel_items; DROP TABLE evenkeel_schema").await;
    assert_eq!(store.get(&key("a")).await, Ok(None), "tables are made anew");

    execute(&url, "ALTER DATABASE sessions SET default_transaction_read_only = on").await;
    assert!(matches!(write_error(&with(&url)).await, StoreError::Denied(text) if text.contains("read-only")));
}

#[tokio::test]
async fn a_stopped_server_is_given_up_and_comes_back() {
    let server = start().await;
    let url = server.url();
    let store = sql(SqlDialect::Postgres, &url);
    outages::survives_a_stop(&server, &store).await;
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    outages::refuses_garbage(|port| {
        Box::new(sql(SqlDialect::Postgres, &format!("postgres://root:s3cret@127.0.0.1:{port}/x")))
    })
    .await;
    let nobody = sql(SqlDialect::Postgres, "postgres://root:s3cret@127.0.0.1:1/x");
    outages::assert_away(&soon(nobody.get(&key("a"))).await.expect_err("nobody listens"), "refused");
}
