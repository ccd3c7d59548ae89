//! Finds the rule of a request (HTTP1).

use std::net::IpAddr;

use balance::RequestView;
use model::{Failure, PathPattern};
use net::Sys;
use proto::http1::{RequestHead, path, token};

use super::Failed;
use super::request::Request;
use super::screen::Screened;
use crate::snapshot::ListenerPlan;

/// The place of the rule in the listener's plan; the last one may be the default action.
pub(super) fn route<S: Sys>(request: &mut Request<S>, _screened: Screened) -> Result<usize, Failed> {
    normalize(request)?;
    let listener = &request.listener;
    let view = View {
        head: request.head(),
        bytes: request.bytes.bytes(),
        path: request.path(),
        source: request.is_source_known.then_some(request.source),
    };
    let default = listener.plan.has_default.then(|| listener.plan.rules.len() - 1);
    let rule = listener.table.find(&view).or(default).ok_or(Failure::NoRule)?;
    request.rule = Some(rule);
    Ok(rule)
}

/// Brings the path into the form that rules match, and refuses one that hides a separator where a rule of this
/// listener could look: the target might decode it to a path that another rule was made for.
fn normalize<S: Sys>(request: &mut Request<S>) -> Result<(), Failed> {
    let mut scratch = Vec::new();
    let sent = request.text(request.head().path());
    let malformed = |error: path::PathError| Failed { failure: Failure::RequestPath, detail: error.detail };
    let normal = path::normalize(sent, &mut scratch).map_err(malformed)?;
    if normal.hidden_at.is_some_and(|hidden_at| looks_beyond(&request.listener.plan, hidden_at)) {
        return Err(Failed {
            failure: Failure::RequestPath,
            detail: "hidden separator in a segment that decides",
        });
    }
    let differs = normal.path != sent && !sent.is_empty();
    if differs {
        request.normal_path = Some(normal.path.to_vec());
    }
    Ok(())
}

fn looks_beyond(plan: &ListenerPlan, hidden_at: usize) -> bool {
    plan.rules.iter().any(|rule| match &rule.path {
        PathPattern::Any => false,
        PathPattern::Prefix(prefix) => prefix.len() > hidden_at,
        PathPattern::Exact(_) | PathPattern::Regex(_) => true,
    })
}

/// What the rule table reads of a request.
struct View<'a> {
    head: &'a RequestHead,
    bytes: &'a [u8],
    path: &'a [u8],
    source: Option<IpAddr>,
}

impl RequestView for View<'_> {
    fn host(&self) -> &[u8] {
        let name = self.head.host_name().map_or(&[][..], |span| span.of(self.bytes));
        name.strip_suffix(b".").unwrap_or(name)
    }

    fn path(&self) -> &[u8] {
        self.path
    }

    fn method(&self) -> &[u8] {
        self.head.method_span().of(self.bytes)
    }

    fn query(&self) -> Option<&[u8]> {
        self.head.query().map(|span| span.of(self.bytes))
    }

    fn source(&self) -> Option<IpAddr> {
        self.source
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let named =
            |field: &&proto::http1::Field| token::eq_ignore_case(field.name.of(self.bytes), name.as_bytes());
        self.head.fields().iter().filter(named).any(|field| each(field.value.of(self.bytes)))
    }
}
