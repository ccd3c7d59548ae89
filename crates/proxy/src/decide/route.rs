//! Finds the rule of a request (HTTP1).

use std::net::IpAddr;

use balance::RequestView;
use model::{EncodedSlash, Failure};
use proto::http1::path::{self, Doubts, PathError};

use super::access::Screened;
use super::question::Question;
use crate::compose::Passage;
use crate::failed::Failed;
use crate::snapshot::ActionPlan;

/// The path by which rules match.
pub(super) struct NormalPath {
    /// `None`: the path as sent.
    pub(super) path: Option<Vec<u8>>,
    /// What a target may read differently.
    pub(super) doubts: Doubts,
}

/// Brings the path into the form that rules match.
pub(super) fn normalize(question: &Question<'_>) -> Result<NormalPath, Failed> {
    let mut scratch = Vec::new();
    let sent = question.request.text(question.request.head.path());
    let normal = path::normalize(sent, &mut scratch).map_err(malformed)?;
    let differs = normal.path != sent && !sent.is_empty();
    let doubts = normal.doubts;
    if doubts.hides_separator() && question.plan.http.encoded_slash == EncodedSlash::Refuse {
        return Err(Failed { failure: Failure::RequestPath, detail: "hidden separator" });
    }
    Ok(NormalPath { path: differs.then(|| normal.path.to_vec()), doubts })
}

/// Returns the index of the rule in the plan; the last one may be the default action. `path` is normalised.
pub(super) fn route(
    question: &Question<'_>,
    doubts: Doubts,
    path: &[u8],
    _screened: Screened,
) -> Result<usize, Failed> {
    let found = find(question, path);
    if !doubts.is_empty() {
        check_readings(question, doubts, found)?;
    }
    found.ok_or_else(|| Failure::NoRule.into())
}

fn find(question: &Question<'_>, path: &[u8]) -> Option<usize> {
    let plan = question.plan;
    let default = plan.has_default.then(|| plan.rules.len() - 1);
    question.table.find(&view(question, path)).or(default)
}

/// Refuses a path that a target may take for another one, for which another rule was made. A rule that answers by itself
/// is always right: no target reads the path.
fn check_readings(question: &Question<'_>, doubts: Doubts, found: Option<usize>) -> Result<(), Failed> {
    let rules = &question.plan.rules;
    if found.is_some_and(|rule| !matches!(rules[rule].action, ActionPlan::Forward { .. })) {
        return Ok(());
    }
    let sent = question.request.text(question.request.head.path());
    let decides_differently = |path: &[u8]| match (found, find(question, path)) {
        (Some(one), Some(other)) => one != other && !rules[one].has_same_effect(&rules[other]),
        (one, other) => one != other,
    };
    if path::any_other_reading(sent, doubts, decides_differently).map_err(malformed)? {
        let detail = "another rule decides if the target decodes the path";
        return Err(Failed { failure: Failure::RequestPath, detail });
    }
    Ok(())
}

fn malformed(error: PathError) -> Failed {
    Failed { failure: Failure::RequestPath, detail: error.detail }
}

pub(super) fn view<'a>(question: &Question<'a>, path: &'a [u8]) -> View<'a> {
    let Question { plan, arrival, request, source, .. } = *question;
    View { passage: Passage { plan, arrival, source, request }, path }
}

/// What the rule table reads of a request.
pub(super) struct View<'a> {
    passage: Passage<'a>,
    path: &'a [u8],
}

impl RequestView for View<'_> {
    fn host(&self) -> &[u8] {
        self.passage.request.host_name()
    }

    fn path(&self) -> &[u8] {
        self.path
    }

    fn method(&self) -> &[u8] {
        self.passage.request.text(self.passage.request.head.method_span())
    }

    fn query(&self) -> Option<&[u8]> {
        self.passage.request.head.query().map(|span| self.passage.request.text(span))
    }

    fn source(&self) -> Option<IpAddr> {
        let source = self.passage.source;
        source.is_known.then_some(source.address)
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.passage.values(name.as_bytes(), each)
    }
}
