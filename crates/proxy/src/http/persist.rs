//! The step `persist`, between admit and choose: finds the session of a request, says which group and target it prefers,
//! and keeps the session where the request goes (SP1–SP8, SP10).

use std::sync::Arc;

use balance::session::{InStore, SessionKey};
use net::{Buffer, Sys};
use observe::SessionOutcome;
use proto::cookie::SetCookie;
use proto::http1::Known;

use super::exchange::Exchange;
use super::session::{Session, Share};
use super::sharing;
use crate::local::LocalListener;
use crate::persist::{Facts, Lease, MarkPlan, PersistencePlan, learned_key};
use crate::target::{Choice, LocalGroup, Tried, Unavailable};

/// Chooses the group: that of the session, or else the next one by weight. Leaves the session in the exchange.
pub(super) fn begin<'l, S: Sys>(
    exchange: &mut Exchange<'_, S>,
    listener: &'l LocalListener<S>,
    rule: usize,
) -> Option<(usize, &'l LocalGroup<S>)> {
    let mut seen: Option<Session<S>> = None;
    for (index, group) in listener.groups_of(rule) {
        let Some(plan) = listener.persistence(rule, group) else { continue };
        let mut session = match seen.take() {
            Some(session) if Arc::ptr_eq(&session.plan, plan) => session,
            _ => see(exchange, plan),
        };
        session.preferred = session.at.and_then(|target| group.plan.index_of(target));
        if session.preferred.is_some() {
            exchange.session = Some(session);
            return Some((index, group));
        }
        seen = Some(session);
    }
    let (index, group) = listener.next_group(rule)?;
    if let Some(plan) = listener.persistence(rule, group) {
        let session = match seen {
            Some(session) if Arc::ptr_eq(&session.plan, plan) => session,
            _ => see(exchange, plan),
        };
        session.refused().into_iter().for_each(|refused| listener.cells().sessions.count_refused(refused));
        exchange.session = Some(session);
    }
    Some((index, group))
}

/// Whether a shared store is to be asked before a target is chosen; see [`sharing::look`].
pub(super) fn is_to_be_looked_up<S: Sys>(exchange: &Exchange<'_, S>) -> bool {
    let now_millis = exchange.client.proxy.now_millis();
    exchange.session.as_ref().is_some_and(|session| session.is_to_be_looked_up(now_millis))
}

/// Whether a shared store is to be told of a choice; see [`sharing::agree`].
pub(super) fn is_to_be_told<S: Sys>(exchange: &Exchange<'_, S>) -> bool {
    exchange.session.as_ref().is_some_and(|session| {
        session.share != Share::Nothing
            && session
                .plan
                .keeper()
                .is_some_and(|keeper| keeper.table.link_for(InStore::Unknown, 0).is_some())
    })
}

/// Keeps the session at the target that was chosen, or says which one to use instead.
pub(super) fn settle<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    group: &LocalGroup<S>,
    choice: Choice,
    tried: &Tried,
) -> usize {
    let client = exchange.client;
    let Some(session) = &mut exchange.session else { return choice.target };
    let is_elsewhere = session.preferred != Some(choice.target);
    if choice.not_preferred == Some(Unavailable::Full) || session.stays && is_elsewhere {
        session.outcome = SessionOutcome::Spilled;
        session.serving = Some(group.plan.ids[choice.target]);
        return choice.target;
    }
    let choice = Choice {
        target: chosen_by_session(session, group, choice, tried, client.proxy.now_millis()),
        ..choice
    };
    let chosen = group.plan.ids[choice.target];
    let plan = Arc::clone(&session.plan);
    let winner = match (plan.keeper(), session.sight.key) {
        (Some(keeper), Some(key)) => {
            let worker = &client.proxy.worker;
            session.keep(keeper, key, chosen, client.proxy.now_millis(), |hold| {
                Lease::new(&keeper.table, key, hold, worker)
            })
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
        sharing::is_usable(group, target, tried) && !group.plan.targets[target].is_passed_over(now_millis)
    };
    hash.and_then(|hash| sharing::by_hash(group, hash, is_good)).unwrap_or(choice.target)
}

/// Remembers what cookies the target sets, for sessions of its own cookie (SP7). Returns the one of which a shared store is
/// to be told; see [`sharing::put`].
pub(super) fn learn<S: Sys>(exchange: &Exchange<'_, S>, input: &Buffer) -> Option<SessionKey> {
    let session = exchange.session.as_ref()?;
    let (MarkPlan::Learned(learned), Some(at)) = (&session.plan.mark, session.serving) else { return None };
    let (response, proxy) = (exchange.response_text(input), &exchange.client.proxy);
    let unix_seconds = i64::try_from(proxy.worker.wall() / 1_000_000).unwrap_or(i64::MAX);
    let keeper = &learned.keeper;
    let cookies = response.head.fields_of(Known::SetCookie);
    let cookies = cookies.filter_map(|field| SetCookie::parse(response.text(field.value)));
    // Of several with its name, the client keeps the last one.
    let cookie = cookies.filter(|cookie| cookie.name() == learned.name.as_bytes()).last()?;
    if cookie.value().is_empty() || cookie.is_deletion(unix_seconds) {
        session.sight.key.into_iter().for_each(|key| keeper.forget(key));
        return None;
    }
    let key = learned_key(learned, cookie.value());
    if session.sight.key == Some(key) && session.sight.target == Some(at) {
        // The request has named it, and it is where it was.
        return None;
    }
    keeper.put(key, at, proxy.now_millis());
    keeper.table.link_for(InStore::Unknown, 0).map(|_| key)
}

/// Tells a shared store of a cookie that was learned, before the client can come back with it.
pub(super) async fn share<S: Sys>(exchange: &Exchange<'_, S>, learned: SessionKey) {
    let Some(session) = &exchange.session else { return };
    let Some((keeper, at)) = session.plan.keeper().zip(session.serving) else { return };
    sharing::put(&exchange.client.proxy.worker, keeper, learned, at).await;
}

fn see<S: Sys>(exchange: &Exchange<'_, S>, plan: &Arc<PersistencePlan>) -> Session<S> {
    let proxy = &exchange.client.proxy;
    let facts = Facts {
        request: exchange.request(),
        arrival: &exchange.arrival,
        source: exchange.source,
        unix_seconds: proxy.worker.wall() / 1_000_000,
        now_millis: proxy.now_millis(),
    };
    Session::see(plan, &facts, &proxy.worker)
}
