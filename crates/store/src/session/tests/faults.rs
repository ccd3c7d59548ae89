//! Stores that hang, fail, or answer nonsense.

use std::collections::HashMap;

use super::client::REQUESTS_MAX;
use super::*;
use crate::Guarded;

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_late() {
    let (_, store, node) = faulty(Fault::Silent(None));
    assert_eq!(node.claim(NAME, 1).await, Answer::Failed("late"));
    let guarded = Arc::new(Guarded::new(store, Duration::from_millis(10), 1));
    let node = Node::new(guarded, secrets(1, None), &Time::new());
    let began = tokio::time::Instant::now();
    assert_eq!(node.find(NAME).await, Answer::Failed("late"));
    assert!(began.elapsed() < Duration::from_millis(20));
    assert_eq!(node.client.figures().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_holds_no_other() {
    let (_, _, node) = faulty(Fault::Silent(Some(store_key(&[1; 32], NAME.0, NAME.1))));
    let began = tokio::time::Instant::now();
    let mut hangs = node.client.claim(NAME, 1, LIFETIME);
    for client in 0..100 {
        assert_eq!(node.claim((1, client), 1).await, ours(1));
    }
    assert!(hangs.try_recv().is_err() && began.elapsed().is_zero());
    assert_eq!(hangs.await, Ok(Answer::Failed("late")));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_refused_at_once_and_the_rest_answered() {
    let (_, store, node) = faulty(Fault::Silent(None));
    let claims: Vec<_> =
        (0..REQUESTS_MAX as u128).map(|client| node.client.claim((1, client), 1, LIFETIME)).collect();
    let mut refused = node.client.claim(NAME, 1, LIFETIME);
    assert_eq!(refused.try_recv(), Ok(Answer::Failed("overloaded")));
    assert_eq!(node.client.figures().overloaded, 1);
    settle().await;
    assert_eq!(store.calls(), service::REQUESTS_IN_WORK as u64, "no more at a time");
    for claim in claims {
        assert_eq!(claim.await, Ok(Answer::Failed("late")));
    }
    *store.fault.lock().unwrap() = Fault::None;
    assert_eq!(node.claim(NAME, 1).await, ours(1), "it has recovered");
}

#[tokio::test]
async fn no_answer_contradicts_another_though_every_few_calls_fail() {
    for n in [2, 3, 7] {
        let (time, store, a) = faulty(Fault::Every(n));
        let b = Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
        let mut targets = HashMap::new();
        let mut failed = 0;
        for round in 0..3_000 {
            let name = (1, round % 299);
            let (node, candidate) = if round % 7 < 3 { (&a, 1) } else { (&b, 2) };
            match node.claim(name, candidate).await {
                Answer::Here { target, .. } => {
                    assert_eq!(*targets.entry(name).or_insert(target), target, "every {n}th: {name:?}");
                }
                Answer::Failed("away") => failed += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(targets.len(), 299, "every session has a target in the end");
        assert_eq!(failed, a.client.figures().failed + b.client.figures().failed);
        assert!(failed > 300, "{failed} failed");
    }
}

#[tokio::test]
async fn garbage_is_overwritten_by_one_node() {
    let (time, store, a) = faulty(Fault::None);
    let b = Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
    for client in 0..100 {
        let name = (1, client);
        write_garbage(&*store, name).await;
        assert_eq!(a.find(name).await, Answer::Absent);
        let (of_a, of_b) = if client % 2 == 0 {
            tokio::join!(a.claim(name, 1), b.claim(name, 2))
        } else {
            tokio::join!(a.move_to(name, 9, 1), b.move_to(name, 9, 2))
        };
        let is_agreed = (of_a, of_b) == (ours(1), theirs(1)) || (of_a, of_b) == (theirs(2), ours(2));
        assert!(is_agreed, "{of_a:?} {of_b:?}");
    }
}

#[tokio::test]
async fn a_store_that_refuses_everything_is_asked_four_times() {
    let (_, store, node) = faulty(Fault::Refuses);
    assert_eq!(node.claim(NAME, 1).await, Answer::Failed("contended"));
    assert_eq!(store.calls(), 4);
    assert_eq!(node.move_to(NAME, 1, 2).await, Answer::Failed("contended"));
    assert_eq!(store.calls(), 9, "a read and four writes");
}

#[tokio::test]
async fn a_client_outlives_its_service() {
    let (_, _, node) = faulty(Fault::None);
    node.service.abort();
    settle().await;
    assert_eq!(node.claim(NAME, 1).await, Answer::Failed("stopped"));
    node.touch(NAME, 1, LIFETIME).await;
    let figures = node.client.figures();
    assert_eq!((figures.failed, figures.untouched), (1, 1));
}

fn faulty(fault: Fault) -> (Time, Arc<Faulty>, Node) {
    let time = Time::new();
    let store = Faulty::new(&time, fault);
    let node = Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
    (time, store, node)
}

#[tokio::test]
async fn a_move_whose_answer_is_lost_may_be_a_change() {
    let time = Time::new();
    let store = Faulty::new(&time, Fault::None);
    let node = Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
    assert_eq!(node.claim(NAME, 1).await, ours(1));
    *store.fault.lock().unwrap() = Fault::Full;
    assert!(matches!(node.move_to(NAME, 1, 2).await, Answer::Failed(_)));
    assert_eq!((node.client.figures().moves, node.client.changes()), (0, 1));
}
