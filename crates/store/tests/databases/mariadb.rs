//! MariaDB, as which MySQL is addressed, too.

use std::sync::Arc;

use model::SqlDialect;
use sqlx::{Connection, Executor, MySqlConnection};
use store::{Item, SqlStore, Store, StoreError, When};

use crate::server::{self, Kind, Server};
use crate::world::{Clock, item, key, soon, sql, wait_until_serving, write_error};
use crate::{contract, outages, shared};

/// A server with an empty database `sessions`.
async fn start() -> Server {
    let directory = server::directory();
    let mut install = server::unprivileged(&server::program("mariadb-install-db"));
    install.arg("--no-defaults").arg(format!("--datadir={}", directory.path().join("data").display()));
    server::run(install.args([
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    ]));
    server::make_certificate(&directory);
    let setup = directory.path().join("setup.sql");
    let statements = "CREATE DATABASE IF NOT EXISTS sessions; \
                      CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY 's3cret'; \
                      GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n";
    std::fs::write(&setup, statements.replace("; ", ";\n")).expect("a file");
    let server = Server::start(Kind::Mariadb, directory, |directory, port| {
        let mut command = server::unprivileged(&server::program("mariadbd"));
        let file = |option: &str, name: &str| format!("--{option}={}", directory.join(name).display());
        command.arg("--no-defaults").args([file("datadir", "data"), file("socket", "socket")]);
        command.args([file("pid-file", "pid"), file("init-file", "setup.sql"), format!("--port={port}")]);
        command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-buffer-pool-size=16M"]);
        command.arg(format!("--tmpdir={}", directory.display()));
        command.args([file("ssl-cert", "tls.crt"), file("ssl-key", "tls.key")]);
        command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-log-file-size=16M"]);
        command
    });
    wait_until_serving(&sql(SqlDialect::Mysql, &server.url())).await;
    server
}

async fn execute(url: &str, statements: &'static str) {
    let mut connection = MySqlConnection::connect(url).await.expect("a connection");
    for statement in statements.split("; ") {
        connection.execute(sqlx::AssertSqlSafe(statement)).await.expect("statements");
    }
}

fn open(server: &Server, clock: &Clock) -> Arc<dyn Store> {
    Arc::new(
        SqlStore::new(SqlDialect::Mysql, &format!("{}?ssl-mode=DISABLED", server.url()), clock.reader())
            .expect("a good URL"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract_of_all_stores() {
    let server = start().await;
    let store = SqlStore::new(SqlDialect::Mysql, &server.url(), shared::clock()).expect("a good URL");
    shared::check(
        Arc::new(store),
        shared::Promises { too_large: store::SMALL_VALUE_BYTES_MAX + 1, ..Default::default() },
    )
    .await;
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let server = start().await;
    execute(&server.url(), "DROP TABLE evenkeel_items; DROP TABLE evenkeel_schema").await;
    let clock = Clock::new();
    outages::makes_tables_once(|| open(&server, &clock)).await;
    let secure = format!("{}?ssl-mode=VERIFY_IDENTITY&ssl-ca={}", server.url(), server.certificate());
    let secure = SqlStore::new(SqlDialect::Mysql, &secure, clock.reader()).expect("a good URL");
    contract::check(Arc::new(secure), open(&server, &clock), &clock).await;
    sweeps(&server).await;
}

async fn sweeps(server: &Server) {
    let clock = Clock::new();
    let store = SqlStore::new(SqlDialect::Mysql, &server.url(), clock.reader()).expect("a store");
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
    let store = sql(SqlDialect::Mysql, &url);
    outages::survives_a_stop(&server, &store).await;
    outages::survives_a_restart(&mut server, || Box::new(sql(SqlDialect::Mysql, &url))).await;
    outages::gives_up_a_silent_connection(&server, &store).await;
}

#[tokio::test]
async fn errors_say_what_an_operator_can_do() {
    let server = start().await;
    let url = server.url();
    let with = |url: &str| sql(SqlDialect::Mysql, url);
    with(&url).put(&key("a"), item("1"), When::Always).await.expect("put");

    let error = write_error(&with(&server.url_of("root", "wrong-s3cret", "sessions"))).await;
    outages::assert_away(&error, "Access denied for user 'root'");
    let error = write_error(&with(&server.url_of("root", "s3cret", "missing"))).await;
    outages::assert_away(&error, "Unknown database 'missing'");

    let error = write_error(&with(&format!("{url}?ssl-mode=VERIFY_IDENTITY"))).await;
    outages::assert_away(&error, "certificate");

    execute(&url, "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 's3cret'; GRANT SELECT ON sessions.* TO reader@'127.0.0.1'")
        .await;
    let reader = with(&server.url_of("reader", "s3cret", "sessions"));
    assert!(reader.get(&key("a")).await.expect("a right to read").is_some());
    let error = write_error(&reader).await;
    assert!(matches!(&error, StoreError::Denied(text) if text.contains("command denied")), "{error:?}");
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

    execute(&url, "CREATE USER writer@'127.0.0.1' IDENTIFIED BY 's3cret'; GRANT ALL ON sessions.* TO writer@'127.0.0.1'; SET GLOBAL read_only = 1")
        .await;
    let writer = with(&server.url_of("writer", "s3cret", "sessions"));
    assert!(matches!(write_error(&writer).await, StoreError::Denied(text) if text.contains("read-only")));
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    outages::refuses_garbage(|port| {
        Box::new(sql(SqlDialect::Mysql, &format!("mysql://root:s3cret@127.0.0.1:{port}/x")))
    })
    .await;
    let nobody = sql(SqlDialect::Mysql, "mysql://root:s3cret@127.0.0.1:1/x");
    outages::assert_away(&soon(nobody.get(&key("a"))).await.expect_err("nobody listens"), "refused");
}
