//! Sessions as text.

use super::table::{span, table};
use crate::sessions::{FindingView, SessionView};

/// A line for each session.
pub fn session_table(sessions: &[SessionView]) -> String {
    let row = |session: &SessionView| {
        vec![
            session.scope.clone(),
            session.key.clone(),
            session.target.clone().unwrap_or_else(|| "(removed)".to_owned()),
            session.store.clone(),
            session.last_used.clone(),
            span(session.remaining_ms.div_ceil(1_000)),
            session.requests_in_flight.to_string(),
            if session.shared { "yes" } else { "no" }.to_owned(),
        ]
    };
    let head = ["SCOPE", "KEY", "TARGET", "STORE", "LAST USED", "ENDS IN", "IN FLIGHT", "SHARED"];
    table(&head, &sessions.iter().map(row).collect::<Vec<_>>())
}

/// What each scope says, and why.
pub fn session_findings(findings: &[FindingView]) -> String {
    findings.iter().map(finding_text).collect()
}

fn finding_text(finding: &FindingView) -> String {
    let target = finding.target.as_ref().map(|target| format!(" -> {target}")).unwrap_or_default();
    let mut text =
        format!("{} ({}): {}{target}\n  {}\n", finding.scope, finding.by, finding.verdict, finding.why);
    if let Some(expires) = &finding.expires {
        text += &format!("  the cookie expires at {expires}\n");
    }
    if let Some(session) = &finding.session {
        let SessionView { key, store, created, last_used, requests_in_flight, .. } = session;
        text += &format!(
            "  key {key}, store {store}, created {created}, last used {last_used}, {requests_in_flight} in flight, ends in {}\n",
            span(session.remaining_ms.div_ceil(1_000))
        );
    }
    text
}
