//! Touches, and what comes back with them.

use super::*;

#[tokio::test]
async fn a_touch_lengthens_a_life_and_never_shortens_it() {
    let (time, _, node) = node(Fault::None);
    assert_eq!(node.claim(NAME, 1).await, ours(1));
    time.advance(LIFETIME / 2);
    node.touch(NAME, 1, LIFETIME).await;
    node.touch(NAME, 1, LIFETIME / 4).await;
    time.advance(LIFETIME - Duration::from_millis(1));
    assert_eq!(node.find(NAME).await, theirs(1));
    time.advance(Duration::from_millis(1));
    assert_eq!(node.find(NAME).await, Answer::Absent);
    assert_eq!(node.end().await, []);
}

#[tokio::test]
async fn a_touch_brings_back_what_another_node_has_changed() {
    let (time, store, a) = node(Fault::None);
    let b = Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
    let names: Vec<SessionName> = (0..1000).map(|client| (1, client)).collect();
    for &name in &names {
        assert_eq!(a.claim(name, 1).await, ours(1));
    }
    for &name in names.iter().step_by(10) {
        assert_eq!(b.move_to(name, 1, 2).await, ours(2));
    }
    let touched = |&name: &SessionName| Touched { name, target: 1, lifetime: LIFETIME };
    a.client.touch(names.iter().map(touched).collect());
    settle().await;
    assert_eq!(a.client.figures().corrections, 100);
    let expected: Vec<_> = names.iter().step_by(10).map(|&name| Event::Correct(name, 1, 2)).collect();
    assert_eq!(a.end().await, expected);
}

#[tokio::test]
async fn what_the_store_has_lost_is_written_again_by_one_node() {
    let (time, store, a) = node(Fault::None);
    let b = Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
    assert_eq!(a.claim(NAME, 1).await, ours(1));
    store.clear().await.unwrap();
    a.touch(NAME, 1, LIFETIME).await;
    assert_eq!(b.find(NAME).await, theirs(1));
    // The other node has not heard of the last change when the store loses the session.
    b.touch(NAME, 2, LIFETIME).await;
    assert_eq!(b.heard.take(), [Event::Correct(NAME, 2, 1)]);
    write_garbage(&*store, NAME).await;
    a.touch(NAME, 1, LIFETIME).await;
    assert_eq!(b.find(NAME).await, theirs(1), "garbage is like nothing");
    assert_eq!((a.client.figures().rewritten, a.end().await.len()), (2, 0));
}

#[tokio::test]
async fn what_the_store_does_not_take_is_not_confirmed() {
    let (_, store, node) = node(Fault::Full);
    node.touch(NAME, 1, LIFETIME).await;
    *store.fault.lock().unwrap() = Fault::Every(1);
    node.touch(NAME, 1, LIFETIME).await;
    assert_eq!((node.heard.take_kept(), node.client.figures().untouched), (vec![], 2));
    *store.fault.lock().unwrap() = Fault::None;
    for lifetime in [LIFETIME, LIFETIME / 2, LIFETIME * 2] {
        node.touch(NAME, 1, lifetime).await;
        assert_eq!(node.heard.take_kept(), [NAME], "written, there for longer, and prolonged");
    }
}

#[tokio::test(start_paused = true)]
async fn touches_leave_room_for_requests_and_are_bounded() {
    let (_, store, node) = node(Fault::Silent(None));
    for _ in 0..client::BATCHES_MAX + 1 {
        node.client.touch(vec![Touched { name: NAME, target: 1, lifetime: LIFETIME }]);
    }
    let figures = node.client.figures();
    assert_eq!((figures.overloaded, figures.untouched), (1, 1));
    settle().await;
    *store.fault.lock().unwrap() = Fault::None;
    assert_eq!(node.claim(NAME, 1).await, ours(1));
    node.end().await;
}

fn node(fault: Fault) -> (Time, Arc<Faulty>, Node) {
    let time = Time::new();
    let store = Faulty::new(&time, fault);
    let node = Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
    (time, store, node)
}
