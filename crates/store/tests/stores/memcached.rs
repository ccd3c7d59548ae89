//! Groups of memcached servers: real ones, and scripted ones that misbehave.

mod server;

use std::sync::Arc;
use std::time::Duration;

use model::{MemcachedAddress, MemcachedServer};
use store::breaker::BreakerState;
use store::memcached::{MemcachedSettings, Protocol};
use store::{Guarded, Key, MemcachedStore, Put, Store, StoreError, When};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use self::server::Memcached;
use crate::contract::{self, Promises, item, wait_until};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_with_meta_commands() {
    let servers = [Memcached::start(&[]).await, Memcached::start(&[]).await, Memcached::start(&[]).await];
    let group = servers.each_ref().map(|server| server.member());
    contract::check(store(&group, None), promises()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_with_text_commands() {
    let servers = [Memcached::start(&[]).await, Memcached::start(&[]).await, Memcached::start(&[]).await];
    let group = servers.each_ref().map(|server| server.member());
    let promises = Promises { says_ends: false, says_versions: false, ..promises() };
    contract::check(store(&group, Some(Protocol::Text)), promises).await;
}

/// The keys of the lost server are refused for an instant, then kept by the others; those of the others never suffer.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_ejected_and_found_again() {
    let mut servers = [Memcached::start(&[]).await, Memcached::start(&[]).await, Memcached::start(&[]).await];
    let group = servers.each_ref().map(|server| server.member());
    let store = store(&group, None);
    let keys: Vec<_> = (0..60).map(|_| contract::key("killed")).collect();
    write_all(&*store, &keys).await;
    servers[1].kill().await;
    wait_until("the others take its keys", || async { store.read_many(&keys).await.is_ok() }).await;
    let left = store.read_many(&keys).await.unwrap().into_iter().flatten().count();
    assert!((20..60).contains(&left), "{left} of 60 were with the others");
    write_all(&*store, &keys).await;
    assert!(store.read_many(&keys).await.unwrap().iter().all(Option::is_some));
    servers[1].start_again().await;
    wait_until("it is empty, and has its keys again", || async {
        let found = store.read_many(&keys).await;
        found.is_ok_and(|found| found.into_iter().flatten().count() == left)
    })
    .await;
}

/// A server that hangs costs its callers the patience once; then its keys are with the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_ejected_and_found_again() {
    let servers = [Memcached::start(&[]).await, Memcached::start(&[]).await];
    let group = servers.each_ref().map(|server| server.member());
    let store = store(&group, None);
    let keys: Vec<_> = (0..40).map(|_| contract::key("stopped")).collect();
    write_all(&*store, &keys).await;
    servers[0].signal(rustix::process::Signal::STOP);
    // Its threads stop an instant after the signal was sent.
    wait_until("it is late", || async { store.read_many(&keys).await == Err(StoreError::Late) }).await;
    // On a busy machine the server is tried again before the next call, which is late then.
    let mut left = None;
    for _ in 0..20 {
        match store.read_many(&keys).await {
            Ok(found) => left = Some(found.into_iter().flatten().count()),
            Err(error) => assert_eq!(error, StoreError::Late),
        }
        if left.is_some() {
            break;
        }
    }
    assert!(left.is_some_and(|left| (1..40).contains(&left)), "{left:?}");
    servers[0].signal(rustix::process::Signal::CONT);
    wait_until("it has kept what it held", || async {
        store.read_many(&keys).await.is_ok_and(|found| found.iter().all(Option::is_some))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_server_evicts_and_a_flushed_one_forgets() {
    let server = Memcached::start(&["-I", "512k", "-m", "1"]).await;
    let store = store(&[server.member()], None);
    let keys: Vec<_> = (0..4_000).map(|_| contract::key("evicted")).collect();
    for key in &keys {
        match store.put(key, item(&[b'v'; 4_000]), When::Always).await {
            Ok(Put::Done(_)) | Err(StoreError::Full(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    let found = store.read_many(&keys).await.unwrap().into_iter().flatten().count();
    assert!((1..4_000).contains(&found), "{found}");
    store.clear().await.unwrap();
    assert!(store.read_many(&keys[3_900..]).await.unwrap().iter().all(Option::is_none));
    assert!(matches!(store.put(&keys[0], item(b"anew"), When::Absent).await, Ok(Put::Done(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_by_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let server = Memcached::start_at(&directory.path().join("socket"), &[]).await;
    let store = store(&[server.member()], None);
    write_all(&*store, &[contract::key("unix")]).await;
}

/// What a server says instead of an answer, and how it is called.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_misbehave() {
    let endless = [b'x'; 4_096];
    let table: [(&[u8], &[u8], &str); 8] = [
        (b"HTTP/1.1 400 Bad Request\r\n", b"", "garbage"),
        (b"MN\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", "garbage"),
        (b"MN\r\n", b"VA 5 f0 t-1 c1\r\nabc", "away"),
        (b"MN\r\n", b"VA 99999999 f0 t-1 c1\r\nabc", "garbage"),
        (b"MN\r\n", b"VA 1 f0 t-1 c1\r\nabcdef", "garbage"),
        (b"MN\r\n", &endless, "garbage"),
        (b"ERROR\r\n", b"VALUE another 0 1 1\r\nx\r\nEND\r\n", "garbage"),
        (b"", b"", "away"),
    ];
    for (hello, answer, reason) in table {
        let store = store(&[scripted(hello, answer).await], None);
        let key = contract::key("misbehaves");
        for _ in 0..3 {
            let error = store.get(&key).await.unwrap_err();
            assert_eq!(error.reason(), reason, "{error}, {}", answer.escape_ascii());
        }
    }
}

/// An answer that is followed by nonsense counts; the connection is closed, so that the nonsense answers nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_too_many_is_no_answer() {
    let store = store(&[scripted(b"MN\r\n", b"EN\r\nVA 5 f0 t-1 c1\r\nwrong\r\n").await], None);
    for _ in 0..20 {
        let found = store.get(&contract::key("too-many")).await;
        assert!(found.as_ref().is_ok_and(Option::is_none) || found.is_err(), "{found:?}");
    }
}

/// There is no other one to take the keys, so a call tries it.
#[tokio::test(flavor = "multi_thread")]
async fn an_only_server_is_found_again_at_once() {
    let mut server = Memcached::start(&[]).await;
    let store = store(&[server.member()], None);
    let key = contract::key("only");
    write_all(&*store, std::slice::from_ref(&key)).await;
    server.kill().await;
    for _ in 0..20 {
        assert!(matches!(store.get(&key).await, Err(StoreError::Away(_))));
    }
    server.start_again().await;
    assert_eq!(store.get(&key).await, Ok(None));
}

/// The breaker in front of a server that hangs: callers wait the timeout a few times, and then not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_server_that_hangs_costs_nothing() {
    let server = Memcached::start(&[]).await;
    let store = Guarded::new(store(&[server.member()], None), Duration::from_millis(200), 1);
    let key = contract::key("guarded");
    store.put(&key, item(b"v"), When::Always).await.unwrap();
    server.signal(rustix::process::Signal::STOP);
    wait_until("it rests", || async { store.get(&key).await == Err(StoreError::Resting) }).await;
    server.signal(rustix::process::Signal::CONT);
    wait_until("it is asked again", || async { store.get(&key).await.is_ok_and(|found| found.is_some()) })
        .await;
    let figures = store.figures();
    assert_eq!(figures.state, BreakerState::Closed);
    assert!(figures.errors.iter().any(|&(reason, count)| reason == "late" && count >= 3), "{figures:?}");
}

#[tokio::test]
async fn a_server_that_is_silent_or_not_there() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let key = contract::key("silent");
    assert_eq!(store(&[member(port)], None).get(&key).await, Err(StoreError::Late));
    drop(silent);
    let absent = store(&[member(port)], None).get(&key).await;
    assert!(matches!(absent, Err(StoreError::Away(_))), "{absent:?}");
}

async fn write_all(store: &dyn Store, keys: &[Key]) {
    for key in keys {
        assert!(matches!(store.put(key, item(b"v"), When::Always).await, Ok(Put::Done(_))));
    }
}

/// A server that says the same on every connection: `hello` at once, `answer` after the first command, and then closes.
async fn scripted(hello: &'static [u8], answer: &[u8]) -> MemcachedServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = answer.to_vec();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut input = [0; 4];
            if stream.read_exact(&mut input).await.is_ok() && stream.write_all(hello).await.is_ok() {
                let mut command = [0; 512];
                if !hello.is_empty() && stream.read(&mut command).await.is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(&answer).await;
                }
            }
        }
    });
    member(port)
}

fn member(port: u16) -> MemcachedServer {
    MemcachedServer { address: MemcachedAddress::Tcp { host: "127.0.0.1".to_owned(), port }, weight: 1 }
}

fn store(group: &[MemcachedServer], protocol: Option<Protocol>) -> Arc<MemcachedStore> {
    let settings = MemcachedSettings { patience: PATIENCE, protocol };
    Arc::new(MemcachedStore::new(group, settings, contract::clock()))
}

/// The servers are started with `-I 2m`.
fn promises() -> Promises {
    Promises { too_large: 3 << 20, ..Promises::default() }
}

const PATIENCE: Duration = Duration::from_secs(1);
