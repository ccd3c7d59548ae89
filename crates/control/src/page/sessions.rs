//! Sessions, their stores and their gateways as text.

use super::table::{span, table};
use crate::sessions::{FindingView, SessionView};
use crate::view::{SessionGatewayView, SessionStoreView};

/// The session stores, if there are any.
pub(super) fn store_table(stores: &[SessionStoreView]) -> String {
    let row = |store: &SessionStoreView| {
        let is_fine = store.state == "serves";
        let error = store.last_error.as_ref().map(|error| match store.last_error_seconds_ago {
            Some(seconds) => format!("{} ago: {error}", span(seconds)),
            None => error.clone(),
        });
        vec![
            store.name.clone(),
            store.kind.clone(),
            if is_fine { store.state.clone() } else { store.state.to_uppercase() },
            store.sessions.to_string(),
            store.calls.to_string(),
            store.hits.to_string(),
            store.misses.to_string(),
            store.errors.to_string(),
            error.unwrap_or_default(),
        ]
    };
    let head =
        ["SESSION STORE", "TYPE", "STATE", "SESSIONS", "CALLS", "HITS", "MISSES", "ERRORS", "LAST ERROR"];
    optional(&head, &stores.iter().map(row).collect::<Vec<_>>())
}

/// The session gateways, if there are any.
pub(super) fn gateway_table(gateways: &[SessionGatewayView]) -> String {
    let row = |gateway: &SessionGatewayView| {
        let trouble = gateway.trouble.as_ref().map(|trouble| format!("NOT BOUND: {trouble}"));
        vec![
            gateway.name.clone(),
            gateway.address.clone().unwrap_or_else(|| gateway.bind.clone()),
            gateway.store.clone(),
            format!("{} of {}", gateway.connections_open, gateway.connections_max),
            gateway.commands.to_string(),
            gateway.errors.to_string(),
            trouble.unwrap_or_default(),
        ]
    };
    let head = ["SESSION GATEWAY", "ADDRESS", "STORE", "CONNECTIONS", "COMMANDS", "ERRORS", ""];
    optional(&head, &gateways.iter().map(row).collect::<Vec<_>>())
}

fn optional(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() { String::new() } else { format!("\n{}", table(head, rows)) }
}

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
