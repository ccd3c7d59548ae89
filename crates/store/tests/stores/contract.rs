//! What every store promises, whatever it stands on. The store may hold other items and be in use by others.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use store::{Clock, Item, Key, Put, Store, StoreError, VALUE_BYTES_MAX, Version, When};

/// Where stores may differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promises {
    /// A value that it must take.
    pub(crate) value_bytes: usize,
    /// A value that it must refuse as too large.
    pub(crate) too_large: usize,
    /// It says when an item expires.
    pub(crate) says_ends: bool,
    /// A write says which version it has written.
    pub(crate) says_versions: bool,
}

impl Default for Promises {
    fn default() -> Self {
        Self { value_bytes: 1 << 20, too_large: VALUE_BYTES_MAX + 1, says_ends: true, says_versions: true }
    }
}

/// Checks all of it. Needs a runtime with several threads to be worth much. Ends with an empty store.
pub(crate) async fn check(store: Arc<dyn Store>, promises: Promises) {
    items_come_back_as_they_were(&*store, promises).await;
    conditions_hold(&*store, promises).await;
    ends_are_kept(&*store, promises).await;
    touches_move_ends(&*store, promises).await;
    items_are_deleted(&*store).await;
    several_are_read_in_order(&*store).await;
    one_of_many_first_writers_wins(&store).await;
    no_update_is_lost(&store).await;
    replies_can_be_dropped(&*store).await;
    everything_is_cleared(&*store).await;
}

/// The wall clock.
pub(crate) fn clock() -> Clock {
    Arc::new(now)
}

#[allow(clippy::disallowed_methods, reason = "the stores that are tested have clocks of their own")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A key that no other test uses.
pub(crate) fn key(name: &str) -> Key {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Key::new(format!("contract:{}:{number}:{name}", std::process::id()).as_bytes()).unwrap()
}

pub(crate) fn item(value: &[u8]) -> Item {
    Item { value: Bytes::copy_from_slice(value), flags: 0, expires: None, version: Version::default() }
}

/// Polls until `condition` holds, for at most 15 s.
pub(crate) async fn wait_until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), wait).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

async fn items_come_back_as_they_were(store: &dyn Store, promises: Promises) {
    let binary: Vec<u8> = (0..=255).chain(*b"\r\nEND\r\nVALUE x 0 1\r\n\0").collect();
    let large: Vec<u8> = (0..promises.value_bytes).map(|at| (at / 7) as u8).collect();
    for (value, flags) in [(&b""[..], 0), (b"x", 1), (&binary, u32::MAX), (&large, 0x8000_0000)] {
        let key = key("value");
        let put = store.put(&key, Item { flags, ..item(value) }, When::Always).await.unwrap();
        let found = store.get(&key).await.unwrap().expect("it has just been written");
        assert!(found.value == value, "{} bytes, of {}", found.value.len(), value.len());
        assert_eq!((found.flags, found.expires), (flags, None));
        assert_ne!(found.version, Version::default());
        let said = if promises.says_versions { found.version } else { Version::default() };
        assert_eq!(put, Put::Done(said));
    }
    for bytes in [&[b'k'; 250][..], "schlüssel/../%s'\"\\;--".as_bytes(), b"../../etc/passwd", b"."] {
        let odd = Key::new(bytes).unwrap();
        assert!(matches!(store.put(&odd, item(bytes), When::Always).await, Ok(Put::Done(_))), "{odd:?}");
        assert_eq!(store.get(&odd).await.unwrap().unwrap().value, bytes);
        assert!(store.delete(&odd).await.unwrap());
    }
    let large = item(&vec![0; promises.too_large]);
    assert_eq!(store.put(&key("large"), large, When::Always).await, Err(StoreError::TooLarge));
}

async fn conditions_hold(store: &dyn Store, promises: Promises) {
    let key = key("conditions");
    assert_eq!(store.get(&key).await, Ok(None));
    assert_eq!(store.put(&key, item(b"no"), When::Present).await, Ok(Put::Refused(None)));
    assert_eq!(store.put(&key, item(b"no"), When::Unchanged(Version(7))).await, Ok(Put::Refused(None)));
    done(store.put(&key, item(b"first"), When::Absent).await);
    let first = store.get(&key).await.unwrap().unwrap();
    assert_eq!(store.put(&key, item(b"no"), When::Absent).await, Ok(Put::Refused(Some(first.clone()))));
    let second = done(store.put(&key, item(b"second"), When::Present).await);
    let stale = When::Unchanged(first.version);
    let Ok(Put::Refused(Some(found))) = store.put(&key, item(b"no"), stale).await else { panic!("stale") };
    assert_eq!(found.value, "second");
    assert_ne!(found.version, first.version);
    if promises.says_versions {
        assert_eq!(found.version, second);
    }
    done(store.put(&key, item(b"third"), When::Unchanged(found.version)).await);
    assert_eq!(store.get(&key).await.unwrap().unwrap().value, "third");
    let never = When::Unchanged(Version::default());
    assert!(matches!(store.put(&key, item(b"no"), never).await, Ok(Put::Refused(Some(_)))));
}

