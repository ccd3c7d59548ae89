//! Access lists (HTTP8), and the files they name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{AccessEntry, AccessList, Cidr, Verdict};

use super::{Build, address};
use crate::raw::{Table, Value};
use crate::time;

/// What is left of the limits on all files together.
#[derive(Debug)]
pub(super) struct FileBudget {
    lines: usize,
    bytes: usize,
}

impl Default for FileBudget {
    fn default() -> Self {
        Self { lines: FILE_LINES_MAX, bytes: FILE_BYTES_MAX }
    }
}

/// The access list of this load balancer, listener or rule.
pub(super) fn list(table: &Table, build: &mut Build<'_, '_>) -> Option<Arc<AccessList>> {
    let entry = table.entry("access")?;
    let table = entry.value.table()?;
    // Positions are only needed to report ranges in both lists, and take memory for a large file.
    let has_both = table.has("allow") && table.has("deny");
    let allow = entries(table.list("allow"), Verdict::Allow, has_both, build);
    let deny = entries(table.list("deny"), Verdict::Deny, has_both, build);
    conflicts(&allow, &deny, build);
    let default = match table.text("default") {
        Some("deny") => Verdict::Deny,
        None if table.has("allow") => Verdict::Deny,
        _ => Verdict::Allow,
    };
    match default {
        Verdict::Allow if !table.has("deny") => {
            build.report.error(entry, "`access` has no effect: it denies no client");
        }
        Verdict::Deny if !table.has("allow") => {
            build.ineffective(
                table,
                "deny",
                "no `allow` is set and the default is `deny`, so every client is denied anyway",
            );
        }
        _ => {}
    }
    let (mut entries, others) = (allow.found, deny.found);
    if entries.is_empty() {
        entries = others;
    } else {
        entries.extend(others);
    }
    Some(Arc::new(AccessList { entries, default }))
}

/// The entries of one list, and where each was written.
struct Entries<'v> {
    found: Vec<AccessEntry>,
    /// The value, and the line in its file; 0 for an entry that is in the configuration itself.
    places: Option<Vec<(&'v Value, u32)>>,
}

fn entries<'v>(
    values: &'v [Value],
    verdict: Verdict,
    keeps_places: bool,
    build: &mut Build<'_, '_>,
) -> Entries<'v> {
    let mut entries = Entries { found: Vec::new(), places: keeps_places.then(Vec::new) };
    let mut seen = HashSet::new();
    for value in values {
        if let Some(table) = value.table() {
            if let Some(value) = table.value("file") {
                file(value, verdict, &mut entries, build);
            }
            continue;
        }
        let Some(text) = value.text() else { continue };
        match parse(text, verdict) {
            Ok(entry) if !seen.insert(entry.range) => {
                build.report.error(value, format!("`{}` is listed twice", entry.range));
            }
            Ok(entry) => entries.push(entry, value, 0),
            Err(wrong) => {
                build.report.error(value, wrong.message).hint(wrong.hint);
            }
        }
    }
    entries
}

impl<'v> Entries<'v> {
    fn push(&mut self, entry: AccessEntry, value: &'v Value, line: u32) {
        self.found.push(entry);
        if let Some(places) = &mut self.places {
            places.push((value, line));
        }
    }
}

fn file<'v>(value: &'v Value, verdict: Verdict, entries: &mut Entries<'v>, build: &mut Build<'_, '_>) {
    let Some(name) = value.text() else { return };
    let shown = name.escape_debug();
    let bytes = match build.files.read(&build.path(name), build.access_files.bytes) {
        Ok(bytes) => bytes,
        Err(error) => return build.unreadable(value, name, &error),
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        build.report.file_error(value, format!("`{shown}` is not UTF-8 text"));
        return;
    };
    build.access_files.bytes -= bytes.len();
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    entries.found.reserve(lines.min(build.access_files.lines));
    let mut wrong_lines = 0_usize;
    for (line, text) in (1..).zip(text.lines()) {
        let Some(lines) = build.access_files.lines.checked_sub(1) else {
            let message = format!("{shown}:{line}: all files together have more than {FILE_LINES_MAX} lines");
            build.report.file_error(value, message);
            return;
        };
        build.access_files.lines = lines;
        let text = text.split_once('#').map_or(text, |(entry, _)| entry).trim();
        if text.is_empty() {
            continue;
        }
        match parse(text, verdict) {
            Ok(entry) => entries.push(entry, value, line),
            Err(wrong) if wrong_lines < WRONG_LINES_MAX => {
                wrong_lines += 1;
                build.report.file_error(value, format!("{shown}:{line}: {}", wrong.message)).hint(wrong.hint);
            }
            Err(_) => wrong_lines += 1,
        }
    }
    if wrong_lines > WRONG_LINES_MAX {
        let more = wrong_lines - WRONG_LINES_MAX;
        build.report.file_error(value, format!("{shown} has {more} more lines with errors"));
    }
}

/// Why a text is not a valid entry.
struct Wrong {
    message: String,
    hint: String,
}

/// `RANGE` or `RANGE until TIME`.
fn parse(text: &str, verdict: Verdict) -> Result<AccessEntry, Wrong> {
    let (range, until) = match text.split_once(" until ") {
        Some((range, until)) => (range.trim(), Some(until.trim())),
        None => (text, None),
    };
    let range: Cidr = range.parse().map_err(|error| Wrong {
        message: format!("`{}` is not an address range", shorten(range)),
        hint: address::range_hint(range, error),
    })?;
    let unix_seconds = |text| {
        time::parse_rfc3339(text).ok_or_else(|| Wrong {
            message: format!("`{}` is not a time", shorten(text)),
            hint: "such as `2027-01-01T00:00:00Z` or `2027-01-01T00:00:00+02:00`".to_owned(),
        })
    };
    Ok(AccessEntry { range, verdict, until: until.map(unix_seconds).transpose()? })
}

/// Shortens a text for an error message, because a line of a file can be long.
fn shorten(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", shown.escape_debug())
}

/// Reports ranges that are in both lists, because it is not defined which list would win.
fn conflicts(allow: &Entries<'_>, deny: &Entries<'_>, build: &mut Build<'_, '_>) {
    let (Some(allow_places), Some(deny_places)) = (&allow.places, &deny.places) else { return };
    let allowed: HashMap<_, _> =
        allow.found.iter().map(|entry| entry.range).zip(allow_places.iter().copied()).collect();
    let both = deny.found.iter().zip(deny_places).filter_map(|(entry, &place)| {
        let other = allowed.get(&entry.range)?;
        Some((entry.range, *other, place))
    });
    for (range, other, (value, line)) in both.take(WRONG_LINES_MAX) {
        let other = match (other, value.text().filter(|_| line > 0)) {
            ((other, 0), _) => format!("in line {}", build.report.line(other)),
            ((other, line), _) => format!("in {}:{line}", other.text().unwrap_or_default().escape_debug()),
        };
        let message = format!("{}`{range}` is allowed and denied", place_in_file(value, line));
        build.report.error(value, message).hint(format!("it is allowed {other}"));
    }
}

fn place_in_file(value: &Value, line: u32) -> String {
    match value.text() {
        Some(name) if line > 0 => format!("{}:{line}: ", name.escape_debug()),
        _ => String::new(),
    }
}

/// limit: for all files together; they are read and compiled at start and reload.
const FILE_LINES_MAX: usize = 2_000_000;
const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// limit: reported errors of one file or table; a file in another format would have one on every line.
const WRONG_LINES_MAX: usize = 5;
const SHOWN_CHARS_MAX: usize = 60;
