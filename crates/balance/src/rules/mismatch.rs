//! Why a rule does not match a request: the same patterns as the table's, asked one by one. Never on the hot path; the
//! table finds, this explains.

use model::{Conditions, HostPattern, PathPattern};

use super::conditions::{self, Mismatch};
use super::host::{HOST_BYTES_MAX, lower_case};
use super::request_view::RequestView;

/// What of a rule is compared with a request.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    pub host: &'a HostPattern,
    pub path: &'a PathPattern,
    pub adds_slash: bool,
    pub conditions: &'a Conditions,
}

/// Returns why the rule does not match; `None`: it matches, though another may take precedence.
pub fn mismatch<R: RequestView + ?Sized>(rule: Match<'_>, request: &R) -> Option<Mismatch> {
    if !(matches!(rule.host, HostPattern::Any)
        || request.has_host() && host_matches(rule.host, request.host()))
    {
        return Some(Mismatch::Host);
    }
    if !path_matches(rule.path, rule.adds_slash, request.path()) {
        return Some(Mismatch::Path);
    }
    conditions::mismatch(rule.conditions, request)
}

fn host_matches(pattern: &HostPattern, host: &[u8]) -> bool {
    if matches!(pattern, HostPattern::Any) {
        return true;
    }
    let mut scratch = [0; HOST_BYTES_MAX];
    let Some(host) = lower_case(host, &mut scratch) else { return false };
    match pattern {
        HostPattern::Any => true,
        HostPattern::Exact(name) => host == name.as_bytes(),
        HostPattern::LeadingWildcard(suffix) => {
            host.len() > suffix.len() && host.ends_with(suffix.as_bytes())
        }
        HostPattern::TrailingWildcard(prefix) => {
            host.len() > prefix.len() && host.starts_with(prefix.as_bytes())
        }
        HostPattern::Regex(regex) => regex.is_match(host),
    }
}

pub(super) fn path_matches(pattern: &PathPattern, adds_slash: bool, path: &[u8]) -> bool {
    match pattern {
        PathPattern::Any => true,
        PathPattern::Exact(exact) => path == exact.as_bytes(),
        PathPattern::Prefix(prefix) => {
            let is_bare =
                || adds_slash && prefix.strip_suffix('/').is_some_and(|bare| bare.as_bytes() == path);
            let is_at_border =
                |rest: &[u8]| prefix.ends_with('/') || matches!(rest.first(), None | Some(b'/'));
            path.strip_prefix(prefix.as_bytes()).is_some_and(is_at_border) || is_bare()
        }
        PathPattern::Regex(regex) => regex.is_match(path),
    }
}
