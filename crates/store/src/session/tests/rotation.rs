//! The secret of a store is replaced.

use super::*;

#[tokio::test]
async fn a_new_secret_loses_no_session() {
    let (before, during, after) = nodes();
    let names = [(1, 1), (1, 2), (1, 3)];
    for name in names {
        assert_eq!(before.claim(name, 1).await, ours(1));
    }
    assert_eq!(during.find(names[0]).await, theirs(1));
    assert_eq!(after.find(names[0]).await, Answer::Absent, "a look writes nothing");
    assert_eq!(during.claim(names[0], 2).await, theirs(1));
    assert_eq!(during.move_to(names[1], 9, 2).await, theirs(1), "it was elsewhere");
    during.touch(names[2], 1, LIFETIME).await;
    for name in names {
        assert_eq!(after.find(name).await, theirs(1), "{name:?} has its new name");
    }
    let figures = during.client.figures();
    assert_eq!((figures.claims_won, figures.claims_lost, figures.moves), (0, 1, 0));
}

#[tokio::test]
async fn a_session_under_its_old_name_can_be_moved_and_forgotten() {
    let (before, during, after) = nodes();
    assert_eq!(before.claim(NAME, 1).await, ours(1));
    assert_eq!(during.move_to(NAME, 1, 2).await, ours(2));
    assert_eq!((during.find(NAME).await, after.find(NAME).await), (theirs(2), theirs(2)));
    assert_eq!(during.client.forget(NAME).await, Ok(Answer::Absent));
    assert_eq!((during.find(NAME).await, before.find(NAME).await), (Answer::Absent, Answer::Absent));
    assert_eq!(during.claim(NAME, 3).await, ours(3));
}

/// Nodes before, during and after the replacement.
fn nodes() -> (Node, Node, Node) {
    let time = Time::new();
    let store = memory(&time);
    let node = |secrets| Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets, &time);
    (node(secrets(1, None)), node(secrets(2, Some(1))), node(secrets(2, None)))
}
