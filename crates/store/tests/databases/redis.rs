//! Redis, as which Valkey is addressed, too.

use std::sync::Arc;

use redis::Client;
use store::{Put, RedisStore, Store, StoreError, When};

use crate::server::{self, Kind, Server};
use crate::world::{Clock, item, key, soon, wait_until_serving, write_error};
use crate::{contract, outages, shared};

/// A server that keeps what was written when it is killed.
async fn start() -> Server {
    let directory = server::directory();
    server::make_certificate(&directory);
    let server = Server::start(Kind::Redis, directory, |directory, port| {
        let mut command = server::unprivileged(&server::program("redis-server"));
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", "s3cret"]);
        command
            .args(["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir"])
            .arg(directory);
        command
    });
    wait_until_serving(&open(&url(&server))).await;
    server
}

fn url(server: &Server) -> String {
    server.url_of("", "s3cret", "0")
}

fn open(url: &str) -> RedisStore {
    RedisStore::new(url, Clock::new().reader()).expect("a good URL")
}

fn shared(url: &str, clock: &Clock) -> Arc<dyn Store> {
    Arc::new(RedisStore::new(url, clock.reader()).expect("a good URL"))
}

async fn execute(url: &str, commands: &[&str]) {
    let mut connection = connection(url).await;
    for command in commands {
        let mut words = command.split(' ');
        let mut call = redis::cmd(words.next().expect("a command"));
        () = call.arg(words.collect::<Vec<_>>()).query_async(&mut connection).await.expect("it is done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract_of_all_stores() {
    let server = start().await;
    let store = RedisStore::new(&url(&server), shared::clock()).expect("a good URL");
    shared::check(
        Arc::new(store),
        shared::Promises { too_large: store::SMALL_VALUE_BYTES_MAX + 1, ..Default::default() },
    )
    .await;
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let server = start().await;
    let (url, clock) = (url(&server), Clock::new());
    execute(&url, &["SET other value"]).await;
    contract::check(shared(&url, &clock), shared(&url, &clock), &clock).await;
    let mut connection = connection(&url).await;
    let left: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("keys");
    assert_eq!(left, ["other"], "what is not ours is left alone");
}

#[tokio::test]
async fn the_server_forgets_what_has_expired() {
    let server = start().await;
    let (url, clock) = (url(&server), Clock::new());
    let store = shared(&url, &clock);
    let short = store::Item { expires: Some(clock.now() + 1), ..item("x") };
    for name in ["put", "touched"] {
        store.put(&key(name), short.clone(), When::Always).await.expect("put");
    }
    store.put(&key("kept"), item("x"), When::Always).await.expect("put");
    let mut connection = connection(&url).await;
    loop {
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("keys");
        if keys == ["evk:kept"] {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn outages_cost_what_happens_during_them() {
    let mut server = start().await;
    let url = url(&server);
    let store = open(&url);
    outages::survives_a_stop(&server, &store).await;
    outages::survives_a_restart(&mut server, || Box::new(open(&url))).await;
    outages::gives_up_a_silent_connection(&server, &store).await;
}

/// Each call of a store says so with the same word, the first one and the later ones.
#[tokio::test]
async fn a_refused_login_is_told_as_one() {
    let server = start().await;
    for url in [server.url_of("", "wrong-s3cret", "0"), format!("redis://127.0.0.1:{}/0", server.port)] {
        let store = open(&url);
        for _ in 0..2 {
            let errors = [
                soon(store.get(&key("a"))).await.map(drop),
                soon(store.put(&key("a"), item("1"), When::Always)).await.map(drop),
                soon(store.read_many(&[key("a"), key("b")])).await.map(drop),
            ];
            for error in errors {
                let error = error.expect_err("no login");
                assert!(matches!(&error, StoreError::Login(_)) && error.reason() == "away", "{error:?}");
                let text = error.to_string();
                assert!(text.starts_with("the login is refused: ") && !text.contains("s3cret"), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn errors_say_what_an_operator_can_do() {
    let server = start().await;
    let url = url(&server);
    let store = open(&url);
    store.put(&key("a"), item("1"), When::Always).await.expect("put");

    let error = write_error(&open(&server.url_of("", "s3cret", "99"))).await;
    assert!(error.to_string().contains("out of range") && !error.to_string().contains("s3cret"), "{error:?}");
    execute(&url, &["ACL SETUSER reader on >s3cret ~* +@read +@connection +@scripting"]).await;
    let reader = open(&server.url_of("reader", "s3cret", "0"));
    for when in [When::Always, When::Absent] {
        let error = reader.put(&key("b"), item("1"), when).await.expect_err("no right");
        assert!(matches!(&error, StoreError::Denied(_)), "{error:?}");
    }
    assert!(reader.get(&key("a")).await.expect("a right to read").is_some());

    execute(&url, &["CONFIG SET maxmemory 1000", "CONFIG SET maxmemory-policy noeviction"]).await;
    assert!(matches!(write_error(&store).await, StoreError::Full(text) if text.contains("OOM")));
    assert!(store.get(&key("a")).await.expect("reads go on").is_some());
    assert_eq!(store.delete(&key("a")).await, Ok(true), "and what makes room");
    execute(&url, &["CONFIG SET maxmemory 0"]).await;
    store.put(&key("a"), item("1"), When::Always).await.expect("as soon as there is room");

    execute(&url, &["REPLICAOF 127.0.0.1 1"]).await;
    assert!(matches!(write_error(&store).await, StoreError::Denied(text) if text.contains("read only")));
    assert!(store.get(&key("a")).await.expect("reads go on").is_some());
    execute(&url, &["REPLICAOF NO ONE"]).await;
    store.put(&key("a"), item("1"), When::Always).await.expect("as soon as it is a master");
}

#[tokio::test]
async fn it_serves_over_tls() {
    let server = start().await;
    let (port, certificate) = (server::free_port(), server.certificate());
    let key_file = certificate.replace(".crt", ".key");
    let files = format!(
        "CONFIG SET tls-cert-file {certificate} tls-key-file {key_file} tls-auth-clients no tls-port {port}"
    );
    execute(&url(&server), &[&files]).await;
    let secure = format!("rediss://:s3cret@127.0.0.1:{port}/0");
    let error = write_error(&open(&secure)).await;
    outages::assert_away(&error, "certificate");
    let store = open(&format!("{secure}?ssl-ca={certificate}"));
    store.put(&key("a"), item("1"), When::Absent).await.expect("put");
    assert_eq!(store.get(&key("a")).await.expect("get").expect("an item").value, "1");
    let error = write_error(&open(&format!("{secure}?ssl-ca=/no/such/file"))).await;
    outages::assert_away(&error, "/no/such/file");
}

#[tokio::test]
async fn sentinels_tell_the_new_master() {
    let (mut master, replica) = (start().await, start().await);
    let follow = format!("REPLICAOF 127.0.0.1 {}", master.port);
    execute(&url(&replica), &["CONFIG SET masterauth s3cret repl-diskless-sync-delay 0", &follow]).await;
    execute(&url(&master), &["CONFIG SET repl-diskless-sync-delay 0"]).await;
    let mut copy = connection(&url(&replica)).await;
    let mut information = redis::cmd("INFO");
    information.arg("replication");
    while !information.query_async::<String>(&mut copy).await.expect("INFO").contains("master_link_status:up")
    {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // It looks at the master when it starts, then every ten seconds.
    let sentinel = start_sentinel(master.port);
    // It has seen the replica, and could replace the master.
    let mut asked = connection(&format!("redis://127.0.0.1:{}", sentinel.port)).await;
    while !knows_a_replica(&mut asked).await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    let store = open(&format!("redis+sentinel://:s3cret@127.0.0.1:1,127.0.0.1:{}/sessions", sentinel.port));
    store.put(&key("a"), item("1"), When::Always).await.expect("put");
    while redis::cmd("EXISTS").arg("evk:a").query_async::<u64>(&mut copy).await != Ok(1) {
        tokio::task::yield_now().await;
    }
    master.kill();
    wait_until_writable(&store).await;
    assert_eq!(store.get(&key("a")).await.expect("get").expect("an item").value, "1");

    let unknown = open(&format!("redis+sentinel://:s3cret@127.0.0.1:{}/other", sentinel.port));
    let error = soon(unknown.get(&key("a"))).await.expect_err("no such master");
    assert!(matches!(error, StoreError::Away(_)), "{error:?}");
}

async fn knows_a_replica(sentinel: &mut redis::aio::MultiplexedConnection) -> bool {
    let mut command = redis::cmd("SENTINEL");
    let replicas: Vec<Vec<String>> =
        command.arg(&["REPLICAS", "sessions"]).query_async(sentinel).await.unwrap_or_default();
    replicas.iter().any(|replica| replica.windows(2).any(|pair| pair == ["master-link-status", "ok"]))
}

/// Replaces a master that has been silent for 200 ms.
fn start_sentinel(master: u16) -> Server {
    Server::start(Kind::Redis, server::directory(), |directory, port| {
        let file = directory.join("sentinel.conf");
        let settings = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor sessions 127.0.0.1 {master} 1\n\
             sentinel auth-pass sessions s3cret\nsentinel down-after-milliseconds sessions 200\n\
             sentinel failover-timeout sessions 1000\n",
            directory.display()
        );
        std::fs::write(&file, settings).expect("a file");
        server::give(&file);
        let mut command = server::unprivileged(&server::program("redis-server"));
        command.arg(file).arg("--sentinel");
        command
    })
}

async fn connection(url: &str) -> redis::aio::MultiplexedConnection {
    let client = Client::open(url).expect("a good URL");
    loop {
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => return connection,
            Err(error) if error.is_connection_refusal() => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn wait_until_writable(store: &dyn Store) {
    let mut last = None;
    for _ in 0..500 {
        match store.put(&key("probe"), item("x"), When::Always).await {
            Ok(_) => return,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the store takes no writes: {last:?}");
}

#[tokio::test]
async fn values_of_others_are_absent_and_replaced() {
    let server = start().await;
    let url = url(&server);
    let store = open(&url);
    let long = format!("SET evk:long {}", "7".repeat(30));
    execute(&url, &["SET evk:text value", &long, "RPUSH evk:list value"]).await;
    store.put(&key("ours"), item("ours"), When::Always).await.expect("put");
    let keys = ["text", "ours", "list", "long"].map(key);
    let many = store.read_many(&keys).await.expect("ours is read");
    assert_eq!(many.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, false]);
    for name in ["text", "list", "long"] {
        assert_eq!(store.get(&key(name)).await, Ok(None), "{name}");
        assert_eq!(store.touch(&key(name), None).await, Ok(false), "{name}");
        assert_eq!(store.put(&key(name), item("1"), When::Present).await, Ok(Put::Refused(None)), "{name}");
        let put = store.put(&key(name), item("1"), When::Absent).await;
        assert!(matches!(put, Ok(Put::Done(_))), "{name}: {put:?}");
        assert_eq!(store.get(&key(name)).await.expect("get").expect("an item").value, "1");
    }
}

#[tokio::test]
async fn a_string_of_another_writer_is_not_read_if_it_is_too_long() {
    let server = start().await;
    let url = url(&server);
    let store = open(&url);
    execute(&url, &["SETRANGE evk:long 50000000 x", "SETRANGE evk:long 0 aaaaaaaaaaaaaaaaaaaaa"]).await;
    // With the header of an item.
    execute(&url, &["SETRANGE evk:long 0 \u{1}"]).await;
    assert_eq!(store.get(&key("long")).await, Ok(None));
    let put = store.put(&key("evk:long"), item("1"), When::Absent).await;
    assert!(matches!(put, Ok(Put::Done(_))), "it is replaced: {put:?}");
}

#[tokio::test]
async fn the_prefix_stands_once() {
    let server = start().await;
    let url = url(&server);
    let store = open(&url);
    for name in ["evk:s:1", "evk:g:shop:cart", "other"] {
        store.put(&key(name), item(name), When::Always).await.expect("put");
        assert_eq!(store.get(&key(name)).await.expect("get").expect("an item").value, name);
    }
    let mut connection = connection(&url).await;
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("keys");
    keys.sort();
    assert_eq!(keys, ["evk:g:shop:cart", "evk:other", "evk:s:1"]);
}

#[tokio::test]
async fn what_is_no_redis_is_refused() {
    outages::refuses_garbage(|port| Box::new(open(&format!("redis://:s3cret@127.0.0.1:{port}/0")))).await;
    let nothing = open("redis://:s3cret@127.0.0.1:1/0");
    outages::assert_away(&soon(nothing.get(&key("a"))).await.expect_err("nothing listens"), "refused");
    for url in ["http://:s3cret@host", "redis://:s3cret@host/x", "redis://:s3cret@"] {
        let error = RedisStore::new(url, Clock::new().reader()).expect_err("no URL of Redis").to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}
