//! Groups and rules with session persistence as operators look at them (SP11). Nothing here shows a key or a cookie.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use balance::session::{SessionKey, TargetId};
use model::{ClientPrefix, TargetGroupName};
use observe::CookieRefusal;
use proto::cookie::Routed;

use super::plan::{CookiePlan, MarkPlan, PersistencePlan};
use super::seal::{ROUTE_BYTES, Route};
use super::see::learned_key;
use super::table::SessionTable;

/// A target group or rule whose requests belong to sessions.
#[derive(Clone, Debug)]
pub struct SessionScope {
    /// [`SessionKey::scope`] of its sessions.
    pub id: u64,
    /// For operators: a target group, or a listener and the number of its rule.
    pub name: String,
    /// Where its requests may go.
    pub groups: Vec<TargetGroupName>,
    plan: Arc<PersistencePlan>,
}

/// By what the sessions of a scope are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionMark<'a> {
    /// A cookie of ours, of this name.
    Inserted(&'a str),
    /// The target's cookie, which carries the route.
    Rewritten(&'a str),
    /// The target's cookie, whose values are remembered.
    Learned(&'a str),
    Source(ClientPrefix),
}

/// What a sealed cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedCookie {
    pub target: TargetId,
    /// Unix seconds; `None`: when the browser forgets it.
    pub expires: Option<u32>,
}

impl SessionScope {
    pub(crate) fn new(name: String, groups: Vec<TargetGroupName>, plan: &Arc<PersistencePlan>) -> Self {
        Self { id: plan.scope(), name, groups, plan: Arc::clone(plan) }
    }

    pub fn mark(&self) -> SessionMark<'_> {
        match &self.plan.mark {
            MarkPlan::Inserted(cookie) => SessionMark::Inserted(&cookie.name),
            MarkPlan::Rewritten(cookie) => SessionMark::Rewritten(&cookie.name),
            MarkPlan::Learned(learned) => SessionMark::Learned(&learned.name),
            MarkPlan::Source(source) => SessionMark::Source(source.prefix),
        }
    }

    /// Where its sessions are kept; `None`: in cookies, at clients.
    pub fn table(&self) -> Option<&Arc<SessionTable>> {
        self.plan.keeper().map(|keeper| &keeper.table)
    }

    /// How long a session lives that is not used; zero: its cookies say so.
    pub fn lifetime(&self) -> Duration {
        self.plan.keeper().map(|keeper| keeper.lifetime()).unwrap_or_default()
    }

    /// The session of a client's address, if the scope goes by addresses.
    pub fn key_of_address(&self, address: IpAddr) -> Option<SessionKey> {
        let MarkPlan::Source(source) = &self.plan.mark else { return None };
        Some(SessionKey { scope: self.id, client: source.prefix.first(address) })
    }

    /// The session of a cookie's value, if the scope remembers cookies of targets.
    pub fn key_of_cookie(&self, value: &[u8]) -> Option<SessionKey> {
        let MarkPlan::Learned(learned) = &self.plan.mark else { return None };
        (!value.is_empty()).then(|| learned_key(learned, value))
    }

    /// Opens a cookie's value as a request's would be. `None`: no cookie of this scope carries a route.
    pub fn open_cookie(
        &self,
        value: &[u8],
        unix_seconds: u64,
    ) -> Option<Result<OpenedCookie, CookieRefusal>> {
        match &self.plan.mark {
            MarkPlan::Inserted(cookie) => Some(open(cookie, value, unix_seconds)),
            MarkPlan::Rewritten(cookie) => Some(match Routed::new(value, ROUTE_BYTES) {
                Some(routed) => open(cookie, routed.route(), unix_seconds),
                None => Err(CookieRefusal::Malformed),
            }),
            MarkPlan::Learned(_) | MarkPlan::Source(_) => None,
        }
    }
}

fn open(plan: &CookiePlan, text: &[u8], unix_seconds: u64) -> Result<OpenedCookie, CookieRefusal> {
    let Route { target, expires } = plan.open(text, unix_seconds)?;
    Ok(OpenedCookie { target, expires: (expires != 0).then_some(expires) })
}
