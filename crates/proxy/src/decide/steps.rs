//! The steps of a decision, in their order.

use model::Failure;
use proto::http1::BodyLength;

use super::question::Question;
use super::ready::{Ready, ready};
use super::{access, admit, authorize, route};
use crate::failed::Failed;

/// What happens to a request, and how that was found.
#[derive(Debug)]
pub(crate) struct Decision {
    /// The path by which rules match, where it differs from the path as sent.
    pub(crate) normal_path: Option<Vec<u8>>,
    /// The rule that matched, as its index in the plan; also where a later step refused the request.
    pub(crate) rule: Option<usize>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The failure says why.
    Refuse(Failed),
    /// The rule answers by itself; see [`ready`].
    Reply { rule: usize },
    /// The rule gives the request to one of its groups.
    Forward(Forward),
}

/// An admitted request. Only what [`decide`] admits can be given to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) rule: usize,
    pub(crate) body: BodyLength,
    pub(crate) body_bytes_max: Option<u64>,
    /// It opens one of the rule's WebSockets, which are limited.
    pub(crate) is_websocket: bool,
    /// Trailers are not passed on.
    pub(crate) drops_trailers: bool,
}

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
    let screened = access::screen(question, authorized)?;
    *normal_path = route::normalize(question)?;
    let path = normal_path.as_deref().unwrap_or(question.request.path());
    let rule = route::route(question, path, screened)?;
    *found = Some(rule);
    let permitted = access::permit(question, rule)?;
    if let Some(ready) = ready(&question.plan.rules[rule], path) {
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
