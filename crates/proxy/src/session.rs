//! The step `persist` of requests and of TCP connections: finds the session, says which group and target it prefers, and
//! keeps the session where the request or connection goes (SP1–SP8, SP10).

mod sharing;
mod step;

use std::sync::Arc;

use balance::session::{Hold, SessionKey, TargetId};
use net::{Sys, Worker};
use observe::{CookieRefusal, SessionOutcome};

use crate::persist::{Facts, Keeper, Lease, MarkPlan, PersistencePlan, Sight, see};

pub(crate) use sharing::{agree, look, put};
pub(crate) use step::{Begun, ask, begin, is_to_be_looked_up, is_to_be_told, settle};

/// The session of one exchange or connection.
pub(crate) struct Session<S: Sys> {
    pub(crate) plan: Arc<PersistencePlan>,
    pub(crate) sight: Sight,
    /// The target that the session prefers: its index in the group.
    pub(crate) preferred: Option<usize>,
    /// Where the session is now.
    pub(crate) at: Option<TargetId>,
    /// Where this attempt goes: not to `at` if it spills over, or if the session stays elsewhere.
    pub(crate) serving: Option<TargetId>,
    /// Ends with the request or connection, which starts the session's clock.
    lease: Option<Lease<S>>,
    /// A response of the session's target was lost, which says nothing against the target: the request may go elsewhere,
    /// and the session stays.
    pub(crate) stays: bool,
    /// What a shared store has to be told.
    pub(crate) share: Share,
    pub(crate) outcome: SessionOutcome,
}

/// A change that concerns other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Share {
    #[default]
    Nothing,
    New,
    Moved {
        from: TargetId,
    },
}

impl<S: Sys> Session<S> {
    /// Reads it from a request.
    pub(crate) fn see(plan: &Arc<PersistencePlan>, facts: &Facts<'_>, worker: &Worker<S>) -> Self {
        let sight = see(plan, facts);
        let lease = plan.keeper().zip(sight.key).zip(sight.hold);
        let lease = lease.map(|((keeper, key), hold)| Lease::new(&keeper.table, key, hold, worker));
        let at = sight.target;
        Self {
            plan: Arc::clone(plan),
            sight,
            preferred: None,
            at,
            serving: None,
            lease,
            stays: false,
            share: Share::Nothing,
            outcome: SessionOutcome::None,
        }
    }

    /// Keeps a session of the table at `chosen`, unless another request has put it elsewhere; returns where it is.
    pub(crate) fn keep(
        &mut self,
        keeper: &Keeper,
        key: SessionKey,
        chosen: TargetId,
        now_millis: u64,
        lease: impl FnOnce(Hold) -> Lease<S>,
    ) -> TargetId {
        match (self.at, &self.plan.mark) {
            (Some(at), _) if at == chosen => chosen,
            (Some(at), _) => {
                self.share = Share::Moved { from: at };
                keeper.table.reassign(key, at, chosen).unwrap_or(chosen)
            }
            // What clients make up is not remembered, only what targets set.
            (None, MarkPlan::Learned(_)) => chosen,
            (None, _) => {
                let assigned = keeper.table.assign(key, chosen, keeper.timeout_millis, now_millis);
                self.lease = assigned.hold.map(lease);
                self.share = Share::New;
                assigned.target
            }
        }
    }

    /// Whether a shared store may know more about the session than this process does.
    pub(crate) fn is_to_be_looked_up(&self, now_millis: u64) -> bool {
        let is_known_here = self.at.is_some() || matches!(self.plan.mark, MarkPlan::Learned(_));
        let keeper = self.plan.keeper().filter(|_| is_known_here && self.sight.key.is_some());
        keeper.is_some_and(|keeper| keeper.link_to_ask(self.sight.in_store, now_millis).is_some())
    }

    /// The store says that the session is at this target.
    pub(crate) fn found(
        &mut self,
        keeper: &Keeper,
        key: SessionKey,
        target: TargetId,
        now_millis: u64,
        worker: &Worker<S>,
    ) {
        if self.lease.is_none() {
            let assigned = keeper.table.assign(key, target, keeper.timeout_millis, now_millis);
            self.lease = assigned.hold.map(|hold| Lease::new(&keeper.table, key, hold, worker));
        }
        keeper.table.correct(key, target);
        keeper.table.mark_synced(key, now_millis);
        (self.at, self.sight.target) = (Some(target), Some(target));
    }

    /// The request goes to this target.
    pub(crate) fn note(&mut self, target: TargetId) {
        self.outcome = match (self.sight.target, &self.plan.mark) {
            (None, MarkPlan::Source(_)) if self.lease.is_none() => SessionOutcome::None,
            (None, _) => SessionOutcome::New,
            (Some(before), _) if before == target => SessionOutcome::Kept,
            (Some(_), _) => SessionOutcome::Moved,
        };
        (self.at, self.serving) = (Some(target), Some(target));
    }

    /// Why a cookie of the request does not count. No target of the rule is the session's.
    pub(crate) fn refused(&self) -> Option<CookieRefusal> {
        let is_cookie = matches!(self.plan.mark, MarkPlan::Inserted(_) | MarkPlan::Rewritten(_));
        let unknown = (is_cookie && self.at.is_some()).then_some(CookieRefusal::UnknownTarget);
        self.sight.refused.or(unknown)
    }

    /// An attempt at the session's target has failed without a response. A session that has just begun has nothing there
    /// yet, and goes where it is served.
    pub(crate) fn response_lost(&mut self) {
        self.stays = self.sight.target.is_some() && self.sight.target == self.at;
    }
}
