use std::sync::Arc;

use super::*;

#[tokio::test]
async fn the_least_recently_used_item_is_evicted() {
    let (store, _) = store(MemoryLimits { bytes: u64::MAX, items: 100 });
    for number in 0..100 {
        put(&store, number, 10).await;
    }
    for number in (0..100).step_by(2) {
        assert!(store.get(&key(number)).await.unwrap().is_some());
    }
    for number in 100..150 {
        put(&store, number, 10).await;
    }
    for number in 0..150 {
        let is_kept = number >= 100 || number % 2 == 0;
        assert_eq!(store.get(&key(number)).await.unwrap().is_some(), is_kept, "{number}");
    }
    assert_eq!(store.len(), 100);
}

#[tokio::test]
async fn a_new_capacity_holds_at_once() {
    let (store, _) = store(MemoryLimits { bytes: u64::MAX, items: 10 });
    for (capacity, kept) in [(10, 10), (4, 4), (20, 20)] {
        store.set_capacity(capacity);
        assert!(store.len() <= kept, "{store:?}");
        for number in 0..30 {
            put(&store, number, 10).await;
        }
        assert_eq!(store.len(), kept);
        assert!(store.get(&key(29)).await.unwrap().is_some(), "the last one used");
    }
}

#[tokio::test]
async fn bytes_are_limited() {
    let (store, _) = store(MemoryLimits { bytes: 100_000, items: u64::MAX });
    for number in 0..1_000 {
        put(&store, number, 1_000).await;
        assert!(store.bytes() <= 100_000, "{} bytes", store.bytes());
    }
    assert!(store.bytes() > 98_000 && store.len() >= 70, "{store:?}");
    let large = store.put(&key(0), item(100_000), When::Always).await;
    assert_eq!(large, Err(StoreError::TooLarge));
    store.clear().await.unwrap();
    assert_eq!((store.bytes(), store.len()), (0, 0));
}

#[tokio::test]
async fn a_value_does_not_keep_the_buffer_that_it_came_in() {
    let (store, _) = store(MemoryLimits { bytes: 100_000, items: 10 });
    let buffer = Bytes::from(vec![b'x'; 50_000]);
    store.put(&key(1), Item { value: buffer.slice(..10), ..item(0) }, When::Always).await.unwrap();
    assert!(buffer.is_unique());
}

#[tokio::test]
async fn an_item_expires_at_its_millisecond() {
    let (store, now) = store(MemoryLimits { bytes: 100_000, items: 10 });
    now.store(5_000, Ordering::Relaxed);
    let end = Some(6_000);
    store.put(&key(1), Item { expires: end, ..item(3) }, When::Always).await.unwrap();
    now.store(5_999, Ordering::Relaxed);
    assert_eq!(store.get(&key(1)).await.unwrap().unwrap().expires, end);
    now.store(6_000, Ordering::Relaxed);
    assert!(!store.touch(&key(1), None).await.unwrap());
    assert_eq!(store.len(), 0);
}

#[test]
fn the_limits_hold_while_threads_write() {
    let (store, _) = store(MemoryLimits { bytes: 60_000, items: 50 });
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let store = &store;
            scope.spawn(move || {
                let mut random = balance::Rng::new(thread);
                for _ in 0..20_000 {
                    let key = key(random.below(200));
                    match random.below(4) {
                        0 => drop(store.read(&key)),
                        1 => drop(store.remove(&key)),
                        _ => drop(store.write(&key, &item(random.below(2_000) as usize), When::Always)),
                    }
                }
            });
        }
    });
    assert!(store.bytes() <= 60_000 && store.len() <= 50, "{store:?}");
    store.remove_all();
    assert_eq!((store.bytes(), store.len()), (0, 0));
}

fn store(limits: MemoryLimits) -> (MemoryStore, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(1_000));
    let clock = Arc::clone(&now);
    (MemoryStore::new(limits, Arc::new(move || clock.load(Ordering::Relaxed))), now)
}

async fn put(store: &MemoryStore, number: u64, bytes: usize) {
    store.put(&key(number), item(bytes), When::Always).await.unwrap();
}

fn key(number: u64) -> Key {
    Key::new(format!("key{number}").as_bytes()).unwrap()
}

fn item(bytes: usize) -> Item {
    Item { value: vec![b'v'; bytes].into(), flags: 0, expires: None, version: Version(0) }
}