/// Not a millisecond too early, and soon after.
async fn ends_are_kept(store: &dyn Store, promises: Promises) {
    let (short, long, past) = (key("short"), key("long"), key("past"));
    let end = now() + 1_300;
    let with_end = |end| Item { expires: Some(end), ..item(b"mortal") };
    done(store.put(&short, with_end(end), When::Absent).await);
    done(store.put(&long, with_end(now() + 40 * DAY), When::Always).await);
    done(store.put(&past, with_end(now() - 5_000), When::Always).await);
    assert_eq!(store.get(&past).await, Ok(None));
    assert!(!store.delete(&past).await.unwrap() && !store.touch(&past, None).await.unwrap());
    done(store.put(&past, item(b"anew"), When::Absent).await);
    for (key, end) in [(&short, end), (&long, now() + 40 * DAY)] {
        let found = store.get(key).await.unwrap().expect("it has not expired");
        assert_eq!(found.expires.is_some(), promises.says_ends);
        let off = found.expires.unwrap_or(end).abs_diff(end);
        // memcached counts whole seconds, and its own clock may be one behind.
        assert!(off <= 3_000, "off by {off} ms");
    }
    wait_until("the item expires", || async {
        let before = now();
        let found = store.get(&short).await.unwrap();
        assert!(found.is_some() || now() >= end, "it expired {} ms too early", end - before);
        found.is_none()
    })
    .await;
    assert!(now() < end + 5_000, "it stayed {} ms too long", now() - end);
    done(store.put(&short, item(b"anew"), When::Absent).await);
    assert!(store.get(&long).await.unwrap().is_some());
}

async fn touches_move_ends(store: &dyn Store, promises: Promises) {
    let keys = [key("kept"), key("ended"), key("lengthened"), key("absent")];
    for key in &keys[..3] {
        let mortal = Item { expires: Some(now() + 1_200), ..item(b"touched") };
        done(store.put(key, mortal, When::Always).await);
    }
    assert!(store.touch(&keys[0], None).await.unwrap());
    assert!(!store.touch(&keys[3], None).await.unwrap());
    let ends = [
        (keys[1].clone(), Some(now() - 10_000)),
        (keys[3].clone(), None),
        (keys[2].clone(), Some(now() + DAY)),
    ];
    store.touch_many(&ends).await.unwrap();
    store.touch_many(&[]).await.unwrap();
    assert_eq!(store.get(&keys[1]).await, Ok(None));
    assert_eq!(store.get(&keys[3]).await, Ok(None));
    let witness = key("witness");
    done(store.put(&witness, Item { expires: Some(now() + 1_200), ..item(b"w") }, When::Always).await);
    wait_until("an item that was not touched expires", || async {
        store.get(&witness).await.unwrap().is_none()
    })
    .await;
    let kept = store.get(&keys[0]).await.unwrap().expect("it does not expire any more");
    assert_eq!((kept.expires, &kept.value[..]), (None, &b"touched"[..]));
    let lengthened = store.get(&keys[2]).await.unwrap().expect("it lives for a day");
    assert_eq!(lengthened.expires.is_some(), promises.says_ends);
}

async fn items_are_deleted(store: &dyn Store) {
    let key = key("deleted");
    assert!(!store.delete(&key).await.unwrap());
    done(store.put(&key, item(b"x"), When::Always).await);
    let version = store.get(&key).await.unwrap().unwrap().version;
    assert!(store.delete(&key).await.unwrap());
    assert_eq!(store.get(&key).await, Ok(None));
    assert_eq!(store.put(&key, item(b"y"), When::Unchanged(version)).await, Ok(Put::Refused(None)));
    done(store.put(&key, item(b"z"), When::Absent).await);
    let stale = store.put(&key, item(b"y"), When::Unchanged(version)).await;
    assert!(matches!(stale, Ok(Put::Refused(Some(_)))), "a version came back: {stale:?}");
}

