//! Finds the rule of a request (HTTP1).

use std::net::IpAddr;

use balance::RequestView;
use model::{Failure, PathPattern};
use proto::http1::{Field, path, token};

use super::access::Screened;
use super::question::Question;
use crate::failed::Failed;
use crate::head::RequestText;
use crate::snapshot::ListenerPlan;

/// Returns the index of the rule in the plan; the last one may be the default action. `path` is normalised.
pub(super) fn route(question: &Question<'_>, path: &[u8], _screened: Screened) -> Result<usize, Failed> {
    let plan = question.plan;
    let default = plan.has_default.then(|| plan.rules.len() - 1);
    let found = question.table.find(&view(question, path));
    found.or(default).ok_or_else(|| Failure::NoRule.into())
}

/// Brings the path into the form that rules match; `None`: it has this form. Refuses a path that hides a separator where a
/// rule of this listener would look: the target might decode it to a path that another rule was made for.
pub(super) fn normalize(question: &Question<'_>) -> Result<Option<Vec<u8>>, Failed> {
    let mut scratch = Vec::new();
    let sent = question.request.text(question.request.head.path());
    let malformed = |error: path::PathError| Failed { failure: Failure::RequestPath, detail: error.detail };
    let normal = path::normalize(sent, &mut scratch).map_err(malformed)?;
    if normal.hidden_at.is_some_and(|hidden_at| is_decisive(question.plan, hidden_at)) {
        let detail = "hidden separator in a segment that decides";
        return Err(Failed { failure: Failure::RequestPath, detail });
    }
    let differs = normal.path != sent && !sent.is_empty();
    Ok(differs.then(|| normal.path.to_vec()))
}

/// Whether a rule looks at the path from this byte on.
fn is_decisive(plan: &ListenerPlan, hidden_at: usize) -> bool {
    plan.rules.iter().any(|rule| match &rule.path {
        PathPattern::Any => false,
        PathPattern::Prefix(prefix) => prefix.len() > hidden_at,
        PathPattern::Exact(_) | PathPattern::Regex(_) => true,
    })
}

pub(super) fn view<'a>(question: &Question<'a>, path: &'a [u8]) -> View<'a> {
    let source = question.source.is_known.then_some(question.source.address);
    View { request: question.request, path, source }
}

/// What the rule table reads of a request.
pub(super) struct View<'a> {
    request: RequestText<'a>,
    path: &'a [u8],
    source: Option<IpAddr>,
}

impl RequestView for View<'_> {
    fn host(&self) -> &[u8] {
        self.request.host_name()
    }

    fn path(&self) -> &[u8] {
        self.path
    }

    fn method(&self) -> &[u8] {
        self.request.text(self.request.head.method_span())
    }

    fn query(&self) -> Option<&[u8]> {
        self.request.head.query().map(|span| self.request.text(span))
    }

    fn source(&self) -> Option<IpAddr> {
        self.source
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let named = |field: &&Field| token::eq_ignore_case(self.request.text(field.name), name.as_bytes());
        let fields = self.request.head.fields().iter().filter(named);
        fields.map(|field| self.request.text(field.value)).any(each)
    }
}
