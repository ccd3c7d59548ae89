//! The step `persist` of a request, and what its response says about sessions (SP1–SP8); see [`crate::session`].

use balance::session::SessionKey;
use net::{Buffer, Sys};
use proto::cookie::SetCookie;
use proto::http1::Known;

use super::exchange::Exchange;
use crate::local::LocalListener;
use crate::persist::{Facts, MarkPlan, learned_key};
use crate::session::{self, Begun};
use crate::target::LocalGroup;

/// Chooses the group: that of the session, or else the next one by weight. Leaves the session in the exchange.
pub(super) fn begin<'l, S: Sys>(
    exchange: &mut Exchange<'_, S>,
    listener: &'l LocalListener<S>,
    rule: usize,
) -> Option<(usize, &'l LocalGroup<S>)> {
    let proxy = &exchange.client.proxy;
    let facts = Facts {
        request: Some(exchange.request()),
        arrival: &exchange.arrival,
        source: exchange.source,
        unix_seconds: proxy.worker.wall() / 1_000_000,
        now_millis: proxy.now_millis(),
    };
    let Begun { index, group, session } = session::begin(&proxy.worker, listener, rule, &facts)?;
    exchange.session = session;
    Some((index, group))
}

/// Remembers what cookies the target sets, for sessions of its own cookie (SP7). Returns the one of which a shared store is
/// to be told; see [`session::put`].
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
    keeper.table.link().map(|_| key)
}

/// Tells a shared store of a cookie that was learned, before the client can come back with it.
pub(super) async fn share<S: Sys>(exchange: &Exchange<'_, S>, learned: SessionKey) {
    let Some(session) = &exchange.session else { return };
    let Some((keeper, at)) = session.plan.keeper().zip(session.serving) else { return };
    session::put(&exchange.client.proxy.worker, keeper, learned, at).await;
}
