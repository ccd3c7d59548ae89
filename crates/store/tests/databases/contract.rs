//! What every store must do, whatever it is made of.

use std::sync::Arc;

use bytes::Bytes;
use store::{Item, Key, Put, Store, StoreError, Version, When};

use crate::world::{Clock, item, key};

/// `one` and `other` are two programs that share a store.
pub(crate) async fn check(one: Arc<dyn Store>, other: Arc<dyn Store>, clock: &Clock) {
    conditions(&*one, &*other).await;
    expiry(&*one, &*other, clock).await;
    many(&*one, clock).await;
    bytes(&*one).await;
    sizes(&*one).await;
    races(&one, &other).await;
    one.clear().await.expect("clear");
    assert_eq!(other.get(&key("long")).await, Ok(None), "cleared");
}

async fn conditions(one: &dyn Store, other: &dyn Store) {
    let key = key("conditions");
    assert_eq!(one.get(&key).await, Ok(None));
    assert_eq!(one.put(&key, item("x"), When::Present).await, Ok(Put::Refused(None)));
    assert_eq!(one.put(&key, item("x"), When::Unchanged(Version(5))).await, Ok(Put::Refused(None)));
    let first = done(one.put(&key, Item { flags: u32::MAX, ..item("first") }, When::Absent).await);
    let there = Item { flags: u32::MAX, version: first, ..item("first") };
    assert_eq!(other.get(&key).await, Ok(Some(there.clone())));
    assert_eq!(other.put(&key, item("late"), When::Absent).await, Ok(Put::Refused(Some(there))));

    let second = done(other.put(&key, item("second"), When::Unchanged(first)).await);
    assert_ne!(first, second);
    let there = Item { version: second, ..item("second") };
    let stale = one.put(&key, item("stale"), When::Unchanged(first)).await;
    assert_eq!(stale, Ok(Put::Refused(Some(there))));
    let third = done(one.put(&key, item("third"), When::Present).await);
    let fourth = done(one.put(&key, item("fourth"), When::Always).await);
    assert!(third != second && fourth != third);
    assert_eq!(value(one, &key).await.as_deref(), Some("fourth"));

    assert_eq!(other.delete(&key).await, Ok(true));
    assert_eq!(one.delete(&key).await, Ok(false));
    assert_eq!(one.touch(&key, None).await, Ok(false));
    let anew = done(one.put(&key, item("anew"), When::Absent).await);
    assert!(![first, second, third, fourth].contains(&anew), "no version comes again");
    assert_eq!(one.delete(&key).await, Ok(true));
}

async fn expiry(one: &dyn Store, other: &dyn Store, clock: &Clock) {
    let key = key("expiry");
    let ends = clock.now() + 60_000;
    let version = done(one.put(&key, Item { expires: Some(ends), ..item("x") }, When::Always).await);
    let there = one.get(&key).await.expect("get").expect("an item that has not expired");
    assert_eq!(there.expires, Some(ends));
    clock.advance(59_999);
    assert_eq!(value(other, &key).await.as_deref(), Some("x"));
    clock.advance(1);
    assert_eq!(other.get(&key).await, Ok(None), "absent at its end");
    assert_eq!(one.read_many(std::slice::from_ref(&key)).await, Ok(vec![None]));
    assert_eq!(one.touch(&key, None).await, Ok(false));
    assert_eq!(one.touch_many(&[(key.clone(), None)]).await, Ok(()));
    assert_eq!(one.delete(&key).await, Ok(false));
    assert_eq!(one.put(&key, item("y"), When::Present).await, Ok(Put::Refused(None)));
    assert_eq!(one.put(&key, item("y"), When::Unchanged(version)).await, Ok(Put::Refused(None)));
    let version = done(one.put(&key, item("y"), When::Absent).await);

    let there = one.get(&key).await.expect("get").expect("an item without an end");
    assert_eq!((there.expires, there.version), (None, version));
    let ends = clock.now() + 5_000;
    assert_eq!(one.touch(&key, Some(ends)).await, Ok(true));
    let touched = other.get(&key).await.expect("get").expect("a touched item");
    assert_eq!((touched.expires, touched.version), (Some(ends), version), "a touch is no write");
    assert_eq!(one.touch(&key, None).await, Ok(true));
    clock.advance(5_000);
    assert_eq!(value(one, &key).await.as_deref(), Some("y"));
    assert_eq!(one.touch(&key, Some(clock.now())).await, Ok(true));
    assert_eq!(one.get(&key).await, Ok(None), "touched with an end that has come");
}

