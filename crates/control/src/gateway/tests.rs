mod differential;
mod limits;

use std::sync::atomic::AtomicBool;

use store::{Item, Key, MemoryLimits, MemoryStore, Put, Reply, StoreError, When};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

const LIMIT: Duration = Duration::from_secs(1);

fn clock() -> Clock {
    Arc::new(|| {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        u64::try_from(now.as_millis()).unwrap()
    })
}

fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(MemoryLimits { bytes: 64 << 20, items: 100_000 }, clock()))
}

fn shelf(truth: Arc<dyn Store>, cache: Option<Arc<dyn Store>>) -> Arc<Shelf> {
    Arc::new(Shelf::new(&SessionGatewayName::new("test"), truth, cache, clock(), LIMIT))
}

/// Sends `input` over one connection, and returns all that is answered.
async fn talk(shelf: &Arc<Shelf>, input: &[u8]) -> Vec<u8> {
    talk_within(shelf, Budget::new(ITEM_BYTES_MAX), input).await
}

async fn talk_within(shelf: &Arc<Shelf>, budget: Arc<Budget>, input: &[u8]) -> Vec<u8> {
    let (client, server) = duplex(4096);
    let (_stop, stopping) = watch::channel(false);
    let connection = Connection::new(Arc::clone(shelf), Arc::default(), budget, ITEM_BYTES_MAX);
    let (mut reader, mut writer) = tokio::io::split(client);
    let send = async move {
        // It may have been closed before everything was sent.
        let _ = writer.write_all(input).await;
        let _ = writer.shutdown().await;
    };
    let mut answer = Vec::new();
    let (_, (), read) =
        tokio::join!(connection.serve(Box::new(server), stopping), send, reader.read_to_end(&mut answer));
    read.unwrap();
    answer
}

async fn says(shelf: &Arc<Shelf>, input: &str) -> String {
    String::from_utf8(talk(shelf, input.as_bytes()).await).unwrap()
}

/// A store that can be away.
#[derive(Debug)]
struct Weak {
    inner: Arc<MemoryStore>,
    is_away: AtomicBool,
}

impl Weak {
    fn new() -> Arc<Self> {
        Arc::new(Self { inner: memory(), is_away: AtomicBool::new(false) })
    }

    fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, std::sync::atomic::Ordering::Relaxed);
    }

    fn or_away<'a, T: Send + 'a>(&self, reply: Reply<'a, T>) -> Reply<'a, T> {
        if self.is_away.load(std::sync::atomic::Ordering::Relaxed) {
            Box::pin(async { Err(StoreError::Away("test".to_owned())) })
        } else {
            reply
        }
    }
}

impl Store for Weak {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        self.or_away(self.inner.get(key))
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        self.or_away(self.inner.put(key, item, when))
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        self.or_away(self.inner.touch(key, expires))
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        self.or_away(self.inner.delete(key))
    }

    fn clear(&self) -> Reply<'_, ()> {
        self.or_away(self.inner.clear())
    }
}

#[tokio::test]
async fn ten_thousand_commands_are_answered_in_order() {
    let shelf = shelf(memory(), None);
    let mut input = String::new();
    let mut expected = String::new();
    for n in 0..10_000 {
        input += &format!("set k{} 0 0 6\r\n{n:06}\r\nget k{}\r\n", n % 100, n % 100);
        expected += &format!("STORED\r\nVALUE k{} 0 6\r\n{n:06}\r\nEND\r\n", n % 100);
    }
    assert!(says(&shelf, &input).await == expected);
}

