//! Edits of header fields, and which fields nobody may edit.

use model::FieldEdits;

use super::pattern::is_token;
use crate::raw::{Entry, Table, Value};
use crate::report::{Locate, Report};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

pub(super) fn edits(table: &Table, side: Side, report: &mut Report<'_>) -> FieldEdits {
    let mut removed: Vec<String> = Vec::new();
    let set = added(table, "set", side, report);
    for entry in table.table("set").map_or(&[][..], |table| &table.entries) {
        once(&mut removed, &entry.name, entry, report);
    }
    let add = added(table, "add", side, report);
    let mut remove = Vec::new();
    for value in table.list("remove") {
        let Some(name) = value.text() else { continue };
        check_name(name, value, report);
        check_editable(name, side, "remove", value, report);
        once(&mut removed, name, value, report);
        remove.push(name.to_owned());
    }
    FieldEdits { set, add, remove }
}

/// A field name (RFC 9110 §5.1).
pub(super) fn check_name(name: &str, at: &dyn Locate, report: &mut Report<'_>) {
    if !is_token(name) {
        report.error(at, format!("`{}` is not the name of a header", name.escape_debug()));
    }
}

/// On a rule that redirects, the redirect itself says where to.
pub(super) fn refuse_location(table: &Table, report: &mut Report<'_>) {
    let mut refuse = |name: &str, at: &dyn Locate| {
        if name.eq_ignore_ascii_case("location") {
            let problem = report.error(at, "`Location` cannot be edited where the rule redirects");
            problem.hint("where to is said by `redirect`, or by `path` with `trailing_slash`");
        }
    };
    for how in ["set", "add"] {
        table.table(how).into_iter().flat_map(|table| &table.entries).for_each(|e| refuse(&e.name, &e.span));
    }
    for value in table.list("remove") {
        value.text().into_iter().for_each(|name| refuse(name, value));
    }
}

fn added(table: &Table, how: &str, side: Side, report: &mut Report<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for Entry { name, span, value } in table.table(how).map_or(&[][..], |table| &table.entries) {
        check_name(name, span, report);
        check_editable(name, side, how, span, report);
        if let Some(text) = check_value(value, report) {
            found.push((name.clone(), text.to_owned()));
        }
    }
    found
}

/// RFC 9110 §5.5: no control characters but tabs within, and no space around.
fn check_value<'v>(value: &'v Value, report: &mut Report<'_>) -> Option<&'v str> {
    let text = value.text()?;
    if let Some(c) = text.chars().find(|c| c.is_control() && *c != '\t') {
        let problem =
            report.error(value, format!("a header's value cannot have `{}` in it", c.escape_debug()));
        problem.hint("a line end in it would begin another header");
    } else if text.trim() != text {
        report.error(value, "a header's value has no space around it");
    }
    Some(text)
}

/// `set` and `remove` both take every field of a name away: a second one of them says nothing or the contrary.
fn once(removed: &mut Vec<String>, name: &str, at: &dyn Locate, report: &mut Report<'_>) {
    let lower = name.to_ascii_lowercase();
    if removed.contains(&lower) {
        let problem = report.error(at, format!("`{}` is set or removed already", name.escape_debug()));
        problem.hint("names of headers are equal whatever their case; `set` removes the old ones by itself");
    }
    removed.push(lower);
}

/// Whether a field is the connection's or ours; in lower case, with `-` for `_`.
pub(super) fn is_reserved(name: &str) -> bool {
    CONNECTION_FIELDS.contains(&name) || OUR_FIELDS.contains(&name)
}

/// With `_` for `-` it is the same field for some targets, and on requests for the edits, too.
fn check_editable(name: &str, side: Side, how: &str, at: &dyn Locate, report: &mut Report<'_>) {
    let lower = name.to_ascii_lowercase().replace('_', "-");
    let shown = name.escape_debug();
    if CONNECTION_FIELDS.contains(&lower.as_str()) {
        let problem = report.error(at, format!("`{shown}` cannot be edited"));
        problem.hint("it frames the message or belongs to one connection");
    } else if OUR_FIELDS.contains(&lower.as_str()) {
        let problem = report.error(at, format!("`{shown}` cannot be edited"));
        problem.hint("Evenkeel makes it itself: see `x_forwarded`, `forwarded` and `trusted_proxies`");
    } else if lower == "host" && (side, how) != (Side::Request, "set") {
        let problem = report.error(at, "`Host` can only be set, and only on requests");
        problem.hint("`request_headers = { set = { Host = \"app.internal\" } }`");
    }
}

/// RFC 9110 §7.6.1, RFC 9112 §6.
const CONNECTION_FIELDS: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const OUR_FIELDS: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];