async fn many(store: &dyn Store, clock: &Clock) {
    let keys: Vec<Key> = (0..1100).map(|number| key(&format!("many{number}"))).collect();
    for (number, key) in keys.iter().enumerate().filter(|(number, _)| number % 50 == 0) {
        done(store.put(key, item(&number.to_string()), When::Always).await);
    }
    let mut asked = keys.clone();
    asked.push(keys[0].clone());
    let values: Vec<Option<Bytes>> = store
        .read_many(&asked)
        .await
        .expect("many")
        .into_iter()
        .map(|item| item.map(|item| item.value))
        .collect();
    let expected = (0..1100).chain([0]).map(|number| (number % 50 == 0).then(|| number.to_string().into()));
    assert_eq!(values, expected.collect::<Vec<_>>());

    let ends: Vec<_> =
        keys.iter().zip(0..).map(|(key, n)| (key.clone(), Some(clock.now() + 1_000 + n))).collect();
    assert_eq!(store.touch_many(&ends).await, Ok(()));
    clock.advance(1_500);
    let left = store.read_many(&keys).await.expect("many").into_iter().flatten().count();
    assert_eq!(left, 11, "those with an end after half a second more: 550, 600, …, without 500");
    assert_eq!(store.read_many(&[]).await, Ok(vec![]));
    assert_eq!(store.touch_many(&[]).await, Ok(()));
    let twice = [(keys[600].clone(), Some(clock.now() + 60_000)), (keys[600].clone(), None)];
    assert_eq!(store.touch_many(&twice).await, Ok(()));
    clock.advance(60_000);
    assert_eq!(value(store, &keys[600]).await.as_deref(), Some("600"), "the last end counts");
}

/// Keys are bytes: case, encodings and trailing bytes matter.
async fn bytes(store: &dyn Store) {
    let all: Vec<u8> = (0x21..=0xff).filter(|&byte| byte != 0x7f).collect();
    let long = vec![b'k'; 250];
    let mut longer = long.clone();
    longer[249] = b'K';
    let keys =
        [&b"a"[..], b"A", b"\xc3\xa4", b"\xe4", b"a\xff", b"*", b"'\"\\%_?[x]{y}", &all, &long, &longer];
    for key in keys {
        let item = Item { value: Bytes::copy_from_slice(key), ..item("") };
        done(store.put(&Key::new(key).expect("a key"), item, When::Absent).await);
    }
    for key in keys {
        let found = store.get(&Key::new(key).expect("a key")).await.expect("get").expect("an item");
        assert_eq!(found.value, key);
    }
}

async fn sizes(store: &dyn Store) {
    let key = key("long");
    let long =
        Bytes::from((0..store::SMALL_VALUE_BYTES_MAX).map(|number| (number % 251) as u8).collect::<Vec<_>>());
    for value in [Bytes::new(), long.clone()] {
        done(store.put(&key, Item { value: value.clone(), ..item("") }, When::Always).await);
        assert!(
            store.get(&key).await.expect("get").is_some_and(|item| item.value == value),
            "{}",
            value.len()
        );
    }
    let many = store.read_many(std::slice::from_ref(&key)).await;
    assert_eq!(many, Ok(vec![None]), "one of many is not that long");
    let longer = Bytes::from(vec![7; store::SMALL_VALUE_BYTES_MAX + 1]);
    let refused = store.put(&key, Item { value: longer, ..item("") }, When::Always).await;
    assert_eq!(refused, Err(StoreError::TooLarge));
    assert!(
        store.get(&key).await.expect("get").is_some_and(|item| item.value == long),
        "what was there is there"
    );
}

/// Of several writers with the same condition one succeeds, and all see that one.
async fn races(one: &Arc<dyn Store>, other: &Arc<dyn Store>) {
    for round in 0..8 {
        let key = key(&format!("race{round}"));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..16 {
            let store = Arc::clone(if writer % 2 == 0 { one } else { other });
            let (key, mine) = (key.clone(), item(&writer.to_string()));
            writers.spawn(async move {
                match store.put(&key, mine.clone(), When::Absent).await.expect("put") {
                    Put::Done(_) => (true, mine.value),
                    Put::Refused(winner) => (false, winner.expect("a winner").value),
                }
            });
        }
        let outcomes = writers.join_all().await;
        let winner = value(&**one, &key).await.expect("a winner");
        assert_eq!(outcomes.iter().filter(|(is_winner, _)| *is_winner).count(), 1, "round {round}");
        assert!(outcomes.iter().all(|(_, seen)| *seen == winner), "round {round}: {outcomes:?}");
    }
    let counter = key("counter");
    done(one.put(&counter, item("0"), When::Always).await);
    let mut counters = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = Arc::clone(if writer % 2 == 0 { one } else { other });
        counters.spawn(count(store, counter.clone(), 5));
    }
    counters.join_all().await;
    assert_eq!(value(&**one, &counter).await.as_deref(), Some("40"), "no step is lost");
}

async fn count(store: Arc<dyn Store>, key: Key, steps: u32) {
    for _ in 0..steps {
        let mut there = store.get(&key).await.expect("get").expect("a counter");
        loop {
            let number: u32 = std::str::from_utf8(&there.value).expect("text").parse().expect("a number");
            let next = item(&(number + 1).to_string());
            match store.put(&key, next, When::Unchanged(there.version)).await.expect("put") {
                Put::Done(_) => break,
                Put::Refused(now) => there = now.expect("a counter"),
            }
        }
    }
}

fn done(put: Result<Put, StoreError>) -> Version {
    match put {
        Ok(Put::Done(version)) => version,
        other => panic!("not written: {other:?}"),
    }
}

async fn value(store: &dyn Store, key: &Key) -> Option<String> {
    let item = store.get(key).await.expect("get")?;
    Some(String::from_utf8(item.value.to_vec()).expect("text"))
}