#[tokio::test]
async fn a_flush_leaves_the_items_of_others() {
    let store = memory();
    let (mine, other) = (shelf(store.clone(), None), {
        let name = SessionGatewayName::new("other");
        Arc::new(Shelf::new(&name, store.clone(), None, clock(), LIMIT))
    });
    assert_eq!(says(&mine, "set a 1 0 1\r\nx\r\nset n 0 0 1\r\n5\r\n").await, "STORED\r\nSTORED\r\n");
    assert_eq!(says(&other, "set a 2 0 1\r\ny\r\n").await, "STORED\r\n");
    let after = "flush_all\r\nget a\r\nreplace a 0 0 1\r\nz\r\nappend a 0 0 1\r\nz\r\nincr n 1\r\ntouch a 9\r\n\
                 delete a\r\nadd a 3 0 1\r\nz\r\nget a\r\n";
    let expected = "OK\r\nEND\r\nNOT_STORED\r\nNOT_STORED\r\nNOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\nSTORED\r\n\
                    VALUE a 3 1\r\nz\r\nEND\r\n";
    assert_eq!(says(&mine, after).await, expected);
    assert_eq!(says(&other, "get a\r\n").await, "VALUE a 2 1\r\ny\r\nEND\r\n");
    // Another process learns of the flush from the store.
    assert_eq!(says(&shelf(store, None), "get n\r\nget a\r\n").await, "END\r\nVALUE a 3 1\r\nz\r\nEND\r\n");
}

/// As in memcached, the last `flush_all` is the one that counts.
#[tokio::test(start_paused = true)]
async fn a_later_flush_takes_the_place_of_the_former() {
    let shelf = shelf(memory(), None);
    let (there, gone) = ("VALUE a 0 1\r\nx\r\nEND\r\n", "END\r\n");
    let unix = clock()() / 1000 + 50;
    for (flushes, seconds_then_read) in [
        ("flush_all 100\r\nflush_all 10\r\n".to_owned(), [(9, there), (2, gone)]),
        ("flush_all 10\r\nflush_all 100\r\n".to_owned(), [(50, there), (51, gone)]),
        (format!("flush_all {unix}\r\n"), [(40, there), (11, gone)]),
        ("flush_all 2592000\r\n".to_owned(), [(2_591_999, there), (2, gone)]),
        // At once.
        ("flush_all 2592001\r\n".to_owned(), [(0, gone), (1, gone)]),
        ("flush_all -1\r\n".to_owned(), [(0, gone), (1, gone)]),
    ] {
        let input = format!("set a 0 0 1\r\nx\r\n{flushes}");
        let answer = says(&shelf, &input).await;
        assert_eq!(answer, "STORED\r\n".to_owned() + &"OK\r\n".repeat(flushes.lines().count()), "{flushes}");
        for (seconds, expected) in seconds_then_read {
            sleep(Duration::from_secs(seconds)).await;
            assert_eq!(says(&shelf, "get a\r\n").await, expected, "{flushes} after {seconds} s more");
        }
    }
    let input = "flush_all 100\r\nflush_all\r\nset a 0 0 1\r\nx\r\n";
    assert_eq!(says(&shelf, input).await, "OK\r\nOK\r\nSTORED\r\n");
    sleep(Duration::from_secs(200)).await;
    assert_eq!(says(&shelf, "get a\r\n").await, there, "a flush at once gives up that in the future");
}

#[tokio::test(start_paused = true)]
async fn a_planned_flush_waits_for_the_store() {
    let truth = Weak::new();
    let shelf = shelf(truth.clone(), None);
    assert_eq!(says(&shelf, "set a 0 0 1\r\nx\r\nflush_all 5\r\n").await, "STORED\r\nOK\r\n");
    truth.set_away(true);
    sleep(Duration::from_secs(10)).await;
    truth.set_away(false);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(says(&shelf, "get a\r\n").await, "END\r\n");
}

#[tokio::test]
async fn a_cache_serves_reads_while_the_truth_is_away() {
    let (truth, cache) = (Weak::new(), Weak::new());
    let shelf = shelf(truth.clone(), Some(cache.clone()));
    assert_eq!(says(&shelf, "set a 0 0 1\r\nx\r\n").await, "STORED\r\n");
    truth.set_away(true);
    let away = "SERVER_ERROR session store: away\r\n";
    assert_eq!(says(&shelf, "get a\r\n").await, "VALUE a 0 1\r\nx\r\nEND\r\n");
    assert_eq!(says(&shelf, "get b\r\nset a 0 0 1\r\ny\r\ndelete a\r\n").await, away.repeat(3));
    truth.set_away(false);
    cache.set_away(true);
    let (write, read) = ("set a 0 0 1\r\ny\r\n", "get a\r\n");
    assert_eq!(says(&shelf, write).await, "STORED\r\n", "a cache that is away changes nothing");
    assert_eq!(says(&shelf, read).await, "VALUE a 0 1\r\ny\r\nEND\r\n");
}

