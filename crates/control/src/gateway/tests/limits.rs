//! What clients may take: memory and time.

use tokio::io::DuplexStream;
use tokio::time::sleep;

use std::sync::atomic::Ordering;

use store::Guarded;
use store::breaker::BreakerSettings;

use super::*;

/// A connection that is served in a task of its own.
fn open(shelf: &Arc<Shelf>, budget: &Arc<Budget>) -> DuplexStream {
    let (client, server) = duplex(4096);
    let (stop, stopping) = watch::channel(false);
    let connection = Connection::new(Arc::clone(shelf), Arc::default(), Arc::clone(budget), ITEM_BYTES_MAX);
    tokio::spawn(async move {
        connection.serve(Box::new(server), stopping).await;
        drop(stop);
    });
    client
}

async fn expect(client: &mut DuplexStream, expected: &str) {
    let mut answer = vec![0; expected.len()];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
}

async fn ask(client: &mut DuplexStream, input: &str, expected: &str) {
    client.write_all(input.as_bytes()).await.unwrap();
    expect(client, expected).await;
}

#[tokio::test]
async fn half_sent_items_take_the_budget_and_no_more() {
    let (shelf, budget) = (shelf(memory(), None), Budget::of(5 * ITEM_BYTES_MAX));
    let mut halves = Vec::new();
    let mut refused = Vec::new();
    for number in 0..100 {
        let mut client = open(&shelf, &budget);
        let head = format!("set k{number} 0 0 {}\r\n", ITEM_BYTES_MAX - 100);
        client.write_all(head.as_bytes()).await.unwrap();
        if number < 5 {
            // More than the buffer between them: it has been read.
            client.write_all(&[b'x'; 10_000]).await.unwrap();
            halves.push(client);
        } else {
            expect(&mut client, "SERVER_ERROR out of memory storing object\r\n").await;
            refused.push(client);
        }
    }
    for client in &mut refused {
        client.write_all(&vec![b'x'; ITEM_BYTES_MAX - 100]).await.unwrap();
        ask(client, "\r\nset small 0 0 1\r\nx\r\n", "STORED\r\n").await;
        ask(client, "get k7\r\n", "END\r\n").await;
    }
    let mut last = halves.pop().unwrap();
    drop(halves);
    last.write_all(&vec![b'x'; ITEM_BYTES_MAX - 10_100]).await.unwrap();
    ask(&mut last, "\r\n", "STORED\r\n").await;
    let large = format!("set k 0 0 {ITEM_BYTES_MAX}\r\n{}\r\n", "y".repeat(ITEM_BYTES_MAX));
    // A connection that is closed gives back what it has taken as soon as its task sees it.
    while says_within(&shelf, &budget, &large).await != "STORED\r\n" {
        tokio::task::yield_now().await;
    }
}

async fn says_within(shelf: &Arc<Shelf>, budget: &Arc<Budget>, input: &str) -> String {
    String::from_utf8(talk_within(shelf, Arc::clone(budget), input.as_bytes()).await).unwrap()
}

#[tokio::test]
async fn an_item_that_is_refused_leaves_nothing_stale() {
    let (shelf, budget) = (shelf(memory(), None), Budget::of(100_000));
    let large = "x".repeat(200_000);
    let refused = "SERVER_ERROR out of memory storing object\r\n";
    for (command, after) in [
        ("set k 0 0 200000", "END\r\n"),
        ("ms k 200000", "END\r\n"),
        ("add k 0 0 200000", "VALUE k 0 1\r\n1\r\nEND\r\n"),
    ] {
        let input = format!("set k 0 0 1\r\n1\r\n{command}\r\n{large}\r\nget k\r\n");
        assert_eq!(
            says_within(&shelf, &budget, &input).await,
            format!("STORED\r\n{refused}{after}"),
            "{command}"
        );
    }
    let line = format!("get {}\r\n", "k ".repeat(60_000));
    assert_eq!(says_within(&shelf, &budget, &line).await, "SERVER_ERROR out of memory reading request\r\n");
}

#[tokio::test]
async fn large_values_are_sent_within_the_budget() {
    let (shelf, large) = (shelf(memory(), None), "v".repeat(50_000));
    says(&shelf, &format!("set big 3 0 50000\r\n{large}\r\nset small 0 0 1\r\nx\r\n")).await;
    let (small, refused) =
        ("VALUE small 0 1\r\nx\r\n", "SERVER_ERROR out of memory writing get response\r\n");
    let (tight, wide) = (Budget::of(49_999), Budget::of(50_000));
    let input = "get small big\r\nmg big v\r\nmg big s\r\n";
    let expected = format!("{small}{refused}{refused}HD s50000\r\n");
    assert_eq!(says_within(&shelf, &tight, input).await, expected);
    let expected =
        format!("{small}VALUE big 3 50000\r\n{large}\r\nEND\r\nVA 50000\r\n{large}\r\nHD s50000\r\n");
    assert!(says_within(&shelf, &wide, input).await == expected);
    let mut frame = vec![0x80, 0x00, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];
    frame.extend(b"big");
    let answer = talk_within(&shelf, tight, &frame).await;
    assert_eq!((answer[0], answer[1], &answer[6..8]), (0x81, 0x00, &[0x00, 0x82][..]));
    let answer = talk_within(&shelf, wide, &frame).await;
    assert_eq!(
        (answer.len(), &answer[8..12], &answer[24..28]),
        (24 + 4 + 50_000, &50_004_u32.to_be_bytes()[..], &[0, 0, 0, 3][..])
    );
    assert!(answer[28..].iter().all(|&byte| byte == b'v'));
}

