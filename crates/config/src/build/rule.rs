//! A listener's rules. Reports rules that can never match.

use std::collections::HashMap;

use model::{Action, Conditions, FieldCondition, FieldEdits, HostPattern, NamedCondition, PathPattern, Rule};

use super::{Build, access, action, address, edits, pattern, persistence, websocket};
use crate::raw::{Table, Value};

pub(super) fn rules(listener: &Table, build: &mut Build<'_, '_>) -> Vec<Rule> {
    let mut first_lines: HashMap<String, usize> = HashMap::new();
    let mut rules = Vec::new();
    for (_, table) in listener.tables("rule") {
        let errors_before = build.report.error_count();
        let rule = rule(table, build);
        // A rule with errors is not compared: it may differ from another only in the wrong part.
        if build.report.error_count() == errors_before {
            let line = build.report.line(table);
            if let Some(first) = first_lines.get(&rule.identity()) {
                let problem = build.report.error(table, "this rule has no effect: it can never match");
                let why = "has the same host, path and conditions and comes first";
                problem.hint(format!("the rule in line {first} {why}"));
            }
            first_lines.entry(rule.identity()).or_insert(line);
            if rule_matches_all(&rule) {
                build.ineffective(
                    listener,
                    "forward",
                    &format!("the rule in line {line} matches every request"),
                );
            }
        }
        rules.push(rule);
    }
    rules
}

fn rule(table: &Table, build: &mut Build<'_, '_>) -> Rule {
    let path = pattern::path(table.value("path"), build.report);
    let action = action::action(table, build);
    let forwards = table.has("forward");
    if !forwards && (table.has("redirect") || table.has("respond")) {
        for name in ["rewrite", "request_headers", "websocket", "persistence"] {
            build.ineffective(table, name, "it is only for rules with `forward`");
        }
    }
    let is_below = matches!(&path, PathPattern::Prefix(prefix) if prefix.len() > 1 && prefix.ends_with('/'));
    if !is_below {
        build.ineffective(
            table,
            "trailing_slash",
            "it is only for a `path` that is a prefix with a `/` at its end, such as `/abc/`",
        );
    }
    if let (true, Some(edits)) =
        (table.has("redirect") || table.has("trailing_slash"), table.table("response_headers"))
    {
        edits::refuse_location(edits, build.report);
    }
    Rule {
        host: host(table, build),
        conditions: conditions(table, build),
        access: access::list(table, build),
        action: action.unwrap_or(Action::Forward(Vec::new())),
        rewrite: table.value("rewrite").and_then(|value| pattern::rewrite(value, &path, build.report)),
        adds_slash: is_below && table.has("trailing_slash"),
        path,
        request_fields: edits_of(table, "request_headers", edits::Side::Request, build),
        response_fields: edits_of(table, "response_headers", edits::Side::Response, build),
        websocket: table
            .table("websocket")
            .map(|table| websocket::websocket(table, build))
            .unwrap_or_default(),
        persistence: persistence::persistence(table, build),
    }
}

fn edits_of(table: &Table, name: &str, side: edits::Side, build: &mut Build<'_, '_>) -> FieldEdits {
    table.table(name).map(|table| edits::edits(table, side, build.report)).unwrap_or_default()
}

fn conditions(table: &Table, build: &mut Build<'_, '_>) -> Conditions {
    Conditions {
        methods: table.list("method").iter().filter_map(|value| method(value, build)).collect(),
        headers: headers(table, build),
        queries: named(table, "query", build),
        cookies: named(table, "cookie", build),
        sources: address::ranges(table.list("source"), build.report),
        protocols: table.list("alpn").iter().filter_map(|value| protocol(value, build)).collect(),
    }
}

/// The host of a request, or the name that a TLS client asks for. Which of the two has an effect is checked elsewhere.
fn host(table: &Table, build: &mut Build<'_, '_>) -> HostPattern {
    let Some(value) = table.value("sni") else {
        return pattern::host(table.value("host"), build.report);
    };
    let text = value.text().unwrap_or_default();
    if text.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
        let problem = build.report.error(value, format!("no client asks for the name `{text}`"));
        problem.hint("a client that connects to an address sends no name (RFC 6066 §3)");
    }
    pattern::host(Some(value), build.report)
}

/// A name of ALPN (RFC 7301 §3.1).
fn protocol(value: &Value, build: &mut Build<'_, '_>) -> Option<String> {
    let text = value.text()?;
    if !(1..=255).contains(&text.len()) {
        build.report.error(value, "a protocol has 1–255 bytes").hint("for example `h2` or `postgresql`");
    }
    Some(text.to_owned())
}

/// Reads a method, which is a case-sensitive token (RFC 9110 §9.1).
fn method(value: &Value, build: &mut Build<'_, '_>) -> Option<String> {
    let text = value.text()?;
    let upper = text.to_ascii_uppercase();
    if !pattern::is_token(text) {
        build.report.error(value, format!("`{}` is not a method", text.escape_debug()));
    } else if text != upper {
        let problem = build.report.error(value, format!("no client sends the method `{text}`"));
        problem.hint(format!("methods are in upper case: `\"{upper}\"`"));
    }
    Some(text.to_owned())
}

fn headers(table: &Table, build: &mut Build<'_, '_>) -> Vec<FieldCondition> {
    let mut found = Vec::new();
    for entry in table.table("header").map_or(&[][..], |table| &table.entries) {
        edits::check_name(&entry.name, entry, build.report);
        if let Some(value) = pattern::value(&entry.value, build.report) {
            found.push(FieldCondition { name: entry.name.to_ascii_lowercase(), value });
        }
    }
    found
}

fn named(table: &Table, kind: &str, build: &mut Build<'_, '_>) -> Vec<NamedCondition> {
    let mut found = Vec::new();
    for entry in table.table(kind).map_or(&[][..], |table| &table.entries) {
        if entry.name.is_empty() {
            build.report.error(entry, "the name is empty");
        }
        if let Some(value) = pattern::value(&entry.value, build.report) {
            found.push(NamedCondition { name: entry.name.clone(), value });
        }
    }
    found
}

fn rule_matches_all(rule: &Rule) -> bool {
    matches!(rule.host, model::HostPattern::Any)
        && matches!(rule.path, model::PathPattern::Any)
        && rule.conditions.count() == 0
}
