//! What an address, a cookie or a key maps to, and why. No answer repeats a cookie.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use balance::session::{Row, SessionKey, TargetId};
use model::Algorithm;
use observe::CookieRefusal;
use proxy::{OpenedCookie, SessionMark, SessionScope};
use tokio::task::yield_now;

use super::directory::{Directory, Named, bits};
use super::list::Place;
use super::{FindingView, SLICE, ShowView, Unanswered, find};
use crate::control::rfc3339;

/// A session that a text may name.
pub(super) struct Candidate<'d> {
    pub(super) scope: &'d SessionScope,
    pub(super) key: SessionKey,
}

impl Directory {
    pub(crate) async fn show(&self, text: &str) -> Result<ShowView, Unanswered> {
        let mut findings = Vec::new();
        for candidate in self.candidates(text).await? {
            findings.push(self.look(&candidate).await);
        }
        if let Named::Cookie(text) | Named::Digits(_, text) = Named::parse(text) {
            let (scopes, value) = self.of_cookie(text);
            findings.extend(scopes.into_iter().filter_map(|scope| self.open(scope, value)));
        }
        match findings.is_empty() {
            true => Err(self.nothing(text)),
            false => Ok(ShowView { findings }),
        }
    }

    /// Sessions of tables that a text may name; those of a cookie may not exist.
    pub(super) async fn candidates(&self, text: &str) -> Result<Vec<Candidate<'_>>, Unanswered> {
        let of_source = |address: IpAddr, only: Option<u8>| {
            let scopes = self.scopes.iter().filter(move |scope| match scope.mark() {
                SessionMark::Source(prefix) => only.is_none_or(|only| bits(prefix, address) == only),
                _ => false,
            });
            let keyed = scopes.map(|scope| (scope, scope.key_of_address(address)));
            keyed.filter_map(|(scope, key)| Some(Candidate { scope, key: key? })).collect::<Vec<_>>()
        };
        let of_value = |text| {
            let (scopes, value) = self.of_cookie(text);
            let keyed = scopes.into_iter().map(|scope| (scope, scope.key_of_cookie(value)));
            keyed.filter_map(|(scope, key)| Some(Candidate { scope, key: key? })).collect::<Vec<_>>()
        };
        match Named::parse(text) {
            Named::Address(address) => Ok(of_source(address, None)),
            Named::Prefix(address, bits) => Ok(of_source(address, Some(bits))),
            Named::Digits(half, text) => match self.learned(half).await {
                found if found.is_empty() => Ok(of_value(text)),
                found => Ok(found),
            },
            Named::Cookie("") => Err(Unanswered::Invalid("an empty text names no session".to_owned())),
            Named::Cookie(text) => Ok(of_value(text)),
        }
    }

    /// The scopes of cookies that the text may be of, and its value. The text is a value, or `NAME=VALUE` if a scope has that
    /// name; or a whole `Cookie` line, with or without the field's name, of which the first such pair counts.
    pub(super) fn of_cookie<'t>(&self, text: &'t str) -> (Vec<&SessionScope>, &'t [u8]) {
        let cookie_name = |scope: &SessionScope| match scope.mark() {
            SessionMark::Inserted(name) | SessionMark::Rewritten(name) | SessionMark::Learned(name) => {
                Some(name.to_owned())
            }
            SessionMark::Source(_) => None,
        };
        let with_name = |wanted: Option<&str>| {
            let scopes = self.scopes.iter().filter(|scope| match (cookie_name(scope), wanted) {
                (Some(name), Some(wanted)) => name == wanted,
                (name, None) => name.is_some(),
                (None, _) => false,
            });
            scopes.collect::<Vec<_>>()
        };
        let line = match text.split_once(':') {
            Some((field, line)) if field.trim().eq_ignore_ascii_case("cookie") => line,
            _ => text,
        };
        for (name, value) in line.split(';').filter_map(|pair| pair.trim().split_once('=')) {
            let scopes = with_name(Some(name));
            if !scopes.is_empty() {
                return (scopes, value.as_bytes());
            }
        }
        (with_name(None), text.as_bytes())
    }

    /// Sessions of learned cookies whose hash begins so.
    async fn learned(&self, half: u64) -> Vec<Candidate<'_>> {
        let (mut found, mut place) = (Vec::new(), Place::default());
        while let Some((_, table)) = self.tables.get(place.table) {
            let rows = table.rows(place.shard, place.cursor, SLICE, net::monotonic_millis());
            for row in rows.rows.iter().filter(|row| (row.key.client >> 64) as u64 == half) {
                let scope = self.scope(row.key.scope);
                if let Some(scope) = scope.filter(|scope| matches!(scope.mark(), SessionMark::Learned(_))) {
                    found.push(Candidate { scope, key: row.key });
                }
            }
            place.advance(rows.next, table.shards());
            yield_now().await;
        }
        found
    }

    async fn look(&self, Candidate { scope, key }: &Candidate<'_>) -> FindingView {
        let finding = |verdict: &str, target, why| self.finding(scope, verdict, target, why);
        let Some(table) = scope.table() else { return FindingView::default() };
        let now_millis = net::monotonic_millis();
        if let Some(row) = table.peek(*key, now_millis) {
            let why = self.why_here(scope, &row);
            let session = self.view(&row, (self.store_of(scope), table), now_millis);
            return FindingView { session, ..finding("here", Some(row.target), why) };
        }
        let new = format!("this process has no session: {}", self.new_ones(scope));
        let Some(link) = table.link() else { return finding("none", None, new) };
        match find(&link, (key.scope, key.client)).await {
            Ok(Some(target)) => {
                let why = "the store has the session, and this process has not served it yet";
                finding("in_store", Some(TargetId(target)), self.with_state(TargetId(target), why))
            }
            Ok(None) => finding(
                "none",
                None,
                format!("neither this process nor the store has a session: {}", self.new_ones(scope)),
            ),
            Err(reason) => {
                finding("store_failed", None, format!("the store did not answer ({reason}); {new}"))
            }
        }
    }

    fn open(&self, scope: &SessionScope, value: &[u8]) -> Option<FindingView> {
        let finding = |verdict: &str, target, why: String| self.finding(scope, verdict, target, why);
        Some(match scope.open_cookie(value, self.unix_seconds())? {
            Ok(OpenedCookie { target, expires }) => {
                let place = self.targets.get(&target);
                let is_known = place.is_some_and(|(group, _)| scope.groups.contains(group));
                let expires =
                    expires.map(|at| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(at.into())));
                let found = match is_known {
                    true => finding(
                        "valid",
                        Some(target),
                        self.with_state(target, "the cookie names this target"),
                    ),
                    false => finding(
                        CookieRefusal::UnknownTarget.as_str(),
                        None,
                        format!(
                            "it is ours, but names a target that this scope does not have: {}",
                            self.new_ones(scope)
                        ),
                    ),
                };
                FindingView { expires, ..found }
            }
            Err(refusal) => {
                let why = format!("{}: {}", refusal_text(refusal), self.new_ones(scope));
                finding(refusal.as_str(), None, why)
            }
        })
    }

    fn finding(
        &self,
        scope: &SessionScope,
        verdict: &str,
        target: Option<TargetId>,
        why: String,
    ) -> FindingView {
        let by = match scope.mark() {
            SessionMark::Inserted(_) => "cookie_insert",
            SessionMark::Rewritten(_) => "cookie_rewrite",
            SessionMark::Learned(_) => "cookie_learn",
            SessionMark::Source(_) => "source_ip",
        };
        let target = target.and_then(|target| self.targets.get(&target));
        FindingView {
            scope: scope.name.clone(),
            by: by.to_owned(),
            verdict: verdict.to_owned(),
            target: target.map(|(_, address)| address.to_string()),
            why,
            ..FindingView::default()
        }
    }

    fn why_here(&self, scope: &SessionScope, row: &Row) -> String {
        let what = match scope.mark() {
            SessionMark::Source(_) => "requests from these addresses go there",
            _ => "requests with this cookie go there",
        };
        self.with_state(row.target, what)
    }

    /// Adds what is special about a target.
    fn with_state(&self, target: TargetId, what: &str) -> String {
        let Some((group, address)) = self.targets.get(&target) else {
            return format!(
                "{what}, but the configuration does not name the target any more: the next request moves the session"
            );
        };
        let plan = self.snapshot.groups.iter().find(|plan| plan.group.name == *group);
        let index = plan.and_then(|plan| plan.group.targets.iter().position(|one| one.address == *address));
        let Some((plan, index)) = plan.zip(index) else { return what.to_owned() };
        if !plan.targets[index].health().takes_traffic() {
            return format!(
                "{what}, but it is {}: the next request moves the session",
                plan.targets[index].health().as_str()
            );
        }
        match plan.group.targets[index].weight {
            0 => format!("{what}; its weight is 0, so it gets no new ones"),
            _ => what.to_owned(),
        }
    }

    /// Where new sessions go, and where they do not.
    fn new_ones(&self, scope: &SessionScope) -> String {
        let (mut algorithms, mut none) = (Vec::new(), Vec::new());
        for plan in self.snapshot.groups.iter().filter(|plan| scope.groups.contains(&plan.group.name)) {
            let name = algorithm_name(&plan.group.algorithm);
            algorithms.push(format!("{name} in {}", plan.group.name));
            for (target, live) in plan.group.targets.iter().zip(&plan.targets) {
                if target.weight == 0 {
                    none.push(format!("{} (weight 0)", target.address));
                } else if !live.health().takes_traffic() {
                    none.push(format!("{} ({})", target.address, live.health().as_str()));
                }
            }
        }
        let where_to = match scope.mark() {
            SessionMark::Learned(_) => "a value that no target has set goes where its hash says".to_owned(),
            _ => format!("a new one would go where the algorithm says ({})", algorithms.join(", ")),
        };
        match none.is_empty() {
            true => where_to,
            false => format!("{where_to}, not to {}", none.join(", ")),
        }
    }

    /// Why a text names nothing.
    pub(super) fn nothing(&self, text: &str) -> Unanswered {
        Unanswered::Unknown(match Named::parse(text) {
            _ if self.scopes.is_empty() => "the configuration has no session persistence".to_owned(),
            Named::Address(_) => "no target group or rule has persistence by source_ip".to_owned(),
            Named::Prefix(_, bits) => {
                format!("no target group or rule has persistence by source_ip with prefixes of {bits} bits")
            }
            Named::Digits(..) | Named::Cookie(_) => {
                "this is no address, and no target group or rule has persistence by cookie".to_owned()
            }
        })
    }
}

fn refusal_text(refusal: CookieRefusal) -> &'static str {
    match refusal {
        CookieRefusal::Malformed => "it does not have the form of a cookie of ours",
        CookieRefusal::Forged => {
            "it was sealed with no key of this scope, for another cookie, or was changed"
        }
        CookieRefusal::Expired => "it has expired",
        CookieRefusal::Several | CookieRefusal::UnknownTarget => "it does not count",
    }
}

fn algorithm_name(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::WeightedRoundRobin => "round robin",
        Algorithm::LeastConnections => "least connections",
        Algorithm::RandomTwo => "random two",
        Algorithm::SourceIpHash => "source IP hash",
        Algorithm::Hash(_) => "hash",
    }
}
