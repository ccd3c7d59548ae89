//! Reads from a request which session it belongs to. Pure, but for the table, which counts the request as one of the
//! session.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use balance::hash_bytes;
use balance::session::{Begin, Hold, InStore, Known as InTable, SessionKey, TargetId};
use model::SourceFrom;
use observe::CookieRefusal;
use proto::cookie::{self, Routed};
use proto::http1::Known;

use super::plan::{CookiePlan, Keeper, LearnedPlan, MarkPlan, PersistencePlan, SourcePlan};
use super::seal::{ROUTE_BYTES, Route, Unsealed};
use crate::arrival::{Arrival, Source};
use crate::head::RequestText;

/// What a session is read from.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// `None`: there is none, as on a TCP connection.
    pub(crate) request: Option<RequestText<'a>>,
    pub(crate) arrival: &'a Arrival,
    pub(crate) source: Source,
    pub(crate) unix_seconds: u64,
    pub(crate) now_millis: u64,
}

/// What a request says about its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The target that the session is at.
    pub(crate) target: Option<TargetId>,
    /// Its key in the table, where it is kept there and the request names it.
    pub(crate) key: Option<SessionKey>,
    /// The table counts this request.
    pub(crate) hold: Option<Hold>,
    pub(crate) in_store: InStore,
    /// By this it is decided where a session goes that cannot be where it was, or is not known: requests of one session
    /// at the same time, and other processes, find the same target.
    pub(crate) hash: Option<u64>,
    /// Why a cookie of the session's name does not count.
    pub(crate) refused: Option<CookieRefusal>,
}

pub(crate) fn see(plan: &PersistencePlan, facts: &Facts<'_>) -> Sight {
    match &plan.mark {
        MarkPlan::Inserted(cookie) => see_inserted(cookie, facts),
        MarkPlan::Rewritten(cookie) => see_rewritten(cookie, facts),
        MarkPlan::Learned(learned) => see_learned(learned, facts),
        MarkPlan::Source(source) => see_source(source, facts),
    }
}

fn see_inserted(plan: &CookiePlan, facts: &Facts<'_>) -> Sight {
    open_one(plan, values(facts, &plan.name), facts)
}

/// A value without a route was set before there was persistence, or by a page. The value of one that is refused stays as it
/// is until the target sets it again.
fn see_rewritten(plan: &CookiePlan, facts: &Facts<'_>) -> Sight {
    let routes = values(facts, &plan.name).filter_map(|value| Routed::new(value, ROUTE_BYTES));
    open_one(plan, routes.map(|routed| routed.route()), facts)
}

/// Opens the one sealed route that is ours: another host of the domain can set a cookie of the same name, which must not
/// end the session. With two that are ours it is unknown which one counts, so none does.
fn open_one<'a>(plan: &CookiePlan, texts: impl Iterator<Item = &'a [u8]>, facts: &Facts<'_>) -> Sight {
    let mut sight = Sight::default();
    for (index, text) in texts.take(VALUES_MAX).enumerate() {
        match plan.open(text, facts.unix_seconds) {
            Ok(_) if sight.target.is_some() => {
                return Sight { refused: Some(CookieRefusal::Several), ..Sight::default() };
            }
            Ok(Route { target, .. }) => {
                sight = Sight { target: Some(target), hash: Some(hash_bytes(text)), ..Sight::default() };
            }
            Err(_) if sight.target.is_some() => {}
            Err(refused) => {
                sight.refused = Some(if index == 0 { refused } else { CookieRefusal::Several });
            }
        }
    }
    sight
}

fn see_learned(plan: &LearnedPlan, facts: &Facts<'_>) -> Sight {
    match only_value(facts, &plan.name) {
        Ok(None | Some([])) => Sight::default(),
        Ok(Some(value)) => begin(&plan.keeper, learned_key(plan, value), facts),
        Err(refused) => Sight { refused: Some(refused), ..Sight::default() },
    }
}

fn see_source(plan: &SourcePlan, facts: &Facts<'_>) -> Sight {
    let address: Option<IpAddr> = match plan.from {
        SourceFrom::Connection => facts.arrival.is_peer_known.then(|| facts.arrival.peer.ip()),
        SourceFrom::Forwarded => facts.source.is_known.then_some(facts.source.address),
    };
    // Clients of which nothing is known are not one client.
    let Some(address) = address else { return Sight::default() };
    let key = SessionKey { scope: plan.keeper.scope, client: plan.prefix.first(address) };
    begin(&plan.keeper, key, facts)
}

fn begin(keeper: &Keeper, key: SessionKey, facts: &Facts<'_>) -> Sight {
    match keeper.table.begin(key, keeper.timeout_millis, facts.now_millis) {
        Begin::Known(InTable { target, hold, in_store }) => {
            let hash = Some(hash_of(key));
            Sight { target: Some(target), key: Some(key), hold: Some(hold), in_store, hash, refused: None }
        }
        Begin::Absent => Sight { key: Some(key), hash: Some(hash_of(key)), ..Sight::default() },
    }
}

/// See [`Sight::hash`].
pub(crate) fn hash_of(key: SessionKey) -> u64 {
    key.scope ^ key.client as u64 ^ (key.client >> 64) as u64
}

/// The session of a target's cookie. Processes that share a store must agree on it, and no client may find two
/// values with one key.
pub(crate) fn learned_key(plan: &LearnedPlan, value: &[u8]) -> SessionKey {
    let hash = digest(&SHA256, value);
    let client = hash.as_ref().first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    SessionKey { scope: plan.keeper.scope, client }
}

/// The value of the one cookie of this name. With several it is unknown which one counts, so none does.
fn only_value<'a>(facts: &Facts<'a>, name: &'a str) -> Result<Option<&'a [u8]>, CookieRefusal> {
    let mut values = values(facts, name);
    match (values.next(), values.next()) {
        (found, None) => Ok(found),
        (_, Some(_)) => Err(CookieRefusal::Several),
    }
}

fn values<'a>(facts: &Facts<'a>, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    facts.request.into_iter().flat_map(move |request| {
        let fields = request.head.fields_of(Known::Cookie);
        fields.flat_map(move |field| cookie::values(request.text(field.value), name))
    })
}

// limit: values of one name that are opened.
const VALUES_MAX: usize = 4;

impl From<Unsealed> for CookieRefusal {
    fn from(unsealed: Unsealed) -> Self {
        match unsealed {
            Unsealed::Malformed => Self::Malformed,
            Unsealed::Forged => Self::Forged,
            Unsealed::Expired => Self::Expired,
        }
    }
}
