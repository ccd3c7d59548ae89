//! SQLite.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use model::SqlDialect;
use sqlx::{Connection, Executor, SqliteConnection};
use store::{Put, SqlStore, Store, StoreError, When};

use crate::world::{Clock, item, key, soon, sql, write_error};
use crate::{contract, shared};

fn url(directory: &Path) -> String {
    format!("sqlite://{}", directory.join("sessions.db").display())
}

fn open(url: &str, clock: &Clock) -> Arc<dyn Store> {
    Arc::new(SqlStore::new(SqlDialect::Sqlite, url, clock.reader()).expect("a good URL"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract_of_all_stores() {
    let directory = tempfile::tempdir().expect("a directory");
    let store =
        SqlStore::new(SqlDialect::Sqlite, &url(directory.path()), shared::clock()).expect("a good URL");
    shared::check(
        Arc::new(store),
        shared::Promises { too_large: store::SMALL_VALUE_BYTES_MAX + 1, ..Default::default() },
    )
    .await;
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let directory = tempfile::tempdir().expect("a directory");
    let (url, clock) = (url(directory.path()), Clock::new());
    contract::check(open(&url, &clock), open(&url, &clock), &clock).await;
}

#[tokio::test]
async fn items_outlive_the_process_in_a_file_for_its_user_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = url(directory.path());
    sql(SqlDialect::Sqlite, &url).put(&key("a"), item("1"), When::Always).await.expect("put");
    let found = sql(SqlDialect::Sqlite, &url).get(&key("a")).await.expect("get").expect("an item");
    assert_eq!(found.value, "1");
    let metadata = std::fs::metadata(directory.path().join("sessions.db")).expect("a file");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_row_of_another_writer_is_not_read_if_it_is_too_long() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = url(directory.path());
    let store = sql(SqlDialect::Sqlite, &url);
    store.put(&key("a"), item("1"), When::Always).await.expect("put");
    let mut connection = SqliteConnection::connect(&url).await.expect("a connection");
    let too_long = store::SMALL_VALUE_BYTES_MAX + 1;
    let update = format!("UPDATE evenkeel_items SET value = zeroblob({too_long})");
    connection.execute(sqlx::AssertSqlSafe(update)).await.expect("update");
    store.put(&key("b"), item("2"), When::Always).await.expect("put");
    assert_eq!(store.get(&key("a")).await, Ok(None));
    let many = store.read_many(&[key("a"), key("b")]).await.expect("the others are read");
    assert_eq!(many.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    let put = store.put(&key("a"), item("3"), When::Present).await;
    assert!(put.is_ok());
    connection.execute("UPDATE evenkeel_items SET flags = -1").await.expect("update");
    let put = store.put(&key("a"), item("4"), When::Absent).await;
    assert!(matches!(put, Ok(Put::Done(_))), "it is replaced: {put:?}");
    assert_eq!(store.get(&key("a")).await.expect("get").expect("an item").value, "4");
    connection.execute("UPDATE evenkeel_items SET value = 'text', version = -7").await.expect("update");
    let put = store.put(&key("a"), item("5"), When::Absent).await;
    assert!(matches!(put, Ok(Put::Done(_))), "it is replaced: {put:?}");
    assert_eq!(store.get(&key("a")).await.expect("get").expect("an item").value, "5");
}

#[tokio::test]
async fn a_sweep_removes_what_has_expired_in_bounded_steps() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Clock::new();
    let store = SqlStore::new(SqlDialect::Sqlite, &url(directory.path()), clock.reader()).expect("a store");
    for number in 0..10 {
        let expires = (number < 7).then_some(clock.now() + 1 + number);
        let item = store::Item { expires, ..item("x") };
        store.put(&key(&number.to_string()), item, When::Always).await.expect("put");
    }
    assert_eq!(store.sweep(clock.now() + 5, 3).await, Ok(3));
    assert_eq!(store.sweep(clock.now() + 5, 3).await, Ok(2));
    assert_eq!(store.sweep(clock.now() + 5, 3).await, Ok(0));
    assert!(store.get(&key("9")).await.expect("get").is_some());
}

#[tokio::test]
async fn writes_sweep_every_minute() {
    let directory = tempfile::tempdir().expect("a directory");
    let (url, clock) = (url(directory.path()), Clock::new());
    let store = open(&url, &clock);
    let mortal = store::Item { expires: Some(clock.now() + 10), ..item("x") };
    for number in 0..1200 {
        store.put(&key(&number.to_string()), mortal.clone(), When::Always).await.expect("put");
    }
    let mut connection = SqliteConnection::connect(&url).await.expect("a connection");
    let mut rows = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM evenkeel_items");
        count.fetch_one(&mut connection).await.expect("a number")
    };
    assert!(rows().await > 1_000);
    clock.advance(60_000);
    store.put(&key("kept"), item("x"), When::Always).await.expect("put");
    // All of them, though one statement does not remove so many.
    while rows().await != 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_damaged_file_is_reported_and_a_new_one_is_made_once_it_is_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sessions.db");
    std::fs::write(&file, [b'x'; 8192]).expect("a file");
    let store = sql(SqlDialect::Sqlite, &url(directory.path()));
    for _ in 0..2 {
        let error = store.get(&key("a")).await.expect_err("a damaged file");
        assert!(matches!(&error, StoreError::Garbage(text) if text.contains("move it away")), "{error:?}");
    }
    std::fs::remove_file(&file).expect("the file");
    assert!(matches!(store.put(&key("a"), item("1"), When::Always).await, Ok(Put::Done(_))));
}

#[tokio::test]
async fn damaged_pages_are_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = url(directory.path());
    let store = sql(SqlDialect::Sqlite, &url);
    store.put(&key("a"), item(&"1".repeat(100_000)), When::Always).await.expect("put");
    let mut connection = SqliteConnection::connect(&url).await.expect("a connection");
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("all in one file");
    let mut bytes = std::fs::read(directory.path().join("sessions.db")).expect("the file");
    bytes[4096..].fill(0x5a);
    let copy = directory.path().join("copy.db");
    std::fs::write(&copy, bytes).expect("the copy");
    let error = sql(SqlDialect::Sqlite, &format!("sqlite://{}", copy.display())).get(&key("a")).await;
    assert!(
        matches!(&error, Err(StoreError::Garbage(text)) if text.contains("damaged")),
        "{}",
        error.is_ok()
    );
}

