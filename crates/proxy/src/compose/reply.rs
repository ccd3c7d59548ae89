//! Replies of our own: redirects, fixed responses, and failures.

use model::{Redirect, TemplatePiece, status_phrase};
use proto::http1::{Method, encode, token};

use super::edits::{is_edited, write_field};
use super::response::{Kind, Present, ResponseComposer};
use super::{grpc, page};
use crate::decide::Ready;
use crate::failed::Failed;
use crate::head::RequestText;

impl ResponseComposer<'_> {
    /// Writes the reply of a rule, head and body; returns the bytes of the body that are sent.
    pub(crate) fn write_ready(&self, ready: Ready<'_>, request: RequestText<'_>, out: &mut Vec<u8>) -> u64 {
        write_status_line(ready.status(), out);
        let no_body: &[u8] = &[];
        let mut trace = Vec::new();
        let (content_type, body) = match ready {
            Ready::Redirect(redirect) => {
                out.extend_from_slice(b"Location: ");
                write_location(redirect, request, out);
                out.extend_from_slice(b"\r\n");
                ("", no_body)
            }
            Ready::Slash(path) => {
                // The operator's path, so that nothing a client sends can make it lead to another host.
                out.extend_from_slice(b"Location: ");
                out.extend_from_slice(path.as_bytes());
                write_query(request, out);
                out.extend_from_slice(b"\r\n");
                ("", no_body)
            }
            Ready::Fixed(fixed) if fixed.body.is_empty() => {
                let page = page::own(fixed.status, &self.plan.http.error_pages);
                page.map_or(("", no_body), |page| (page.content_type.as_str(), &*page.body))
            }
            Ready::Fixed(fixed) => (fixed.content_type.as_str(), &*fixed.body),
            Ready::Options => {
                write_field("Allow", ALLOWED, out);
                ("", no_body)
            }
            Ready::Trace => {
                write_trace(request, &mut trace);
                ("message/http", &*trace)
            }
        };
        if !content_type.is_empty() && !body.is_empty() && !is_edited(self.edits, b"content-type") {
            write_field("Content-Type", content_type.as_bytes(), out);
        }
        self.write_body(Kind::Ready, ready.status(), body, out)
    }

    /// Writes the reply to a request that failed, with its reason word and the request id.
    pub(crate) fn write_failure(&self, failed: Failed, out: &mut Vec<u8>) -> u64 {
        let outcome = failed.failure.outcome();
        let is_grpc = self.is_grpc(failed);
        if is_grpc {
            grpc::write_failure(failed.failure, out);
        } else {
            write_status_line(outcome.status, out);
        }
        if let Some(error) = outcome.proxy_error
            && !self.replaces(Kind::Failure, b"proxy-status")
        {
            // RFC 9209 §2; `details` is the reason word of log, metrics and docs.
            for part in ["Proxy-Status: evenkeel; error=", error, "; details=\"", outcome.reason, "\"\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        if outcome.status == 405 && !self.replaces(Kind::Failure, b"allow") {
            write_field("Allow", ALLOWED, out);
        }
        write_field("Cache-Control", b"no-store", out);
        if is_grpc {
            return self.write_body(Kind::Failure, 200, &[], out);
        }
        let page = page::of(failed.failure, &self.plan.http.error_pages, self.request, self.id);
        write_field("Content-Type", page.content_type.as_bytes(), out);
        self.write_body(Kind::Failure, outcome.status, &page.body, out)
    }

    /// Whether the client is told about a failure in the terms of gRPC: in a 200.
    pub(crate) fn is_grpc(&self, failed: Failed) -> bool {
        let is_grpc = |request| grpc::is_asked(request, failed.failure);
        self.arrival.is_http2 && self.request.is_some_and(is_grpc)
    }

    /// Ends the head and writes the body; returns the bytes of the body that are sent.
    fn write_body(&self, kind: Kind, status: u16, body: &[u8], out: &mut Vec<u8>) -> u64 {
        let has_body = !matches!(status, 204 | 304);
        if has_body {
            out.extend_from_slice(b"Content-Length: ");
            encode::write_decimal(out, body.len() as u64);
            out.extend_from_slice(b"\r\n");
        }
        self.write_end(kind, Present::default(), out);
        let is_head = self.request.is_some_and(|request| request.head.method() == Method::Head);
        if !has_body || is_head {
            return 0;
        }
        out.extend_from_slice(body);
        body.len() as u64
    }
}

/// The request as it arrived, with the fields that tell about its way and none that may be secret (RFC 9110 §9.3.8).
fn write_trace(request: RequestText<'_>, out: &mut Vec<u8>) {
    let RequestText { head, bytes } = request;
    for part in [request.text(head.method_span()), b" ", request.text(head.target()), b" HTTP/1.1\r\n"] {
        out.extend_from_slice(part);
    }
    let is_told = |name: &[u8]| {
        [&b"host"[..], b"via", b"max-forwards", b"user-agent"]
            .iter()
            .any(|told| token::eq_ignore_case(name, told))
    };
    encode::copy_fields(out, bytes, head.fields(), |field| is_told(field.name.of(bytes)));
    out.extend_from_slice(b"\r\n");
}

fn write_status_line(status: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    encode::write_decimal(out, status.into());
    out.push(b' ');
    out.extend_from_slice(status_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_location(redirect: &Redirect, request: RequestText<'_>, out: &mut Vec<u8>) {
    let head = request.head;
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

/// `?` and the query, if the request has one.
fn write_query(request: RequestText<'_>, out: &mut Vec<u8>) {
    if let Some(query) = request.head.query() {
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

const ALLOWED: &[u8] = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE";

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
