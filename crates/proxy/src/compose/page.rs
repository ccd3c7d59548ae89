//! The pages of failures: the operator's own if one is configured, else one in the format that the client prefers.

use std::borrow::Cow;

use model::{ErrorPage, Failure, status_phrase};
use proto::http1::{Known, token};

use crate::head::RequestText;

pub(super) struct Page<'a> {
    pub(super) content_type: &'a str,
    pub(super) body: Cow<'a, [u8]>,
}

/// `request` is `None` where its head could not be read.
pub(super) fn of<'a>(
    failure: Failure,
    own: &'a [ErrorPage],
    request: Option<RequestText<'_>>,
    id: &[u8],
) -> Page<'a> {
    let outcome = failure.outcome();
    if let Some(page) = own.iter().find(|page| page.statuses.contains(outcome.status)) {
        return Page { content_type: &page.content_type, body: (&*page.body).into() };
    }
    let id = String::from_utf8_lossy(id);
    let (status, phrase, reason, what) =
        (outcome.status, status_phrase(outcome.status), outcome.reason, outcome.what);
    let accept = request.and_then(|request| request.field(Known::Accept)).unwrap_or_default();
    // Our own texts need no escaping: none holds a quote, an angle bracket or an ampersand.
    let (content_type, page) = match preferred_format(accept) {
        Format::Html => (
            "text/html; charset=utf-8",
            format!(
                "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{status} {phrase}</title>\n\
                 <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}}\
                 small{{color:#666}}</style>\n<h1>{status} {phrase}</h1>\n<p>{what}</p>\n\
                 <p><small>reason {reason}, request {id}</small></p>\n</html>\n",
                id = html_safe(&id),
            ),
        ),
        Format::Json => (
            "application/json",
            format!(
                "{{\"status\":{status},\"reason\":\"{reason}\",\"message\":\"{what}\",\"request_id\":\"{id}\"}}\n",
                id = id.replace(['"', '\\'], "_"),
            ),
        ),
        Format::Text => (
            "text/plain; charset=utf-8",
            format!("{status} {phrase}\n{what}\nreason {reason}, request {id}\n"),
        ),
    };
    Page { content_type, body: page.into_bytes().into() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Html,
    Json,
    Text,
}

/// A rough reading of `Accept` (RFC 9110 §12.5.1): the first of our formats that it names.
fn preferred_format(accept: &[u8]) -> Format {
    let name = |range: &'_ [u8]| {
        range.split(|&byte| byte == b';').next().map(token::trim).unwrap_or_default().to_ascii_lowercase()
    };
    token::list(accept)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_format_that_we_have_is_taken() {
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml;q=0.9", Format::Html),
            ("image/png, Application/JSON;q=0.5, text/html", Format::Json),
            ("text/plain", Format::Text),
        ] {
            assert_eq!(preferred_format(accept.as_bytes()), expected, "{accept}");
        }
    }
}
