//! Decides about a TCP connection: whether its client may come in, and which rule it goes by. The steps are those of a
//! request, but for what only a message has.

use std::net::IpAddr;

use balance::{RequestView, RuleTable};
use model::Failure;

use super::caller::Caller;
use super::{access, authorize};
use crate::arrival::{Arrival, Source};
use crate::failed::Failed;
use crate::snapshot::ListenerPlan;

/// A connection at a listener whose service is TCP.
#[derive(Clone, Copy)]
pub(crate) struct TcpQuestion<'a> {
    pub(crate) plan: &'a ListenerPlan,
    /// The worker's own clone of the plan's table.
    pub(crate) table: &'a RuleTable,
    pub(crate) arrival: &'a Arrival,
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
    let TcpQuestion { plan, table, arrival, source, unix_seconds } = *question;
    let caller = Caller { plan, source, unix_seconds };
    let authorized = authorize::authorize_connection(plan, &arrival.security)?;
    access::screen(caller, authorized)?;
    let default = plan.has_default.then(|| plan.rules.len() - 1);
    let rule = table.find(&View(question)).or(default).ok_or(Failure::NoRule)?;
    *found = Some(rule);
    access::permit(caller, rule)?;
    Ok(rule)
}

/// What the rule table reads of a connection.
struct View<'a>(&'a TcpQuestion<'a>);

impl RequestView for View<'_> {
    fn host(&self) -> &[u8] {
        b""
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
        let source = self.0.source;
        source.is_known.then_some(source.address)
    }

    fn header_values(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}
