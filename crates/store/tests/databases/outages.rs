//! What servers of SQL have in common when they fail.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use store::{Put, Store, StoreError, When};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::server::Server;
use crate::world::{item, key, soon, wait_until_serving};

/// Connections in use when the server dies are replaced without an error once it is back.
pub(crate) async fn survives_a_restart(server: &mut Server, open: impl Fn() -> Box<dyn Store>) {
    let store = &*open();
    store.put(&key("kept"), item("1"), When::Always).await.expect("put");
    let keys: Vec<_> = (0..8).map(|number| key(&number.to_string())).collect();
    // Several connections are open, all of which the restart breaks.
    let mut busy: Vec<_> = keys.iter().map(|key| store.get(key)).collect();
    std::future::poll_fn(|context| {
        busy.retain_mut(|reply| reply.as_mut().poll(context).is_pending());
        if busy.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;

    server.kill();
    let error = soon(store.get(&key("kept"))).await.expect_err("a dead server");
    assert!(matches!(error, StoreError::Away(_)), "{error:?}");
    server.restart();
    wait_until_serving(store).await;
    assert_eq!(store.get(&key("kept")).await.expect("get").expect("an item").value, "1");

    // Without a command in between: every connection is dead, and the store has not noticed.
    server.kill();
    server.restart();
    wait_until_serving(&*open()).await;
    assert_eq!(store.get(&key("kept")).await.expect("no error").expect("an item").value, "1");
}

/// A caller that gives up leaves the store usable, and what has begun ends behind its back.
pub(crate) async fn survives_a_stop(server: &Server, store: &dyn Store) {
    store.put(&key("before"), item("1"), When::Always).await.expect("put");
    server.signal(Signal::STOP);
    for number in 0..10 {
        let key = key(&format!("stopped{number}"));
        let reply = store.put(&key, item("2"), When::Absent);
        let late = tokio::time::timeout(Duration::from_millis(10), reply).await;
        assert!(late.is_err(), "{late:?}");
    }
    server.signal(Signal::CONT);
    assert_eq!(soon(store.get(&key("before"))).await.expect("get").expect("an item").value, "1");
    for number in 0..10 {
        let key = key(&format!("stopped{number}"));
        while soon(store.get(&key)).await.expect("get").is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A server that stays silent is given up after the limit of a command; the next one finds it well.
pub(crate) async fn gives_up_a_silent_connection(server: &Server, store: &dyn Store) {
    server.signal(Signal::STOP);
    assert_eq!(soon(store.get(&key("before"))).await, Err(StoreError::Late));
    server.signal(Signal::CONT);
    assert!(soon(store.get(&key("before"))).await.expect("get").is_some());
}

/// Peers that are no database: each is an error with words, soon, and never a panic.
pub(crate) async fn refuses_garbage(open: impl Fn(u16) -> Box<dyn Store>) {
    let answers: [&[u8]; 5] =
        [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", &[0; 64], &[0xff; 64], b"-ERR unknown command\r\n"];
    for answer in answers {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let store = open(listener.local_addr().expect("an address").port());
        let peer = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                _ = client.write_all(answer).await;
                _ = client.shutdown().await;
                _ = client.read_to_end(&mut Vec::new()).await;
            }
        });
        let error = soon(store.get(&key("a"))).await.expect_err("no database");
        assert!(matches!(error, StoreError::Away(_) | StoreError::Garbage(_)), "{answer:?}: {error:?}");
        peer.abort();
    }
}

/// Texts of errors are for logs.
pub(crate) fn assert_away(error: &StoreError, part: &str) {
    assert!(matches!(error, StoreError::Away(text) if text.contains(part)), "{error:?}");
    assert!(!error.to_string().contains("s3cret"), "{error:?}");
}

/// Two programs that begin at the same time make the tables once.
pub(crate) async fn makes_tables_once(open: impl Fn() -> Arc<dyn Store>) {
    let mut starts = tokio::task::JoinSet::new();
    for number in 0..6 {
        let store = open();
        starts
            .spawn(async move { store.put(&key(&format!("start{number}")), item("1"), When::Absent).await });
    }
    for outcome in starts.join_all().await {
        assert!(matches!(outcome, Ok(Put::Done(_))), "{outcome:?}");
    }
}
