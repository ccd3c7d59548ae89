//! The step itself, but for what a shared store has to say; that is in `sharing`.

use std::sync::Arc;

use net::{Sys, Worker};
use observe::SessionOutcome;

use super::{Session, Share, sharing};
use crate::local::LocalListener;
use crate::persist::{Facts, Lease, MarkPlan};
use crate::target::{Ask, Choice, LocalGroup, Tried, Unavailable};

/// Where a request or connection goes first.
pub(crate) struct Begun<'l, S: Sys> {
    /// In the plan's groups.
    pub(crate) index: usize,
    pub(crate) group: &'l LocalGroup<S>,
    /// `None`: there is no persistence.
    pub(crate) session: Option<Session<S>>,
}

/// Chooses the group: that of the session, or else the next one by weight. `None`: the rule forwards to none.
pub(crate) fn begin<'l, S: Sys>(
    worker: &Worker<S>,
    listener: &'l LocalListener<S>,
    rule: usize,
    facts: &Facts<'_>,
) -> Option<Begun<'l, S>> {
    let mut seen: Option<Session<S>> = None;
    for (index, group) in listener.groups_of(rule) {
        let Some(plan) = listener.persistence(rule, group) else { continue };
        let mut session = match seen.take() {
            Some(session) if Arc::ptr_eq(&session.plan, plan) => session,
            _ => Session::see(plan, facts, worker),
        };
        session.preferred = session.at.and_then(|target| group.plan.index_of(target));
        if session.preferred.is_some() {
            return Some(Begun { index, group, session: Some(session) });
        }
        seen = Some(session);
    }
    let (index, group) = listener.next_group(rule)?;
    let Some(plan) = listener.persistence(rule, group) else {
        return Some(Begun { index, group, session: None });
    };
    let session = match seen {
        Some(session) if Arc::ptr_eq(&session.plan, plan) => session,
        _ => Session::see(plan, facts, worker),
    };
    session.refused().into_iter().for_each(|refused| listener.cells().sessions.count_refused(refused));
    Some(Begun { index, group, session: Some(session) })
}

/// Whether a shared store is to be asked before a target is chosen; see [`look`](super::look).
pub(crate) fn is_to_be_looked_up<S: Sys>(worker: &Worker<S>, session: Option<&Session<S>>) -> bool {
    session.is_some_and(|session| session.is_to_be_looked_up(worker.now() / 1_000_000))
}

/// Whether a shared store is to be told of a choice; see [`agree`](super::agree).
pub(crate) fn is_to_be_told<S: Sys>(session: Option<&Session<S>>) -> bool {
    session.is_some_and(|session| {
        session.share != Share::Nothing
            && session.plan.keeper().is_some_and(|keeper| keeper.table.link().is_some())
    })
}

/// What is asked of the choice of a target: the one that the session prefers, if it can be had.
pub(crate) fn ask<S: Sys>(session: Option<&Session<S>>, key: u64, tried: Tried, now_millis: u64) -> Ask {
    let preferred = session.and_then(|session| session.preferred);
    let spill = session.and_then(|session| session.plan.spill());
    Ask { key, preferred, spill, tried, now_millis }
}

/// Keeps the session at the target that was chosen, or says which one to use instead.
pub(crate) fn settle<S: Sys>(
    worker: &Worker<S>,
    session: &mut Option<Session<S>>,
    group: &LocalGroup<S>,
    choice: Choice,
    tried: &Tried,
) -> usize {
    let Some(session) = session else { return choice.target };
    let now_millis = worker.now() / 1_000_000;
    let is_elsewhere = session.preferred != Some(choice.target);
    if choice.not_preferred == Some(Unavailable::Full) || session.stays && is_elsewhere {
        session.outcome = SessionOutcome::Spilled;
        session.serving = Some(group.plan.ids[choice.target]);
        return choice.target;
    }
    let choice = Choice { target: chosen_by_session(session, group, choice, tried, now_millis), ..choice };
    let chosen = group.plan.ids[choice.target];
    let plan = Arc::clone(&session.plan);
    let winner = match (plan.keeper(), session.sight.key) {
        (Some(keeper), Some(key)) => {
            session.keep(keeper, key, chosen, now_millis, |hold| Lease::new(&keeper.table, key, hold, worker))
        }
        _ => chosen,
    };
    let instead = (winner != chosen).then(|| group.plan.index_of(winner)).flatten();
    let instead = instead.filter(|&target| sharing::is_usable(group, target, tried));
    let target = instead.unwrap_or(choice.target);
    session.note(group.plan.ids[target]);
    // The same again on a fresh connection, if an idle one turns out to be closed.
    session.preferred = Some(target);
    target
}

/// The target of a session that cannot be where it was, or of a learned cookie that is not known: by its hash. New
/// sessions go where the algorithm says.
fn chosen_by_session<S: Sys>(
    session: &Session<S>,
    group: &LocalGroup<S>,
    choice: Choice,
    tried: &Tried,
    now_millis: u64,
) -> usize {
    let is_learned = matches!(session.plan.mark, MarkPlan::Learned(_));
    let stays = session.preferred == Some(choice.target);
    let hash = session.sight.hash.filter(|_| !stays && (session.at.is_some() || is_learned));
    let is_good = |target: usize| {
        sharing::is_usable(group, target, tried)
            && !group.plan.targets[target].is_passed_over(now_millis)
            && !group.plan.is_full(target)
    };
    hash.and_then(|hash| sharing::by_hash(group, hash, is_good)).unwrap_or(choice.target)
}
