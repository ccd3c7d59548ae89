//! Marks in the store tell nodes that sessions have moved (SP9).

use super::*;

fn node(store: &Arc<MemoryStore>, time: &Time, current: u8, previous: Option<u8>) -> Marks {
    Marks::new(Arc::clone(store) as Arc<dyn Store>, &secrets(current, previous), time.clock())
}

#[tokio::test]
async fn a_change_is_told_once_to_each_other_node() {
    let time = Time::new();
    let store = memory(&time);
    let [mut a, mut b, mut c] = [(); 3].map(|()| node(&store, &time, 1, None));
    for marks in [&mut a, &mut b, &mut c] {
        assert!(marks.look(0).await.unwrap(), "nothing is known at the start");
        assert!(!marks.look(0).await.unwrap());
    }
    assert!(a.look(0).await.unwrap() && b.look(0).await.unwrap(), "c may have left changes untold before");
    assert!(!a.look(0).await.unwrap() && !b.look(0).await.unwrap() && !c.look(0).await.unwrap());
    for changes in 1..40 {
        assert!(!a.look(changes).await.unwrap(), "its own change");
        assert!(b.look(0).await.unwrap() && c.look(0).await.unwrap());
        assert!(!a.look(changes).await.unwrap() && !b.look(0).await.unwrap() && !c.look(0).await.unwrap());
    }
    // Both at a time.
    assert!(!a.look(40).await.unwrap());
    assert!(b.look(1).await.unwrap());
    assert!(a.look(40).await.unwrap());
}

#[tokio::test]
async fn a_store_that_has_lost_items_is_noticed() {
    let time = Time::new();
    let store = memory(&time);
    let [mut a, mut b] = [(); 2].map(|()| node(&store, &time, 1, None));
    assert!(a.look(0).await.unwrap() && b.look(0).await.unwrap());
    store.clear().await.unwrap();
    assert!(a.look(0).await.unwrap() && b.look(0).await.unwrap());
    assert!(!a.look(0).await.unwrap() && !b.look(0).await.unwrap());
}

#[tokio::test]
async fn marks_stay_as_long_as_they_are_looked_at() {
    let time = Time::new();
    let store = memory(&time);
    let mut marks = node(&store, &time, 1, None);
    assert!(marks.look(0).await.unwrap());
    for hour in 0..100 {
        time.advance(Duration::from_secs(3_600));
        assert!(!marks.look(0).await.unwrap(), "they are gone after {hour} h");
    }
}

#[tokio::test]
async fn a_change_that_could_not_be_told_is_told_later() {
    let time = Time::new();
    let store = Faulty::new(&time, Fault::None);
    let node = || Marks::new(Arc::clone(&store) as Arc<dyn Store>, &secrets(1, None), time.clock());
    let [mut a, mut b] = [node(), node()];
    assert!(a.look(0).await.unwrap() && b.look(0).await.unwrap());
    assert!(a.look(0).await.unwrap() && !b.look(0).await.unwrap());
    *store.fault.lock().unwrap() = Fault::Full;
    assert!(!a.look(1).await.unwrap(), "a store that takes nothing still says what others have changed");
    *store.fault.lock().unwrap() = Fault::Refuses;
    assert!(a.look(1).await.unwrap(), "another node was first");
    assert!(!b.look(0).await.unwrap());
    *store.fault.lock().unwrap() = Fault::None;
    a.look(1).await.unwrap();
    assert!(b.look(0).await.unwrap());
    // A node that could not look for a while learns what has changed meanwhile, and whether anything has.
    for (changes, is_changed) in [(1, false), (2, true)] {
        *store.fault.lock().unwrap() = Fault::Every(1);
        b.look(0).await.unwrap_err();
        *store.fault.lock().unwrap() = Fault::None;
        a.look(changes).await.unwrap();
        assert_eq!(b.look(0).await.unwrap(), is_changed);
    }
}

#[tokio::test]
async fn nodes_understand_each_other_while_a_secret_is_replaced() {
    let time = Time::new();
    let store = memory(&time);
    let [mut old, mut new] = [node(&store, &time, 1, None), node(&store, &time, 2, Some(1))];
    assert!(old.look(0).await.unwrap() && new.look(0).await.unwrap());
    assert!(old.look(0).await.unwrap(), "new may have left changes untold before");
    assert!(!old.look(1).await.unwrap() && new.look(0).await.unwrap());
    assert!(!new.look(1).await.unwrap() && old.look(1).await.unwrap());
}
