//! The steps of a decision, in their order.

use model::Failure;

use super::decision::{Decision, Verdict};
use super::question::Question;
use super::ready::{Ready, ready};
use super::{access, admit, authorize, route};
use crate::failed::Failed;

pub(crate) fn decide(question: &Question<'_>) -> Decision {
    let (mut normal_path, mut rule) = (None, None);
    let verdict = judge(question, &mut normal_path, &mut rule).unwrap_or_else(Verdict::Refuse);
    Decision { normal_path, rule, verdict }
}

/// What it finds on the way is left in `normal_path` and `found`, so that a refused request is recorded with it.
fn judge(
    question: &Question<'_>,
    normal_path: &mut Option<Vec<u8>>,
    found: &mut Option<usize>,
) -> Result<Verdict, Failed> {
    let authorized = authorize::authorize(question)?;
    let screened = access::screen(question.caller(), authorized)?;
    let route::NormalPath { path, doubts } = route::normalize(question)?;
    *normal_path = path;
    let path = normal_path.as_deref().unwrap_or(question.request.path());
    let rule = route::route(question, doubts, path, screened)?;
    *found = Some(rule);
    let permitted = access::permit(question.caller(), rule)?;
    if let Some(ready) = ready(&question.plan.rules[rule], path, question.request) {
        return check_host(question, ready).map(|()| Verdict::Reply { rule });
    }
    admit::admit(question, permitted).map(Verdict::Forward)
}

/// A redirect to the request's host needs one.
fn check_host(question: &Question<'_>, ready: Ready<'_>) -> Result<(), Failed> {
    let has_host = question.request.head.host_name().is_some_and(|name| !name.is_empty());
    if ready.needs_host() && !has_host {
        return Err(Failed { failure: Failure::RequestHost, detail: "a redirect to the request's host" });
    }
    Ok(())
}
