//! Replies that we make: redirects, fixed responses, and the pages of failures.

use model::{
    Failure, FieldEdits, FixedResponse, HttpSettings, PathPattern, Redirect, Side, TemplatePiece,
    status_phrase,
};
use net::Sys;
use proto::http1::{Known, Method, encode, token};

use super::forward::{is_edited, write_edits};
use super::request::Request;
use super::respond::{hsts, write_connection, write_hsts};
use super::screen::Permitted;
use super::{Failed, grpc};
use crate::snapshot::{ActionPlan, RulePlan};

/// A reply that needs no target.
enum Ready<'a> {
    Redirect(&'a Redirect),
    Fixed(&'a FixedResponse),
    /// To this path, the request's with a slash behind it.
    Slash(&'a str),
}

/// The ready reply of a rule to this request, if it has one.
fn ready<'a, S: Sys>(request: &Request<S>, rule: &'a RulePlan) -> Option<Ready<'a>> {
    if let (true, PathPattern::Prefix(prefix)) = (rule.adds_slash, &rule.path)
        && prefix.strip_suffix('/').is_some_and(|bare| bare.as_bytes() == request.path())
    {
        return Some(Ready::Slash(prefix));
    }
    match &rule.action {
        ActionPlan::Redirect(redirect) => Some(Ready::Redirect(redirect)),
        ActionPlan::Fixed(fixed) => Some(Ready::Fixed(fixed)),
        ActionPlan::Forward { .. } => None,
    }
}

/// Whether the rule answers this request by itself. A redirect to the request's host needs one.
pub(super) fn is_ready<S: Sys>(request: &Request<S>, permitted: Permitted) -> Result<bool, Failed> {
    let ready = ready(request, &request.listener.plan.rules[permitted.rule]);
    let needs_host = matches!(ready, Some(Ready::Redirect(to)) if to.to.contains(&TemplatePiece::Host));
    if needs_host && request.head().host_name().is_none_or(|name| name.is_empty()) {
        return Err(Failed { failure: Failure::RequestHost, detail: "a redirect to the request's host" });
    }
    Ok(ready.is_some())
}

/// The status of the ready reply of a rule.
pub(super) fn status_of<S: Sys>(request: &Request<S>, rule: &RulePlan) -> u16 {
    match ready(request, rule) {
        Some(Ready::Redirect(redirect)) => redirect.code,
        Some(Ready::Fixed(fixed)) => fixed.status,
        Some(Ready::Slash(_)) => 308,
        None => Failure::Internal.outcome().status,
    }
}

/// Writes the ready reply of a rule.
pub(super) fn write_ready<S: Sys>(request: &Request<S>, rule: &RulePlan, out: &mut Vec<u8>) -> u64 {
    let status = status_of(request, rule);
    write_status_line(status, out);
    let no_body: &[u8] = &[];
    let (content_type, body) = match ready(request, rule) {
        Some(Ready::Redirect(redirect)) => {
            out.extend_from_slice(b"Location: ");
            write_location(request, redirect, out);
            out.extend_from_slice(b"\r\n");
            ("", no_body)
        }
        Some(Ready::Slash(path)) => {
            // Of the operator's own path, so that nothing a client sent can make it lead to another host.
            out.extend_from_slice(b"Location: ");
            out.extend_from_slice(path.as_bytes());
            write_query(request, out);
            out.extend_from_slice(b"\r\n");
            ("", no_body)
        }
        Some(Ready::Fixed(fixed)) => (fixed.content_type.as_str(), &*fixed.body),
        None => ("", no_body),
    };
    let edits = &rule.response_fields;
    if !content_type.is_empty() && !body.is_empty() && !is_edited(edits, b"content-type") {
        write_field("Content-Type", content_type.as_bytes(), out);
    }
    write_hsts(hsts(request, edits), out);
    write_edits(edits, out);
    if !is_edited(edits, b"date") {
        request.proxy.write_date(out);
    }
    write_end(request, status, body, out)
}

/// Writes the reply to a request that failed, with its reason word and the request id.
pub(super) fn write_failure<S: Sys>(request: &Request<S>, failed: Failed, out: &mut Vec<u8>) -> u64 {
    let outcome = failed.failure.outcome();
    let is_grpc = grpc::is_asked(request, failed.failure);
    if is_grpc {
        grpc::write_failure(failed.failure, out);
    } else {
        write_status_line(outcome.status, out);
    }
    if let Some(error) = outcome.proxy_error {
        // RFC 9209 §2; `details` is the reason word, by which log, metrics and docs know the failure.
        for part in [
            &b"Proxy-Status: evenkeel; error="[..],
            error.as_bytes(),
            b"; details=\"",
            outcome.reason.as_bytes(),
            b"\"\r\n",
        ] {
            out.extend_from_slice(part);
        }
    }
    if outcome.status == 405 {
        write_field("Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE", out);
    }
    write_hsts(hsts(request, &FieldEdits::default()), out);
    write_field("X-Request-Id", request.id(), out);
    write_field("Cache-Control", b"no-store", out);
    if is_grpc {
        request.proxy.write_date(out);
        return write_end(request, 200, &[], out);
    }
    let (content_type, body) = page(request, failed.failure);
    write_field("Content-Type", content_type.as_bytes(), out);
    request.proxy.write_date(out);
    write_end(request, outcome.status, &body, out)
}

