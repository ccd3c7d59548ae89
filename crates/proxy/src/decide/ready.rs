//! Replies that a rule gives without a target.

use model::{FixedResponse, PathPattern, Redirect, TemplatePiece};
use proto::http1::Method;

use crate::head::RequestText;
use crate::snapshot::{ActionPlan, RulePlan};

/// A reply that needs no target.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready<'a> {
    Redirect(&'a Redirect),
    Fixed(&'a FixedResponse),
    /// A redirect to this path, the request's with a slash behind it.
    Slash(&'a str),
    /// To an OPTIONS request that may not be forwarded (RFC 9110 §7.6.2).
    Options,
    /// To a TRACE request that may not be forwarded: what arrived, without what may be secret (RFC 9110 §9.3.8).
    Trace,
}

/// The reply of `rule` to this request, with its normalised path; `None`: the rule forwards it.
pub(crate) fn ready<'a>(rule: &'a RulePlan, path: &[u8], request: RequestText<'_>) -> Option<Ready<'a>> {
    if let (true, PathPattern::Prefix(prefix)) = (rule.adds_slash, &rule.path)
        && prefix.strip_suffix('/').is_some_and(|bare| bare.as_bytes() == path)
    {
        return Some(Ready::Slash(prefix));
    }
    match &rule.action {
        ActionPlan::Redirect(redirect) => Some(Ready::Redirect(redirect)),
        ActionPlan::Fixed(fixed) => Some(Ready::Fixed(fixed)),
        ActionPlan::Forward { .. } if request.forwards_left() == Some(0) => {
            Some(if request.head.method() == Method::Trace { Ready::Trace } else { Ready::Options })
        }
        ActionPlan::Forward { .. } => None,
    }
}

impl Ready<'_> {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Redirect(redirect) => redirect.code,
            Self::Fixed(fixed) => fixed.status,
            Self::Slash(_) => 308,
            Self::Options | Self::Trace => 200,
        }
    }

    /// Whether the reply is made from the request's host.
    pub(super) fn needs_host(&self) -> bool {
        matches!(self, Self::Redirect(redirect) if redirect.to.contains(&TemplatePiece::Host))
    }
}
