//! Decides about a TCP connection: whether its client may come in, and which rule it goes by. The steps are those of a
//! request, but for what only a message has.

use std::net::IpAddr;

use balance::{Match, Mismatch, RequestView, RuleTable, mismatch};
use model::{Failure, HostPattern};
use proto::client_hello::ClientHello;

use super::caller::Caller;
use super::{access, authorize};
use crate::arrival::{Arrival, Source};
use crate::failed::Failed;
use crate::snapshot::{ListenerPlan, RulePlan};
use crate::stream::TlsFacts;

/// A connection at a listener whose service is TCP.
#[derive(Clone, Copy)]
pub(crate) struct TcpQuestion<'a> {
    pub(crate) plan: &'a ListenerPlan,
    /// The worker's own clone of the plan's table.
    pub(crate) table: &'a RuleTable,
    pub(crate) arrival: &'a Arrival,
    /// The ClientHello of a connection that is passed on with its TLS, where rules ask for it.
    pub(crate) hello: Option<&'a ClientHello>,
    pub(crate) source: Source,
    /// Entries of access lists expire by it.
    pub(crate) unix_seconds: u64,
}

/// What a decision about a connection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpDecision {
    /// The rule that matched, as its index in the plan; also where it refused the connection.
    pub(crate) rule: Option<usize>,
    /// The rule by which it is forwarded.
    pub(crate) verdict: Result<usize, Failed>,
}

pub(crate) fn decide_tcp(question: &TcpQuestion<'_>) -> TcpDecision {
    let mut rule = None;
    let verdict = judge(question, &mut rule);
    TcpDecision { rule, verdict }
}

/// A rule that refuses is left in `found`.
fn judge(question: &TcpQuestion<'_>, found: &mut Option<usize>) -> Result<usize, Failed> {
    let TcpQuestion { plan, table, arrival, source, unix_seconds, .. } = *question;
    let caller = Caller { plan, source, unix_seconds };
    let authorized = authorize::authorize_connection(plan, &arrival.security)?;
    access::screen(caller, authorized)?;
    let view = View::of(question);
    let rule = find(plan, table, &view).ok_or_else(|| why_not(plan, &view))?;
    *found = Some(rule);
    access::permit(caller, rule)?;
    Ok(rule)
}

fn find(plan: &ListenerPlan, table: &RuleTable, view: &View<'_>) -> Option<usize> {
    let default = plan.has_default.then(|| plan.rules.len() - 1);
    table.find(view).or(default)
}

/// What is missing in a connection that no rule matches: its name, or its protocols, if that is all.
fn why_not(plan: &ListenerPlan, view: &View<'_>) -> Failed {
    if !view.tls.is_tls {
        return Failure::NoRule.into();
    }
    let mut misses = plan.rules.iter().map(|rule| {
        let RulePlan { host, path, adds_slash, conditions, .. } = rule;
        (host, mismatch(Match { host, path, adds_slash: *adds_slash, conditions }, view))
    });
    if misses.clone().any(|(_, miss)| miss == Some(Mismatch::Protocol)) {
        Failure::TlsNoProtocol.into()
    } else if misses.all(|(host, miss)| miss == Some(Mismatch::Host) || *host == HostPattern::Any)
        && plan.rules.iter().any(|rule| rule.host != HostPattern::Any)
    {
        Failure::TlsUnrecognizedName.into()
    } else {
        Failure::NoRule.into()
    }
}

/// What is agreed on by ALPN in a handshake that ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreement<'a> {
    /// This protocol, for which there is a rule.
    Protocol(&'a str),
    /// None: the rules do not ask for protocols, or one that does not matches.
    Nothing,
    /// None of the client's, and no rule matches without one: the handshake fails.
    Refused,
}

/// Chooses the protocol for a connection whose TLS ends here: the first in the rules which the client offers, and with which
/// a rule that asks for it matches. What the bytes mean is known to the target only, so no other protocol is agreed on.
pub(crate) fn agree<'a>(
    plan: &'a ListenerPlan,
    table: &RuleTable,
    hello: &ClientHello,
    has_name: bool,
    source: Source,
) -> Agreement<'a> {
    let mut wanted = plan.rules.iter().flat_map(|rule| &rule.conditions.protocols).peekable();
    if wanted.peek().is_none() || hello.protocols().next().is_none() {
        return Agreement::Nothing;
    }
    let name = hello.server_name.as_deref().filter(|_| has_name);
    let found = |protocol: Option<&[u8]>| {
        let tls = TlsView { is_tls: true, name, protocol, hello: None };
        find(plan, table, &View { source, tls })
    };
    let is_agreed = |protocol: &&String| {
        let is_for = |rule: usize| plan.rules[rule].conditions.protocols.contains(protocol);
        hello.protocols().any(|offered| offered == protocol.as_bytes())
            && found(Some(protocol.as_bytes())).is_some_and(is_for)
    };
    match wanted.find(is_agreed) {
        Some(protocol) => Agreement::Protocol(protocol),
        None if found(None).is_some() => Agreement::Nothing,
        None => Agreement::Refused,
    }
}

/// What the rule table reads of a connection.
struct View<'a> {
    source: Source,
    tls: TlsView<'a>,
}

/// What is known of a connection's TLS.
#[derive(Clone, Copy, Default)]
struct TlsView<'a> {
    is_tls: bool,
    name: Option<&'a str>,
    /// The protocol that was agreed on, if TLS ends here.
    protocol: Option<&'a [u8]>,
    /// What the client offers, if its TLS is passed on.
    hello: Option<&'a ClientHello>,
}

impl<'a> TlsView<'a> {
    fn offered(hello: &'a ClientHello) -> Self {
        Self { is_tls: true, name: hello.server_name.as_deref(), protocol: None, hello: Some(hello) }
    }

    fn ended(facts: &'a TlsFacts) -> Self {
        let (name, protocol) = (facts.server_name.as_deref(), facts.protocol.as_deref());
        Self { is_tls: true, name, protocol, hello: None }
    }
}

impl<'a> View<'a> {
    fn of(question: &TcpQuestion<'a>) -> Self {
        let tls = match (question.arrival.security.tls_facts(), question.hello) {
            (Some(facts), _) => TlsView::ended(facts),
            (None, Some(hello)) => TlsView::offered(hello),
            (None, None) => TlsView::default(),
        };
        Self { source: question.source, tls }
    }
}

impl RequestView for View<'_> {
    fn host(&self) -> &[u8] {
        self.tls.name.unwrap_or_default().as_bytes()
    }

    fn has_host(&self) -> bool {
        self.tls.name.is_some()
    }

    fn path(&self) -> &[u8] {
        b"/"
    }

    fn method(&self) -> &[u8] {
        b""
    }

    fn query(&self) -> Option<&[u8]> {
        None
    }

    fn source(&self) -> Option<IpAddr> {
        self.source.is_known.then_some(self.source.address)
    }

    fn header_values(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }

    fn protocols(&self, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        match (self.tls.protocol, self.tls.hello) {
            (Some(protocol), _) => each(protocol),
            (None, Some(hello)) => hello.protocols().any(each),
            (None, None) => false,
        }
    }
}
