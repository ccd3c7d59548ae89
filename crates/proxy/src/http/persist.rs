//! The step `persist`, between admit and choose: finds the session of a request, says which group and target it prefers,
//! and keeps the session where the request goes (SP1–SP8, SP10).

use std::sync::Arc;

use net::{Buffer, Sys};
use observe::SessionOutcome;
use proto::cookie::SetCookie;
use proto::http1::Known;

use super::exchange::Exchange;
use super::session::Session;
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

/// Keeps the session at the target that was chosen, or says which one to use instead.
pub(super) fn settle<S: Sys>(
    exchange: &mut Exchange<'_, S>,
    group: &LocalGroup<S>,
    choice: Choice,
    tried: &Tried,
) -> usize {
    let client = exchange.client;
    let Some(session) = &mut exchange.session else { return choice.target };
    if choice.not_preferred == Some(Unavailable::Full) {
        session.outcome = SessionOutcome::Spilled;
        return choice.target;
    }
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
    let is_usable =
        |target: &usize| group.plan.targets[*target].health().takes_traffic() && !tried.contains(*target);
    let instead = (winner != chosen).then(|| group.plan.index_of(winner)).flatten().filter(is_usable);
    let target = instead.unwrap_or(choice.target);
    session.note(group.plan.ids[target]);
    target
}

/// Remembers what cookies the target sets, for sessions of its own cookie (SP7).
pub(super) fn learn<S: Sys>(exchange: &Exchange<'_, S>, input: &Buffer) {
    let Some(session) = &exchange.session else { return };
    let (MarkPlan::Learned(learned), Some(at)) = (&session.plan.mark, session.at) else { return };
    let (response, proxy) = (exchange.response_text(input), &exchange.client.proxy);
    let unix_seconds = i64::try_from(proxy.worker.wall() / 1_000_000).unwrap_or(i64::MAX);
    let keeper = &learned.keeper;
    for field in response.head.fields_of(Known::SetCookie) {
        let Some(cookie) = SetCookie::parse(response.text(field.value)) else { continue };
        if cookie.name() != learned.name.as_bytes() || cookie.value().is_empty() {
            continue;
        }
        if cookie.is_deletion(unix_seconds) {
            session.sight.key.map(|key| keeper.table.remove(key));
            continue;
        }
        keeper.put(learned_key(learned, cookie.value()), at, proxy.now_millis());
    }
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
