//! The action of a rule or listener: forward, redirect or respond.

use std::sync::Arc;

use model::{Action, FixedResponse, Redirect, TargetGroupName, TemplatePiece, WeightedGroup};

use super::{Build, idiom, template};
use crate::raw::{Data, Table, Value};

/// The single action of a rule.
pub(super) fn action(table: &Table, build: &mut Build<'_, '_>) -> Option<Action> {
    let mut written = table.entries.iter().filter(|entry| ACTIONS.contains(&entry.name.as_str()));
    let Some(first) = written.next() else {
        let problem = build.report.error(table, "this rule has no action");
        problem.hint("it needs one of `forward`, `redirect` and `respond`");
        return None;
    };
    for entry in written {
        let message = format!("a rule has one action, and this rule already has `{}`", first.name);
        build.report.error(entry, message).hint("it needs one of `forward`, `redirect` and `respond`");
    }
    match first.name.as_str() {
        "forward" => forward(&first.value, build),
        "redirect" => redirect(first.value.table()?, build).map(Action::Redirect),
        _ => respond(first.value.table()?, build).map(Action::Fixed),
    }
}

/// A group's name, or names with weights.
pub(super) fn forward(value: &Value, build: &mut Build<'_, '_>) -> Option<Action> {
    let groups = match &value.data {
        Data::Text(name) => {
            build.group_exists(name, value);
            vec![WeightedGroup { group: TargetGroupName::new(name), weight: 1 }]
        }
        Data::Table(table) => weighted(table, build)?,
        _ => return None,
    };
    Some(Action::Forward(groups))
}

fn weighted(table: &Table, build: &mut Build<'_, '_>) -> Option<Vec<WeightedGroup>> {
    let mut groups = Vec::new();
    for entry in &table.entries {
        build.group_exists(&entry.name, entry);
        let weight = entry.value.integer().and_then(|weight| u32::try_from(weight).ok());
        // A wrong weight was reported; 1 in its place avoids a second error about weights of 0.
        groups.push(WeightedGroup { group: TargetGroupName::new(&entry.name), weight: weight.unwrap_or(1) });
    }
    if groups.iter().all(|group| group.weight == 0) {
        build.report.error(table, "every weight is 0").hint("at least one weight must be above 0");
        return None;
    }
    Some(groups)
}

fn redirect(table: &Table, build: &mut Build<'_, '_>) -> Option<Redirect> {
    let code = table.integer("code").unwrap_or(302);
    if ![301, 302, 303, 307, 308].contains(&code)
        && let Some(value) = table.value("code")
    {
        build
            .report
            .error(value, format!("{code} is not a redirect status"))
            .hint("301, 302, 303, 307 or 308");
    }
    let (to, scheme) = (table.value("to"), table.entry("scheme"));
    if to.is_some() {
        build.ineffective(table, "port", "it is only for `scheme`; write the port in `to`");
    }
    let to = match (to, scheme) {
        (Some(_), Some(scheme)) => {
            let problem = build.report.error(scheme, "a redirect has `to` or `scheme`, not both");
            problem.hint("`scheme` keeps host, path and query; `to` is the whole address");
            return None;
        }
        (Some(value), None) => match template::parse(value.text()?) {
            Ok(pieces) => {
                idiom::warn(value, idiom::ADDRESS, build.report);
                pieces
            }
            Err(wrong) => {
                build.report.error(value, wrong.message).hint(wrong.hint);
                return None;
            }
        },
        (None, Some(scheme)) => scheme_template(scheme.value.text()?, table),
        (None, None) => {
            let problem = build.report.error(table, "this redirect has no destination");
            problem.hint("it needs one of `to` and `scheme`, such as `scheme = \"https\"`");
            return None;
        }
    };
    Some(Redirect { to, code })
}

fn scheme_template(scheme: &str, table: &Table) -> Vec<TemplatePiece> {
    let default = if scheme == "https" { 443 } else { 80 };
    let port = match table.integer::<u16>("port") {
        Some(port) if port != default => Some(TemplatePiece::Text(format!(":{port}"))),
        None if table.text("port") == Some("keep") => Some(TemplatePiece::Port),
        _ => None,
    };
    template::of_scheme(scheme, port)
}

fn respond(table: &Table, build: &mut Build<'_, '_>) -> Option<FixedResponse> {
    let status: u16 = table.integer("status")?;
    if matches!(status, 204 | 304) {
        for name in ["body", "content_type"] {
            build.ineffective(table, name, &format!("a response with status {status} has no body"));
        }
    }
    let body = table.text("body").unwrap_or("");
    if let Some(value) = table.value("body").filter(|_| body.len() > BODY_BYTES_MAX) {
        build.report.error(value, format!("`body` is longer than {BODY_BYTES_MAX} bytes"));
    }
    let content_type = table.text("content_type").unwrap_or(CONTENT_TYPE);
    if let Some(value) = table.value("content_type").filter(|_| !is_media_type(content_type)) {
        let message = format!("`{}` is not a media type", content_type.escape_debug());
        build.report.error(value, message).hint("such as `\"application/json\"`");
    }
    Some(FixedResponse { status, content_type: content_type.to_owned(), body: Arc::from(body.as_bytes()) })
}

/// Checks `type/subtype` and rejects characters that would break the field; parameters are not parsed (RFC
/// 9110 §8.3.1).
fn is_media_type(text: &str) -> bool {
    let visible = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let parts = text.split_once('/');
    visible && parts.is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty()) && text.trim() == text
}

const ACTIONS: [&str; 3] = ["forward", "redirect", "respond"];
const CONTENT_TYPE: &str = "text/plain; charset=utf-8";
/// limit: bodies are kept in memory, as error pages are.
const BODY_BYTES_MAX: usize = 256 * 1024;
