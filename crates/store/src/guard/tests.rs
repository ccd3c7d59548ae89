use std::future::pending;
use std::sync::atomic::AtomicU8;

use super::*;
use crate::Version;

/// Answers as it is told, and counts how often it is asked.
#[derive(Debug, Default)]
struct Scripted {
    mode: AtomicU8,
    asked: AtomicU64,
}

const HITS: u8 = 0;
const HANGS: u8 = 1;
const AWAY: u8 = 2;
const FULL: u8 = 3;
const MISSES: u8 = 4;
/// Reads find items, puts hang, and touches find nothing.
const NO_WRITES: u8 = 5;

#[tokio::test(start_paused = true)]
async fn answers_are_counted() {
    let (store, script) = guarded();
    assert!(store.get(&key()).await.unwrap().is_some());
    script.set(MISSES);
    assert!(store.read_many(&[key(), key()]).await.unwrap() == [None, None]);
    script.set(FULL);
    for _ in 0..20 {
        assert!(matches!(store.put(&key(), item(), When::Always).await, Err(StoreError::Full(_))));
    }
    let figures = store.figures();
    assert_eq!((figures.calls, figures.hits, figures.misses), (22, 1, 2));
    assert_eq!(
        figures.errors,
        [
            ("away", 0),
            ("late", 0),
            ("full", 20),
            ("denied", 0),
            ("too_large", 0),
            ("garbage", 0),
            ("resting", 0)
        ]
    );
    assert_eq!(figures.refusals(), 20);
    assert_eq!(figures.state, BreakerState::Closed, "a full store can still be read");
    assert_eq!(figures.last_error, Some(StoreError::Full("no space".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_late_then_left_alone_then_found_again() {
    let (store, script) = guarded();
    script.set(HANGS);
    for _ in 0..5 {
        let began = Instant::now();
        assert_eq!(store.get(&key()).await, Err(StoreError::Late));
        assert_eq!(began.elapsed(), TIMEOUT);
    }
    assert_eq!(store.figures().state, BreakerState::Resting);
    for _ in 0..100 {
        let began = Instant::now();
        assert_eq!(store.touch(&key(), None).await, Err(StoreError::Resting));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
    assert_eq!(script.asked.load(Ordering::Relaxed), 5);
    tokio::time::advance(Duration::from_millis(500)).await;
    script.set(HITS);
    assert!(store.get(&key()).await.unwrap().is_some());
    let figures = store.figures();
    assert_eq!(figures.state, BreakerState::Closed);
    assert_eq!((figures.errors[1], figures.errors[6]), (("late", 5), ("resting", 100)));
    assert_eq!(figures.last_error, Some(StoreError::Late));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_no_call_needs_is_found_to_be_back() {
    let (store, script) = guarded();
    store.probe(NOW).await;
    assert_eq!(script.asked.load(Ordering::Relaxed), 0, "it does not rest");
    script.set(AWAY);
    for _ in 0..5 {
        assert!(store.clear().await.is_err());
    }
    script.set(MISSES);
    store.probe(NOW).await;
    assert_eq!(store.figures().state, BreakerState::Resting, "its rest is not over");
    tokio::time::advance(Duration::from_millis(500)).await;
    store.probe(NOW).await;
    let figures = store.figures();
    assert_eq!((figures.state, figures.errors[6].1), (BreakerState::Closed, 0));
    assert_eq!(figures.misses, 0, "no item was asked for");
}

#[tokio::test(start_paused = true)]
async fn writes_that_all_fail_are_told_though_reads_succeed() {
    let (store, script) = guarded();
    let put = async || store.put(&key(), item(), When::Always).await;
    put().await.unwrap();
    script.set(NO_WRITES);
    for number in 1..=5 {
        assert_eq!(store.figures().writes_error, None, "before failure {number}");
        assert_eq!(put().await, Err(StoreError::Late));
        assert!(store.get(&key()).await.unwrap().is_some());
        assert_eq!(store.touch(&key(), None).await, Ok(false), "what is not there needs no write");
    }
    let figures = store.figures();
    assert_eq!((figures.state, figures.writes_error), (BreakerState::Closed, Some(StoreError::Late)));
    store.probe(NOW).await;
    assert_eq!(store.figures().writes_error, Some(StoreError::Late), "a write is tried, and fails");
    script.set(HITS);
    store.probe(NOW).await;
    assert_eq!(store.figures().writes_error, None, "no request was needed");
    let asked = script.asked.load(Ordering::Relaxed);
    store.probe(NOW).await;
    assert_eq!(script.asked.load(Ordering::Relaxed), asked);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_has_only_failed_is_tried_again() {
    let (store, script) = guarded();
    script.set(AWAY);
    assert!(store.check().await.is_err());
    assert!(!store.figures().has_served);
    script.set(MISSES);
    store.probe(NOW).await;
    assert!(store.figures().has_served);
    assert_eq!(store.figures().misses, 0, "no item was asked for");
}

#[tokio::test(start_paused = true)]
async fn figures_of_two_guards_are_those_of_one_store() {
    let (one, of_one) = guarded();
    let (other, of_other) = guarded();
    of_one.set(AWAY);
    assert!(one.clear().await.is_err());
    tokio::time::advance(Duration::from_secs(1)).await;
    of_other.set(HANGS);
    for _ in 0..5 {
        assert!(other.clear().await.is_err());
    }
    for both in [one.figures().and(other.figures()), other.figures().and(one.figures())] {
        assert_eq!((both.calls, both.errors[0].1, both.errors[1].1), (6, 1, 5));
        assert_eq!((both.state, both.last_error), (BreakerState::Resting, Some(StoreError::Late)));
        assert_eq!(both.last_error_age, Some(Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_makes_room_for_the_next() {
    let (store, script) = guarded();
    script.set(AWAY);
    for _ in 0..5 {
        assert!(store.clear().await.is_err());
    }
    tokio::time::advance(Duration::from_millis(500)).await;
    script.set(HANGS);
    let key = key();
    let probe = store.get(&key);
    assert!(timeout(Duration::from_millis(1), probe).await.is_err());
    script.set(HITS);
    assert!(store.get(&key).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn callers_with_a_timeout_of_their_own_do_not_hide_that_a_store_hangs() {
    let (store, script) = guarded();
    script.set(HANGS);
    for _ in 0..5 {
        assert!(timeout(TIMEOUT - Duration::from_millis(1), store.delete(&key())).await.is_err());
    }
    assert_eq!(store.delete(&key()).await, Err(StoreError::Resting));
    assert_eq!(store.figures().errors[1], ("late", 5));
}

impl Scripted {
    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::Relaxed);
    }

    fn answer<'a, T: Send + 'a>(&'a self, hit: T, miss: T) -> Reply<'a, T> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match self.mode.load(Ordering::Relaxed) {
                HITS => Ok(hit),
                HANGS => pending().await,
                AWAY => Err(StoreError::Away("refused".to_owned())),
                FULL => Err(StoreError::Full("no space".to_owned())),
                _ => Ok(miss),
            }
        })
    }
}

impl Store for Scripted {
    fn get<'a>(&'a self, _: &'a Key) -> Reply<'a, Option<Item>> {
        if self.mode.load(Ordering::Relaxed) == NO_WRITES {
            return Box::pin(async { Ok(Some(item())) });
        }
        self.answer(Some(item()), None)
    }

    fn put<'a>(&'a self, _: &'a Key, _: Item, _: When) -> Reply<'a, Put> {
        if self.mode.load(Ordering::Relaxed) == NO_WRITES {
            return Box::pin(pending());
        }
        self.answer(Put::Done(Version(1)), Put::Refused(None))
    }

    fn touch<'a>(&'a self, _: &'a Key, _: Option<u64>) -> Reply<'a, bool> {
        self.answer(true, false)
    }

    fn delete<'a>(&'a self, _: &'a Key) -> Reply<'a, bool> {
        self.answer(true, false)
    }

    fn clear(&self) -> Reply<'_, ()> {
        self.answer((), ())
    }
}

fn guarded() -> (Guarded, Arc<Scripted>) {
    let script = Arc::new(Scripted::default());
    (Guarded::new(Arc::<Scripted>::clone(&script), TIMEOUT, 1), script)
}

fn key() -> Key {
    Key::new(b"key").unwrap()
}

fn item() -> Item {
    Item { value: "value".into(), flags: 0, expires: None, version: Version(1) }
}

const NOW: u64 = 1_700_000_000_000;
const TIMEOUT: Duration = Duration::from_millis(10);
