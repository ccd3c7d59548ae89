//! What a request or connection asks a shared session store, and how long it waits (SP9). A store that is late or away costs a request no
//! more than the store's timeout: what this process knows goes on, and a new session goes where a hash of its key says,
//! which is the same target in every process.

use std::sync::Arc;

use balance::rendezvous;
use balance::session::{SessionKey, TargetId};
use net::{Sys, Worker};
use observe::SessionOutcome;
use store::session::Answer;
use tokio::sync::oneshot;

use super::{Session, Share};
use crate::local::LocalListener;
use crate::persist::{Keeper, Link, hash_of};
use crate::target::{LocalGroup, Tried};

/// Looks up a session about which this process knows nothing, or has not heard for long. Returns the group of the target
/// that the store names, if the rule has it.
pub(crate) async fn look<'l, S: Sys>(
    worker: &Worker<S>,
    session: &mut Option<Session<S>>,
    listener: &'l LocalListener<S>,
    rule: usize,
) -> Option<(usize, &'l LocalGroup<S>)> {
    let now_millis = worker.now() / 1_000_000;
    let session = session.as_mut()?;
    let plan = Arc::clone(&session.plan);
    let (keeper, key) = plan.keeper().zip(session.sight.key)?;
    let link = keeper.link_to_ask(session.sight.in_store, now_millis)?;
    let answer = match session.at {
        Some(at) => link.client.claim(words(key), at.0, keeper.lifetime()),
        None => link.client.find(words(key)),
    };
    let Said::At { target, .. } = wait(worker, &link, answer).await else { return None };
    session.found(keeper, key, target, worker.now() / 1_000_000, worker);
    let of_target = |group: &LocalGroup<S>| group.plan.index_of(target);
    let mut groups = listener.groups_of(rule);
    let (index, group) = groups.find(|(_, group)| of_target(group).is_some())?;
    session.preferred = of_target(group);
    Some((index, group))
}

/// Tells the store where the session goes, and returns where it is: at `chosen`, or where another process has put it.
pub(crate) async fn agree<S: Sys>(
    worker: &Worker<S>,
    session: &mut Option<Session<S>>,
    group: &LocalGroup<S>,
    chosen: usize,
    tried: &Tried,
) -> usize {
    let now_millis = || worker.now() / 1_000_000;
    let Some(session) = session else { return chosen };
    let plan = Arc::clone(&session.plan);
    let Some((keeper, key)) = plan.keeper().zip(session.sight.key) else { return chosen };
    let share = std::mem::take(&mut session.share);
    let Some(link) = keeper.table.link() else { return chosen };
    let own = group.plan.ids[chosen];
    let ask = |from: Option<TargetId>| match from {
        None => link.client.claim(words(key), own.0, keeper.lifetime()),
        Some(from) => link.client.move_to(words(key), from.0, own.0, keeper.lifetime()),
    };
    let from = match share {
        Share::Nothing => return chosen,
        Share::New => None,
        Share::Moved { from } => Some(from),
    };
    let usable = |target: usize| is_usable(group, target, tried);
    let mut said = wait(worker, &link, ask(from)).await;
    if let Said::At { target: winner, .. } = said
        && winner != own
        && !group.plan.index_of(winner).is_some_and(usable)
    {
        // Where the store has it, it cannot stay.
        said = wait(worker, &link, ask(Some(winner))).await;
    }
    match said {
        Said::At { target: winner, is_ours } => {
            if from.is_none() && !is_ours {
                // It was only unknown here.
                session.sight.target = Some(winner);
            }
            keeper.table.correct(key, winner);
            keeper.table.mark_synced(key, now_millis());
            let target = group.plan.index_of(winner).filter(|&target| usable(target)).unwrap_or(chosen);
            session.note(group.plan.ids[target]);
            session.preferred = Some(target);
            target
        }
        Said::Absent | Said::Nothing if from.is_none() => {
            let target = by_hash(group, hash_of(key), usable).unwrap_or(chosen);
            keeper.table.correct(key, group.plan.ids[target]);
            keeper.table.mark_owed(key, now_millis());
            session.note(group.plan.ids[target]);
            (session.outcome, session.preferred) = (SessionOutcome::Fallback, Some(target));
            target
        }
        Said::Absent | Said::Nothing => {
            keeper.table.mark_owed(key, now_millis());
            chosen
        }
    }
}

/// Puts a session where a target has just begun it, and waits until other processes can know.
pub(crate) async fn put<S: Sys>(worker: &Worker<S>, keeper: &Keeper, key: SessionKey, target: TargetId) {
    let now_millis = worker.now() / 1_000_000;
    let Some(link) = keeper.table.link() else { return };
    keeper.table.mark_owed(key, now_millis);
    let answer = link.client.put(words(key), target.0, keeper.lifetime());
    if let Said::At { .. } = wait(worker, &link, answer).await {
        keeper.table.mark_synced(key, now_millis);
    }
}

pub(super) fn is_usable<S: Sys>(group: &LocalGroup<S>, target: usize, tried: &Tried) -> bool {
    group.plan.targets[target].health().takes_traffic() && !tried.contains(target)
}

/// What the store says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// The session is at this target; whether the request has put it there.
    At { target: TargetId, is_ours: bool },
    /// It does not know the session.
    Absent,
    /// It did not answer in time.
    Nothing,
}

async fn wait<S: Sys>(worker: &Worker<S>, link: &Link, answer: oneshot::Receiver<Answer>) -> Said {
    match worker.within(link.timeout, answer).await {
        Ok(Ok(Answer::Here { target, is_ours })) => Said::At { target: TargetId(target), is_ours },
        Ok(Ok(Answer::Absent)) => Said::Absent,
        Ok(Ok(Answer::Failed(_)) | Err(_)) | Err(_) => Said::Nothing,
    }
}

/// The target that every process finds for this hash.
pub(super) fn by_hash<S: Sys>(
    group: &LocalGroup<S>,
    hash: u64,
    usable: impl Fn(usize) -> bool,
) -> Option<usize> {
    let plan = &group.plan;
    let targets = plan.ids.iter().zip(&plan.group.targets).map(|(id, target)| (id.0, target.weight));
    rendezvous(hash, targets, usable)
}

fn words(key: SessionKey) -> (u64, u128) {
    (key.scope, key.client)
}
