//! Answers the requests of workers, several at a time.

use std::future::Future;
use std::sync::Arc;

use model::SecretKeys;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client::{Answer, Request, SessionRequests, Wish};
use super::corrections::Corrections;
use super::writes::{Done, REQUEST_LIMIT, Sessions};
use crate::{Clock, Store};

/// Answers until all clients are gone, and then ends what has begun.
///
/// The store should be [`Guarded`](crate::Guarded). A store that hangs delays nothing but requests to it, and each of them
/// at most for a second.
pub async fn serve(
    requests: SessionRequests,
    store: Arc<dyn Store>,
    secrets: SecretKeys,
    clock: Clock,
    corrections: Arc<dyn Corrections>,
) {
    let SessionRequests { requests, touches, counters } = requests;
    let sessions = Arc::new(Sessions { store, secrets, clock, corrections, counters });
    let answer = |request| answer(Arc::clone(&sessions), request);
    let touch = |batch| {
        let sessions = Arc::clone(&sessions);
        async move { sessions.touch(batch).await }
    };
    tokio::join!(run(requests, REQUESTS_IN_WORK, answer), run(touches, BATCHES_IN_WORK, touch));
}

/// Works on what arrives, on up to `most` at a time.
async fn run<T, F>(mut arriving: mpsc::Receiver<T>, most: usize, work: impl Fn(T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    while let Some(next) = arriving.recv().await {
        while running.try_join_next().is_some() {}
        if running.len() >= most {
            running.join_next().await;
        }
        running.spawn(work(next));
    }
    while running.join_next().await.is_some() {}
}

async fn answer(sessions: Arc<Sessions>, request: Request) {
    let Request { name, wish, answer } = request;
    let work = async {
        match wish {
            Wish::Claim { candidate, lifetime } => sessions.claim(name, candidate, lifetime).await,
            Wish::Find => sessions.find(name).await,
            Wish::Move { from, to, lifetime, is_told } => {
                let moved = sessions.move_to(name, from, to, lifetime).await;
                // A move whose answer is lost may have been made.
                let is_kept = matches!(moved, Ok(Done { answer: Answer::Here { is_ours: false, .. }, .. }));
                sessions.counters.changes.add((is_told && !is_kept).into());
                moved
            }
            Wish::Put { target, lifetime } => sessions.put(name, target, lifetime).await,
            Wish::Forget => sessions.forget(name).await,
        }
    };
    let outcome = timeout(REQUEST_LIMIT, work).await.unwrap_or(Err("late"));
    let (reply, stale) = match outcome {
        Ok(done) => (done.answer, done.stale),
        Err(reason) => {
            sessions.counters.failed.add(1);
            (Answer::Failed(reason), None)
        }
    };
    let is_awaited = answer.send(reply).is_ok();
    let is_of_use = matches!(wish, Wish::Claim { .. } | Wish::Move { .. });
    if let Answer::Here { target, is_ours } = reply
        && is_of_use
        && !is_awaited
    {
        sessions.corrections.settled(name, target, is_ours);
    }
    if let Some((key, expires)) = stale {
        _ = timeout(REQUEST_LIMIT, sessions.store.touch(&key, Some(expires))).await;
    }
}

// limit: requests that are worked on at a time. A store makes no more commands of its own at a time.
pub(super) const REQUESTS_IN_WORK: usize = 64;
// limit: batches of touches that are worked on at a time, so that there is always room for requests.
const BATCHES_IN_WORK: usize = 8;