#[tokio::test(start_paused = true)]
async fn a_command_must_be_complete_in_time() {
    let (shelf, budget) = (shelf(memory(), None), Budget::new(ITEM_BYTES_MAX));
    let mut rest = Vec::new();
    for half in ["set k 0 0 10\r\n", "set k 0 0 10\r\n12345", "get", "\u{1}", "set k 0 0 9999999\r\nxxx"] {
        let mut client = open(&shelf, &budget);
        ask(&mut client, "version\r\n", "VERSION 1.6.0\r\n").await;
        client.write_all(half.as_bytes()).await.unwrap();
        let began = tokio::time::Instant::now();
        rest.clear();
        client.read_to_end(&mut rest).await.unwrap();
        let took = began.elapsed();
        assert!((Duration::from_secs(30)..Duration::from_secs(31)).contains(&took), "{half}: {took:?}");
    }
    // Bytes that trickle in give it no more time.
    let mut client = open(&shelf, &budget);
    client.write_all(b"set k 0 0 1000\r\n").await.unwrap();
    let mut sent = 0;
    while client.write_all(b"x").await.is_ok() {
        sent += 1;
        sleep(Duration::from_secs(10)).await;
    }
    assert!((2..5).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn each_command_has_its_own_time() {
    let (shelf, budget) = (shelf(memory(), None), Budget::new(ITEM_BYTES_MAX));
    let mut client = open(&shelf, &budget);
    client.write_all(b"set k 0 0 1\r\n").await.unwrap();
    for _ in 0..5 {
        sleep(Duration::from_secs(20)).await;
        ask(&mut client, "x\r\nset k 0 0 1\r\n", "STORED\r\n").await;
    }
    ask(&mut client, "x\r\n", "STORED\r\n").await;
    sleep(Duration::from_secs(3_500)).await;
    ask(&mut client, "get k\r\n", "VALUE k 0 1\r\nx\r\nEND\r\n").await;
    let mut rest = Vec::new();
    let began = tokio::time::Instant::now();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 3_600, "an idle connection is closed");
}

/// However many calls a command needs, also with a cache that hangs.
#[tokio::test(start_paused = true)]
async fn a_command_ends_in_time_if_the_stores_hang() {
    let seconds = Arc::new(std::sync::atomic::AtomicU64::new(1_000));
    let clock: Clock = {
        let seconds = Arc::clone(&seconds);
        Arc::new(move || seconds.load(Ordering::Relaxed) * 1_000)
    };
    let is_hanging = Arc::new(AtomicBool::new(false));
    let guarded = |timeout| {
        let settings = BreakerSettings { failures: u32::MAX, ..BreakerSettings::default() };
        let inner = Hanging { inner: memory(), is_hanging: Arc::clone(&is_hanging) };
        Arc::new(Guarded::with_settings(Arc::new(inner), timeout, settings, 1))
    };
    for has_cache in [false, true] {
        let cache = has_cache.then(|| guarded(LIMIT / 5) as Arc<dyn Store>);
        let name = SessionGatewayName::new("test");
        let shelf = Arc::new(Shelf::new(&name, guarded(LIMIT), cache, Arc::clone(&clock), LIMIT));
        is_hanging.store(false, Ordering::Relaxed);
        assert_eq!(says(&shelf, "set a 0 0 1\r\n5\r\n").await, "STORED\r\n");
        is_hanging.store(true, Ordering::Relaxed);
        for command in [
            "get a\r\n",
            "gets a b c\r\n",
            "gat 9 a b\r\n",
            "set a 0 0 1\r\n6\r\n",
            "append a 0 0 1\r\n6\r\n",
            "incr a 1\r\n",
            "touch a 9\r\n",
            "delete a\r\n",
            "flush_all\r\n",
            "mg a c v\r\n",
            "ms a 1\r\n6\r\n",
            "ma a T9 t v\r\n",
            "md a\r\n",
            "set a 0 0 99999999\r\n",
        ] {
            // The number of flushes is to be read again.
            seconds.fetch_add(2, Ordering::Relaxed);
            let began = tokio::time::Instant::now();
            let answer = says(&shelf, command).await;
            assert!(answer.starts_with("SERVER_ERROR "), "{command}: {answer}");
            assert!(began.elapsed() <= LIMIT + Duration::from_millis(2), "{command}: {:?}", began.elapsed());
        }
    }
}

/// A store that does not answer while it hangs.
#[derive(Debug)]
struct Hanging {
    inner: Arc<MemoryStore>,
    is_hanging: Arc<AtomicBool>,
}

impl Hanging {
    fn or_hang<'a, T: Send + 'a>(&self, reply: Reply<'a, T>) -> Reply<'a, T> {
        if self.is_hanging.load(Ordering::Relaxed) { Box::pin(std::future::pending()) } else { reply }
    }
}

impl Store for Hanging {
    fn get<'a>(&'a self, key: &'a Key) -> Reply<'a, Option<Item>> {
        self.or_hang(self.inner.get(key))
    }

    fn put<'a>(&'a self, key: &'a Key, item: Item, when: When) -> Reply<'a, Put> {
        self.or_hang(self.inner.put(key, item, when))
    }

    fn touch<'a>(&'a self, key: &'a Key, expires: Option<u64>) -> Reply<'a, bool> {
        self.or_hang(self.inner.touch(key, expires))
    }

    fn delete<'a>(&'a self, key: &'a Key) -> Reply<'a, bool> {
        self.or_hang(self.inner.delete(key))
    }

    fn clear(&self) -> Reply<'_, ()> {
        self.or_hang(self.inner.clear())
    }
}