#[tokio::test]
async fn a_directory_that_takes_no_file_is_reported() {
    // Not even root may write there.
    for url in ["sqlite:///proc/sessions.db", "sqlite:///no/such/directory/sessions.db"] {
        let error = write_error(&sql(SqlDialect::Sqlite, url)).await;
        assert!(matches!(&error, StoreError::Away(text) if text.contains("unable to open")), "{error:?}");
    }
}

#[tokio::test]
async fn a_read_only_database_denies_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = url(directory.path());
    sql(SqlDialect::Sqlite, &url).put(&key("a"), item("1"), When::Always).await.expect("put");
    let store = sql(SqlDialect::Sqlite, &format!("{url}?mode=ro"));
    assert!(store.get(&key("a")).await.expect("get").is_some());
    assert!(matches!(write_error(&store).await, StoreError::Denied(_)));
    assert!(store.get(&key("a")).await.expect("get").is_some(), "reads go on");
}

#[tokio::test]
async fn a_schema_of_another_version_is_refused_with_a_hint() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = url(directory.path());
    sql(SqlDialect::Sqlite, &url).get(&key("a")).await.expect("tables are made");
    let mut connection = SqliteConnection::connect(&url).await.expect("a connection");
    connection.execute("UPDATE evenkeel_schema SET version = 7").await.expect("another version");
    let store = sql(SqlDialect::Sqlite, &url);
    let error = write_error(&store).await.to_string();
    for part in ["version 7", "needs version 1", "drop evenkeel_items"] {
        assert!(error.contains(part), "{error}");
    }
    connection.execute("UPDATE evenkeel_schema SET version = 1").await.expect("our version");
    assert!(store.put(&key("a"), item("1"), When::Always).await.is_ok(), "as soon as it fits");
}

#[tokio::test]
async fn tables_that_vanish_are_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = url(directory.path());
    let store = sql(SqlDialect::Sqlite, &url);
    store.put(&key("a"), item("1"), When::Always).await.expect("put");
    let mut connection = SqliteConnection::connect(&url).await.expect("a connection");
    connection.execute("DROP TABLE evenkeel_items; DROP TABLE evenkeel_schema").await.expect("no tables");
    assert_eq!(store.get(&key("a")).await, Ok(None));
}

#[tokio::test]
async fn a_write_waits_for_another_process_and_reads_do_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = url(directory.path());
    let store = Arc::new(sql(SqlDialect::Sqlite, &url));
    store.put(&key("a"), item("1"), When::Always).await.expect("put");
    let mut other = SqliteConnection::connect(&url).await.expect("a connection");
    other.execute("BEGIN IMMEDIATE").await.expect("the only writer");
    let waiting = Arc::clone(&store);
    let write = tokio::spawn(async move { waiting.put(&key("a"), item("2"), When::Always).await });
    for _ in 0..20 {
        assert_eq!(soon(store.get(&key("a"))).await.expect("get").expect("an item").value, "1");
    }
    assert!(!write.is_finished());
    other.execute("COMMIT").await.expect("the end");
    assert!(matches!(soon(write).await.expect("no panic"), Ok(Put::Done(_))));
}

#[test]
fn an_unknown_parameter_is_an_error() {
    let error =
        SqlStore::new(SqlDialect::Sqlite, "sqlite:///x?moode=ro", Clock::new().reader()).expect_err("a slip");
    assert!(error.to_string().contains("moode"), "{error}");
}
