//! Explains a decision: which rules match, which do not, and why not. Asks the functions that traffic asks.

use std::net::SocketAddr;

use balance::{Match, Mismatch, mismatch};
use model::{ListenerName, TargetGroupName};
use proto::http1::{Progress, RequestHead};

use super::decision::Verdict;
use super::question::Question;
use super::ready::ready;
use super::route::view;
use super::source::find_source;
use super::steps::decide;
use crate::arrival::{Arrival, Security};
use crate::failed::Failed;
use crate::head::RequestText;
use crate::snapshot::{ActionPlan, ListenerPlan, Snapshot};

/// What happens to a request, and what nearly happened.
#[derive(Debug, PartialEq, Eq)]
pub struct Explanation {
    pub outcome: Outcome,
    /// The rule that matched, counted from 0 in the order of the file; the default action is behind the last.
    pub rule: Option<usize>,
    /// For each rule, why it does not match. A rule without a mismatch is the one that matched, or that one takes
    /// precedence over it.
    pub mismatches: Vec<Option<Mismatch>>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The reason word of the failure table, and a detail that may be empty.
    Refused { reason: &'static str, detail: &'static str },
    /// The rule answers by itself, with this status.
    Replied { status: u16 },
    /// The rule forwards to one of these groups, by weight.
    Forwarded { groups: Vec<(TargetGroupName, u32)> },
}

/// Explains what the listener would do with a request from `peer` in plain text. `head` is the request's head as it would
/// be sent; `None`: there is no such listener, or the head is incomplete.
pub fn explain(
    snapshot: &Snapshot,
    listener: &ListenerName,
    peer: SocketAddr,
    head: &[u8],
    unix_seconds: u64,
) -> Option<Explanation> {
    let plan = snapshot.listeners.iter().find(|plan| plan.name == *listener)?;
    let refused =
        |failed: Failed| Outcome::Refused { reason: failed.failure.outcome().reason, detail: failed.detail };
    let mut parsed = RequestHead::new();
    match parsed.parse(head, &plan.http.limits) {
        Ok(Progress::Complete { .. }) => {}
        Ok(Progress::NeedMore) => return None,
        Err(error) => {
            let outcome = refused(Failed { failure: error.failure, detail: error.detail });
            return Some(Explanation { outcome, rule: None, mismatches: Vec::new() });
        }
    }
    let request = RequestText { head: &parsed, bytes: head };
    let arrival = Arrival {
        peer,
        socket_peer: peer,
        port: plan.bind.first().map_or(0, SocketAddr::port),
        is_peer_known: true,
        security: Security::Plain,
        is_http2: false,
    };
    let source = find_source(&plan.http.trusted_proxies, &arrival, request);
    let question = Question { plan, table: &plan.table, arrival: &arrival, request, source, unix_seconds };
    let decision = decide(&question);
    let path = decision.normal_path.as_deref().unwrap_or(request.path());
    let outcome = match decision.verdict {
        Verdict::Refuse(failed) => refused(failed),
        Verdict::Reply { rule } => {
            let ready = ready(&plan.rules[rule], path, request);
            Outcome::Replied { status: ready.map_or(0, |ready| ready.status()) }
        }
        Verdict::Forward(forward) => Outcome::Forwarded { groups: groups(plan, forward.rule) },
    };
    Some(Explanation { outcome, rule: decision.rule, mismatches: mismatches(&question, path) })
}

fn groups(plan: &ListenerPlan, rule: usize) -> Vec<(TargetGroupName, u32)> {
    let ActionPlan::Forward { groups, weights } = &plan.rules[rule].action else { return Vec::new() };
    groups.iter().zip(weights).map(|(&group, &weight)| (plan.groups[group].clone(), weight)).collect()
}

fn mismatches(question: &Question<'_>, path: &[u8]) -> Vec<Option<Mismatch>> {
    let view = view(question, path);
    let of_rule = |rule: &crate::snapshot::RulePlan| {
        let crate::snapshot::RulePlan { host, path, adds_slash, conditions, .. } = rule;
        mismatch(Match { host, path, adds_slash: *adds_slash, conditions }, &view)
    };
    question.plan.rules.iter().map(of_rule).collect()
}
