//! What a session changes in the messages of its exchange.

use net::Sys;

use crate::compose::{CookieEdit, SessionField};
use crate::persist::MarkPlan;
use crate::session::Session;

impl<S: Sys> Session<S> {
    /// How `Cookie` changes on its way to the target.
    pub(in crate::http) fn cookie_edit(&self) -> CookieEdit<'_> {
        match &self.plan.mark {
            MarkPlan::Inserted(cookie) if cookie.hides => CookieEdit::Remove(&cookie.name),
            MarkPlan::Rewritten(cookie) => CookieEdit::CutRoutes(&cookie.name),
            _ => CookieEdit::Nothing,
        }
    }

    /// What the response says about the session.
    pub(in crate::http) fn field(
        &self,
        nonce: impl FnOnce() -> u128,
        unix_seconds: u64,
        is_tls: bool,
    ) -> Option<SessionField<'_>> {
        let (plan, target, is_rewritten) = match &self.plan.mark {
            MarkPlan::Inserted(cookie) => {
                let target = self.at?;
                // A session that is not of limited duration is told once.
                let is_news = self.sight.target != Some(target) || cookie.ttl_seconds.is_some();
                is_news.then_some((cookie, target, false))?
            }
            // A cookie that a target sets is a session there, wherever the request's own is.
            MarkPlan::Rewritten(cookie) => (cookie, self.serving?, true),
            _ => return None,
        };
        Some(SessionField { plan, is_rewritten, target, nonce: nonce(), unix_seconds, is_tls })
    }
}
