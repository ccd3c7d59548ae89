//! The pages of failures: the operator's own if one is configured, else one in the format that the client prefers.

use std::borrow::Cow;

use model::{ErrorPage, Failure, status_phrase};
use proto::http1::{Known, token};

use crate::head::RequestText;

pub(super) struct Page<'a> {
    pub(super) content_type: &'a str,
    pub(super) body: Cow<'a, [u8]>,
}

/// The operator's page for a status.
pub(super) fn own(status: u16, pages: &[ErrorPage]) -> Option<&ErrorPage> {
    pages.iter().find(|page| page.statuses.contains(status))
}

/// `request` is `None` where its head could not be read.
pub(super) fn of<'a>(
    failure: Failure,
    own: &'a [ErrorPage],
    request: Option<RequestText<'_>>,
    id: &[u8],
) -> Page<'a> {
    let outcome = failure.outcome();
    if let Some(page) = self::own(outcome.status, own) {
        return Page { content_type: &page.content_type, body: (&*page.body).into() };
    }
    let id = String::from_utf8_lossy(id);
    let (status, phrase, reason, what) =
        (outcome.status, status_phrase(outcome.status), outcome.reason, outcome.what);
    let accept = request.into_iter().flat_map(|request| {
        request.head.fields_of(Known::Accept).map(move |field| request.text(field.value))
    });
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

/// A rough reading of `Accept` (RFC 9110 §12.5.1): the first of our formats that it names, but for those that it refuses with
/// `q=0`. If it names none, plain text or the next that is not refused.
fn preferred_format<'a>(accept: impl IntoIterator<Item = &'a [u8]>) -> Format {
    let mut refused = [false; 3];
    let mut named = None;
    for range in accept.into_iter().flat_map(token::list) {
        let mut parts = range.split(|&byte| byte == b';').map(token::trim);
        let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_slice() {
            b"text/html" | b"application/xhtml+xml" => Format::Html,
            b"application/json" | b"application/*" => Format::Json,
            b"text/plain" => Format::Text,
            _ => continue,
        };
        if parts.any(is_zero) {
            refused[format as usize] = true;
        } else {
            named.get_or_insert(format);
        }
    }
    let free =
        [Format::Text, Format::Html, Format::Json].into_iter().find(|&format| !refused[format as usize]);
    named.or(free).unwrap_or(Format::Text)
}

/// `q=0`, also as `q=0.000` (RFC 9110 §12.4.2).
fn is_zero(parameter: &[u8]) -> bool {
    let [b'q' | b'Q', b'=', b'0', rest @ ..] = parameter else { return false };
    rest.iter().all(|byte| matches!(byte, b'.' | b'0'))
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
            ("text/html;q=0", Format::Text),
            ("text/html;q=0, application/json", Format::Json),
            ("text/html;level=1; Q=0.00, application/json;q=0.1", Format::Json),
            ("text/html;q=0.01", Format::Html),
            ("text/plain;q=0, */*", Format::Html),
            ("text/plain;q=0, text/html;q=0", Format::Json),
            ("text/plain;q=0, text/html;q=0, application/json;q=0", Format::Text),
        ] {
            assert_eq!(preferred_format([accept.as_bytes()]), expected, "{accept}");
        }
    }
}