#[tokio::test]
async fn a_cache_follows_every_write() {
    let cache = memory();
    let shelf = shelf(memory(), Some(cache.clone()));
    let input = "set a 0 0 1\r\n1\r\nget a\r\nincr a 4\r\nget a\r\nappend a 0 0 1\r\n0\r\nget a\r\ntouch a -1\r\n\
                 get a\r\nset a 0 0 1\r\nx\r\ndelete a\r\nget a\r\nset a 0 0 1\r\nz\r\nflush_all\r\nget a\r\n";
    let item = |value: &str| format!("VALUE a 0 {}\r\n{value}\r\nEND\r\n", value.len());
    let expected = [
        format!("STORED\r\n{}5\r\n{}STORED\r\n{}", item("1"), item("5"), item("50")),
        "TOUCHED\r\nEND\r\nSTORED\r\nDELETED\r\nEND\r\nSTORED\r\nOK\r\nEND\r\n".to_owned(),
    ];
    assert_eq!(says(&shelf, input).await, expected.concat());
    says(&shelf, "set b 0 0 1\r\nx\r\n").await;
    let copy = cache.get(&Key::new(b"evk:g:test:b").unwrap()).await.unwrap().unwrap();
    let life = copy.expires.unwrap() - clock()();
    assert!((59_000..=60_000).contains(&life), "a copy ends soon: {life}");
}

#[tokio::test]
async fn keys_that_no_store_takes_are_hashed() {
    let store = memory();
    let shelf = shelf(store.clone(), None);
    let long = "k".repeat(250);
    let input = format!("set {long} 0 0 1\r\nx\r\nset a\tb 0 0 1\r\ny\r\nget {long} a\tb\r\n");
    let expected = format!("STORED\r\nSTORED\r\nVALUE {long} 0 1\r\nx\r\nVALUE a\tb 0 1\r\ny\r\nEND\r\n");
    assert_eq!(says(&shelf, &input).await, expected);
    // As `sha256sum` says it of `evk:g:test:a<tab>b`.
    let hash = "d9e663ff28e2e01c856b0792c384095a969e9e1a859e86f039405bfebf62800a";
    let hashed = Key::new(format!("evk:h:{hash}").as_bytes()).unwrap();
    assert!(store.get(&hashed).await.unwrap().unwrap().value.ends_with(b"y"));
}

#[tokio::test]
async fn concurrent_counters_lose_nothing() {
    let shelf = shelf(memory(), None);
    says(&shelf, "set n 0 0 1\r\n0\r\n").await;
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        let shelf = Arc::clone(&shelf);
        clients.spawn(async move { says(&shelf, &"incr n 1\r\n".repeat(50)).await });
    }
    while let Some(answer) = clients.join_next().await {
        assert!(!answer.unwrap().contains("ERROR"));
    }
    assert_eq!(says(&shelf, "get n\r\n").await, "VALUE n 0 4\r\n1000\r\nEND\r\n");
}

const ITEM_BYTES_MAX: usize = 1 << 20;

/// A stream of a connection whose task ends by a defect.
struct Panics;

impl tokio::io::AsyncRead for Panics {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        panic!("a defect")
    }
}

impl tokio::io::AsyncWrite for Panics {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_connection_that_panics_is_not_open() {
    let (figures, (_stop, stopping)) = (Arc::<GatewayFigures>::default(), watch::channel(false));
    let shelf = shelf(memory(), None);
    let connection =
        Connection::new(shelf, Arc::clone(&figures), Budget::new(ITEM_BYTES_MAX), ITEM_BYTES_MAX);
    let task = tokio::spawn(connection.serve(Box::new(Panics), stopping));
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!((figures.connections_accepted(), figures.connections_open()), (1, 0));
}
