//! `compression` of a load balancer or a listener.

use model::{Compression, CompressionLevels, ContentCoding};

use super::Build;
use super::pattern::is_token;
use crate::raw::{Table, Value};

pub(super) fn compression(value: &Value, build: &mut Build<'_, '_>) -> Option<Compression> {
    if value.text() == Some("off") {
        return None;
    }
    let nothing = Table::default();
    let table = value.table().unwrap_or(&nothing);
    Some(Compression {
        codings: match table.value("algorithms") {
            Some(value) => codings(value, build),
            None => ContentCoding::ALL.to_vec(),
        },
        types: match table.value("types") {
            Some(value) => types(value, build),
            None => TYPES.iter().map(|&name| name.to_owned()).collect(),
        },
        bytes_min: table.integer("min_bytes").unwrap_or(BYTES_MIN),
        levels: table.value("level").map_or(CompressionLevels::BALANCED, levels),
    })
}

fn codings(value: &Value, build: &mut Build<'_, '_>) -> Vec<ContentCoding> {
    let mut found = Vec::new();
    for value in value.list() {
        let coding = ContentCoding::ALL.into_iter().find(|coding| value.text() == Some(coding.as_str()));
        let Some(coding) = coding else { continue };
        if found.contains(&coding) {
            build.report.error(value, format!("`{}` is listed twice", coding.as_str()));
        }
        found.push(coding);
    }
    if value.list().is_empty() {
        build.report.error(value, "`algorithms` is empty").hint(OFF);
    }
    found
}

fn types(value: &Value, build: &mut Build<'_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    for value in value.list() {
        let Some(text) = value.text() else { continue };
        if !is_media_type(text) {
            let problem = build.report.error(value, format!("`{}` is not a media type", text.escape_debug()));
            problem.hint("such as `text/html`, `text/*` or `application/*+json`, without parameters");
        }
        found.push(text.to_ascii_lowercase());
    }
    if value.list().is_empty() {
        build.report.error(value, "`types` is empty").hint(OFF);
    }
    found
}

/// Whether the text is `type/subtype` (RFC 9110 §8.3.1). The subtype may begin with one `*`.
fn is_media_type(text: &str) -> bool {
    let Some((name, subtype)) = text.split_once('/') else { return false };
    let rest = match subtype.strip_prefix('*') {
        Some("") => return is_token(name) && !name.contains('*'),
        Some(suffix) if suffix.starts_with('+') => suffix,
        Some(_) => return false,
        None => subtype,
    };
    is_token(name) && is_token(rest) && !name.contains('*') && !rest.contains('*')
}

fn levels(value: &Value) -> CompressionLevels {
    let balanced = CompressionLevels::BALANCED;
    match (value.text(), value.table()) {
        (Some("fast"), _) => CompressionLevels::FAST,
        (Some("small"), _) => CompressionLevels::SMALL,
        (_, Some(table)) => CompressionLevels {
            zstd: table.integer("zstd").unwrap_or(balanced.zstd),
            br: table.integer("br").unwrap_or(balanced.br),
            gzip: table.integer("gzip").unwrap_or(balanced.gzip),
        },
        _ => balanced,
    }
}

const OFF: &str = "`compression = \"off\"` turns compression off";
const BYTES_MIN: u64 = 1024;
const TYPES: [&str; 15] = [
    "text/*",
    "application/json",
    "application/*+json",
    "application/x-ndjson",
    "application/javascript",
    "application/x-javascript",
    "application/xml",
    "application/*+xml",
    "application/wasm",
    "image/svg+xml",
    "image/bmp",
    "image/x-icon",
    "image/vnd.microsoft.icon",
    "font/ttf",
    "font/otf",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_have_at_most_one_star() {
        for text in TYPES {
            assert!(is_media_type(text), "{text}");
        }
        for text in [
            "",
            "text",
            "text/",
            "/html",
            "*/*",
            "te*t/html",
            "text/h*",
            "text/*x",
            "text/**",
            "text/html; charset=utf-8",
            "a/b/c",
            "text/ html",
        ] {
            assert!(!is_media_type(text), "{text}");
        }
    }
}