async fn several_are_read_in_order(store: &dyn Store) {
    let keys: Vec<_> = (0..200).map(|_| key("many")).collect();
    for (number, key) in keys.iter().enumerate().filter(|(number, _)| number % 3 != 0) {
        done(store.put(key, item(number.to_string().as_bytes()), When::Always).await);
    }
    let found = store.read_many(&keys).await.unwrap();
    assert_eq!(found.len(), keys.len());
    for (number, found) in found.into_iter().enumerate() {
        let value = (number % 3 != 0).then(|| Bytes::from(number.to_string()));
        assert_eq!(found.map(|item| item.value), value, "{number}");
    }
    let twice = [keys[1].clone(), keys[0].clone(), keys[1].clone()];
    let found = store.read_many(&twice).await.unwrap();
    assert!(found[0].is_some() && found[1].is_none() && found[0] == found[2]);
    assert_eq!(store.read_many(&[]).await, Ok(Vec::new()));
}

async fn one_of_many_first_writers_wins(store: &Arc<dyn Store>) {
    for _ in 0..5 {
        let key = key("first");
        let writers: Vec<_> = (0..50_u64)
            .map(|writer| {
                let (store, key) = (Arc::clone(store), key.clone());
                tokio::spawn(async move { store.put(&key, item(&writer.to_be_bytes()), When::Absent).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for writer in writers {
            outcomes.push(writer.await.unwrap().unwrap());
        }
        let winners: Vec<_> = (0..50).filter(|&at| matches!(outcomes[at], Put::Done(_))).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        let value = (winners[0] as u64).to_be_bytes();
        assert_eq!(store.get(&key).await.unwrap().unwrap().value, &value[..]);
        for outcome in outcomes {
            let Put::Refused(found) = outcome else { continue };
            assert_eq!(found.expect("the winner's item is there").value, &value[..]);
        }
    }
}

/// Tasks count together by compare-and-set.
async fn no_update_is_lost(store: &Arc<dyn Store>) {
    const TASKS: u64 = 8;
    const ROUNDS: u64 = 25;
    let key = key("count");
    done(store.put(&key, item(&0_u64.to_be_bytes()), When::Absent).await);
    let count = |store: Arc<dyn Store>, key: Key| async move {
        for _ in 0..ROUNDS {
            let mut now = store.get(&key).await.unwrap().unwrap();
            loop {
                let count = u64::from_be_bytes(now.value[..].try_into().unwrap());
                let next = item(&(count + 1).to_be_bytes());
                match store.put(&key, next, When::Unchanged(now.version)).await.unwrap() {
                    Put::Done(_) => break,
                    Put::Refused(found) => now = found.expect("nothing deletes it"),
                }
            }
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(count(Arc::clone(store), key.clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let total = store.get(&key).await.unwrap().unwrap().value;
    assert_eq!(total, &(TASKS * ROUNDS).to_be_bytes()[..]);
}

/// Drops replies at every stage; what follows is answered as if nothing had been.
async fn replies_can_be_dropped(store: &dyn Store) {
    let key = key("dropped");
    done(store.put(&key, item(b"0"), When::Always).await);
    for round in 0..60_u64 {
        let value = round.to_string();
        let patience = Duration::from_micros(round * 20);
        let other = self::key("dropped");
        let _ = tokio::time::timeout(patience, store.get(&key)).await;
        let _ = tokio::time::timeout(patience, store.put(&other, item(b"other"), When::Always)).await;
        let _ = tokio::time::timeout(patience, store.delete(&other)).await;
        done(store.put(&key, item(value.as_bytes()), When::Always).await);
        assert_eq!(store.get(&key).await.unwrap().unwrap().value, value);
    }
}

async fn everything_is_cleared(store: &dyn Store) {
    let keys = [key("cleared"), key("cleared"), key("cleared")];
    for key in &keys {
        done(store.put(key, item(b"x"), When::Always).await);
    }
    store.clear().await.unwrap();
    assert_eq!(store.read_many(&keys).await, Ok(vec![None, None, None]));
    done(store.put(&keys[0], item(b"y"), When::Absent).await);
    assert!(store.get(&keys[0]).await.unwrap().is_some());
    store.clear().await.unwrap();
    store.clear().await.unwrap();
    assert_eq!(store.get(&keys[0]).await, Ok(None));
}

#[track_caller]
fn done(put: Result<Put, StoreError>) -> Version {
    match put {
        Ok(Put::Done(version)) => version,
        other => panic!("{other:?}"),
    }
}

const DAY: u64 = 86_400_000;
