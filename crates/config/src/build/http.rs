//! The settings of HTTP that a listener inherits from its load balancer.

use std::path::Path;
use std::sync::Arc;

use model::{ClientAbort, EncodedSlash, ErrorPage, HttpLimits, HttpSettings, MinRate};

use super::pattern::is_token;
use super::{Build, address, compression, http2, status};
use crate::raw::{Entry, Table, Value};

/// `inherited`, with the keys that `table` sets replaced.
pub(super) fn settings(inherited: HttpSettings, table: &Table, build: &mut Build<'_, '_>) -> HttpSettings {
    let inherited_forwarded = inherited.forwarded;
    HttpSettings {
        keepalive_timeout: table.duration("keepalive_timeout").unwrap_or(inherited.keepalive_timeout),
        keepalive_requests: table.integer("keepalive_requests").unwrap_or(inherited.keepalive_requests),
        header_timeout: table.duration("header_timeout").unwrap_or(inherited.header_timeout),
        body_timeout: table.duration("body_timeout").unwrap_or(inherited.body_timeout),
        send_timeout: table.duration("send_timeout").unwrap_or(inherited.send_timeout),
        min_rate: match table.value("min_rate") {
            Some(value) => min_rate(inherited.min_rate.unwrap_or_default(), value),
            None => inherited.min_rate,
        },
        client_abort: match table.text("client_abort") {
            Some("ignore") => ClientAbort::Ignore,
            Some(_) => ClientAbort::Cancel,
            None => inherited.client_abort,
        },
        via: match table.value("via") {
            Some(value) => via(value, build),
            None => inherited.via,
        },
        response_ids: table
            .table("request_id")
            .and_then(|table| table.bool("response"))
            .unwrap_or(inherited.response_ids),
        limits: match table.table("limits") {
            Some(table) => limits(inherited.limits, table, build),
            None => inherited.limits,
        },
        forwarded: model::ForwardedHeaders {
            x_forwarded: table.bool("x_forwarded").unwrap_or(inherited_forwarded.x_forwarded),
            forwarded: table.bool("forwarded").unwrap_or(inherited_forwarded.forwarded),
        },
        trusted_proxies: match table.value("trusted_proxies") {
            Some(value) => address::ranges(value.list(), build.report),
            None => inherited.trusted_proxies,
        },
        error_pages: match table.table("error_pages") {
            Some(table) => error_pages(table, build),
            None => inherited.error_pages,
        },
        compression: match table.value("compression") {
            Some(value) => compression::compression(value, build),
            None => inherited.compression,
        },
        http2: http2::http2(inherited.http2, table, build),
        encoded_slash: match table.table("paths").and_then(|table| table.text("encoded_slash")) {
            Some("refuse") => EncodedSlash::Refuse,
            Some(_) => EncodedSlash::Pass,
            None => inherited.encoded_slash,
        },
    }
}

fn min_rate(inherited: MinRate, value: &Value) -> Option<MinRate> {
    let table = value.table()?;
    Some(MinRate {
        bytes_per_second: table.integer("bytes_per_second").unwrap_or(inherited.bytes_per_second),
        grace: table.duration("grace").unwrap_or(inherited.grace),
    })
}

/// Reads the name in `Via`: a token, so that it needs no quotes.
fn via(value: &Value, build: &mut Build<'_, '_>) -> Option<String> {
    let text = value.text().filter(|text| *text != "off")?;
    if !is_token(text) || text.len() > VIA_BYTES_MAX {
        let message = format!("`{}` is not a valid name for `Via`", text.escape_debug());
        let hint = "1–64 letters, digits and characters such as `-`, `.` and `_`";
        build.report.error(value, message).hint(hint);
    }
    Some(text.to_owned())
}

fn limits(inherited: HttpLimits, table: &Table, build: &mut Build<'_, '_>) -> HttpLimits {
    let body_bytes = match table.value("body") {
        Some(value) => value.integer(),
        None => inherited.body_bytes,
    };
    let limits = HttpLimits {
        request_line_bytes: table.integer("request_line").unwrap_or(inherited.request_line_bytes),
        field_bytes: table.integer("field").unwrap_or(inherited.field_bytes),
        fields_bytes: table.integer("fields").unwrap_or(inherited.fields_bytes),
        fields_count: table.integer("fields_count").unwrap_or(inherited.fields_count),
        body_bytes,
    };
    if limits.field_bytes > limits.fields_bytes {
        let at = table.value("field").or_else(|| table.value("fields"));
        let message = "the limit of one header field is larger than that of all fields together";
        if let Some(at) = at {
            build.report.error(at, message).hint("raise `limits.fields` or lower `limits.field`");
        }
    }
    limits
}

/// Error pages, sorted from the narrowest range to the widest, so that the first match applies.
fn error_pages(table: &Table, build: &mut Build<'_, '_>) -> Vec<ErrorPage> {
    let mut pages: Vec<_> = table.entries.iter().filter_map(|entry| error_page(entry, build)).collect();
    pages.sort_by_key(|((first, last), _)| (last - first, *first));
    pages.into_iter().map(|(_, page)| page).collect()
}

fn error_page(entry: &Entry, build: &mut Build<'_, '_>) -> Option<((u16, u16), ErrorPage)> {
    let range = status::parse(&entry.name, 400, 599);
    if range.is_none() {
        let message = format!("`{}` is not an error status", entry.name.escape_debug());
        build
            .report
            .error(entry, message)
            .hint("a status (`503`), a class (`5xx`) or a range (`500-504`) within 400–599");
    }
    let text = entry.value.text()?;
    let Some(content_type) = content_type(text) else {
        let message = format!("the content type of `{}` is unknown", text.escape_debug());
        build.report.error(&entry.value, message).hint("its name ends in `.html`, `.json` or `.txt`");
        return None;
    };
    match build.files.read(&build.path(text), ERROR_PAGE_BYTES_MAX) {
        Ok(body) => {
            let range = range?;
            let content_type = content_type.to_owned();
            Some((
                range,
                ErrorPage { statuses: status::set(vec![range]), content_type, body: Arc::from(body) },
            ))
        }
        Err(error) => {
            build.unreadable(&entry.value, text, &error);
            None
        }
    }
}

fn content_type(path: &str) -> Option<&'static str> {
    match Path::new(path).extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "json" => Some("application/json"),
        "txt" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

/// limit: the name is written into every head.
const VIA_BYTES_MAX: usize = 64;
/// limit: pages are kept in memory.
const ERROR_PAGE_BYTES_MAX: usize = 256 * 1024;
