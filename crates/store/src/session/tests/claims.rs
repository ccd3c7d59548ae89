//! What requests make of sessions while the store works.

use super::*;

#[tokio::test]
async fn the_first_claim_wins_and_a_look_writes_nothing() {
    let (time, a, b) = two_nodes();
    assert_eq!(b.find(NAME).await, Answer::Absent);
    assert_eq!(a.claim(NAME, 1).await, ours(1), "the look has written nothing");
    assert_eq!(b.claim(NAME, 2).await, theirs(1));
    assert_eq!(b.find(NAME).await, theirs(1));
    time.advance(LIFETIME);
    assert_eq!(b.find(NAME).await, Answer::Absent, "its life has ended");
    assert_eq!(b.claim(NAME, 2).await, ours(2));
    let figures = b.client.figures();
    assert_eq!((figures.hits, figures.misses, figures.claims_won, figures.claims_lost), (2, 3, 1, 1));
}

#[tokio::test]
async fn of_two_moves_one_decides() {
    let (_, a, b) = two_nodes();
    assert_eq!(a.claim(NAME, 1).await, ours(1));
    assert_eq!(a.move_to(NAME, 1, 2).await, ours(2));
    assert_eq!(b.move_to(NAME, 1, 3).await, theirs(2), "it is not there any more");
    assert_eq!(b.move_to(NAME, 2, 2).await, theirs(2), "no change");
    assert_eq!(b.move_to((7, 8), 1, 3).await, ours(3), "the store has lost it");
    assert_eq!((a.client.figures().moves, b.client.figures().moves), (1, 1));
    assert_eq!((a.client.changes(), b.client.changes()), (1, 1), "other nodes are to hear of it");
    assert_eq!(a.client.correct(NAME, 2, 4, LIFETIME).await, Ok(ours(4)));
    assert_eq!((a.client.figures().moves, a.client.changes()), (2, 1), "hardly any node can know it");
}

#[tokio::test]
async fn a_target_that_sets_a_cookie_decides_and_what_is_forgotten_is_absent() {
    let (_, a, b) = two_nodes();
    assert_eq!(a.claim(NAME, 1).await, ours(1));
    assert_eq!(b.client.put(NAME, 2, LIFETIME).await, Ok(ours(2)));
    assert_eq!(a.find(NAME).await, theirs(2));
    assert_eq!(b.client.forget(NAME).await, Ok(Answer::Absent));
    assert_eq!(a.find(NAME).await, Answer::Absent);
}

#[tokio::test]
async fn a_claim_for_which_no_worker_waits_is_in_the_store() {
    let (_, a, b) = two_nodes();
    drop(a.client.claim(NAME, 1, LIFETIME));
    settle().await;
    assert_eq!(b.claim(NAME, 2).await, theirs(1));
    drop(b.client.claim(NAME, 2, LIFETIME));
    drop(b.client.find(NAME));
    assert_eq!(a.end().await, [Event::Settled(NAME, 1)]);
    assert_eq!(b.end().await, [Event::Settled(NAME, 1)], "the service has ended what had begun");
}

#[tokio::test]
async fn a_session_that_is_found_late_in_its_life_lives_on() {
    let (time, a, b) = two_nodes();
    assert_eq!(a.claim(NAME, 1).await, ours(1));
    time.advance(LIFETIME - Duration::from_millis(1));
    assert_eq!(b.claim(NAME, 2).await, theirs(1));
    settle().await;
    time.advance(LIFETIME - Duration::from_millis(1));
    assert_eq!(a.find(NAME).await, theirs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_agree_about_every_one_of_10_000_sessions() {
    let time = Time::new();
    let store = Faulty::new(&time, Fault::None);
    let node = || Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
    let (a, b) = (node(), node());
    let mut won = [0; 2];
    for first in (0..10_000).step_by(500) {
        let names = (first..first + 500).map(|client| (1, client));
        // Half of the sessions are first asked for by the one node, half by the other.
        let asked: Vec<_> = names
            .map(|name| match name.1 % 2 {
                0 => (a.client.claim(name, 1, LIFETIME), b.client.claim(name, 2, LIFETIME)),
                _ => {
                    let of_b = b.client.claim(name, 2, LIFETIME);
                    (a.client.claim(name, 1, LIFETIME), of_b)
                }
            })
            .collect();
        for (of_a, of_b) in asked {
            match (of_a.await.unwrap(), of_b.await.unwrap()) {
                (of_a, of_b) if (of_a, of_b) == (ours(1), theirs(1)) => won[0] += 1,
                (of_a, of_b) if (of_a, of_b) == (theirs(2), ours(2)) => won[1] += 1,
                other => panic!("no agreement: {other:?}"),
            }
        }
    }
    assert!(won[0] + won[1] == 10_000 && won[0] > 0 && won[1] > 0, "no race: {won:?}");
    assert_eq!(a.client.figures().claims_won + b.client.figures().claims_won, 10_000);
}

fn two_nodes() -> (Time, Node, Node) {
    let time = Time::new();
    let store = memory(&time);
    let node = || Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time);
    let (a, b) = (node(), node());
    (time, a, b)
}