/// The operator's own page where one is configured, else one in the format that the client likes.
fn page<'a, S: Sys>(request: &'a Request<S>, failure: Failure) -> (&'a str, std::borrow::Cow<'a, [u8]>) {
    let http: &HttpSettings = &request.listener.plan.http;
    let outcome = failure.outcome();
    if let Some(page) = http.error_pages.iter().find(|page| page.statuses.contains(outcome.status)) {
        return (&page.content_type, (&*page.body).into());
    }
    let id = String::from_utf8_lossy(request.id());
    let (status, phrase, reason, what) =
        (outcome.status, status_phrase(outcome.status), outcome.reason, outcome.what);
    // Our own words and the id need no escaping: none holds a quote, an angle bracket or an ampersand.
    match liked_format(request) {
        Format::Html => {
            let page = format!(
                "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{status} {phrase}</title>\n\
                 <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}}\
                 small{{color:#666}}</style>\n<h1>{status} {phrase}</h1>\n<p>{what}</p>\n\
                 <p><small>reason {reason}, request {id}</small></p>\n</html>\n",
                id = html_safe(&id),
            );
            ("text/html; charset=utf-8", page.into_bytes().into())
        }
        Format::Json => {
            let page = format!(
                "{{\"status\":{status},\"reason\":\"{reason}\",\"message\":\"{what}\",\"request_id\":\"{id}\"}}\n",
                id = id.replace(['"', '\\'], "_"),
            );
            ("application/json", page.into_bytes().into())
        }
        Format::Text => {
            let page = format!("{status} {phrase}\n{what}\nreason {reason}, request {id}\n");
            ("text/plain; charset=utf-8", page.into_bytes().into())
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Html,
    Json,
    Text,
}

/// A rough reading of `Accept` (RFC 9110 §12.5.1): the first format of ours that the client names.
fn liked_format<S: Sys>(request: &Request<S>) -> Format {
    let accept = if request.is_read { request.field(Known::Accept) } else { None };
    let ranges = token::list(accept.unwrap_or_default());
    let name = |range: &'_ [u8]| {
        range.split(|&byte| byte == b';').next().map(token::trim).unwrap_or_default().to_ascii_lowercase()
    };
    ranges
        .map(name)
        .find_map(|name| match name.as_slice() {
            b"text/html" | b"application/xhtml+xml" => Some(Format::Html),
            b"application/json" | b"application/*" => Some(Format::Json),
            b"text/plain" => Some(Format::Text),
            _ => None,
        })
        .unwrap_or(Format::Text)
}

fn html_safe(id: &str) -> String {
    id.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn write_location<S: Sys>(request: &Request<S>, redirect: &Redirect, out: &mut Vec<u8>) {
    let head = request.head();
    for piece in &redirect.to {
        match piece {
            TemplatePiece::Text(text) => out.extend_from_slice(text.as_bytes()),
            TemplatePiece::Host => {
                out.extend_from_slice(head.host_name().map_or(&[], |span| request.text(span)));
            }
            TemplatePiece::Path => write_path(request.text(head.path()), out),
            TemplatePiece::Port => {
                if let Some(port) = head.port().filter(|port| !matches!(port, 80 | 443)) {
                    out.push(b':');
                    encode::write_decimal(out, port.into());
                }
            }
            TemplatePiece::Query => write_query(request, out),
        }
    }
}

/// `?` and the query, where the request has one.
fn write_query<S: Sys>(request: &Request<S>, out: &mut Vec<u8>) {
    if let Some(query) = request.head().query() {
        out.push(b'?');
        out.extend_from_slice(request.text(query));
    }
}

/// The path as it was sent, with one slash in front: `//host/` as a whole `Location` would lead to another host.
fn write_path(path: &[u8], out: &mut Vec<u8>) {
    let slashes = path.iter().take_while(|&&byte| matches!(byte, b'/' | b'\\')).count();
    out.push(b'/');
    out.extend_from_slice(&path[slashes..]);
}

fn write_status_line(status: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    encode::write_decimal(out, status.into());
    out.push(b' ');
    out.extend_from_slice(status_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// The fields that every reply ends with, and the body; returns the bytes of the body that are sent.
fn write_end<S: Sys>(request: &Request<S>, status: u16, body: &[u8], out: &mut Vec<u8>) -> u64 {
    let has_body = !matches!(status, 204 | 304);
    if has_body {
        out.extend_from_slice(b"Content-Length: ");
        encode::write_decimal(out, body.len() as u64);
        out.extend_from_slice(b"\r\n");
    }
    write_connection(request, out);
    out.extend_from_slice(b"\r\n");
    if !has_body || (request.is_read && request.head().method() == Method::Head) {
        return 0;
    }
    out.extend_from_slice(body);
    body.len() as u64
}

/// Whether a failure is one that no reply can reach.
pub(super) fn is_silent(failure: Failure) -> bool {
    let outcome = failure.outcome();
    outcome.side == Side::Client && outcome.status == 499
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_the_path_stays_on_its_host() {
        for (sent, written) in [
            ("", "/"),
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("//evil.example", "/evil.example"),
            ("/\\evil", "/evil"),
        ] {
            let mut out = Vec::new();
            write_path(sent.as_bytes(), &mut out);
            assert_eq!(out, written.as_bytes(), "{sent}");
        }
    }
}
